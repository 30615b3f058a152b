"""Twenty minutes at full rate, with random faults: nothing is lost, and nothing grows.

    python -m tests.soak [--minutes 20] [--seed N]

Calls of many kinds go to several hosts, some of them through a proxy that delays, freezes and
cuts, while agents, workers and connections are killed.  Every outcome is checked.  At the end the
client's memory, threads and descriptors must be what they were soon after the beginning.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interstate import CallTerminated, CallTimeout, HostLost, SSHExecutor, WorkerDied

from . import processes
from .proxy import Proxy
from .sshd import Keys, Sshd, loopback_addresses

PATIENCE = 120.0  # seconds that any outcome may take
RETRIES = 50
HOSTS, AT_ONCE = 4, 400  # calls under way
_MEGABYTE = 1 << 20


@dataclass
class Sizes:
    """What must not grow."""

    megabytes: float
    threads: int
    files: int

    @classmethod
    def now(cls) -> Sizes:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        size = pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE
        return cls(size, threading.active_count(), len(os.listdir("/proc/self/fd")))


class Soak:
    """Submits calls, and checks how they end.

    Args:
        executor: What they are submitted to.
        seed: Of what is random.
    """

    def __init__(self, executor: SSHExecutor, seed: int) -> None:
        self.ended: Counter[str] = Counter()
        self._executor = executor
        self._chance = random.Random(seed)
        self._place = threading.Semaphore(AT_ONCE)
        self._wrong: list[str] = []

    def run(self, seconds: float) -> None:
        """Have calls under way for so long, and then see the last of them end."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._wrong:
            if not self._place.acquire(timeout=PATIENCE):
                raise AssertionError(f"no call has ended for {PATIENCE:g} s")
            self._submit()
        for _ in range(AT_ONCE):
            if not self._place.acquire(timeout=PATIENCE):
                raise AssertionError("a call does not end")
        for _ in range(AT_ONCE):
            self._place.release()
        assert not self._wrong, "; ".join(self._wrong[:5])

    def _submit(self) -> None:
        kind = self._chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        number = self._chance.randrange(1_000_000)
        future, expected = getattr(self, f"_{kind}")(number)
        future.add_done_callback(lambda done: self._check(kind, done, expected))

    def _check(self, kind: str, future: Future[Any], expected: Any) -> None:
        try:
            self.ended[kind] += 1
            if future.cancelled():
                ended: Any = "cancelled"
            else:
                error = future.exception()
                ended = future.result() if error is None else type(error)
            if ended not in expected and len(self._wrong) < 100:
                self._wrong.append(f"{kind} ended with {ended!r:.200}, not {expected!r:.200}")
        finally:
            self._place.release()

    def _quick(self, number: int) -> Any:
        return self._executor.submit(abs, -number), [number]

    def _closure(self, number: int) -> Any:
        return self._executor.submit(lambda: number * 2), [number * 2]

    def _large(self, number: int) -> Any:
        data = number.to_bytes(4, "big") * (_MEGABYTE // 8)
        return self._executor.submit(bytes.swapcase, data), [data.swapcase()]

    def _printing(self, number: int) -> Any:
        def job() -> int:
            print("x" * (number % 5000))
            return number

        return self._executor.submit(job), [number]

    def _sleeping(self, number: int) -> Any:
        return self._executor.submit(time.sleep, number % 100 / 1000), [None]

    def _raising(self, number: int) -> Any:
        def job() -> None:
            raise LookupError(number)

        return self._executor.submit(job), [LookupError]

    def _dying(self, number: int) -> Any:
        view = self._executor.with_options(retries=0)
        return view.submit(os._exit, number % 250), [WorkerDied, HostLost]

    def _timed_out(self, number: int) -> Any:
        view = self._executor.with_options(timeout=0.02)
        return view.submit(time.sleep, PATIENCE), [CallTimeout]

    def _terminated(self, number: int) -> Any:
        future = self._executor.submit(time.sleep, PATIENCE)
        threading.Timer(0.05, future.terminate).start()
        return future, [CallTerminated, "cancelled"]

    def _cancelled(self, number: int) -> Any:
        future = self._executor.submit(abs, -number)
        future.give_up()
        return future, [number, "cancelled"]


_KINDS = {
    "quick": 1000,
    "closure": 200,
    "large": 5,
    "printing": 50,
    "sleeping": 20,
    "raising": 20,
    "dying": 1,
    "timed_out": 1,
    "terminated": 1,
    "cancelled": 20,
}


class Faults:
    """A thread that does harm, every now and then, until it is told to end."""

    def __init__(self, sshd: Sshd, proxies: list[Proxy], seed: int) -> None:
        self.done: Counter[str] = Counter()
        self._sshd, self._proxies = sshd, proxies
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults")

    def __enter__(self) -> Faults:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        for proxy in self._proxies:
            proxy.thaw()

    def _run(self) -> None:
        while not self._over.wait(self._chance.uniform(0.2, 2.0)):
            fault = self._chance.choice([self._kill, self._kill, self._cut, self._freeze])
            fault()

    def _kill(self) -> None:
        what = self._chance.choice(["agent for", "worker for", "sshd"])
        pids = [pid for pid in self._sshd.sessions() if what in processes.describe(pid)]
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._chance.choice(pids), signal.SIGKILL)
            self.done[f"kill {what}"] += 1

    def _cut(self) -> None:
        self._chance.choice(self._proxies).cut(reset=self._chance.random() < 0.5)
        self.done["cut"] += 1

    def _freeze(self) -> None:
        proxy = self._chance.choice(self._proxies)
        proxy.freeze()
        self._over.wait(self._chance.uniform(0.1, 4.0))
        proxy.thaw()
        self.done["freeze"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    logging.getLogger("interstate").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as ends:
        directory = Path(name)
        (directory / "sshd").mkdir()
        keys = Keys.generate(directory)
        addresses = loopback_addresses(HOSTS)
        sshd = ends.enter_context(Sshd(directory / "sshd", keys, listen=addresses))
        proxies = [ends.enter_context(Proxy(host, directory)) for host in sshd.hosts(2)]
        hosts = [*(proxy.host for proxy in proxies), *sshd.hosts(HOSTS)[2:]]
        executor = ends.enter_context(
            SSHExecutor(hosts, workers_per_host=2, retries=RETRIES, heartbeat=0.5, reconnect=30)
        )
        return _soak(executor, Faults(sshd, proxies, options.seed), options.minutes, options.seed)


def _soak(executor: SSHExecutor, faults: Faults, minutes: float, seed: int) -> int:
    soak, began = Soak(executor, seed), time.monotonic()
    with faults:
        soak.run(min(60.0, minutes * 6.0))  # until all that grows at first has grown
        before = Sizes.now()
        soak.run(minutes * 60.0 - (time.monotonic() - began))
    after = Sizes.now()
    took = time.monotonic() - began
    print(f"{sum(soak.ended.values()):,} calls in {took:.0f} s: {dict(soak.ended)}")
    print(f"faults: {dict(faults.done)}")
    print(f"after a minute: {before}\nat the end: {after}")
    grown = after.megabytes > before.megabytes * 1.2 + 20
    return int(grown or after.threads > before.threads + 8 or after.files > before.files + 8)


if __name__ == "__main__":
    sys.exit(main())
