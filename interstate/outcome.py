"""How a call ended over there, as what its Future is to hold here."""

from __future__ import annotations

import signal
from typing import Any

from .errors import RemoteError, WorkerDied
from .hosts import Host
from .remote import payload


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


def worker_died(status: int, what: str, host: Host) -> WorkerDied:
    """The exception for a call whose worker ended before it.

    Args:
        status: The process's exit status; negative: the number of the signal that ended it.
        what: What it ran, for the message.
        host: Where.
    """
    return WorkerDied(f"{host}: the worker process that ran {what} {_ended(status)}", host, status)


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
