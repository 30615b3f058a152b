"""Each cell of the crash matrix (see `crashes`): the promised outcome, and then all goes on.

A cell is one call on an executor of its own, on a real sshd.  What it started over there must be
gone at the executor's end.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interstate import (
    BrokenSSHExecutor,
    CallTimeout,
    Host,
    HostLost,
    RemoteError,
    RemoteFuture,
    SSHExecutor,
    WorkerDied,
)

from . import crashes, processes
from .crashes import (
    AGENT,
    CLIENT,
    HOP,
    INITIALIZER,
    NETWORK,
    PRINTED,
    PRINTING,
    RESULT,
    RUNNING,
    SESSION,
    TRAVELLING,
    WORKER,
    Cell,
    Place,
)
from .proxy import Proxy
from .sshd import Keys, Sshd
from .waiting import until

pytestmark = pytest.mark.once

PATIENCE = 60.0
SOON = 60.0  # seconds in which processes end that are told to
GRACE = 0.3
BEAT = 0.7  # seconds; only where a silence is to be noticed
QUICK_BEAT = 0.5  # the same where it is no harm to find an agent silent that is just slow
RATE = 4_000_000.0  # bytes a second, for a result that travels
EXCEPTIONS = {
    "exception": LookupError,
    "memory limit": MemoryError,
    "memory limit, in small objects": MemoryError,
}
STATUSES = {"os._exit": 3, "SIGSEGV": -signal.SIGSEGV, "SIGKILL": -signal.SIGKILL}
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP, "SIGTERM": signal.SIGTERM}


def matrix(*who: str) -> pytest.MarkDecorator:
    cells = [pytest.param(cell, id=str(cell)) for cell in crashes.cells(*who)]
    return pytest.mark.parametrize("cell", cells)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sshd]:
    """Another sshd, to go over."""
    with Sshd(tmp_path_factory.mktemp("hop"), keys) as hop:
        yield hop


def test_the_page_shows_the_matrix() -> None:
    assert crashes.PAGE.read_text() == crashes.render(), "run: python -m tests.crashes"


# ------------------------------------------------------------------------ the outcomes


def check(cell: Cell, future: RemoteFuture[Any]) -> None:
    """A call has ended as it is promised."""
    error = future.exception(PATIENCE)
    if cell.outcome == "its result":
        assert error is None
        assert future.result() == (crashes.large_result() if cell.phase == TRAVELLING else RESULT)
    else:
        kind, cause = EXPECTED[cell.outcome](cell)
        assert error is not None
        assert type(error) is kind
        assert cause is None or type(error.__cause__) is cause
    if isinstance(error, WorkerDied):
        assert error.exit_status == STATUSES[cell.what]
    check_printed(cell, future)


EXPECTED: dict[str, Callable[[Cell], tuple[type, type | None]]] = {
    "its exception": lambda cell: (EXCEPTIONS[cell.what], None),
    "PicklingError": lambda cell: (pickle.PicklingError, EXCEPTIONS[cell.what]),
    "RemoteError": lambda cell: (RemoteError, SystemExit),
    "WorkerDied": lambda cell: (WorkerDied, None),
    "CallTimeout": lambda cell: (CallTimeout, WorkerDied),
    "HostLost": lambda cell: (HostLost, None),
    "BrokenSSHExecutor": lambda cell: (BrokenSSHExecutor, None),
}


def check_printed(cell: Cell, future: RemoteFuture[Any]) -> None:
    """All that it printed is there; of what a lost host has printed, the beginning."""
    if cell.phase != PRINTING:
        assert future.output == ""
    elif cell.outcome == "its result":
        assert future.stdout == PRINTED
    elif cell.outcome == "HostLost":
        assert PRINTED.startswith(future.stdout)
    else:
        assert future.stdout == PRINTED[: PRINTED.index(f"line {crashes.LINES // 2}\n")]


def check_it_works(executor: SSHExecutor) -> None:
    assert executor.submit(pow, 2, 5).result(PATIENCE) == 32


def check_gone(place: Place) -> None:
    pids = {pid for each in place.noted for pid in each}
    left = processes.wait_gone(pids, SOON)
    assert not left, [processes.describe(pid) for pid in left]


# -------------------------------------------------- a worker, by the call that it runs


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Where both sides meet; after a test that failed there, nothing is left for others."""
    place = Place(tmp_path)
    yield place
    started = {pid for each in place.noted for pid in each}
    processes.kill(started.intersection(processes.descendants(os.getpid())))


@matrix(WORKER)
def test_what_a_call_does_to_its_worker(cell: Cell, sshd: Sshd, place: Place) -> None:
    strike = place.strike(crashes.faults()[cell.what], child=cell.phase == RUNNING)
    first = strike if cell.phase == INITIALIZER else None
    with SSHExecutor([sshd.host()], workers_per_host=1, initializer=first, grace=GRACE) as executor:
        timeout = 3.0 if cell.outcome == "CallTimeout" else None
        if timeout:  # of which nothing is to go by before the call is in its phase
            assert executor.submit(lambda: RESULT).result(PATIENCE) == RESULT
        fn, args = crashes.call(cell.phase, strike)
        future = executor.with_options(timeout=timeout).submit(fn, *args)
        if cell.outcome == "waits":
            check_it_waits(future, executor, place)
            return
        check(cell, future)
        if cell.outcome == "BrokenSSHExecutor":
            with pytest.raises(BrokenSSHExecutor):
                executor.submit(pow, 2, 5)
        else:
            check_it_works(executor)
    assert place.noted
    check_gone(place)


def check_it_waits(future: RemoteFuture[Any], executor: SSHExecutor, place: Place) -> None:
    until(lambda: place.noted and _is_stopped(place.noted[0][0]))
    assert not future.done()
    executor.kill_workers()
    assert isinstance(future.exception(PATIENCE), BrokenSSHExecutor)
    check_gone(place)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


# ------------------------------------------- others, by us, when the call is at its phase


class Scene:
    """A call that is on its way to its phase, and who may be struck then."""

    def __init__(self, cell: Cell, place: Place, sshds: dict[str, Sshd], proxy: Proxy) -> None:
        self.cell = cell
        self.place = place
        self._sshds = sshds
        self._proxy = proxy
        self._received = 0

    def options(self) -> dict[str, Any]:
        """The executor's, by which it notices in time, and never too early."""
        options: dict[str, Any] = {}
        if "SIGSTOP" in self.cell.what or "frozen" in self.cell.what:
            options["heartbeat"] = QUICK_BEAT if self.cell.who == AGENT else BEAT
        if self.cell.what == "frozen for longer":
            options["reconnect"] = 3.0
        if self.cell.phase == INITIALIZER:
            options["initializer"] = self.strike
        return options

    def submit(self, executor: SSHExecutor) -> RemoteFuture[Any]:
        if self.cell.phase == TRAVELLING:
            check_it_works(executor)
            self._proxy.rate, self._received = RATE, self._proxy.received
        fn, args = crashes.call(self.cell.phase, self.strike)
        return executor.submit(fn, *args)

    @property
    def strike(self) -> crashes.Strike:
        """What the call does in its phase."""
        wait = self.place.wait() if self.cell.phase != TRAVELLING else lambda: None
        return self.place.strike(wait, child=self.cell.phase == RUNNING)

    def wait_for_phase(self) -> None:
        if self.cell.phase == TRAVELLING:
            until(lambda: self._proxy.received > self._received + crashes.SIZE / 24)
        until(lambda: self.place.noted)

    @contextlib.contextmanager
    def struck(self, future: RemoteFuture[Any], executor: SSHExecutor) -> Iterator[None]:
        """Do it, and let the call go on; undo at the end what would hold up others."""
        with self._strike(future, executor):
            self._proxy.rate = None
            self.place.go()
            yield

    def _strike(
        self, future: RemoteFuture[Any], executor: SSHExecutor
    ) -> contextlib.AbstractContextManager[object]:
        if self.cell.who == NETWORK:
            return self._strike_network(future, executor)
        if self.cell.who == AGENT:
            pids = [self.place.noted[0][1]]
        else:
            pids = [pid for pid in self._sshds[self.cell.who].sessions() if _is_sshd(pid)]
        return _sent(pids, SIGNALS[self.cell.what])

    @contextlib.contextmanager
    def _strike_network(self, future: RemoteFuture[Any], executor: SSHExecutor) -> Iterator[None]:
        if "frozen" not in self.cell.what:
            self._proxy.cut(reset=self.cell.what == "reset")
            yield
            return
        self._proxy.freeze()
        self.place.go()
        if self.cell.outcome == "HostLost":
            future.exception(PATIENCE)
        else:
            until(lambda: executor.hosts[0].state == "away")
        self._proxy.thaw()
        yield


def _is_sshd(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text().startswith("sshd")


@contextlib.contextmanager
def _sent(pids: list[int], number: int) -> Iterator[None]:
    """Send processes a signal; at the end, wake up those that were stopped."""
    assert pids
    for pid in pids:
        os.kill(pid, number)
    try:
        yield
    finally:
        for pid in pids if number == signal.SIGSTOP else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@matrix(AGENT, SESSION, HOP, NETWORK)
def test_what_happens_to_others_while_a_call_is_there(
    cell: Cell, sshd: Sshd, hop: Sshd, place: Place, tmp_path: Path
) -> None:
    place.session = cell.who != AGENT
    with Proxy(sshd.host(), tmp_path) as proxy:
        scene = Scene(cell, place, {SESSION: sshd, HOP: hop}, proxy)
        way = (sshd.host(), hop.host()) if cell.who == HOP else (proxy.host, None)
        with SSHExecutor(*way, workers_per_host=1, grace=GRACE, **scene.options()) as executor:
            executor._engine.pool._comebacks._patience = PATIENCE  # connecting anew may take long
            future = scene.submit(executor)
            scene.wait_for_phase()
            with scene.struck(future, executor):
                check(cell, future)
                check_it_works(executor)
                again = cell.outcome == "HostLost" and cell.phase == INITIALIZER
                assert len(place.noted) == 1 + again
        check_gone(place)


# --------------------------------------------------------------------------- the client

SCRIPT = """
import os, subprocess, sys, time
import interstate

def job():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open({noted!r}, "a") as file:
        file.write(f"{{os.getpid()}} {{os.getppid()}} {{child.pid}}\\n")
    deadline = time.monotonic() + 100
    while not os.path.exists({go!r}) and time.monotonic() < deadline:
        time.sleep(0.005)
    print("to its end")

host = interstate.Host(*{host!r})
executor = interstate.SSHExecutor(host, reconnect={reconnect!r}, ssh_config=None)
future = executor.submit(job)
while not open({noted!r}).read().endswith("\\n"):
    time.sleep(0.005)
future.add_done_callback(lambda future: print(future.stdout, end="", flush=True))
print("it runs", flush=True)
"""
LAST = {
    "exception": "with executor: raise LookupError('as it was asked to')",
    "sys.exit": "sys.exit(3)",
    "os._exit": "os._exit(3)",
}
WAIT = "with executor: future.result()"
STATUSES_OF_A_CLIENT = {
    "exception": 1,
    "sys.exit": 3,
    "os._exit": 3,
    "Ctrl-C": -signal.SIGINT,
    "SIGTERM": -signal.SIGTERM,
    "SIGKILL": -signal.SIGKILL,
}


@matrix(CLIENT)
def test_what_happens_to_a_client_while_its_call_runs(cell: Cell, sshd: Sshd, place: Place) -> None:
    reconnect = 1.5 if cell.outcome == "ends in time" else 60.0
    with subprocess.Popen(
        [sys.executable, "-c", script(cell, sshd.host(), place, reconnect)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "it runs\n"
        strike_client(cell, client, place)
        printed, complaints = client.communicate(timeout=PATIENCE)
    assert client.returncode == STATUSES_OF_A_CLIENT[cell.what]
    assert ("to its end\n" in printed) == (cell.outcome == "ends first")
    assert ("LookupError" in complaints) == (cell.what == "exception")
    check_gone(place)


def script(cell: Cell, host: Host, place: Place, reconnect: float) -> str:
    fields = (host.name, host.user, host.port, host.identity_file, host.known_hosts_file)
    begin = SCRIPT.format(
        noted=str(place.noted_in), go=str(place.go_in), host=fields, reconnect=reconnect
    )
    return begin + LAST.get(cell.what, WAIT)


def strike_client(cell: Cell, client: subprocess.Popen[str], place: Place) -> None:
    if cell.outcome == "ends first":
        place.go()
    elif cell.what == "Ctrl-C":
        press_ctrl_c(client)
    elif cell.what in SIGNALS:
        client.send_signal(SIGNALS[cell.what])


def press_ctrl_c(client: subprocess.Popen[str]) -> None:
    """As often as it takes: an interrupt is lost that comes just when the program has ended."""
    for _ in range(5):
        client.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(PATIENCE / 5)
            return
