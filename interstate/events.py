"""Events and commands: what the Pool is told, and what it answers.

One is about many calls where many come together; the calls are known by their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .errors import HostError, InterstateError

# ------------------------------------------------------------------------------ events


class Submitted(NamedTuple):
    """Calls are there to be run, anywhere or on one host; each may be tried so often again."""

    calls: list[int]
    host: int | None = None
    retries: int = 0


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


class Away(NamedTuple):
    """The connection to a host is lost; its calls go on there, and it may be back soon."""

    host: int


class Back(NamedTuple):
    """A host that was away is there again."""

    host: int


class Down(NamedTuple):
    """A host is gone, and with it what ran there; some of its calls were never sent."""

    host: int
    error: HostError
    unsent: Sequence[int] = ()


class Added(NamedTuple):
    """There is one more host, of that index, which is being connected to."""

    host: int


class Removed(NamedTuple):
    """A host is to be used no more: when its calls have ended, or at once."""

    host: int
    error: HostError  # what those fail with that it takes down
    now: bool = False


class Died(NamedTuple):
    """The worker died that ran a call of a host."""

    host: int
    call: int


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


class Revoked(NamedTuple):
    """A call came back that is not wanted any more."""

    host: int
    call: int


class Tick(NamedTuple):
    """Time has passed: it is `Pool.wake`, or later."""


class Broken(NamedTuple):
    """The pool can't be used any more, though hosts may be up."""

    error: InterstateError


class Closing(NamedTuple):
    """No call will be submitted any more."""

    cancel: bool = False


Event = (
    Submitted | Cancelled | Unsent | Added | Removed | Up | Away | Back | Down
    | Started | Done | Died | Returned | Revoked | Tick | Broken | Closing
)  # fmt: skip


def add_submitted(events: list[Event], call: int) -> None:
    """Add that a call was submitted, to run once, anywhere; several in a row become one event."""
    last = events[-1] if events else None
    if isinstance(last, Submitted) and last.host is None and not last.retries:
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


class Again(NamedTuple):
    """Calls that were sent wait again, to be run anew."""

    calls: list[int]


class Open(NamedTuple):
    """Connect to a host anew."""

    host: int


class Close(NamedTuple):
    """Close the link to a host: it has nothing more to do."""

    host: int


class Recall(NamedTuple):
    """Ask a host to return so many of the calls that it has not started, the newest first."""

    host: int
    limit: int


Command = Send | Settle | Fail | Drop | Again | Open | Close | Recall
