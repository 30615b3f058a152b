"""Many hosts at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import interstate
from interstate import Host
from tests.sshd import Sshd, loopback_addresses

from . import child, procfs
from .gate import Gate
from .place import HOSTS, PATIENCE, READ, Place, seconds
from .report import Line, Row, at_most
from .turns import compare

_TURNS = 2
_AT_ONCE = 32  # hosts that are being connected to: as many as interstate has
_BARE = f"paramiko, {_AT_ONCE} threads: connect, python3 -c pass"
_ALL, _BARE_HOSTS = 999, 200
_ALL_TIMEOUT = 480.0  # seconds, for all of them
_ALL_MEMORY = 18_000_000_000  # bytes: what they and their sshds take
_QUIET = 60.0  # seconds in which no host has come up: no more will
_IDLE = 10.0  # seconds


def hundred_hosts(place: Place) -> Row:
    """One execute() on 100 addresses, beside as many bare connections, as many at a time."""
    lost: list[int] = []
    hosts = place.sshd.hosts(HOSTS)
    found = compare(
        _TURNS,
        lambda: [seconds(lambda: lost.append(_execute(hosts)))],
        {_BARE: lambda: [seconds(lambda: _connect_all(place, hosts))]},
    )
    return Row(
        [
            found.line("ms a host", _BARE, scale=1e3 / HOSTS),
            Line(sum(lost), "results", what="lost", asked=at_most(0)),
        ]
    )


def _execute(hosts: Sequence[Host]) -> int:
    """How many did not answer."""
    pids = interstate.execute(os.getpid, hosts=hosts, ssh_config=None, connect_timeout=PATIENCE)
    return len(hosts) - len(set(pids))


def _connect_all(place: Place, hosts: Sequence[Host]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(lambda host: _connect(place, host), hosts))


def _connect(place: Place, host: Host) -> None:
    with place.channel("python3 -c pass", host) as channel:
        while channel.recv(READ):
            pass


def all_hosts(place: Place) -> Row:
    """One execute() on 999 real sshd sessions, which all run at once and then idle for a while."""
    if procfs.available() < _ALL_MEMORY:  # it would not be the benchmarks alone that suffer
        found = procfs.available() / 1e9
        raise MemoryError(f"needs {_ALL_MEMORY / 1e9:.0f} GB of memory; there are {found:.1f}")
    sshd = Sshd(place.new_directory(), place.keys, listen=loopback_addresses(_ALL))
    with sshd:
        bare = [_bare_seconds(place, sshd.hosts(_BARE_HOSTS))]
        arguments = (asdict(sshd.host()), sshd.addresses, str(place.new_directory()))
        figures = child.run(execute_on_all, *arguments, timeout=_ALL_TIMEOUT)
        bare.append(_bare_seconds(place, sshd.hosts(_BARE_HOSTS)))
    return Row(_lines(figures, sum(bare) / len(bare)), _notes(figures))


def _bare_seconds(place: Place, hosts: Sequence[Host]) -> float:
    return seconds(lambda: _connect_all(place, hosts)) / len(hosts)


def _lines(figures: child.Figures, bare: float) -> list[Line]:
    ours = figures["seconds"] / _ALL
    time_line = Line(
        ours * 1e3, "ms a host", "", _BARE, bare * 1e3, ours / bare, asked=at_most(1.3)
    )
    return [
        time_line,
        Line(figures["lost"], "results", what="lost", asked=at_most(0)),
        Line(figures["memory"] / 1e3, "KB a host", what="client's memory", asked=at_most(200)),
        Line(round(figures["threads"], 2), "a host", what="client's threads", asked=at_most(3)),
        Line(figures["idle"] * 100, "% of a core", what="client idle", asked=at_most(5)),
    ]


def _notes(figures: child.Figures) -> dict[str, str]:
    return {
        "hosts that were up at once": f"{figures['up']:,.0f} of {_ALL}",
        "seconds for all": f"{figures['seconds']:.1f}",
    }


def execute_on_all(host: dict[str, Any], addresses: list[str], directory: str) -> child.Figures:
    """What it takes to have one call on each address; then, with one on each at the same time."""
    hosts = [Host(**{**host, "name": address}) for address in addresses]
    gate = Gate(Path(directory))
    wait = gate.waiter()

    def job(environ: interstate.Environ) -> int:
        wait(environ.index)
        return os.getpid()

    fleet = _Watch(gate, len(hosts))
    start = time.perf_counter()
    pids = _execute_all(os.getpid, hosts)
    elapsed = time.perf_counter() - start
    with fleet:
        results = _execute_all(job, hosts)
    lost = sum(
        len(hosts) - len({x for x in each if isinstance(x, int)}) for each in (pids, results)
    )
    return {**fleet.figures, "seconds": elapsed, "lost": float(lost)}


def _execute_all(job: Callable[..., int], hosts: Sequence[Host]) -> list[Any]:
    results: list[Any] = interstate.execute(
        job, hosts=hosts, ssh_config=None, connect_timeout=_ALL_TIMEOUT, return_exceptions=True
    )
    return results


class _Watch:
    """A thread that looks at this process once all hosts are up, then opens the gate.

    Attributes:
        figures: What it saw, a host.
    """

    def __init__(self, gate: Gate, hosts: int) -> None:
        self.gate = gate
        self.figures: child.Figures = {}
        self._hosts = hosts
        self._memory, self._threads = procfs.resident(), threading.active_count() + 1
        self._thread = threading.Thread(target=self._look, name="watch")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: Any) -> None:
        self._thread.join()

    def _look(self) -> None:
        up = self.gate.wait_for(self._hosts, _QUIET)
        self.figures = {
            "up": float(up),
            "memory": (procfs.resident() - self._memory) / self._hosts,
            "threads": (threading.active_count() - self._threads) / self._hosts,
            "idle": _idle_cpu(),
        }
        self.gate.open()


def _idle_cpu() -> float:
    """Which share of a core this process needs."""
    before = time.process_time()
    time.sleep(_IDLE)
    return (time.process_time() - before) / _IDLE
