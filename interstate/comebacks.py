"""Hosts that were lost: when each is tried again, and when all is given up.  Pure."""

from __future__ import annotations

from collections.abc import Container, Sequence
from copy import copy
from textwrap import indent

from .errors import AuthenticationError, BrokenSSHExecutor, HostError, HostKeyError, InterstateError
from .room import HostState
from .summary import by_reason, failures

FIRST, LONGEST = 0.5, 60.0  # seconds between two attempts to connect to a host
STABLE = 5.0  # seconds: a host that was up for longer is tried again at once
_ATTEMPTS = 4  # in the time that none but lost hosts may be there, at least
_GOLDEN = 0.618034  # spreads hosts that were lost together


class Comebacks:
    """Which lost hosts are to be connected to anew, and when.

    Args:
        patience: How long none but lost hosts may be there, seconds; 0: none is tried again.

    Attributes:
        wake: When something is to be done next; None: not by itself.
        errors: Why each host was lost last.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._due: dict[int, float] = {}  # host -> when
        self._end: float | None = None  # when all is given up, if no host is there until then
        self.wake: float | None = None
        self.errors: dict[int, HostError] = {}

    def expected(self, host: HostState, error: HostError) -> bool:
        """Whether a host that was just lost is worth another attempt."""
        final = isinstance(error, AuthenticationError | HostKeyError)
        return self._patience > 0 and host.was_up and not final and not host.closing

    def schedule(self, lost: HostState, now: float) -> HostState:
        """Plan the next attempt; return the state of the host in the meantime."""
        stable = lost.up_since and now - lost.up_since > STABLE
        failures = 0 if stable else lost.failures + 1
        spread = 0.5 + 0.5 * (lost.index * _GOLDEN % 1.0)
        longest = min(LONGEST, self._patience / _ATTEMPTS)
        growth = 2.0 ** min(failures - 2, 10)
        pause = min(FIRST * growth, longest) * spread if failures > 1 else 0.0
        self._due[lost.index] = now + pause
        self._plan()
        return HostState(lost.index, was_up=True, failures=failures, own=lost.own)

    def waits(self, host: int) -> bool:
        """Whether nobody is connecting to a lost host at present."""
        return host in self._due

    def forget(self, host: int) -> None:
        if self._due.pop(host, None) is not None:
            self._plan()

    def due(self, now: float) -> list[int]:
        """Return the hosts whose time has come, and forget them here."""
        hosts = [host for host, at in self._due.items() if now >= at]
        for host in hosts:
            del self._due[host]
        self._plan()
        return hosts

    def given_up(self, somebody: bool, now: float) -> bool:
        """Whether lost hosts have been waited for in vain.

        Args:
            somebody: Whether any other host is there.
        """
        end = now + self._patience if self._end is None else self._end
        in_vain = not somebody and now >= end
        self._end = None if somebody or in_vain else end
        self._plan()
        return in_vain

    def _plan(self) -> None:
        due = [*self._due.values(), *([] if self._end is None else [self._end])]
        self.wake = min(due, default=None)

    def no_host_left(self, there: Container[int], needed: int) -> InterstateError:
        """The one host's own error; of several, one that tells of each.

        Args:
            there: Hosts that are there, or may be, though they were lost once.
            needed: How many there must be.
        """
        errors = [error for host, error in sorted(self.errors.items()) if host not in there]
        if needed > 1:
            return _broken(f"fewer than min_hosts={needed} hosts can be up", errors)
        if len(errors) == 1:
            return errors[0]
        if not errors:
            return BrokenSSHExecutor("there is no host to run calls on: all were removed")
        return _broken(f"none of the {len(errors)} hosts is left to run calls on", errors)


def _broken(what: str, errors: Sequence[HostError]) -> BrokenSSHExecutor:
    """An error that tells why hosts are lost in few words, and of one in all words."""
    reasons = indent(failures(errors), "  ") or "  the others were removed"
    error = BrokenSSHExecutor(f"{what}:\n{reasons}", {str(e.host): e for e in errors})
    error.__cause__ = next((copy(alike[0]) for alike in by_reason(errors).values()), None)
    return error
