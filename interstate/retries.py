"""How often calls may be tried again.  Pure."""

from __future__ import annotations

from collections.abc import Iterable


class Retries:
    """What is left to calls that may be tried again; most may not, and are not in here."""

    def __init__(self) -> None:
        self._left: dict[int, int] = {}

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

    def forget(self, calls: Iterable[int]) -> None:
        """They have ended."""
        if self._left:
            for call in calls:
                self._left.pop(call, None)
