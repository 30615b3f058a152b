"""What was answered to one question that many hosts ask: which answer is worth trying, and when
to ask again.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

PATIENCE = 5.0  # seconds that others wait for what a server says to an answer


class Answers:
    """Its mutable state: the answers that some host has taken, the last that was given, how often
    was asked, whether nobody wants to answer, who tries an answer that was right nowhere yet and
    since when, and how many each host has refused.

    So a mistyped password is put right once for all hosts, and only one of them hears of it; one
    host that takes another password than the rest spoils nothing for these; and nobody is asked
    for ever.
    """

    def __init__(self) -> None:
        self._right: list[str] = []
        self._last: str | None = None
        self._asked = 0
        self._declined = False
        self._trying: object = None
        self._since = 0.0
        self._refusals: Counter[object] = Counter()

    def __repr__(self) -> str:
        return f"<answers: {len(self._right)} right, asked {self._asked} times>"

    def may_try(self, who: object, now: float) -> bool:
        """Return whether somebody may try an answer: while none was right, one at a time may.

        Args:
            who: The same as for `has_tried`.
            now: The time, seconds: who gets no answer holds up the others for a while only.
        """
        if self._right:
            return True
        if self._trying not in (None, who) and now < self._since + PATIENCE:
            return False
        self._trying, self._since = who, now
        return True

    def has_tried(self, who: object) -> None:
        """Who may have tried answers tries no more."""
        if self._trying is who:
            self._trying = None

    def known(self, refused: Collection[str], host: object, most: int) -> str | None:
        """Return an answer to try without asking, or None.

        Args:
            refused: Those that this host has refused.
            host: It.
            most: How many may be refused elsewhere before this host is spared them.
        """
        last = None if self.are_wrong_elsewhere(host, most) else self._last
        for answer in (*self._right, last):
            if answer is not None and answer not in refused:
                return answer
        return None

    def are_wrong_elsewhere(self, host: object, most: int) -> bool:
        """Return whether none was right, and other hosts than this one have refused so many."""
        return not self._right and self._refusals.total() - self._refusals[host] >= most

    def may_ask(self, most: int) -> bool:
        """Return whether to ask (again): while none was right anywhere, `most` times in all."""
        return bool(self._right) or (self._asked < most and not self._declined)

    def given(self, answer: str | None) -> None:
        """An answer was given; None or "": nobody wants to."""
        self._asked += 1
        if answer:
            self._last = answer
        else:
            self._declined = True

    def was_wrong(self, host: object) -> None:
        """A host has refused one."""
        self._refusals[host] += 1

    def was_right(self, answer: str) -> None:
        """A host has taken it: it is the first to try on others."""
        if answer in self._right:
            self._right.remove(answer)
        self._right.insert(0, answer)
