"""Runs the calls of every group, in every way, on a host, and judges what comes of them."""

from __future__ import annotations

import contextlib
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import interstate
from interstate import Host, SSHExecutor

from .asking import Call
from .ways import WAYS, loaded

GOOD, SAYS_WHY, WRONG = "good", "says why", "wrong"
CALLS = Path(__file__).with_name("calls")
LATER = Path(__file__).with_name("later")
USUAL = ("script", "function")  # the ways of most groups
_LIMIT = 60.0  # seconds that a call may take
_PATIENCE = 120.0
_OURS = platform.python_version()


class Judged(NamedTuple):
    """What came of a call: one of the words above, and what is wrong."""

    word: str
    why: str = ""


class Group(NamedTuple):
    """Calls that are in one file.

    Attributes:
        path: Of the file.
        title: What it begins with.
        ways: The ways in which its code comes to be here.
        since: The first Python that it can be written for.
    """

    path: Path
    title: str
    ways: tuple[str, ...] = USUAL
    since: tuple[int, int] = (3, 9)


Results = dict[str, dict[str, Judged]]  # way -> call


def groups() -> dict[str, Group]:
    """All of them that this Python can read, by their names."""
    found = {}
    for path in (*sorted(CALLS.glob("[a-z]*.py")), *sorted(LATER.glob("[a-z]*.py"))):
        text = path.read_text()
        title = text.partition('"""')[2].partition('"""')[0]
        ways = re.search(r"^# Ways: (.*)\.$", text, re.M)
        since = re.fullmatch(r"since(3)(\d+).*", path.stem)
        found[path.stem] = Group(
            path,
            title,
            tuple(ways[1].split(", ")) if ways else USUAL,
            (int(since[1]), int(since[2])) if since else (3, 9),
        )
    return {name: group for name, group in found.items() if group.since <= sys.version_info[:2]}


@contextlib.contextmanager
def executors(
    host: Host, pythons: Mapping[str, str], workers: int = 1
) -> Iterator[dict[str, SSHExecutor]]:
    """One for each version, all of them on the same host."""
    with contextlib.ExitStack() as stack:
        yield {
            version: stack.enter_context(
                SSHExecutor(host, python=python, workers_per_host=workers, ssh_config=None)
            )
            for version, python in pythons.items()
        }


def versions(running: Mapping[str, SSHExecutor]) -> dict[str, str]:
    """The full version of each of the Pythons over there."""
    begun = {version: ex.submit(platform.python_version) for version, ex in running.items()}
    return {version: future.result(_PATIENCE) for version, future in begun.items()}


def judge_all(
    running: Mapping[str, SSHExecutor], wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, dict[str, Results]]:
    """What comes of each call: group -> version over there -> way -> call."""
    there = versions(running)
    found: dict[str, dict[str, Results]] = {}
    for name, group in groups().items():
        if wanted(name):
            found[name] = {version: {} for version in running}
            for way in group.ways:
                for version, judged in _judge(group, way, running, there).items():
                    found[name][version][way] = judged
    return found


def _judge(
    group: Group, way: str, running: Mapping[str, SSHExecutor], there: Mapping[str, str]
) -> dict[str, dict[str, Judged]]:
    with loaded(group.path, WAYS[way]) as calls:
        begun = {
            version: [(call, _submit(executor, call)) for call in calls]
            for version, executor in running.items()
        }
        return {
            version: {
                call.name: _judge_call(call, future, there[version]) for call, future in pairs
            }
            for version, pairs in begun.items()
        }


def _submit(executor: SSHExecutor, call: Call) -> Any:
    return executor.with_options(timeout=_LIMIT).submit(call.fn, *call.args)


def _judge_call(call: Call, future: Any, there: str) -> Judged:
    error = future.exception(_PATIENCE)
    why = call.wrong(None if error is not None else future.result(), error)
    if not why:
        return Judged(GOOD)
    if _minor(there) < call.since:
        return _judge_refusal(error, there, why)
    return Judged(WRONG, why)


def _judge_refusal(error: BaseException | None, there: str, why: str) -> Judged:
    """Whether a call fails as is promised: by an error that names both versions and the reason."""
    said = str(error)
    if not isinstance(error, interstate.PythonVersionError):
        return Judged(WRONG, f"in place of a PythonVersionError: {why}")
    reason = said.partition(": ")[2]
    missing = [what for what in (_OURS, there) if what not in said]
    if missing or not reason:
        return Judged(WRONG, f"the message lacks {missing or 'a reason'}: {said}")
    return Judged(SAYS_WHY, said)


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
