"""docs/versions_matrix.md: the tables, to text and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import pythons
from .running import GOOD, SAYS_WHY, WRONG, Results

PAGE = Path(__file__).parents[2] / "docs" / "versions_matrix.md"

Table = dict[str, dict[str, str]]  # title of a group -> version over there -> cell

_NAMED = 3  # calls that are wrong and are named in a cell
_BEGIN = """\
# Which Python, to which Python

Each cell is what comes of the calls of a group: sent by the Python that the section names to the
one that its column names. A call is right if what it returns or raises is, by its type and its
value, what it would be here, and if what comes home can be used here. Each is made in several
ways: its code is in the script that is run, in a module that goes by value, within a function, in
a notebook's cell.

Each cell is a test, `tests/test_versions.py`. This page is made by `python -m tests.contract`, and
[](versions.md) says what is behind it.

| cell | means |
| --- | --- |
| all 34 | All of its 34 calls are right. |
| 30 right, 4 say why not | Four cannot be, over there: they fail with a `PythonVersionError` that \
names both versions and the reason, and nothing else is hindered by it. |
| 1 wrong: name | The call of that name does what it should not. |
| none | That Python is not on the machine where this was made. |
"""
_HEAD = "\n## From Python "
_NONE = "none"


class Made(NamedTuple):
    """A section.

    Attributes:
        here: The version of the Python that the calls are made by.
        there: Those of the hosts', by their minor version.
        table: What came of it.
    """

    here: str
    there: dict[str, str]
    table: Table


def cell(results: Results) -> str:
    """What came of a group's calls on one host, in all ways."""
    judged = [(name, it.word) for calls in results.values() for name, it in calls.items()]
    words = [word for _, word in judged]
    if words.count(GOOD) == len(words):
        return f"all {len(words)}"
    wrong = list(dict.fromkeys(name for name, word in judged if word == WRONG))
    names = ", ".join([*wrong[:_NAMED], *(["…"] if len(wrong) > _NAMED else [])])
    parts = [
        f"{words.count(GOOD)} right",
        *([f"{count} say why not"] if (count := words.count(SAYS_WHY)) else []),
        *([f"{words.count(WRONG)} wrong: {names}"] if wrong else []),
    ]
    return ", ".join(parts)


def render(sections: Iterable[Made]) -> str:
    """The page."""
    return _BEGIN + "".join(map(_section, sorted(sections, key=lambda made: _order(made.here))))


def parse(text: str) -> list[Made]:
    """The sections of a page."""
    return [_parsed(section) for section in text.split(_HEAD)[1:]]


def _section(made: Made) -> str:
    there = ", ".join(version for version in made.there.values() if version != _NONE)
    rows = [(title, *cells.values()) for title, cells in made.table.items()]
    heads = ("calls", *(f"to {version}" for version in made.there))
    return f"{_HEAD}{made.here}\n\nTo Python {there}.\n\n{_table(heads, rows)}\n"


def _parsed(section: str) -> Made:
    here, there, *_ = section.split("\n\n")
    full = there.removeprefix("To Python ").removesuffix(".").split(", ")
    lines = [line.strip("|").split("|") for line in section.splitlines() if line[:1] == "|"]
    heads, _, *rows = [[part.strip() for part in line] for line in lines]
    versions = [head.removeprefix("to ") for head in heads[1:]]
    by_minor = {minor(version): version for version in full}
    table = {title: dict(zip(versions, cells, strict=True)) for title, *cells in rows}
    return Made(here, {version: by_minor.get(version, _NONE) for version in versions}, table)


def made(here: str, there: Mapping[str, str], found: Mapping[str, Mapping[str, Results]]) -> Made:
    """A section of what was found; see `running.judge_all`.

    Args:
        found: Title -> version over there -> its results.
    """
    table = {
        title: {v: cell(results[v]) if v in results else _NONE for v in pythons.HOSTS}
        for title, results in found.items()
    }
    return Made(here, {v: there.get(v, _NONE) for v in pythons.HOSTS}, table)


def minor(version: str) -> str:
    """The minor version of a full one: "3.12" of "3.12.1"."""
    return ".".join(version.split(".")[:2])


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
