"""A network that is slow, stands still or is cut, between us and a real sshd."""

from __future__ import annotations

import os
import time
from concurrent.futures import wait
from pathlib import Path

import pytest

from interstate import ConnectError, HostLost, SSHExecutor

from . import processes
from .proxy import Proxy
from .sshd import Keys, Sshd
from .trees import Tree

PATIENCE = 60.0


def test_a_slow_network_costs_time_and_nothing_else(sshd: Sshd, tmp_path: Path) -> None:
    with Proxy(sshd.host(), tmp_path) as proxy:
        proxy.delay = 0.05
        with SSHExecutor([proxy.host], workers_per_host=2) as executor:
            assert list(executor.map(abs, range(2000))) == list(range(2000))
            data = os.urandom(3_000_000)
            assert executor.submit(bytes, data).result(PATIENCE) == data


@pytest.mark.once
def test_an_exception_is_whole_though_what_it_imports_is_three_seconds_away(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that its own code may take, over there, is not taken up by the way."""
    tree = Tree(tmp_path, monkeypatch)
    tree.write({"said_by_it.py": "WORDS = 'what it says'"})
    tree.importable()

    class LazyError(Exception):
        def __str__(self) -> str:
            from said_by_it import WORDS  # type: ignore[import-not-found]

            return str(WORDS)

    def fail() -> None:
        raise LazyError

    with (
        Proxy(sshd.host(), tmp_path) as proxy,
        SSHExecutor([proxy.host], workers_per_host=1) as executor,
    ):
        assert executor.submit(abs, -1).result(PATIENCE) == 1
        proxy.delay = 1.5
        error = executor.submit(fail).exception(PATIENCE)
        proxy.delay = 0.0
        assert type(error) is LazyError
        assert str(error) == "what it says"
    tree.forget()


@pytest.mark.parametrize("reset", [True, False])
def test_a_cut_connection_fails_what_ran_there_and_leaves_nothing(
    sshd: Sshd, tmp_path: Path, reset: bool
) -> None:
    def job() -> None:
        print(os.getpid())
        time.sleep(10 * PATIENCE)

    with Proxy(sshd.host(), tmp_path) as proxy:
        with SSHExecutor([proxy.host], workers_per_host=1, reconnect=0) as executor:
            running = executor.submit(job)
            waiting = executor.submit(abs, 1)
            while not running.stdout.endswith("\n"):
                time.sleep(0.01)
            proxy.cut(reset=reset)
            assert isinstance(running.exception(PATIENCE), HostLost)
            assert isinstance(waiting.exception(PATIENCE), HostLost)
        assert not processes.wait_gone({int(running.stdout)}, PATIENCE)


@pytest.mark.parametrize("times", [1, 3])
def test_a_connection_that_is_lost_as_the_agent_begins_is_made_anew(
    keys: Keys, tmp_path: Path, times: int
) -> None:
    cuts = f"test -e cut{times} || {{ n=$(ls cut* 2>/dev/null | wc -l); touch cut$((n + 1)); "
    cuts += 'kill -9 $PPID; }; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    (tmp_path / "sshd").mkdir()
    with Sshd(tmp_path / "sshd", keys, force_command=f"cd {tmp_path}; {cuts}") as sshd:
        with SSHExecutor([sshd.host()], workers_per_host=1) as executor:
            assert executor.submit(abs, -1).result(PATIENCE) == 1
        assert len(list(tmp_path.glob("cut*"))) == times


def test_a_network_that_stands_still_while_connecting_is_given_up_in_time(
    sshd: Sshd, tmp_path: Path
) -> None:
    with Proxy(sshd.host(), tmp_path) as proxy:
        proxy.freeze()
        began = time.monotonic()
        with SSHExecutor([proxy.host], connect_timeout=1) as executor:
            assert isinstance(executor.submit(abs, 1).exception(PATIENCE), ConnectError)
        assert time.monotonic() - began < PATIENCE / 2


def test_a_network_that_stands_still_for_a_while_loses_nothing(sshd: Sshd, tmp_path: Path) -> None:
    with (
        Proxy(sshd.host(), tmp_path) as proxy,
        SSHExecutor([proxy.host], workers_per_host=2) as executor,
    ):
        executor.submit(abs, 1).result(PATIENCE)
        proxy.freeze()
        futures = [executor.submit(abs, -n) for n in range(2000)]
        assert not wait(futures, 1).done
        proxy.thaw()
        assert [future.result(PATIENCE) for future in futures] == list(range(2000))
