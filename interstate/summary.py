"""Many hosts in few words: as ranges, and by what they have in common.  Pure.

17 hosts: connection refused: node-[003-019]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from .errors import HostError
from .hosts import Host

_NUMBERS = re.compile(r"([0-9]{1,18})")  # int is slow with longer ones, and then refuses them
_SHOWN = 12  # ranges; the rest is counted


class _Failed(Protocol):
    @property
    def reason(self) -> str: ...


_F = TypeVar("_F", bound=_Failed)


def named(hosts: Iterable[Host]) -> str:
    """Return hosts as ranges, for people: each once, and the first of them where there are many."""
    runs = list(_runs(dict.fromkeys(hosts)))
    shown = ", ".join(run.text() for run in runs[:_SHOWN])
    more = sum(len(run) for run in runs[_SHOWN:])
    return f"{shown} and {more} more" if more else shown


def failures(errors: Iterable[HostError]) -> str:
    """Return a line for each reason that hosts failed for; a host that is alone has its own error.

    Args:
        errors: Why each host failed, in the order that the hosts are to be named in.
    """
    return "\n".join(line(reason, alike) for reason, alike in by_reason(errors).items())


def by_reason(failed: Iterable[_F]) -> Mapping[str, Sequence[_F]]:
    """Return what failed for the same reason together, the most frequent reason first."""
    groups: dict[str, list[_F]] = {}
    for one in failed:
        groups.setdefault(one.reason, []).append(one)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def line(reason: str, alike: Sequence[HostError]) -> str:
    """Return what is to be said of errors that have the same reason."""
    if len(alike) == 1:
        return str(alike[0])
    return f"{len(alike)} hosts: {reason}: {named(error.host for error in alike if error.host)}"


def _runs(hosts: Iterable[Host]) -> Iterator[_Run]:
    """Texts that name hosts in their order: `hosts.expand` makes the hosts of them again."""
    run: _Run | None = None
    for host in hosts:
        if run is None or not run.takes(str(host)):
            if run is not None:
                yield run
            run = _Run(str(host))
    if run is not None:
        yield run


class _Run:
    """Names in a row that are the same but for one number."""

    def __init__(self, name: str) -> None:
        self._parts = _NUMBERS.split(name)  # text, number, text, …, text
        self._place: int | None = None  # which of the parts differs
        self._numbers = [""]

    def __len__(self) -> int:
        return len(self._numbers)

    def takes(self, name: str) -> bool:
        """Add a name if it fits; return whether it did."""
        parts = _NUMBERS.split(name)
        if len(parts) != len(self._parts):
            return False
        differing = [i for i, part in enumerate(parts) if part != self._parts[i]]
        place = self._place if self._place is not None else differing[0] if differing else None
        if place is None or place % 2 == 0 or any(i != place for i in differing):
            return False
        if self._place is None:
            self._place, self._numbers = place, [self._parts[place]]
        self._numbers.append(parts[place])
        return True

    def text(self) -> str:
        parts = list(self._parts)
        if self._place is not None:
            parts[self._place] = f"[{','.join(_joined(self._numbers))}]"
        return "".join(parts)


def _joined(numbers: Sequence[str]) -> Iterator[str]:
    """Numbers that count up, with the width of the first, as `first-last`."""
    first = last = numbers[0]
    for number in (*numbers[1:], ""):
        if number != f"{int(last) + 1:0{len(first)}d}":
            yield first if first == last else f"{first}-{last}"
            first = number
        last = number
