"""How a call ended over there, as what its Future is to hold here."""

from __future__ import annotations

import signal
from typing import Any

from .calls import Call, set_outcome
from .errors import CallTerminated, CallTimeout, InterstateError, RemoteError, WorkerDied
from .hosts import Host
from .remote import payload, wire


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
        ok, value = result_of(outcome, call.name, future.host)
    if call.stopped and not ok:
        value = stopped(call, value)
    set_outcome(future, ok, value)


def result_of(outcome: payload.Outcome, name: str, host: Host | None) -> tuple[bool, Any]:
    """Return (True, the result) or (False, the exception), whatever its unpickling here does.

    Args:
        outcome: How the call ended.
        name: What was called, for messages.
        host: Where.
    """
    try:
        value = outcome.load()
    except BaseException as error:  # it runs the user's code, which must not end this thread
        return False, _not_rebuilt(outcome, f"{name} on {host}", error)
    if outcome.status == payload.RETURNED:
        return True, value
    if outcome.status == payload.RAISED:
        return False, _as_raised(value, f"{name} on {host}")
    return False, RemoteError(
        f"{name} on {host} raised {value.type_name}: {value.message} "
        f"(it is not here as itself, since it can't be rebuilt: {value.reason})",
        value.type_name,
        value.traceback,
    )


def _not_rebuilt(outcome: payload.Outcome, what: str, error: BaseException) -> RemoteError:
    kind = "result" if outcome.status == payload.RETURNED else "exception"
    problem = RemoteError(f"the {kind} of {what} could not be rebuilt here: {shown(error)}")
    problem.__cause__ = error
    return problem


def _as_raised(error: Any, what: str) -> BaseException:
    """The exception to raise here for the one raised there."""
    if not isinstance(error, BaseException):
        return RemoteError(f"{what} raised something that came back as {shown(error)}")
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        name = type(error).__qualname__
        problem = RemoteError(f"{what} raised {name}({', '.join(map(shown, error.args))})", name)
        problem.__cause__ = error
        return problem
    return error


def worker_died(status: int, what: str, host: Host, attempts: int = 1) -> WorkerDied:
    """The exception for a call whose worker ended before it.

    Args:
        status: The process's exit status; negative: the number of the signal that ended it.
        what: What it ran, for the message.
        host: Where.
        attempts: How often it was tried.
    """
    tried = f"; it was tried {attempts} times" if attempts > 1 else ""
    message = f"{host}: the worker process that ran {what} {_ended(status)}{tried}"
    return WorkerDied(message, host, status)


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
    hint = " (likely out of memory, or killed by hand)" if -status == signal.SIGKILL else ""
    return f"was ended by {name}{hint}"


def shown(value: object) -> str:
    """Return the repr of something of the user's, whatever making it does."""
    try:
        return repr(value)
    except BaseException:  # the user's code
        return f"<{type(value).__qualname__}>"
