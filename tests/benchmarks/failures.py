"""How soon failures are noticed and mended, and whether anything is lost by them."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections import Counter
from pathlib import Path

from interstate import HostLost, SSHExecutor
from tests import processes
from tests.proxy import Proxy

from .place import PATIENCE, Place, warm_up
from .report import Line, Row, at_least, at_most

_TURNS = 5
_HOSTS, _CALLS, _RETRIES = 8, 10_000, 5
_FROZEN, _RUNNING = 30.0, 100  # seconds, calls


def worker_replaced(place: Place) -> Row:
    """From the end of a worker's process to the next call's result on that host."""

    def turn(executor: SSHExecutor) -> float:
        executor.submit(os._exit, 1).exception(PATIENCE)
        start = time.perf_counter()
        executor.submit(abs, -1).result(PATIENCE)
        return time.perf_counter() - start

    with place.executor(workers=1) as executor:
        found = statistics.median(turn(executor) for _ in range(_TURNS))
    return Row([Line(found * 1e3, "ms", asked=at_most(50))])


def lost_host(place: Place) -> Row:
    """From the end of an agent's process to the HostLost of the call that ran there."""

    def turn(executor: SSHExecutor) -> list[float]:
        agent = executor.submit(os.getppid).result(PATIENCE)
        future = executor.submit(time.sleep, PATIENCE)
        while not future.started_at:
            time.sleep(0.001)
        start = time.perf_counter()
        os.kill(agent, signal.SIGKILL)
        error = future.exception(PATIENCE)
        noticed = time.perf_counter() - start
        if not isinstance(error, HostLost):
            raise AssertionError(f"the call ended by {error!r}")
        executor.submit(abs, -1).result(PATIENCE)
        return [noticed, time.perf_counter() - start]

    with SSHExecutor(place.host, workers_per_host=1, ssh_config=None) as executor:
        found = [turn(executor) for _ in range(_TURNS)]
    noticed, again = (statistics.median(column) for column in zip(*found, strict=True))
    return Row(
        [
            Line(noticed * 1e3, "ms", "noticed", asked=at_most(1000)),
            Line(again * 1e3, "ms", "a result from there again"),
        ]
    )


def killed_hosts(place: Place) -> Row:
    """10,000 calls of 5 ms on 8 hosts, of which one is killed every second, whatever it runs."""
    done = threading.Event()
    killed = 0

    def slow(number: int) -> int:
        time.sleep(0.005)
        return -number

    def kill_one_each_second() -> None:
        nonlocal killed
        while not done.wait(1.0):
            agents = [
                pid for pid in place.sshd.sessions() if "agent for" in processes.describe(pid)
            ]
            if agents:
                os.kill(agents[killed % len(agents)], signal.SIGKILL)
                killed += 1

    hosts = place.sshd.hosts(_HOSTS)
    with SSHExecutor(hosts, workers_per_host=2, retries=_RETRIES, ssh_config=None) as executor:
        warm_up(executor)
        killer = threading.Thread(target=kill_one_each_second)
        killer.start()
        start = time.perf_counter()
        try:
            futures = [executor.submit(slow, number) for number in range(_CALLS)]
            right = sum(future.result(PATIENCE) == -n for n, future in enumerate(futures))
        finally:
            done.set()
            killer.join()
        took = time.perf_counter() - start
    attempts = Counter(future.attempts for future in futures)
    return Row(
        [Line(right, "calls", "right results", asked=at_least(_CALLS))],
        {"took": f"{took:.1f} s", "killed": f"{killed} hosts", "attempts": str(attempts)},
    )


def frozen_network(place: Place) -> Row:
    """100 running calls, and a network that stands still for 30 s."""
    path = place.new_directory() / "begun"

    def job(number: int) -> int:
        with open(path, "a") as file:
            file.write(f"{number}\n")
        time.sleep(1.0)
        return -number

    directory = place.new_directory()
    with (
        Proxy(place.host, directory) as proxy,
        SSHExecutor(proxy.host, workers_per_host=_RUNNING, ssh_config=None) as executor,
    ):
        executor.submit(abs, 1).result(PATIENCE)
        futures = [executor.submit(job, number) for number in range(_RUNNING)]
        while len(_lines(path)) < _RUNNING:
            time.sleep(0.01)
        proxy.freeze()
        time.sleep(_FROZEN)
        proxy.thaw()
        right = sum(future.result(PATIENCE) == -n for n, future in enumerate(futures))
    return Row(
        [
            Line(right, "calls", "right results", asked=at_least(_RUNNING)),
            Line(len(_lines(path)), "runs", "runs", asked=at_most(_RUNNING)),
        ]
    )


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []
