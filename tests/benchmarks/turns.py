"""Turns: each measure runs once a turn, and what is compared was measured in the same turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .report import Asked, Line

Turns = Sequence[Sequence[float]]  # for each turn, its figures
Measure = Callable[[], Sequence[float]]


@dataclass(frozen=True)
class Compared:
    """Our turns, and each peer's, or why it has none."""

    ours: Turns
    theirs: Mapping[str, Turns | Exception]

    def line(
        self,
        unit: str,
        peer: str,
        asked: Asked | None = None,
        *,
        what: str = "",
        index: int = 0,
        scale: float = 1.0,
    ) -> Line:
        """The row's line about one figure and one peer.

        Args:
            unit: The unit of the figures after they were multiplied by `scale`.
            peer: The name of the peer.
            asked: What the ratio is to be.
            what: What the figure is, if it is not what the row's name says.
            index: Which of a turn's figures.
            scale: What to multiply the figures by.
        """
        ours, theirs = median(self.ours, index) * scale, self.theirs[peer]
        if isinstance(theirs, Exception):
            why = f"{type(theirs).__name__}: {theirs}"
            return Line(ours, unit, what=what, peer=peer, asked=asked, failed=why)
        return Line(
            ours,
            unit,
            what=what,
            peer=peer,
            theirs=median(theirs, index) * scale,
            ratio=ratio(self.ours, theirs, index),
            asked=asked,
        )


def compare(turns: int, ours: Measure, peers: Mapping[str, Measure]) -> Compared:
    """Measure in turns.  A peer that fails is asked no more; when ours fails, the row fails."""
    our_turns: list[Sequence[float]] = []
    figures: dict[str, list[Sequence[float]]] = {name: [] for name in peers}
    failed: dict[str, Exception] = {}
    for _ in range(turns):
        our_turns.append(ours())
        for name, measure in peers.items():
            if name not in failed:
                try:
                    figures[name].append(measure())
                except Exception as error:  # its line says so
                    failed[name] = error
    return Compared(our_turns, {**figures, **failed})


def in_turns(turns: int, *measures: Measure) -> list[Turns]:
    """Each measure's figures, turn by turn; within a turn they run one after the other."""
    rounds = [[measure() for measure in measures] for _ in range(turns)]
    return [list(figures) for figures in zip(*rounds, strict=True)]


def median(figures: Turns, index: int = 0) -> float:
    """The median over the turns of one figure."""
    return statistics.median(turn[index] for turn in figures)


def ratio(ours: Turns, theirs: Turns, index: int = 0) -> float:
    """The median over the turns of ours divided by theirs."""
    return statistics.median(a[index] / b[index] for a, b in zip(ours, theirs, strict=True))


def percentile(figures: Sequence[float], share: float) -> float:
    return sorted(figures)[min(len(figures) - 1, int(len(figures) * share))]
