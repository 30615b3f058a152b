"""Large things under way while something goes wrong, stands in the way or is slow."""

from __future__ import annotations

import gc
import os
import resource
import threading
import tracemalloc
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import paramiko
import pytest
from paramiko.packet import Packetizer

from interstate import (
    BrokenSSHExecutor,
    Host,
    HostLost,
    HostMemoryError,
    SSHExecutor,
    WorkerDied,
    link,
    room,
)
from interstate.ssh.transport import Transport

from .gates import Gate
from .proxy import LARGE, Proxy
from .sshd import Sshd
from .waiting import until

pytestmark = pytest.mark.once

PATIENCE = 60.0
MB = 1_000_000


def outcome(future: Future[Any]) -> Any:
    return future.result(PATIENCE)


# --------------------------------------------------------------------- a host is lost


@pytest.mark.parametrize("reset", [True, False])
def test_calls_whose_arguments_travel_run_elsewhere_when_their_host_is_lost(
    host: Host, tmp_path: Path, reset: bool
) -> None:
    """They were never sent whole, so they have not begun."""
    data = os.urandom(LARGE)
    with (
        Proxy(host, tmp_path) as proxy,
        SSHExecutor([proxy.host, host], workers_per_host=1, reconnect=0) as executor,
    ):
        outcome(executor.submit(abs, 1))
        until(lambda: executor._max_workers == 2)
        proxy.rate, before = 4.0 * MB, proxy.sent
        futures = [executor.submit(len, data) for _ in range(2)]
        until(lambda: proxy.sent > before + MB)
        proxy.cut(reset=reset)
        assert [outcome(future) for future in futures] == [len(data)] * 2
        assert {future.host for future in futures} == {host}
        assert [outcome(executor.submit(len, data)) for _ in range(3)] == [len(data)] * 3


@pytest.mark.parametrize("reset", [True, False])
def test_a_host_that_is_lost_while_a_result_travels_fails_its_calls(
    host: Host, tmp_path: Path, reset: bool
) -> None:
    with (
        Proxy(host, tmp_path) as proxy,
        SSHExecutor([proxy.host], workers_per_host=2, reconnect=0) as executor,
    ):
        outcome(executor.submit(abs, 1))
        proxy.rate, before = 4.0 * MB, proxy.received
        futures = [executor.submit(os.urandom, LARGE) for _ in range(3)]
        until(lambda: proxy.received > before + MB)
        proxy.cut(reset=reset)
        assert all(isinstance(future.exception(PATIENCE), HostLost) for future in futures)


@pytest.mark.parametrize("reset", [True, False])
def test_large_things_arrive_whole_though_the_connection_is_lost_on_the_way(
    host: Host, tmp_path: Path, reset: bool
) -> None:
    data = os.urandom(12 * MB)
    with Proxy(host, tmp_path) as proxy, SSHExecutor([proxy.host], workers_per_host=2) as executor:
        outcome(executor.submit(abs, 1))
        proxy.rate, sent, received = 8.0 * MB, proxy.sent, proxy.received
        futures = [executor.submit(bytes.swapcase, data) for _ in range(2)]
        for more in (sent + 4 * MB, sent + 9 * MB):
            until(partial(lambda count: proxy.sent > count, more))
            proxy.cut(reset=reset)
        for more in (received + 4 * MB, received + 9 * MB):
            until(partial(lambda count: proxy.received > count, more))
            proxy.cut(reset=reset)
        assert [outcome(future) for future in futures] == [data.swapcase()] * 2
        assert [future.attempts for future in futures] == [1, 1]


def test_calls_with_large_arguments_that_came_back_and_find_no_host_fail(
    host: Host, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a host gave back uses nothing there any more, whatever becomes of the call then."""
    wait_there = gate.wait

    def stays(data: bytes) -> None:
        wait_there()

    monkeypatch.setattr(room, "MOMENT", PATIENCE)  # however slow quick calls are, these are slower
    with (
        Proxy(host, tmp_path) as proxy,
        SSHExecutor([proxy.host], workers_per_host=1, reconnect=0) as executor,
    ):
        quick = [executor.submit(abs, n) for n in range(400)]  # so that others are sent ahead
        calls = [executor.submit(stays, bytes([n]) * MB) for n in range(4)]
        assert [outcome(future) for future in quick] == [*range(400)]
        until(lambda: any(future.started_at for future in calls))
        until(lambda: [future.running() for future in calls].count(True) == 1)
        proxy.cut()
        assert all(isinstance(future.exception(PATIENCE), HostLost) for future in calls)


# ------------------------------------------------------------------- a worker is lost


def test_a_worker_that_is_killed_while_its_result_travels_fails_that_call_only(
    host: Host, tmp_path: Path
) -> None:
    def large() -> bytes:
        print(os.getpid(), flush=True)
        return os.urandom(LARGE)

    with Proxy(host, tmp_path) as proxy, SSHExecutor([proxy.host], workers_per_host=1) as executor:
        outcome(executor.submit(abs, 1))
        proxy.rate, before = 4.0 * MB, proxy.received
        future = executor.submit(large)
        until(lambda: proxy.received > before + MB and future.stdout.endswith("\n"))
        os.kill(int(future.stdout), 9)
        error = future.exception(PATIENCE)
        assert isinstance(error, WorkerDied)
        assert error.exit_status == -9
        proxy.rate = None
        assert len(outcome(executor.submit(os.urandom, 3 * MB))) == 3 * MB
        assert outcome(executor.submit(len, bytes(3 * MB))) == 3 * MB


def test_a_worker_that_dies_while_its_result_is_pickled_fails_that_call_only(host: Host) -> None:
    def deadly() -> Any:
        class Deadly:
            def __reduce__(self) -> Any:
                os.kill(os.getpid(), 9)

        return [np.zeros(MB), Deadly(), np.zeros(MB)]

    with SSHExecutor([host], workers_per_host=1) as executor:
        assert isinstance(executor.submit(deadly).exception(PATIENCE), WorkerDied)
        assert outcome(executor.submit(lambda x: x + 1, np.zeros(MB))).sum() == MB


def test_a_worker_that_dies_with_a_large_argument_leaves_it_for_the_next(
    host: Host, tmp_path: Path
) -> None:
    data = os.urandom(3 * MB)
    with Proxy(host, tmp_path) as proxy, SSHExecutor([proxy.host], workers_per_host=1) as executor:
        deadly = executor.submit(lambda data: os._exit(len(data) % 100), data)
        assert isinstance(deadly.exception(PATIENCE), WorkerDied)
        sent = proxy.sent
        assert outcome(executor.submit(len, data)) == len(data)
        assert proxy.sent < sent + MB


def test_what_cannot_be_unpickled_over_there_fails_its_call_only(host: Host) -> None:
    class Picky:
        def __init__(self, data: Any) -> None:
            self.data = data

        def __reduce__(self) -> Any:
            return _refuse, (np.zeros(MB), bytearray(MB))

    def _refuse(*_: Any) -> None:
        raise LookupError("not here")

    with SSHExecutor([host], workers_per_host=1) as executor:
        for _ in range(3):
            future = executor.submit(lambda *_: 1, Picky(1), np.ones(MB))
            assert isinstance(future.exception(PATIENCE), LookupError)
        assert outcome(executor.submit(lambda x: float(x.sum()), np.ones(MB))) == MB


def test_a_thread_that_prints_meanwhile_does_not_get_into_a_large_result(host: Host) -> None:
    def job(seed: int) -> Any:
        def print_on() -> None:
            for _ in range(5000):
                print("line")

        threading.Thread(target=print_on, daemon=True).start()
        return np.random.default_rng(seed).bytes(8 * MB)

    with SSHExecutor([host], workers_per_host=1) as executor:
        for seed in range(2):
            future = executor.submit(job, seed)
            assert outcome(future) == np.random.default_rng(seed).bytes(8 * MB)
            assert set(future.stdout) <= {*"line\n"}


# -------------------------------------------------------------------- a slow network


def test_small_calls_do_not_wait_for_a_large_argument(host: Host, tmp_path: Path) -> None:
    data = os.urandom(48 * MB)
    with Proxy(host, tmp_path) as proxy, SSHExecutor([proxy.host], workers_per_host=2) as executor:
        outcome(executor.submit(abs, 1))
        proxy.rate, before = 4.0 * MB, proxy.sent
        large = executor.submit(len, data)
        until(lambda: proxy.sent > before + MB)
        for n in range(3):
            assert outcome(executor.submit(abs, -n)) == n
            assert proxy.sent < before + len(data)
            assert not large.done()
        proxy.rate = None
        assert outcome(large) == len(data)


def test_small_calls_do_not_wait_for_a_large_result(host: Host, tmp_path: Path) -> None:
    with Proxy(host, tmp_path) as proxy, SSHExecutor([proxy.host], workers_per_host=2) as executor:
        outcome(executor.submit(abs, 1))
        proxy.rate, before = 4.0 * MB, proxy.received
        large = executor.submit(os.urandom, 48 * MB)
        until(lambda: proxy.received > before + MB)
        for n in range(3):
            assert outcome(executor.submit(abs, -n)) == n
            assert proxy.received < before + 48 * MB
            assert not large.done()
        proxy.rate = None
        assert len(outcome(large)) == 48 * MB


def test_a_shutdown_while_an_argument_travels_waits_for_its_call(
    host: Host, tmp_path: Path
) -> None:
    data = os.urandom(4 * MB)
    with Proxy(host, tmp_path) as proxy:
        executor = SSHExecutor([proxy.host], workers_per_host=1)
        outcome(executor.submit(abs, 1))
        proxy.rate, before = 4.0 * MB, proxy.sent
        futures = [executor.submit(lambda x, n: len(x) + n, data, n) for n in range(30)]
        until(lambda: proxy.sent > before + MB / 2)
        executor.shutdown(cancel_futures=True)
        assert outcome(futures[0]) == len(data)
        assert all(future.done() for future in futures)
        ran = [n for n, future in enumerate(futures) if not future.cancelled()]
        assert [outcome(futures[n]) for n in ran] == [len(data) + n for n in ran]


def test_ctrl_c_while_an_argument_travels_does_not_wait_for_it(host: Host, tmp_path: Path) -> None:
    data = os.urandom(8 * MB)
    with Proxy(host, tmp_path) as proxy:
        executor = SSHExecutor([proxy.host], reconnect=3)  # so long an agent may wait for us
        outcome(executor.submit(abs, 1))
        proxy.rate, before = 0.5 * MB, proxy.sent
        future = executor.submit(len, data)
        until(lambda: proxy.sent > before + MB / 4)
        executor.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert proxy.sent < before + len(data)
        assert isinstance(future.exception(0), BrokenSSHExecutor)


@pytest.mark.parametrize("kind", ["text", "array"])
def test_what_shrinks_is_compressed_both_ways_where_the_network_is_slow(
    host: Host, tmp_path: Path, kind: str
) -> None:
    text = b"".join(b"line %d: nothing new\n" % n for n in range(400_000))[: 8 * MB]
    value: Any = text if kind == "text" else np.arange(MB)
    with Proxy(host, tmp_path) as proxy, SSHExecutor([proxy.host], workers_per_host=1) as executor:
        outcome(executor.submit(abs, 1))
        proxy.rate, sent, received = 1.0 * MB, proxy.sent, proxy.received
        back = outcome(executor.submit(lambda x: x, value))
        assert (bytes(back) if kind == "text" else back.tobytes()) == (
            text if kind == "text" else value.tobytes()
        )
        assert proxy.sent - sent < 7 * MB  # how much is packed depends on how busy we are, too
        assert proxy.received - received < 7.5 * MB  # what was on its way before it was slow is not


# ------------------------------------------------------------------- keys are renewed


@pytest.fixture
def renewals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What grows at each agreement on keys; there is one every megabyte."""
    renewed: list[str] = []
    parse = Transport._parse_newkeys

    def counted(transport: Transport, message: paramiko.Message) -> None:
        parse(transport, message)
        renewed.append(transport.name)

    monkeypatch.setattr(Transport, "_parse_newkeys", counted)
    monkeypatch.setattr(Packetizer, "REKEY_BYTES", 1 << 20)
    return renewed


def test_keys_are_renewed_while_large_things_travel_both_ways(
    host: Host, renewals: list[str]
) -> None:
    with SSHExecutor([host], workers_per_host=2) as executor:
        before = len(renewals)
        values = [os.urandom(5 * MB) for _ in range(4)]
        futures = [executor.submit(lambda x: x, value) for value in values]
        small = [executor.submit(abs, -n) for n in range(200)]
        assert [outcome(future) for future in small] == [*range(200)]
        assert [outcome(future) for future in futures] == values
        assert len(renewals) > before + 5


def test_keys_are_renewed_behind_a_hop(
    sshd: Sshd, loopback_host: Host, renewals: list[str]
) -> None:
    with SSHExecutor([sshd.host()], via=loopback_host, workers_per_host=2) as executor:
        before = len(renewals)
        values = [os.urandom(4 * MB) for _ in range(4)]
        futures = [executor.submit(lambda x: x, value) for value in values]
        assert [outcome(future) for future in futures] == values
        assert len({*renewals[before:]}) == 2


# -------------------------------------------------------------------- room and memory


def limited(directory: Path, limit: str) -> str:
    """The path of a Python that runs under a limit of the shell's."""
    path = directory / "limited-python"
    path.write_text(f'#!/bin/sh\nulimit {limit}\nexec python3 "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_what_a_host_has_no_room_for_is_told_by_its_future(host: Host, tmp_path: Path) -> None:
    python = limited(tmp_path, "-f 4096")  # no file may have more than 2 MB
    with SSHExecutor([host], workers_per_host=1, python=python) as executor:
        large = [executor.submit(len, bytes([n]) * 8 * MB) for n in range(2)]
        small = [executor.submit(len, bytes([n]) * MB) for n in range(2)]
        for future in large:
            error = future.exception(PATIENCE)
            assert isinstance(error, HostMemoryError)
            assert isinstance(error, MemoryError)
            assert error.host == host
            assert str(error).startswith(f"{host}: len cannot run: 8000000 bytes that it needs")
            assert "File too large" in str(error)
        assert [outcome(future) for future in small] == [MB] * 2
        assert outcome(executor.submit(len, bytes(MB))) == MB


def test_what_was_refused_is_sent_again_when_a_call_needs_it(host: Host, tmp_path: Path) -> None:
    python = limited(tmp_path, "-S -f 4096")
    with SSHExecutor([host], workers_per_host=1, python=python) as executor:
        agent = outcome(executor.submit(os.getppid))
        data = os.urandom(8 * MB)
        refused = [executor.submit(len, data) for _ in range(5)]
        assert all(isinstance(f.exception(PATIENCE), HostMemoryError) for f in refused)
        endless = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(agent, resource.RLIMIT_FSIZE, endless)
        assert outcome(executor.submit(len, data)) == len(data)


def agent_files(executor: SSHExecutor) -> int:
    """How many descriptors the agent has."""
    agent = outcome(executor.submit(os.getppid))
    return len(os.listdir(f"/proc/{agent}/fd"))


def test_what_is_large_in_calls_that_have_ended_takes_few_files_over_there(host: Host) -> None:
    with SSHExecutor([host], workers_per_host=1) as executor:
        before = agent_files(executor)
        for n in range(300):
            assert outcome(executor.submit(len, b"%6d" % n * 15_000)) == 90_000
        assert agent_files(executor) < before + 150


def test_more_large_arguments_than_there_may_be_files_over_there(
    host: Host, tmp_path: Path
) -> None:
    with SSHExecutor([host], workers_per_host=1, python=limited(tmp_path, "-n 200")) as executor:
        for n in range(300):
            assert outcome(executor.submit(len, b"%6d" % n * 15_000)) == 90_000


def test_what_no_call_uses_is_forgotten_over_there_above_the_limit(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_IDLE_BLOBS", 0.0)
    with SSHExecutor([host], workers_per_host=1) as executor:
        before = agent_files(executor)
        for n in range(20):
            outcome(executor.submit(len, bytes([n]) * MB))
        until(lambda: agent_files(executor) <= before)


def test_a_worker_keeps_neither_files_nor_mappings_of_calls_that_have_ended(host: Host) -> None:
    def held() -> tuple[int, int]:
        maps = Path("/proc/self/maps").read_text()
        return len(os.listdir("/proc/self/fd")), maps.count("interstate-blob")

    class Picky:
        def __reduce__(self) -> Any:
            return _refuse, (np.zeros(MB),)

    def _refuse(*_: Any) -> None:
        raise LookupError("not here")

    with SSHExecutor([host], workers_per_host=1) as executor:
        outcome(executor.submit(lambda x: x, np.zeros(MB)))
        before = outcome(executor.submit(held))
        for n in range(20):
            outcome(executor.submit(lambda *xs: xs[0], np.full(MB, n), bytes([n]) * MB))
            assert executor.submit(repr, Picky()).exception(PATIENCE) is not None
            assert executor.submit(lambda x: 1 // 0, np.full(MB, -n)).exception(PATIENCE)
        files, mappings = outcome(executor.submit(held))
        assert files == before[0]
        assert mappings <= before[1] + 4


def test_memory_over_there_falls_back(host: Host) -> None:
    def resident() -> int:
        return sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for pid in (os.getpid(), os.getppid())
        )

    with SSHExecutor([host], workers_per_host=1) as executor:
        outcome(executor.submit(lambda x: x + 1, np.zeros(10)))
        before = outcome(executor.submit(resident))
        outcome(executor.submit(lambda x: x + 1, np.zeros(10 * MB)))
        assert outcome(executor.submit(resident)) < before + 20 * MB


def test_nothing_of_a_large_call_stays_here_when_its_future_is_gone(host: Host) -> None:
    def held() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    with SSHExecutor([host], workers_per_host=1) as executor:
        outcome(executor.submit(lambda x: x, bytes(MB)))
        tracemalloc.start()
        try:
            before = held()
            for make in (bytes, np.zeros, bytearray):
                future: Any = executor.submit(lambda x: [x], make(20 * MB))
                assert len(outcome(future)[0]) == 20 * MB
                assert held() > before + 15 * MB
                del future
                until(lambda: held() < before + 2 * MB)
        finally:
            tracemalloc.stop()


def test_a_failed_call_keeps_nothing_large_here(host: Host) -> None:
    with SSHExecutor([host], workers_per_host=1) as executor:
        outcome(executor.submit(abs, 1))
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            future = executor.submit(lambda x, y: threading.Lock(), bytes(20 * MB), np.ones(2 * MB))
            assert future.exception(PATIENCE) is not None
            until(lambda: tracemalloc.get_traced_memory()[0] < before + 2 * MB)
        finally:
            tracemalloc.stop()
