"""How a call ended over there, as what its Future is to hold here."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from .calls import Call, set_outcome
from .errors import CallTerminated, CallTimeout, InterstateError, RemoteError, WorkerDied
from .hosts import Host
from .patience import ended_within
from .remote import payload, wire
from .remote.rebuilding import Rebuilding
from .tracebacks import Site, begin, show_lines_that_ran

_LONGEST = 10.0  # seconds that an exception may take to be made here: its own code may never end


def settle(call: Call, outcome: Any, behind: float, now: float) -> None:
    """Let its Future hold how a call ended, and when.

    Args:
        outcome: An Outcome, or the exception that stands for it.
        behind: How far the clock over there is behind ours, seconds.
        now: Unix time.
    """
    future = call.future
    future.finished_at = now
    ok, value = False, outcome
    if isinstance(outcome, payload.Outcome):
        future.finished_at = min(now, outcome.started + outcome.seconds + behind)
        future.started_at = future.finished_at - outcome.seconds
        ok, value = result_of(outcome, call.name, future.host, future.site)
    if call.stopped and not ok:
        value = stopped(call, value)
    set_outcome(future, ok, value)


def result_of(
    outcome: payload.Outcome, name: str, host: Host | None, site: Site | None = None
) -> tuple[bool, Any]:
    """Return (True, the result) or (False, the exception), whatever its unpickling here does.

    Args:
        outcome: How the call ended.
        name: What was called, for messages.
        host: Where.
        site: Where it was submitted.
    """
    if outcome.status == payload.RAISED:
        return False, exception_of(outcome.body, f"{name} on {host}", host, site)
    try:
        return True, outcome.load()
    except BaseException as error:  # it runs the user's code, which must not end this thread
        what = f"the result of {name} on {host} could not be rebuilt here: {shown(error)}"
        problem = RemoteError(what)
        problem.__cause__ = error
        return False, problem


def exception_of(
    content: wire.Bytes,
    what: str,
    host: Host | None,
    site: Site | None = None,
    *,
    exits: bool = False,
) -> BaseException:
    """Return the exception to raise here for one that was raised over there.

    Args:
        content: As `failure.dump_exception` makes it.
        what: What raised it, for messages.
        host: Where.
        site: Where that was submitted.
        exits: Whether it may be one that ends this process, since it is not to be raised.
    """
    rebuilding = Rebuilding(content)
    error = _rebuilt(rebuilding)
    show_lines_that_ran()
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit) and not exits:
        name = type(error).__qualname__
        problem = RemoteError(f"{what} raised {name}({', '.join(map(shown, error.args))})", name)
        problem.__cause__ = error
        error = problem
    begin(error, site, host, rebuilding.where)
    return error


def rebuilt(content: wire.Bytes) -> BaseException:
    """Return the exception that something was, as it was."""
    return _rebuilt(Rebuilding(content))


def _rebuilt(rebuilding: Rebuilding) -> BaseException:
    """It; where its own code has a part in that, it has a while to end."""
    if rebuilding.plain:
        return rebuilding.result()
    try:
        return ended_within(_LONGEST, rebuilding.result)
    except Exception as error:  # in its own code
        return rebuilding.in_words(str(error))


def worker_died(how: Mapping[str, Any], what: str, host: Host, attempts: int = 1) -> WorkerDied:
    """The exception for a call whose worker ended before it.

    Args:
        how: As the agent tells (`remote/death.py`).
        what: What it ran, for the message.
        host: Where.
        attempts: How often it was tried.
    """
    tried = f"; it was tried {attempts} times" if attempts > 1 else ""
    status = how["exit_status"]
    message = f"{host}: the worker process that ran {what} {how['words'] or _ended(status)}{tried}"
    return WorkerDied(message, host, status, how["stack"], how["out_of_memory"])


def stopped(call: Call, error: BaseException) -> InterstateError:
    """The exception for a call that was told to stop, and then ended by that error."""
    what = f"{call.name} on {call.future.host}"
    problem: InterstateError
    if call.stopped == wire.AT_LIMIT:
        what += f" ran for longer than its timeout of {call.timeout:g} s, and was stopped"
        problem = CallTimeout(what, call.future.host)
    else:
        problem = CallTerminated(f"{what} was stopped, as was asked for", call.future.host)
    interrupted = isinstance(error, RemoteError) and isinstance(error.__cause__, KeyboardInterrupt)
    problem.__cause__ = error.__cause__ if interrupted else error
    return problem


def _ended(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was ended by {name}"


def shown(value: object) -> str:
    """Return the repr of something of the user's, whatever making it does."""
    try:
        return repr(value)
    except BaseException:  # the user's code
        return f"<{type(value).__qualname__}>"
