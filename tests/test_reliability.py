"""Nothing is lost, and nothing is left behind: failures of networks, hosts and workers."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

import interstate
from interstate import BrokenSSHExecutor, Host, HostLost, SSHExecutor, WorkerDied, fleet, link

from . import processes
from .gates import Gate
from .proxy import Proxy
from .sshd import Sshd
from .test_exit import script
from .waiting import until

PATIENCE = 60.0


@pytest.fixture(autouse=True, scope="module")
def _calls_travel() -> Iterator[None]:
    """The functions of this module are not there on the hosts."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def appended(path: Path, what: object) -> None:
    with open(path, "a") as file:
        file.write(f"{what}\n")


def lines_of(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def run_slowly(path: Path, number: int) -> int:
    """A call that says how often it was begun."""
    appended(path, number)
    time.sleep(0.05)
    return -number


def kill_agent_once(path: Path) -> str:
    if not path.exists():
        path.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(PATIENCE)
    return "alive"


# ------------------------------------------------------------------------- the network


@pytest.mark.parametrize("reset", [True, False])
def test_calls_go_on_while_the_connection_is_lost_and_none_runs_twice(
    host: Host, tmp_path: Path, reset: bool
) -> None:
    path = tmp_path / "begun"
    with Proxy(host, tmp_path) as proxy, SSHExecutor(proxy.host, workers_per_host=4) as executor:
        futures = [executor.submit(run_slowly, path, n) for n in range(60)]
        for count in (5, 20, 40):
            until(lambda count=count: len(lines_of(path)) > count)  # type: ignore[misc]
            proxy.cut(reset=reset)
        assert [future.result(PATIENCE) for future in futures] == [-n for n in range(60)]
    assert sorted(map(int, lines_of(path))) == list(range(60))
    assert {future.attempts for future in futures} == {1}


def test_calls_go_on_while_the_network_is_frozen_and_none_runs_twice(
    host: Host, tmp_path: Path
) -> None:
    path = tmp_path / "begun"
    with (
        Proxy(host, tmp_path) as proxy,
        SSHExecutor(proxy.host, workers_per_host=20, heartbeat=1) as executor,
    ):
        executor.submit(abs, 1).result(PATIENCE)
        futures = [executor.submit(run_slowly, path, n) for n in range(100)]
        until(lambda: len(lines_of(path)) > 5)
        before = proxy.accepted
        proxy.freeze()
        until(lambda: proxy.accepted > before)  # it has given the silent connection up
        proxy.thaw()
        assert [future.result(PATIENCE) for future in futures] == [-n for n in range(100)]
    assert sorted(map(int, lines_of(path))) == list(range(100))


def test_what_is_printed_meanwhile_arrives_whole(host: Host, tmp_path: Path) -> None:
    def count() -> None:
        for number in range(2000):
            print(number)
            time.sleep(0.0003)

    with Proxy(host, tmp_path) as proxy, SSHExecutor(proxy.host) as executor:
        future = executor.submit(count)
        for lines in (10, 500, 1000):
            until(lambda lines=lines: future.stdout.count("\n") > lines)  # type: ignore[misc]
            proxy.cut()
        future.result(PATIENCE)
        assert future.stdout == "".join(f"{number}\n" for number in range(2000))


def test_one_warning_tells_of_a_lost_connection(
    host: Host, tmp_path: Path, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interstate")
    with Proxy(host, tmp_path) as proxy, SSHExecutor(proxy.host, workers_per_host=1) as executor:
        future = executor.submit(gate.wait)
        until(lambda: future.started_at)
        proxy.refuse()
        proxy.cut()
        until(lambda: proxy.accepted > 3)
        assert [(s.state, s.calls) for s in executor.hosts] == [("away", 1)]
        proxy.refuse(False)
        gate.open()
        future.result(PATIENCE)
    levels = [record.levelname for record in caplog.records if record.name == "interstate"]
    assert levels == ["WARNING", "INFO"]
    assert "the connection was lost" in caplog.text


def test_a_connection_that_is_not_back_in_time_loses_its_calls(host: Host, tmp_path: Path) -> None:
    def job() -> None:
        print(os.getpid())
        time.sleep(PATIENCE)

    with Proxy(host, tmp_path) as proxy:
        with SSHExecutor(proxy.host, workers_per_host=1, reconnect=1) as executor:
            future, waiting = executor.submit(job), executor.submit(abs, 1)
            until(lambda: future.stdout.endswith("\n"))
            proxy.refuse()
            proxy.cut()
            error = future.exception(PATIENCE)
            assert isinstance(error, HostLost)
            assert "no way back within 1 s" in str(error)
            assert isinstance(waiting.exception(PATIENCE), HostLost)
        assert not processes.wait_gone({int(future.stdout)}, PATIENCE)


def test_an_idle_connection_is_kept_by_heartbeats(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy(host, tmp_path) as proxy, SSHExecutor(proxy.host, heartbeat=2) as executor:
        executor.submit(abs, 1).result(PATIENCE)
        sent, received = proxy.sent, proxy.received
        silent = time.monotonic() + 7  # seconds: without heartbeats, each end has given up by then
        until(
            lambda: (
                time.monotonic() > silent and min(proxy.sent - sent, proxy.received - received) > 50
            )
        )
        assert executor.submit(abs, -1).result(PATIENCE) == 1
        assert proxy.accepted == 1
    assert caplog.text == ""


# --------------------------------------------------------------------- hosts and workers


def test_a_killed_agent_loses_its_calls_at_once_and_is_replaced(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with SSHExecutor(host, workers_per_host=1) as executor:
        future = executor.submit(kill_agent_once, tmp_path / "killed")
        waiting = [executor.submit(abs, -n) for n in range(20)]
        assert isinstance(future.exception(PATIENCE), HostLost)
        assert [w.result(PATIENCE) for w in waiting] == list(range(20))
        assert {w.attempts for w in waiting} == {1}
    assert len(caplog.records) == 1
    assert "its agent has ended" in caplog.text


def test_a_call_that_may_be_tried_again_is_when_its_host_is_lost(
    host: Host, tmp_path: Path
) -> None:
    with SSHExecutor(host, workers_per_host=1, retries=1) as executor:
        future = executor.submit(kill_agent_once, tmp_path / "killed")
        assert future.result(PATIENCE) == "alive"
        assert future.attempts == 2


def test_a_call_that_may_be_tried_again_is_when_its_worker_dies(host: Host, tmp_path: Path) -> None:
    def die_twice() -> str:
        appended(tmp_path / "begun", "x")
        print("attempt", len(lines_of(tmp_path / "begun")))
        if len(lines_of(tmp_path / "begun")) < 3:
            os._exit(7)
        return "done"

    with SSHExecutor(host, workers_per_host=2) as executor:
        future = executor.with_options(retries=5).submit(die_twice)
        assert future.result(PATIENCE) == "done"
        assert (future.attempts, future.stdout) == (3, "attempt 3\n")


def test_a_call_that_kills_its_worker_each_time_stops_after_its_retries(host: Host) -> None:
    with SSHExecutor(host, workers_per_host=2, retries=2) as executor:
        others = [executor.submit(time.sleep, 0.02) for _ in range(20)]
        future = executor.submit(os._exit, 3)
        error = future.exception(PATIENCE)
        assert isinstance(error, WorkerDied)
        assert str(error).endswith("exited with status 3; it was tried 3 times")
        assert future.attempts == 3
        assert [other.exception(PATIENCE) for other in others] == [None] * 20


def test_with_no_host_left_each_is_named_with_its_reason(sshd: Sshd, tmp_path: Path) -> None:
    hosts = sshd.hosts(2)
    with (
        Proxy(hosts[0], tmp_path) as first,
        Proxy(hosts[1], tmp_path) as second,
        SSHExecutor([first.host, second.host], workers_per_host=1, reconnect=0.5) as executor,
    ):
        futures = [executor.submit(time.sleep, PATIENCE) for _ in range(4)]
        until(lambda: sum(future.running() for future in futures) == 2)
        for proxy in (first, second):
            proxy.refuse()
            proxy.cut()
        errors = [future.exception(PATIENCE) for future in futures]
        assert [type(error) for error in errors] == [HostLost] * 2 + [BrokenSSHExecutor] * 2
        assert isinstance(errors[2], BrokenSSHExecutor)
        assert set(errors[2].errors) == {str(first.host), str(second.host)}
        assert str(first.host.port) in str(errors[2])
        assert str(second.host.port) in str(errors[2])
        assert [status.state for status in executor.hosts] == ["down", "down"]
        late = executor.submit(abs, 1).exception(PATIENCE)
        assert isinstance(late, BrokenSSHExecutor)


def test_hosts_that_are_killed_again_and_again_lose_no_call_that_may_be_tried_again(
    sshd: Sshd, tmp_path: Path
) -> None:
    def job(number: int) -> int:
        if number % 300 == 0 and not (tmp_path / str(number)).exists():
            (tmp_path / str(number)).touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(PATIENCE)
        return number * 2

    with SSHExecutor(sshd.hosts(4), workers_per_host=2, retries=5) as executor:
        assert list(executor.map(job, range(2000), timeout=PATIENCE)) == [
            2 * number for number in range(2000)
        ]


def test_a_worker_is_replaced_after_so_many_calls(host: Host) -> None:
    with SSHExecutor(host, workers_per_host=1, max_calls_per_worker=3) as executor:
        pids = list(executor.map(lambda _: os.getpid(), range(9), timeout=PATIENCE))
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3]


# --------------------------------------------------------------------------------- stop


def test_a_call_that_runs_for_too_long_is_interrupted(host: Host, tmp_path: Path) -> None:
    def job() -> None:
        try:
            time.sleep(PATIENCE)
        finally:
            (tmp_path / "tidied").touch()

    with SSHExecutor(host, workers_per_host=1) as executor:
        executor.submit(lambda: 1).result(PATIENCE)  # a worker is ready, so the time is the call's
        began = time.monotonic()
        future = executor.with_options(timeout=2.5, name="fit").submit(job)
        error = future.exception(PATIENCE)
        assert isinstance(error, interstate.CallTimeout)
        assert isinstance(error, TimeoutError)
        assert "fit on" in str(error)
        assert "timeout of 2.5 s" in str(error)
        assert isinstance(error.__cause__, KeyboardInterrupt)
        assert time.monotonic() - began < PATIENCE / 2
        assert (tmp_path / "tidied").exists()
        assert executor.submit(abs, -1).result(PATIENCE) == 1


def test_a_call_that_ignores_the_interrupt_is_killed_with_its_children(
    host: Host, gate: Gate
) -> None:
    def job() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for new_session in (False, True):
            print(sleeping_child(new_session))
        while True:
            time.sleep(1)

    with SSHExecutor(host, workers_per_host=2, grace=0.3) as executor:
        other = executor.submit(gate.wait)
        future = executor.submit(job)
        until(lambda: future.stdout.count("\n") == 2)
        future.terminate()
        error = future.exception(PATIENCE)
        assert isinstance(error, interstate.CallTerminated)
        assert isinstance(error.__cause__, WorkerDied)
        assert not processes.wait_gone(map(int, future.stdout.split()), PATIENCE)
        gate.open()
        assert other.exception(PATIENCE) is None
        assert list(executor.map(abs, [-1, -2], timeout=PATIENCE)) == [1, 2]


def test_children_of_an_interrupted_call_end_with_it(host: Host) -> None:
    def job() -> None:
        child = subprocess.Popen(["sleep", "1000"])
        print(child.pid)
        child.wait()

    with SSHExecutor(host, workers_per_host=1) as executor:
        future = executor.submit(job)
        until(lambda: future.stdout.endswith("\n"))
        future.terminate()
        assert isinstance(future.exception(PATIENCE), interstate.CallTerminated)
        assert not processes.wait_gone({int(future.stdout)}, PATIENCE)


def test_what_a_call_returns_though_it_was_told_to_stop_is_its_result(host: Host) -> None:
    def job() -> str:
        try:
            print("now", end="")
            time.sleep(PATIENCE)
        except KeyboardInterrupt:
            return "what I have so far"
        return ""

    with SSHExecutor(host, workers_per_host=1, grace=PATIENCE) as executor:
        future = executor.submit(job)
        until(lambda: future.stdout == "now")
        future.terminate()
        assert future.result(PATIENCE) == "what I have so far"


def test_a_call_that_waits_on_its_host_can_be_cancelled_and_never_runs(
    host: Host, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interstate.engine._REVOKING", PATIENCE)
    path = tmp_path / "begun"
    wait_there = gate.wait

    def job(number: int) -> int:
        appended(path, number)
        wait_there()
        return -number

    with SSHExecutor(host, workers_per_host=1) as executor:
        wait([executor.submit(abs, -n) for n in range(300)])  # so that more is sent ahead
        futures = [executor.submit(job, n) for n in range(6)]
        until(lambda: len(lines_of(path)) == 1)
        assert not futures[0].cancel()
        assert [future.cancel() for future in futures[3:]] == [True] * 3
        gate.open()
        assert [future.result(PATIENCE) for future in futures[:3]] == [0, -1, -2]
    assert lines_of(path) == ["0", "1", "2"]


def test_a_call_that_waits_is_cancelled_by_terminate(
    host: Host, tmp_path: Path, gate: Gate
) -> None:
    with SSHExecutor(host, workers_per_host=1) as executor:
        running = executor.submit(gate.wait)
        waiting = [executor.submit(run_slowly, tmp_path / "begun", n) for n in range(2, 5)]
        for future in waiting:
            future.terminate()
        until(lambda: all(future.cancelled() for future in waiting))
        gate.open()
        assert running.result(PATIENCE) is None
    assert lines_of(tmp_path / "begun") == []


def test_execute_stops_what_takes_too_long(host: Host) -> None:
    with pytest.raises(interstate.CallTimeout):
        interstate.execute(lambda: time.sleep(PATIENCE), host=host, timeout=0.3)


@pytest.mark.parametrize("how", ["terminate_workers", "kill_workers"])
def test_workers_can_be_ended_with_all_that_runs(host: Host, tmp_path: Path, how: str) -> None:
    def job() -> None:
        def tidy(*_: Any) -> None:
            (tmp_path / "tidied").touch()
            os._exit(0)

        signal.signal(signal.SIGTERM, tidy)
        print(os.getpid())
        time.sleep(PATIENCE)

    executor = SSHExecutor(host, workers_per_host=1, grace=PATIENCE)
    future, waiting = executor.submit(job), executor.submit(abs, 1)
    until(lambda: future.stdout.endswith("\n"))
    getattr(executor, how)()
    assert isinstance(future.exception(PATIENCE), BrokenSSHExecutor)
    assert waiting.cancelled() or isinstance(waiting.exception(PATIENCE), BrokenSSHExecutor)
    assert not processes.wait_gone({int(future.stdout)}, PATIENCE)
    assert (tmp_path / "tidied").exists() == (how == "terminate_workers")
    with pytest.raises(RuntimeError):
        executor.submit(abs, 1)
    executor.shutdown()


def test_terminated_workers_have_their_grace(host: Host, tmp_path: Path) -> None:
    def job() -> None:
        def tidy(*_: Any) -> None:
            time.sleep(2.5)
            (tmp_path / "tidied").touch()
            os._exit(0)

        signal.signal(signal.SIGTERM, tidy)
        print(os.getpid())
        time.sleep(PATIENCE)

    executor = SSHExecutor(host, workers_per_host=1, grace=PATIENCE)
    future = executor.submit(job)
    until(lambda: future.stdout.endswith("\n"))
    executor.terminate_workers()
    executor.shutdown()
    assert not processes.wait_gone({int(future.stdout)}, PATIENCE)
    assert (tmp_path / "tidied").exists()


def test_a_call_that_was_terminated_is_not_run_because_a_cancel_got_no_answer(
    host: Host, tmp_path: Path
) -> None:
    path = tmp_path / "begun"

    def wait_for_the_end() -> None:
        while not (tmp_path / "end").exists():
            time.sleep(0.005)

    with Proxy(host, tmp_path) as proxy, SSHExecutor(proxy.host, workers_per_host=1) as executor:
        wait([executor.submit(abs, -n) for n in range(300)])  # so that more is sent ahead
        long, last = executor.submit(wait_for_the_end), executor.submit(run_slowly, path, 1)
        until(long.running)  # the other is there too, or comes back at once
        proxy.freeze()
        last.terminate()
        last.cancel()
        proxy.thaw()
        until(last.cancelled)
        (tmp_path / "end").touch()
        assert long.exception(PATIENCE) is None
    assert lines_of(path) == []


def test_cancelling_what_is_on_a_host_that_is_away_takes_no_time(
    host: Host, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interstate.engine._REVOKING", PATIENCE)  # that it would take, for each
    with Proxy(host, tmp_path) as proxy, SSHExecutor(proxy.host, workers_per_host=3) as executor:
        futures = [executor.submit(gate.wait) for _ in range(3)]
        until(lambda: all(future.started_at for future in futures))
        proxy.refuse()
        proxy.cut()
        until(lambda: executor.hosts[0].state == "away")
        began = time.monotonic()
        assert not any(future.cancel() for future in futures)
        assert time.monotonic() - began < PATIENCE / 2
        proxy.refuse(False)
        gate.open()
        assert [future.exception(PATIENCE) for future in futures] == [None] * 3


def test_what_a_call_needs_is_let_go_of_though_it_was_tried_twice(
    host: Host, tmp_path: Path
) -> None:
    def die_once(data: bytes) -> int:
        if not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os._exit(1)
        return len(data)

    with SSHExecutor(host, workers_per_host=1, retries=1) as executor:
        assert executor.submit(die_once, bytes(200_000)).result(PATIENCE) == 200_000
        writer = executor._engine.fleet[0]._writer
        assert writer is not None
        until(lambda: not writer._shelf._users)


def test_ctrl_c_comes_back_in_two_seconds_though_the_network_stands_still(
    host: Host, tmp_path: Path
) -> None:
    with Proxy(host, tmp_path) as proxy:
        executor = SSHExecutor(proxy.host, workers_per_host=1, heartbeat=5, reconnect=15)
        future = executor.submit(time.sleep, PATIENCE)
        until(future.running)
        proxy.freeze()
        began = time.monotonic()
        executor.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert time.monotonic() - began < 12  # without these limits it takes 15 at the least
        assert fleet._FAREWELL + link._VISIT < 2
        assert isinstance(future.exception(0), BrokenSSHExecutor)
        proxy.thaw()


def test_after_ctrl_c_in_a_wait_the_executor_goes_on(host: Host, gate: Gate) -> None:
    wait_there = gate.wait

    def press_ctrl_c(host: Host, stream: str, text: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def print_and_wait() -> None:
        print("now", end="")
        wait_there()

    with SSHExecutor(host, workers_per_host=1, output=press_ctrl_c) as executor:
        executor.submit(abs, 1).result(PATIENCE)
        with pytest.raises(KeyboardInterrupt):
            executor.submit(print_and_wait).result(PATIENCE)
        gate.open()
        assert executor.submit(abs, -1).result(PATIENCE) == 1


# ---------------------------------------------------------------------- nothing is left


def sleeping_child(new_session: bool) -> int:
    """Start a process that nobody waits for."""
    return os.posix_spawnp("sleep", ["sleep", "1000"], os.environ.copy(), setsid=new_session)


def daemon() -> None:
    """A call that leaves children of every kind."""
    for new_session in (False, True):
        print(sleeping_child(new_session))
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            time.sleep(1000)
        os._exit(0)


def test_after_a_shutdown_no_child_of_a_call_is_left(host: Host) -> None:
    with SSHExecutor(host, workers_per_host=1) as executor:
        future = executor.submit(daemon)
        future.result(PATIENCE)
        until(lambda: future.stdout.count("\n") >= 2)
    assert not processes.wait_gone(map(int, future.stdout.split()), PATIENCE)


def test_after_a_client_is_killed_nothing_is_left_when_the_time_is_up(
    host: Host, tmp_path: Path
) -> None:
    body = """
        executor = interstate.SSHExecutor(executor._hosts, workers_per_host=1, reconnect=1)
        def job():
            import subprocess
            child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            print(os.getppid(), os.getpid(), child.pid, flush=True)
            time.sleep(1000)
        future = executor.submit(job)
        while not future.stdout.endswith("\\n"):
            time.sleep(0.01)
        print(future.stdout, flush=True)
        time.sleep(1000)
    """
    source = script(host, body)
    source[2] = source[2].replace("workers_per_host=2)", "reconnect=1)")
    with subprocess.Popen(source, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 3
        process.kill()
    assert not processes.wait_gone(pids, PATIENCE)


# ------------------------------------------------------------------------------- elastic


def test_a_call_waits_for_a_host_that_will_come(sshd: Sshd) -> None:
    first, second = sshd.hosts(2)
    with SSHExecutor(first, workers_per_host=1) as executor:
        assert executor.submit(abs, -1).result(PATIENCE) == 1
        executor.remove_hosts(first)
        until(lambda: len(executor.hosts) == 0)
        future = executor.submit(os.getpid)
        executor.add_hosts(second)
        assert future.result(PATIENCE)
        assert future.host == second
        assert [status.host for status in executor.hosts] == [second]


def test_a_host_that_is_removed_finishes_what_it_has_begun(sshd: Sshd, gate: Gate) -> None:
    first, second = sshd.hosts(2)
    with SSHExecutor([first, second], workers_per_host=1) as executor:
        assert executor._max_workers == 2  # both are up
        futures = [executor.submit(gate.wait) for _ in range(6)]
        until(lambda: sum(future.started_at is not None for future in futures) == 2)
        executor.remove_hosts(first)
        until(lambda: executor.hosts[0].state == "leaving")
        gate.open()
        assert [future.exception(PATIENCE) for future in futures] == [None] * 6
        assert [future.host for future in futures].count(first) == 1


def test_a_host_that_is_removed_now_loses_its_calls_unless_they_may_be_tried_again(
    sshd: Sshd, gate: Gate
) -> None:
    first, second = sshd.hosts(2)
    with SSHExecutor(first, workers_per_host=2) as executor:
        lost = executor.submit(time.sleep, PATIENCE)
        again = executor.with_options(retries=1).submit(gate.wait)
        until(lambda: lost.started_at and again.started_at)
        executor.add_hosts(second)
        executor.remove_hosts(first, now=True)
        assert isinstance(lost.exception(PATIENCE), HostLost)
        gate.open()
        assert again.exception(PATIENCE) is None
        assert (again.host, again.attempts) == (second, 2)


def test_an_executor_without_hosts_can_be_shut_down(real_host: Host) -> None:
    with SSHExecutor(real_host) as executor:
        executor.remove_hosts(real_host)
        future = executor.submit(abs, 1)
    assert isinstance(future.exception(0), BrokenSSHExecutor)


def test_hosts_that_an_executor_does_not_have_cannot_be_removed(real_host: Host) -> None:
    with SSHExecutor(real_host) as executor:
        with pytest.raises(ValueError, match="no host elsewhere"):
            executor.remove_hosts("elsewhere")
        with pytest.raises(ValueError, match="no hosts"):
            executor.add_hosts([])
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.add_hosts(real_host)


def test_the_hosts_can_be_printed_as_a_table(real_host: Host) -> None:
    with SSHExecutor([real_host, Host("nowhere.invalid")], workers_per_host=3) as executor:
        assert executor._max_workers == 3
        until(lambda: [status.state for status in executor.hosts] == ["up", "down"])
        head, first, second = str(executor.hosts).splitlines()
        assert head.split() == ["host", "state", "workers", "calls"]
        assert first.split() == [str(real_host), "up", "3", "0"]
        assert second.startswith("nowhere.invalid")
        assert "cannot be resolved" in second
        assert executor.hosts[0].host == real_host
        assert [status.calls for status in executor.hosts[:1]] == [0]


# ----------------------------------------------------------- forked, threaded, nested


@contextmanager
def forked_child(job: Callable[[], object]) -> Iterator[Callable[[], str]]:
    """A child that runs a job; how that ended, as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = repr(job())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    with open(reader) as file:
        yield file.read
    os.waitpid(pid, 0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_is_told_that_the_executor_is_not_its_own(host: Host, gate: Gate) -> None:
    with SSHExecutor(host, workers_per_host=1) as executor:
        future = executor.submit(gate.wait)
        view = executor.with_options(retries=1)
        jobs: list[Callable[[], object]] = [
            lambda: executor.submit(abs, 1),
            lambda: view.submit(abs, 1),
            lambda: future.result(),
            lambda: future.exception(),
            lambda: executor.add_hosts("elsewhere"),
        ]
        for job in jobs:
            with forked_child(job) as said:
                text = said()
            assert text.startswith("RuntimeError: this SSHExecutor belongs to another process")
        with forked_child(executor.shutdown) as said:
            assert said() == "None"
        gate.open()
        assert future.exception(PATIENCE) is None
        assert executor.submit(abs, -1).result(PATIENCE) == 1


def test_a_call_cannot_take_the_executor_along_and_is_told_why(host: Host) -> None:
    with SSHExecutor(host, workers_per_host=1) as executor:
        nested = executor.submit(lambda: executor.submit(abs, 1).result())
        error = nested.exception(PATIENCE)
        assert "'executor'" in str(error)
        assert "a call cannot submit to the executor that runs it" in str(error)
        passed = executor.submit(print, nested)
        assert "pass its result()" in str(passed.exception(PATIENCE))


def test_a_callback_may_wait_for_results(host: Host) -> None:
    with SSHExecutor(host, workers_per_host=1) as executor:
        results: list[int] = []
        later = executor.submit(time.sleep, 0.1)
        first = executor.submit(abs, -1)
        first.add_done_callback(lambda _: results.append(executor.submit(abs, -2).result()))
        first.add_done_callback(lambda done: results.append(done.result()))
        later.result(PATIENCE)
        until(lambda: len(results) == 2)
    assert results == [2, 1]


# --------------------------------------------------------------------------------- views


def test_a_view_is_an_executor_of_its_own_on_the_same_hosts(host: Host) -> None:
    with SSHExecutor(host, workers_per_host=2) as executor:
        with executor.with_options(name="square", retries=1) as view:
            assert list(view.map(pow, [1, 2, 3], [2, 2, 2], timeout=PATIENCE)) == [1, 4, 9]
            assert view._max_workers == 2
            future = view.submit(os._exit, 1)
        assert "ran square exited" in str(future.exception(0))
        with pytest.raises(RuntimeError, match="after shutdown"):
            view.submit(abs, 1)
        assert executor.submit(abs, -1).result(PATIENCE) == 1
        slow = executor.with_options(timeout=PATIENCE)
        futures = [slow.submit(time.sleep, 0.2) for _ in range(200)]
        slow.shutdown(cancel_futures=True)
        assert all(future.done() for future in futures)
        assert any(future.cancelled() for future in futures)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"timeout": 0}, ValueError, "timeout must be greater than 0"),
        ({"timeout": "1"}, TypeError, "timeout must be a number, not str"),
        ({"retries": -1}, ValueError, "retries must be at least 0"),
        ({"retries": 1.5}, TypeError, "retries must be an integer, not float"),
        ({"name": 1}, TypeError, "name must be a str, not int"),
    ],
)
def test_options_of_calls_are_checked(
    real_host: Host, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with SSHExecutor(real_host) as executor, pytest.raises(error, match=message):
        executor.with_options(**options)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("reconnect", -1), ("heartbeat", 0), ("grace", -0.5), ("max_calls_per_worker", 0)],
        *[("retries", True), ("heartbeat", float("nan"))],
    ],
)
def test_options_of_executors_are_checked(option: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=option):
        SSHExecutor("somewhere", **{option: value})  # type: ignore[arg-type]
