"""Processes as /proc shows them: who is whose child, and waiting for those that are not ours."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path


def ended_with_us() -> list[str]:
    """What runs a daemon that is to end when the thread that starts it does, be it by SIGKILL."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def children(pid: int) -> list[int]:
    """The process ids of a process's children, dead ones that were not waited for included."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has just ended
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    return found


def descendants(pid: int) -> list[int]:
    """The process ids of a process's children, their children, and so on."""
    found = children(pid)
    for child in found:  # grows while it is walked
        found += children(child)
    return found


def wait_gone(pids: Iterable[int], timeout: float) -> list[int]:
    """Wait for processes to end, and return those that have not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    return [pid for pid in pids if not _ends(pid, deadline - time.monotonic())]


def kill(pids: Iterable[int]) -> None:
    """Kill processes, and wait for their ends."""
    pids = list(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_gone(pids, 30.0)


def end_what_is_left(pids: Iterable[int], timeout: float) -> list[str]:
    """Wait for processes to end; kill those that have not, and return what they were."""
    left = wait_gone(pids, timeout)
    described = [describe(pid) for pid in left]
    kill(left)
    return described


def describe(pid: int) -> str:
    """A process's id and command line."""
    with contextlib.suppress(OSError):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return f"{pid}: {b' '.join(arguments).decode(errors='replace').strip()[:300]}"
    return f"{pid}: (gone)"


def _ends(pid: int, timeout: float) -> bool:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()  # select() knows no descriptor above 1023
        poll.register(fd, select.POLLIN)
        ended = bool(poll.poll(max(timeout, 0.0) * 1000))
    finally:
        os.close(fd)
    if ended:
        _reap(pid)
    return ended


def _reap(pid: int) -> None:
    """Take note of an orphan's end that came to us; see the subreaper in conftest.py."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
