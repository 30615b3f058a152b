"""Says what was found out of hosts in words, or as JSON.  Pure."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .found import Check, Computer, ours
from .printable import printable as _printable
from .summary import by_reason, named

_GB = 1e9
_INDENT = 6
_WIDEST = 32  # characters of a host's name that others are aligned with
_PLAIN = {"→": "->", "✓": "+", "✗": "x", "…": "~", "≠": "!=", "↓": "down", "↑": "up"}
_PLAIN |= {"\N{REPLACEMENT CHARACTER}": "?"}


def as_json(check: Check) -> str:
    """Return a check as an object of JSON, in a line; see docs/check.md for what is in it."""
    return json.dumps(check.described(), allow_nan=False)


def words(check: Check, width: int = 0) -> str:
    """Return a check as a line; where it is bad, with others below it that are indented.

    Args:
        check: What was found.
        width: How wide the host's name is to be made, characters.
    """
    told = [*_told(check)] if check.good else [_bad_news(check)]
    told += [f"note: {remark.what}" for remark in check.remarks]
    way = [f"via {via(check)}"] if via(check) else []
    mark = "good" if check.good else "BAD"
    line = "  ".join([f"{mark:4}", f"{check.host!s:{min(width, _WIDEST)}}", *way, *told])
    return f"\n{' ' * _INDENT}".join(line.splitlines())


def summary(good: int, bad: int, left: int) -> str:
    """Return what there is to say of all hosts.

    Args:
        good: How many are.
        bad: How many are not.
        left: How many have not answered.
    """
    total = good + bad + left
    if total == left:
        nobody = "The host had not" if total == 1 else f"None of {total} hosts had"
        return f"{nobody} answered when this was interrupted."
    for count, said in ((good, "good"), (bad, "bad")):
        if count == total:
            all_ = {1: "The host is", 2: "Both hosts are"}.get(total, f"All {total} hosts are")
            return f"{all_} {said}."
    open_ = f"; {left} had not answered when this was interrupted" if left else ""
    is_bad = "1 is bad" if bad == 1 else f"{bad} are bad"
    return f"{good} of {total} hosts {'is' if good == 1 else 'are'} good, {is_bad}{open_}."


def in_common(checks: Iterable[Check]) -> list[str]:
    """Return a line for each reason that hosts are bad for; none if none is that of several."""
    groups = by_reason(check for check in checks if not check.good).values()
    shared = any(len(alike) > 1 for alike in groups)
    return [f"  {headline(alike)}" for alike in groups] if shared else []


def headline(alike: Sequence[Check]) -> str:
    """Return what is wrong with hosts that are bad for the same reason."""
    first, *more = alike[0].reason.splitlines() or [""]
    hosts = named(check.host for check in alike)
    reason = f"{first} …" if more else first
    return f"{hosts}: {reason}" if len(alike) == 1 else f"{len(alike)} hosts: {reason}: {hosts}"


def via(check: Check) -> str:
    """Return the hops on the way to a host; "" if there are none."""
    return " → ".join(check.way[1:-1])


def at_home(path: str) -> str:
    """Return a path of ours, shortened as a shell would take it."""
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if home != "/" and path.startswith(f"{home}/") else path


def memory(computer: Computer) -> str:
    """Return how much memory can be had, of how much there is, GB."""
    total = short(computer.memory_bytes / _GB)
    available = computer.memory_available_bytes
    return total if available is None else f"{short(available / _GB)}/{total}"


def short(number: float) -> str:
    """Return a number as exactly as anybody wants to know it: 0.25, 3.1, 42."""
    return f"{number:.{2 if number < 1 else 1 if number < 10 else 0}f}"


def printable(text: str) -> str:
    """Return a text without what would steer a terminal, but for its ends of lines."""
    return _printable(text.expandtabs(), "\N{REPLACEMENT CHARACTER}")


def speaks_unicode(encoding: str, environment: Mapping[str, str]) -> bool:
    """Return whether a terminal can show arrows: not if its locale is C, of a user's own will.

    Args:
        encoding: Of what is written to it.
        environment: The variables.
    """
    ctype = environment.get("LC_CTYPE", "")
    given = "" if ctype == "C.UTF-8" else ctype  # Python sets that by itself
    said = environment.get("LC_ALL") or given or environment.get("LANG", "")
    return encoding.lower().startswith("utf") and said not in ("C", "POSIX")


def plain(text: str) -> str:
    """Return a text as it can be shown by whatever shows ASCII."""
    for sign, instead in _PLAIN.items():
        text = text.replace(sign, instead)
    return text.encode("ascii", "backslashreplace").decode()


def _bad_news(check: Check) -> str:
    """What is wrong with a host, and below it what to do."""
    problem = check.problem
    told = (problem.what, problem.advice) if problem else ()
    return "\n→ ".join(filter(None, told))


def _told(check: Check) -> Iterator[str]:
    """What was found of a good one, in the order in which one wants to know it."""
    if (python := check.python) is not None:
        differs = "as ours" if python.matches else f"ours is {ours()}"
        yield f"Python {python.version} {python.executable} ({differs})"
    if (computer := check.computer) is not None:
        load = "" if computer.load is None else f"load {computer.load:.2f}, "
        free = "" if computer.memory_available_bytes is None else " free"
        yield f"{computer.cpus} CPUs, {load}{memory(computer)} GB{free}"
    if (line := check.line) is not None:
        down, up = short(line.down_mb_per_s), short(line.up_mb_per_s)
        yield f"{short(line.round_trip_ms)} ms, {down} MB/s from there, {up} MB/s to there"
    if (login := check.login) is not None:
        yield f"{login.method} {at_home(login.key)}".strip()
    if (key := check.host_key) is not None:
        yield f"{key.type} {key.fingerprint} ({key.standing})"
