"""How long one has to wait: for the first result of all, and for each later one."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import paramiko

from . import child
from .place import PATIENCE, READ, Place, in_turns, median, percentile, ratio, seconds
from .report import Row, at_most

_STARTS = 7
_TURNS, _EACH = 8, 250  # 2,000 calls
_SIZE = 62  # bytes: what the frame of a no-op call has


def first_result(place: Place) -> Row:
    """From nothing to the first result, in a process that has imported interstate."""
    config = place.sshd.config_file(more="ControlMaster no\nControlPath none\n")
    started, ssh = in_turns(_STARTS, lambda: _start(place), lambda: [seconds(lambda: _ssh(config))])
    with_import = [[first + imported] for first, imported in started]
    return Row(
        ours=median(started) * 1e3,
        peer=median(ssh) * 1e3,
        unit="ms",
        peer_name="ssh host python3 -c pass",
        ratio=ratio(started, ssh),
        asked=at_most(0.6),
        more={
            "import interstate": f"{median(started, 1) * 1e3:.0f} ms",
            "import included": f"{median(with_import) * 1e3:.0f} ms, "
            f"ratio {ratio(with_import, ssh):.2f}",
        },
    )


def _start(place: Place) -> list[float]:
    figures = child.run("first", place.host)
    return [figures["first"], figures["import"]]


def _ssh(config: Path) -> None:
    command = ["ssh", "-F", str(config), "target", "python3", "-c", "pass"]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=PATIENCE)


def one_call(place: Place) -> Row:
    """A no-op from submit to result, one at a time, beside an echo on a bare channel."""
    with place.executor() as executor, place.channel("exec cat") as channel:
        ours, echo = in_turns(
            _TURNS,
            lambda: _spread(lambda: _call(executor)),
            lambda: _spread(lambda: _echo(channel)),
        )
    return Row(
        ours=median(ours) * 1e6,
        peer=median(echo) * 1e6,
        unit="µs",
        peer_name=f"{_SIZE} bytes echoed on a paramiko channel",
        ratio=ratio(ours, echo),
        asked=at_most(3),
        more={
            "99th percentile": f"{median(ours, 1) * 1e6:,.0f} µs, the peer's "
            f"{median(echo, 1) * 1e6:,.0f} µs, ratio {ratio(ours, echo, 1):.2f}"
        },
    )


def _spread(run: Callable[[], None]) -> list[float]:
    """The median and the 99th percentile of many runs."""
    figures = []
    for _ in range(_EACH):
        start = time.perf_counter()
        run()
        figures.append(time.perf_counter() - start)
    return [statistics.median(figures), percentile(figures, 0.99)]


def _call(executor: Executor) -> None:
    executor.submit(os.getpid).result(PATIENCE)


def _echo(channel: paramiko.Channel) -> None:
    channel.sendall(bytes(_SIZE))
    missing = _SIZE
    while missing:
        data = channel.recv(READ)
        if not data:
            raise EOFError("the peer's channel has ended")
        missing -= len(data)
