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

from . import child, fresh
from .place import PATIENCE, READ, Place, seconds
from .report import Line, Row, at_most
from .turns import Compared, compare, median, percentile

_STARTS = 7
_TURNS, _EACH = 8, 250  # 2,000 calls
_DASK_EACH = 50
_SIZE = 62  # bytes: what the frame of a no-op call has
_SSH, _ECHO = "ssh host python3 -c pass", f"{_SIZE} bytes echoed on a paramiko channel"
_MITOGEN, _DASK = "mitogen", "Dask SSHCluster"


def first_result(place: Place) -> Row:
    """From nothing to the first result, in processes that have imported their library."""
    config = place.sshd.config_file(more="ControlMaster no\nControlPath none\n")
    found = compare(
        _STARTS,
        lambda: _start(place),
        {
            _SSH: lambda: [seconds(lambda: _ssh(config))] * 2,
            _MITOGEN: lambda: _start_peer(place, "mitogen_ssh"),
            _DASK: lambda: _start_peer(place, "dask_ssh"),
        },
    )
    asked = {_SSH: at_most(0.5), _MITOGEN: at_most(0.4), _DASK: at_most(0.07)}
    lines = [found.line("ms", peer, asked[peer], scale=1e3) for peer in asked]
    with_import = [found.line("ms", peer, what="with import", index=1, scale=1e3) for peer in asked]
    imported = (median(found.ours, 1) - median(found.ours)) * 1e3
    return Row([*lines, *with_import], {"import interstate": f"{imported:.0f} ms"})


def _start(place: Place) -> list[float]:
    figures = child.run(fresh.first, place.described_host)
    return [figures["first"], figures["first"] + figures["import"]]


def _start_peer(place: Place, module: str) -> list[float]:
    with place.peer(module) as peer:
        first, imported = peer.ask("first", place.described_host)
    return [first, first + imported]


def _ssh(config: Path) -> None:
    command = ["ssh", "-F", str(config), "target", "python3", "-c", "pass"]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=PATIENCE)


def one_call(place: Place) -> Row:
    """A no-op from submit to result, one at a time, beside an echo on a bare channel."""
    host = place.described_host
    with (
        place.executor() as executor,
        place.channel("exec cat") as channel,
        place.peer("mitogen_ssh") as mitogen,
        place.peer("dask_ssh") as dask,
    ):
        found = compare(
            _TURNS,
            lambda: _spread(lambda: _call(executor)),
            {
                _ECHO: lambda: _spread(lambda: _echo(channel)),
                _MITOGEN: lambda: mitogen.ask("each", host, _EACH),
                _DASK: lambda: dask.ask("each", host, _DASK_EACH),
            },
        )
    return Row([*_lines(found, 0, "median"), *_lines(found, 1, "99th percentile")])


def _lines(found: Compared, index: int, what: str) -> list[Line]:
    asked = {_ECHO: at_most(2), _MITOGEN: at_most(0.8), _DASK: None}
    return [
        found.line("µs", peer, asked[peer], what=what, index=index, scale=1e6) for peer in asked
    ]


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
