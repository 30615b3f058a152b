"""docs/fidelity.md: the tables, to text and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from . import compare, shapes
from .situations import SITUATIONS

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"

Table = dict[str, dict[str, str]]  # shape -> situation -> a word, or several

OURS, POOL, DASK = "ours", "pool", "dask"
HEADS = {OURS: "Interstate", POOL: "ProcessPoolExecutor", DASK: "Dask"}

_BEGIN = """\
# Fidelity of exceptions

What comes back when a call raises. Each row is an exception, each column says where its class and
the function that raises it are defined. It is raised in another process, caught here, by
`result()`, and compared with what was raised: the class, `args`, all public attributes, `str()`,
notes, the cause and the context, the members of a group, and the traceback, with the source lines
that ran and their carets; and the same for all exceptions that hang on it.

Each cell of the first table is a test, `tests/test_fidelity.py`. This page is made by
`python -m tests.fidelity`, the peers' tables by the same with `--peers`.
"""
_ABOUT = {
    OURS: "The host is another process of this machine, reached by SSH.",
    POOL: "That of `concurrent.futures`, with its defaults. It sends no functions that cannot be "
    "imported. The traceback is a text that stands as the cause.",
    DASK: "`dask.distributed`, with a worker process on this machine.",
}
LEGEND = {
    compare.EQUAL: "All that is compared is equal. The class is the same object, if it is here "
    "at all. The name of a file that is not here, or another here, ends with `(remote)`.",
    compare.EXIT: "It is the cause of a `RemoteError`, and equal: an exit there ends nothing here.",
    compare.WITHOUT: "Equal but for what cannot be pickled: a note tells what that is. In `args`, "
    "lists and dicts something stands for it that looks like it.",
    compare.IN_WORDS: "A `RemoteError` has its type's name, its message and its traceback as text.",
    compare.TEXT_ONLY: "The traceback is a text.",
    compare.NO_TRACEBACK: "There is no traceback of where it was raised.",
    compare.LINES: "The traceback has other files, lines or functions than where it was raised.",
    compare.CARETS: "In the traceback, the carets (`~~^~~`) are missing or stand elsewhere.",
    compare.ATTRIBUTES: "Args, attributes or the message are missing, or others.",
    compare.CHAIN: "Causes, contexts, notes, members or their tracebacks are missing, or others.",
    compare.ANOTHER: "Another exception comes in its place.",
    compare.LOST: "None comes: the call returns, never ends, or the pool is broken by it.",
    compare.NOT_SENT: "The function cannot be sent there.",
}


def render(tables: Mapping[str, Table], versions: Mapping[str, str]) -> str:
    """The page.

    Args:
        tables: For each of `HEADS`, its table; one that is missing is left out.
        versions: What each of these was run with.
    """
    sections = [_BEGIN, _about_columns(), _legend()]
    for who, table in tables.items():
        head = f"## {HEADS[who]}\n\n{_ABOUT[who]}\n\n{versions[who]}.\n"
        sections.append(f"{head}\n{_counted(table)}\n\n{_rows(table)}\n")
    return "\n".join(sections)


def parse(text: str) -> tuple[dict[str, Table], dict[str, str]]:
    """The tables and versions of a page."""
    tables: dict[str, Table] = {}
    versions: dict[str, str] = {}
    names = {title: name for name, title in shapes.titles().items()}
    for who, head in HEADS.items():
        _, found, section = text.partition(f"\n## {head}\n")
        if found:
            section = section.partition("\n## ")[0]
            versions[who] = section.split("\n\n")[1].removesuffix(".")
            lines = [line.strip("|").split("|") for line in section.splitlines() if line[:1] == "|"]
            rows = [[cell.strip() for cell in line] for line in lines[2:]]
            tables[who] = {
                names.get(title, title): dict(zip(SITUATIONS, cells, strict=True))
                for title, *cells in rows
            }
    return tables, versions


def _about_columns() -> str:
    rows = [(column.title, column.about) for column in SITUATIONS.values()]
    return f"## Where it is defined\n\n{_table(('column', 'means'), rows)}\n"


def _legend() -> str:
    return f"## What the words mean\n\n{_table(('word', 'means'), LEGEND.items())}\n"


def _rows(table: Table) -> str:
    titles = shapes.titles()
    heads = ("raised", *(situation.title for situation in SITUATIONS.values()))
    rows = [(titles[name], *cells.values()) for name, cells in table.items()]
    return _table(heads, rows)


def _counted(table: Table) -> str:
    """How many cells there are of each kind."""
    cells = [word for row in table.values() for word in row.values()]
    whole = (*compare.GOOD, compare.ANOTHER, compare.LOST, compare.NOT_SENT)
    counts = {word: cells.count(word) for word in whole}
    counts["with some of it missing or otherwise"] = len(cells) - sum(counts.values())
    always = (compare.EQUAL, compare.LOST)
    listed = [f"{count} {word}" for word, count in counts.items() if count or word in always]
    return f"{len(cells)} cells: {', '.join(listed)}."


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
