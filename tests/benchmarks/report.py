"""What a row of the benchmarks says, and how all of them are shown."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import paramiko

Machine = Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """What a ratio is to be: at most, or at least, that."""

    ratio: float
    at_most: bool

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.ratio:g}"

    def reached(self, ratio: float) -> bool:
        return ratio <= self.ratio if self.at_most else ratio >= self.ratio


def at_most(ratio: float) -> Asked:
    return Asked(ratio, True)


def at_least(ratio: float) -> Asked:
    return Asked(ratio, False)


@dataclass(frozen=True)
class Row:
    """One measurement.

    Args:
        ours: The median of our turns, in `unit`.
        peer: The median of the peer's.
        peer_name: What we are compared with.
        ratio: Ours divided by the peer's.
        asked: What the ratio is to be; None: the row is for information.
        more: Other figures of the same run, by name.
    """

    ours: float
    peer: float
    unit: str
    peer_name: str
    ratio: float
    asked: Asked | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.asked is None:
            return "-"
        return "yes" if self.asked.reached(self.ratio) else "NO"


@dataclass(frozen=True)
class Failed:
    """A row that could not be measured, and why."""

    error: str


Rows = Mapping[str, Row | Failed]

_HEADS = ("name", "ours", "peer", "unit", "ratio", "asked", "reached", "compared with")


def machine() -> Machine:
    """When and where this is: what figures mean nothing without."""
    return {
        "date": datetime.datetime.now().astimezone().isoformat(" ", "seconds"),
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "paramiko": paramiko.__version__,
        "OpenSSH": _openssh_version(),
    }


def as_table(where: Machine, rows: Rows) -> str:
    """For people: the machine, the table, and below it what else each row found."""
    lines = [f"{name:12} {value}" for name, value in where.items()]
    lines += ["", *_columns([_HEADS, *(_cells(name, row) for name, row in rows.items())])]
    for name, row in rows.items():
        more = {"failed": row.error} if isinstance(row, Failed) else row.more
        lines += ["", name, *(f"  {what}: {value}" for what, value in more.items())] if more else []
    return "\n".join(lines)


def as_json(where: Machine, rows: Rows) -> str:
    """For programs: the same as one object."""
    described = {
        name: asdict(row) if isinstance(row, Failed) else {**asdict(row), "reached": row.verdict}
        for name, row in rows.items()
    }
    return json.dumps({"machine": dict(where), "rows": described}, indent=2, ensure_ascii=False)


def _cells(name: str, row: Row | Failed) -> Sequence[str]:
    if isinstance(row, Failed):
        return (name, *["failed"] * 2, "", "", "", "NO", "")
    figures = (_figure(row.ours), _figure(row.peer), row.unit, f"{row.ratio:.2f}")
    return (name, *figures, str(row.asked or "-"), row.verdict, row.peer_name)


def _columns(table: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _openssh_version() -> str:
    return subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.strip()
