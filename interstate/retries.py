"""How often calls may be tried again.  Pure.

When a host is lost, so are the calls that queued there behind the one that is to blame.  If they
queued together once more, one call that takes its host down each time would use up the retries of
all; so it is known which were lost with a host, and those are spread (see `dispatch`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice


class Retries:
    """What is left to calls that may be tried again; most may not, and are not in here."""

    def __init__(self) -> None:
        self._left: dict[int, int] = {}
        self._losses: dict[int, int] = {}  # how often calls were lost with a host, if ever

    def __len__(self) -> int:
        return len(self._left)

    def allow(self, calls: Iterable[int], count: int) -> None:
        """Let each of them be tried so often again."""
        if count:
            self._left.update(dict.fromkeys(calls, count))

    def spend(self, call: int) -> bool:
        """Whether a call may be tried once more; then that is one less."""
        left = self._left.get(call, 0)
        if left:
            self._left[call] = left - 1
        return left > 0

    def spend_with_host(self, call: int) -> bool:
        """As `spend`, for a call that was lost with its host."""
        again = self.spend(call)
        if again:
            self._losses[call] = self.losses(call) + 1
        return again

    def losses(self, call: int) -> int:
        """How often a call was lost with its host."""
        return self._losses.get(call, 0)

    def lost_among(self, calls: list[int]) -> set[int]:
        """Those calls that were lost with a host before."""
        return self._losses.keys() & calls if self._losses else set()

    def before_lost(self, queue: deque[int], count: int) -> int:
        """How many of the first `count` calls of a queue come before any that was lost."""
        lost = self._losses
        if not lost or count <= 0:
            return count
        return next((n for n, call in enumerate(islice(queue, count)) if call in lost), count)

    def forget(self, calls: Iterable[int]) -> None:
        """They have ended."""
        if self._left:
            for call in calls:
                self._left.pop(call, None)
                self._losses.pop(call, None)
