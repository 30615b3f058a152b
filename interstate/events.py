"""Events and commands: what the Pool is told, and what it answers.

One is about many calls where many come together; the calls are known by their numbers.
"""

from __future__ import annotations

from typing import NamedTuple

from .errors import HostError, InterstateError

# ------------------------------------------------------------------------------ events


class Submitted(NamedTuple):
    """Calls are there to be run, anywhere or on one host."""

    calls: list[int]
    host: int | None = None


class Cancelled(NamedTuple):
    """A call is not wanted any more; it was not sent."""

    call: int


class Unsent(NamedTuple):
    """Calls that a host was just given were not sent there: they are not wanted any more."""

    host: int
    calls: list[int]


class Up(NamedTuple):
    """A host's agent has said HELLO."""

    host: int
    workers: int


class Down(NamedTuple):
    """A host is gone for good."""

    host: int
    error: HostError


class Done(NamedTuple):
    """Calls of a host were answered; each ran for so many seconds."""

    host: int
    calls: list[int]
    seconds: list[float]


class Started(NamedTuple):
    """A call has been running on its host for longer than a moment."""

    host: int
    call: int


class Returned(NamedTuple):
    """Calls were not started on their host, which is busy with long ones, and came back."""

    host: int
    calls: list[int]


class Broken(NamedTuple):
    """The pool can't be used any more, though hosts may be up."""

    error: InterstateError


class Closing(NamedTuple):
    """No call will be submitted any more."""

    cancel: bool = False


Event = Submitted | Cancelled | Unsent | Up | Down | Started | Done | Returned | Broken | Closing


def add_submitted(events: list[Event], call: int) -> None:
    """Add that a call was submitted, to run anywhere; several in a row become one event."""
    last = events[-1] if events else None
    if isinstance(last, Submitted) and last.host is None:
        last.calls.append(call)
    else:
        events.append(Submitted([call]))


def add_done(events: list[Event], host: int, call: int, seconds: float) -> None:
    """Add that a call of a host was answered; several in a row become one event."""
    last = events[-1] if events else None
    if isinstance(last, Done) and last.host == host:
        last.calls.append(call)
        last.seconds.append(seconds)
    else:
        events.append(Done(host, [call], [seconds]))


# ---------------------------------------------------------------------------- commands


class Send(NamedTuple):
    """Send calls to a host."""

    host: int
    calls: list[int]


class Settle(NamedTuple):
    """The outcomes of calls are there: hand them to their Futures."""

    calls: list[int]


class Fail(NamedTuple):
    """Calls will not run (any further), because of this."""

    calls: list[int]
    error: InterstateError


class Drop(NamedTuple):
    """Calls that waited are cancelled."""

    calls: list[int]


class Close(NamedTuple):
    """Close the link to a host: it has nothing more to do."""

    host: int


class Recall(NamedTuple):
    """Ask a host to return so many of the calls that it has not started, the newest first."""

    host: int
    limit: int


Command = Send | Settle | Fail | Drop | Close | Recall
