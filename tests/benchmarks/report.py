"""What a row of the benchmarks says, and how all of them are shown."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
class Line:
    """One figure of a row, and what it is compared with.

    Args:
        ours: The median of our turns, in `unit`; None: it could not be measured.
        unit: What it is counted in.
        what: Which figure this is, if it is not what the row's name says.
        peer: What we are compared with; empty: nothing, and the figure itself is judged.
        theirs: The median of the peer's turns.
        ratio: The median over the turns of ours divided by theirs.
        asked: What the ratio, or without a peer the figure, is to be; None: for information.
        failed: Why there is no figure of the peer's, or of ours.
    """

    ours: float | None
    unit: str
    what: str = ""
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    asked: Asked | None = None
    failed: str = ""

    @property
    def reached(self) -> str:
        judged = self.ratio if self.peer else self.ours
        if self.failed or judged is None:
            return "failed"
        if self.asked is None:
            return "-"
        return "yes" if self.asked.reached(judged) else "NO"


@dataclass(frozen=True)
class Row:
    """One measurement: its lines, and other figures of the same run by name."""

    lines: Sequence[Line]
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A row that could not be measured, and why."""

    error: str


Rows = Mapping[str, Row | Failed]

_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
_PEERS = ("mitogen", "distributed", "asyncssh")
_HEADS = ("row", "ours", "peer", "unit", "ratio", "asked", "reached", "compared with")


def machine(peers_python: str | None = None) -> Machine:
    """When and where this is: what figures mean nothing without."""
    packages = ("paramiko", "numpy", "cloudpickle")
    return {
        "date": datetime.datetime.now().astimezone().isoformat(" ", "seconds"),
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
        **(_peers_versions(peers_python) if peers_python else {}),
        "OpenSSH": _openssh_version(),
    }


def as_table(where: Machine, rows: Rows) -> str:
    """For people: the machine, the table, and below it what else each row found."""
    lines = [f"{name:12} {value}" for name, value in where.items()]
    lines += ["", *_columns([_HEADS, *_table(rows)])]
    for name, notes in _notes(rows).items():
        lines += ["", name, *(f"  {what}: {value}" for what, value in notes.items())]
    return "\n".join(lines)


def as_markdown(where: Machine, rows: Rows) -> str:
    """For the documentation: the same as tables and lists."""
    table = [_HEADS, ["---"] * len(_HEADS), *_table(rows)]
    lines = [f"- {name}: {value}" for name, value in where.items()]
    lines += ["", *(f"| {' | '.join(cells)} |" for cells in table), ""]
    for name, notes in _notes(rows).items():
        lines += [f"- {name}", *(f"  - {what}: {value}" for what, value in notes.items())]
    return "\n".join(line.replace("<", "&lt;") for line in lines)


def as_json(where: Machine, rows: Rows) -> str:
    """For programs: the same as one object."""
    described = {name: _described(row) for name, row in rows.items()}
    return json.dumps({"machine": dict(where), "rows": described}, indent=2, ensure_ascii=False)


def put_into(page: Path, figures: str) -> None:
    """Replace the figures in a page: what is between the two comments."""
    before, begin, rest = page.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"{page} has no {_BEGIN} with an {_END} after it")
    page.write_text(f"{before}{begin}\n\n{figures}\n\n{end}{after}")


def _described(row: Row | Failed) -> Mapping[str, Any]:
    if isinstance(row, Failed):
        return asdict(row)
    lines = [{**asdict(line), "reached": line.reached} for line in row.lines]
    return {"lines": lines, "more": dict(row.more)}


def _table(rows: Rows) -> Iterable[Sequence[str]]:
    for name, row in rows.items():
        if isinstance(row, Failed):
            yield (name, *["failed"] * 2, "", "", "", "failed", "")
        else:
            yield from (_cells(name, line) for line in row.lines)


def _cells(name: str, line: Line) -> Sequence[str]:
    return (
        f"{name}: {line.what}" if line.what else name,
        _figure(line.ours),
        _figure(line.theirs),
        line.unit,
        _figure(line.ratio),
        "-" if line.asked is None else str(line.asked),
        line.reached,
        line.peer,
    )


def _notes(rows: Rows) -> Mapping[str, Mapping[str, str]]:
    """What else there is to say of each row, where there is something."""
    notes: dict[str, Mapping[str, str]] = {}
    for name, row in rows.items():
        if isinstance(row, Failed):
            notes[name] = {"failed": row.error}
        else:
            failed = {
                f"{line.peer or line.what} failed": line.failed for line in row.lines if line.failed
            }
            notes[name] = {**row.more, **failed}
    return {name: said for name, said in notes.items() if said}


def _columns(table: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _peers_versions(python: str) -> Mapping[str, str]:
    """What the peers' environment has of each; of one that it lacks, nothing."""
    look = (
        "import importlib.metadata, json\n"
        "found = {d.name.lower(): d.version for d in importlib.metadata.distributions()}\n"
        "print(json.dumps(found))"
    )
    printed = subprocess.run([python, "-c", look], capture_output=True, text=True, check=True)
    found = json.loads(printed.stdout)
    return {name: found[name] for name in _PEERS if name in found}


def _openssh_version() -> str:
    return subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.strip()
