"""What went wrong on the way to a host, before it is known which host was asked for."""

from __future__ import annotations

from ..errors import HostError


class WayError(Exception):
    """A way to a host failed, and trying again at once would not help.

    Args:
        kind: The public exception that it becomes.
        what: What happened, as a phrase.
        advice: What the user can do about it, as sentences.
        reason: What happened, in words that are the same for every host; default: `what`.
    """

    def __init__(self, kind: type[HostError], what: str, advice: str, reason: str = "") -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.advice = advice
        self.reason = reason or what


class HungUpError(WayError):
    """A server hung up as we were logging in, without a word: it refuses us, or it was lost."""


class BusyError(Exception):
    """A server turned us away before it knew who we are: busy, so it is worth another attempt."""


class HopLostError(BusyError):
    """A hop on the way was lost, or is not there again: which says nothing of who is behind it."""
