"""What was answered to one question that many hosts ask: which answer is worth trying, and when
to ask again.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

PATIENCE = 5.0  # seconds that others wait for what a server says to an answer


class Answers:
    """Its mutable state: what was given and by how many it was taken or refused, who tries an
    answer, and whether hosts turned out to have different ones.

    So a mistyped password is put right once for all hosts, and only one of them hears of it; one
    host that takes another password than the rest spoils nothing for these; and nobody is asked
    for ever.

    Args:
        told: Whether who answers is told which host asks, and so may have an answer for each: that
            one host takes an answer proves nothing then, until a second does.
    """

    def __init__(self, *, told: bool = False) -> None:
        self._told = told
        self._right: list[str] = []  # those that some host has taken, the best first
        self._takers: set[object] = set()
        self._last: str | None = None
        self._given: dict[object, str] = {}  # the last for each host
        self._count = 0
        self._declined: set[object] = set()  # the hosts for which nobody wants to answer
        self._refusals: Counter[object] = Counter()
        self._trying: object = None  # who tries an answer that is not proven yet
        self._since = 0.0
        self._differ = False

    def __repr__(self) -> str:
        return f"<answers: {len(self._right)} right, {self._count} given>"

    @property
    def differ(self) -> bool:
        """Whether who is told the host has an answer for each: another was given for another host,
        or one that a host took was refused by another.
        """
        return self._told and self._differ

    def may_try(self, who: object, now: float) -> bool:
        """Return whether somebody may try an answer: while none is proven, one at a time may.

        Args:
            who: The same as for `has_tried`.
            now: The time, seconds: who gets no answer holds up the others for a while only.
        """
        if len(self._takers) >= (2 if self._told else 1):
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

    def may_ask(self, host: object, most: int) -> bool:
        """Return whether to ask (again): while none was right anywhere, `most` times in all."""
        declined = host in self._declined if self._told else bool(self._declined)
        return bool(self._right) or (self._count < most and not declined)

    def given(self, host: object, answer: str | None) -> None:
        """An answer was given for a host; None or "": nobody wants to."""
        if not answer:
            self._declined.add(host)
        elif not self._told or answer != self._given.get(host):  # a program would repeat itself
            self._count += 1
            self._last = answer
            self._differ |= any(
                given != answer for other, given in self._given.items() if other != host
            )
            self._given[host] = answer

    def was_wrong(self, host: object, answer: str) -> None:
        """A host has refused one."""
        self._refusals[host] += 1
        self._differ |= answer in self._right

    def was_right(self, host: object, answer: str) -> None:
        """A host has taken it: it is the first to try on others."""
        self._takers.add(host)
        if answer in self._right:
            self._right.remove(answer)
        self._right.insert(0, answer)
