"""Decides how a table of checks looks: which columns and rows there is room for.  Pure.

A table is lines, and a line is cells: texts with the name of a style that rich knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .checklines import at_home, headline, memory, printable, short, summary, via
from .found import Check, Problem, by_remark, ours
from .summary import by_reason, named

_COLUMNS = (
    *("host", "via", "Python", "its path", "CPUs", "load", "GB free", "ms", "MB/s ↓", "MB/s ↑"),
    *("login", "host key", "fingerprint"),
)
_NUMBERS = "CPUs", "load", "GB free", "ms", "MB/s ↓", "MB/s ↑"
_LEFT_OUT = (  # one after the other, until the rest fits
    *("fingerprint", "its path", "load", "login", "via", "GB free", "host key", "CPUs", "ms"),
)
_GAP, _MARK = 2, 2  # characters between columns, and of the one before them
_NARROWEST_HOST = 16  # characters; else it has a third of the table at most
_FRAME = 6  # lines that a table has, while hosts answer, besides what it shows of them
GOOD, BAD, NOTE = "green", "red", "dark_orange3"  # to be read on light and on dark
_HEAD, _FAINT, _STRONG, _TODO, _COMMAND = "bold", "dim", "bold", "cyan", "bold"


class Cell(NamedTuple):
    """A text in a style."""

    text: str = ""
    style: str = ""


Line = Sequence[Cell]
Row = Mapping[str, Cell]  # by the names of the columns
Shown = Callable[[str], str]


def table(checks: Sequence[Check], width: int, shown: Shown = printable) -> list[Line]:
    """Return lines of at most `width` characters: a heading, if need be, and a line a check.

    Args:
        checks: What was found.
        width: How wide the terminal is, characters.
        shown: Makes a text what is to be shown of it.
    """
    if not checks:
        return []
    rows = [_shown(_row(check), shown) for check in checks]
    heading = _shown({name: Cell(name, _HEAD) for name in _COLUMNS}, shown)
    widths = _fitting(heading, rows, width)
    lines = [_line(*one, widths, width) for one in zip(checks, rows, strict=True)]
    if len(widths) == 1:
        return lines
    return [[Cell(" " * _MARK), *_cells(heading, widths)], *lines]


def fits(hosts: int, height: int) -> bool:
    """Return whether a table of so many hosts, while they answer, fits into so many lines."""
    return hosts <= height - _FRAME


def live(
    checks: Mapping[int, Check], hosts: int, size: tuple[int, int], shown: Shown = printable
) -> list[Line]:
    """Return what to show while hosts answer: the table, or, where it is too high, its news.

    Args:
        checks: What has come, in the order that it came in, by the numbers of the hosts.
        hosts: How many hosts there are.
        size: How wide the terminal is, characters, and how high, lines.
        shown: As for `table`.
    """
    width, height = size
    room = max(2, height - _FRAME)
    in_order = [checks[index] for index in sorted(checks)]
    if fits(hosts, height):
        return table(in_order, width, shown)
    groups = by_reason(check for check in in_order if not check.good).values()
    bad = [[Cell("✗ ", BAD), Cell(cut(headline(alike), width - _MARK))] for alike in groups]
    if len(bad) > room // 2:
        more = len(bad) - room // 2 + 1
        bad[room // 2 - 1 :] = [[Cell(f"  … and {more} more reasons", _FAINT)]]
    latest = [check for check in checks.values() if check.good][-(room - len(bad)) :]
    return [*table(latest, width, shown), *([[]] if bad and latest else []), *bad]


def so_far(checks: Iterable[Check], hosts: int) -> str:
    """Return how many hosts have answered, and how."""
    answered = [check.good for check in checks]
    good = sum(answered)
    counts = f": {good} good, {len(answered) - good} bad" if answered else ""
    return f"{len(answered)} of {hosts} hosts have answered{counts}"


def notes(checks: Sequence[Check]) -> Iterator[Sequence[tuple[Cell, Line]]]:
    """Yield what is wrong, and what to do; then what else is worth knowing.

    Each is what belongs together: lines that may be longer than there is room for, and the signs in
    front of them.  Without a sign is a command, to be copied whole.
    """
    bad = by_reason(check for check in checks if not check.good)
    for advice, groups in _by_advice(bad.values()).items():
        said, *commands = advice.splitlines()
        todo = [(Cell("→", _TODO), [Cell(said)])] if advice else []
        todo += [(Cell(), [Cell(command, _COMMAND)]) for command in commands]
        yield [*((Cell("✗", BAD), _trouble(alike)) for alike in groups), *todo]
    remarks = [
        (Cell("!", NOTE), _remark(reason, alike)) for reason, alike in by_remark(checks).items()
    ]
    if remarks:
        yield remarks


def result(checks: Iterable[Check], hosts: int) -> Cell:
    """Return what there is to say of all."""
    answered = [check.good for check in checks]
    good = sum(answered)
    bad = len(answered) - good
    return Cell(summary(good, bad, hosts - good - bad), _STRONG)


def cut(text: str, width: int) -> str:
    """Return the first line of a text, as far as there is room for it."""
    first, *more = text.splitlines() or [""]
    return first if len(first) <= width and not more else f"{first[: max(0, width - 1)]}…"


def _trouble(alike: Sequence[Check]) -> Line:
    problem, hosts = _of(alike), named(check.host for check in alike)
    if len(alike) == 1:
        return [Cell(f"{hosts}: ", _STRONG), Cell(problem.what)]
    one = "" if problem.what == problem.reason else f"\nsuch as {alike[0].host}: {problem.what}"
    return [Cell(f"{len(alike)} hosts: {problem.reason}: "), Cell(hosts, _STRONG), Cell(one)]


def _remark(reason: str, alike: Sequence[Check]) -> Line:
    whose = Cell(f"{named(check.host for check in alike)}: ", _STRONG)
    if len(alike) > 1:
        return [whose, Cell(reason)]
    return [whose, *(Cell(one.what) for one in alike[0].remarks if one.reason == reason)]


def _of(alike: Sequence[Check]) -> Problem:
    return next(check.problem for check in alike if check.problem)


def _by_advice(groups: Iterable[Sequence[Check]]) -> Mapping[str, list[Sequence[Check]]]:
    """Those together for which the same is to be done."""
    found: dict[str, list[Sequence[Check]]] = {}
    for alike in groups:
        advice = _of(alike).advice
        if len({check.problem.advice for check in alike if check.problem}) > 1:
            advice = f"{alike[0].host}: {advice}"
        found.setdefault(advice, []).append(alike)
    return found


# ------------------------------------------------------------------------------ rows


def _shown(row: Row, shown: Shown) -> Row:
    return {name: Cell(shown(text), style) for name, (text, style) in row.items()}


def _fitting(heading: Row, rows: Sequence[Row], width: int) -> dict[str, int]:
    """The columns that there is use and room for, and how wide each is."""
    widths = {
        name: max(len(row[name].text) for row in (heading, *rows) if name in row)
        for name in _COLUMNS
        if any(row[name].text for row in rows if name in row)
    }
    widths["host"] = min(widths["host"], max(_NARROWEST_HOST, width // 3))
    for name in _LEFT_OUT:
        if _MARK + sum(widths.values()) + _GAP * (len(widths) - 1) <= width:
            break
        widths.pop(name, None)
    return widths


def _line(check: Check, row: Row, widths: Mapping[str, int], width: int) -> Line:
    if check.good:
        return [Cell("✓ ", GOOD), *_cells(row, widths)]
    room = width - _MARK - widths["host"] - _GAP
    host = _cells(row, {"host": widths["host"]})
    return [Cell("✗ ", BAD), *host, Cell(" " * _GAP), Cell(cut(check.reason, room), BAD)]


def _cells(row: Row, widths: Mapping[str, int]) -> list[Cell]:
    cells: list[Cell] = []
    for name, wide in widths.items():
        text, style = row.get(name, Cell())
        text = cut(text, wide)
        padding = Cell(" " * (wide - len(text)))
        cell = Cell(text, style)
        gap = [Cell(" " * _GAP)] if cells else []
        cells += [*gap, padding, cell] if name in _NUMBERS else [*gap, cell, padding]
    return cells


def _row(check: Check) -> Row:
    host = {"host": Cell(str(check.host), _STRONG if check.good else "")}
    if not check.good:
        return host
    return {**host, "via": Cell(via(check)), **_there(check), **_speeds(check), **_way_in(check)}


def _there(check: Check) -> Row:
    python, computer = check.python, check.computer
    if python is None or computer is None:
        return {}
    differs = "" if python.matches else f" ≠ {ours()}"
    load = computer.load
    busy = load is not None and load > computer.cpus
    return {
        "Python": Cell(python.version + differs, "" if python.matches else NOTE),
        "its path": Cell(at_home(python.executable)),
        "CPUs": Cell(str(computer.cpus)),
        "load": Cell("" if load is None else f"{load:.2f}", NOTE if busy else ""),
        "GB free": Cell(memory(computer)),
    }


def _speeds(check: Check) -> Row:
    if check.line is None:
        return {}
    names = ("ms", "MB/s ↓", "MB/s ↑")
    return {name: Cell(short(number)) for name, number in zip(names, check.line, strict=True)}


def _way_in(check: Check) -> Row:
    row = {}
    if (login := check.login) is not None:
        row["login"] = Cell(login.key.rpartition("/")[2] or login.method)
    if (key := check.host_key) is not None:
        row["host key"] = Cell(key.standing, NOTE if key.standing == "new" else "")
        row["fingerprint"] = Cell(f"{key.type} {key.fingerprint}")
    return row
