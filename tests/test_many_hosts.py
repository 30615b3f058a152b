"""Many hosts at once: how they are connected to, how many must be there, and what is told."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import interstate
from interstate import (
    BrokenSSHExecutor,
    ConnectError,
    ExecuteError,
    Host,
    SSHExecutor,
    hostnews,
    turns,
)
from interstate.engine import Engine
from interstate.hosts import expand
from interstate.hosttable import HostTable
from interstate.ssh import pacing

from . import processes
from .sshd import Keys, Sshd, loopback_addresses
from .waiting import until

pytestmark = pytest.mark.once

STOCK = ["MaxStartups 10:30:100", "MaxSessions 10"]  # what sshd has when its config says nothing
PATIENCE = 60.0


@pytest.fixture
def refusing(refused_port: int) -> str:
    """A range of 17 hosts at a port that nobody listens on."""
    return f"127.0.1.[3-19]:{refused_port}"


@pytest.fixture(autouse=True)
def _what_happens_at_a_time_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostnews, "_MOMENT", 3.0)
    monkeypatch.setattr(hostnews, "_LONGEST", PATIENCE)
    monkeypatch.setattr(hostnews, "_CONNECTING", PATIENCE)


def test_who_goes_over_the_table_of_hosts_sees_one_moment() -> None:
    """And is not delayed by looking at all of them for each."""
    looks = []
    pool = SimpleNamespace(errors={}, state=lambda state: state.name)

    def hosts() -> list[SimpleNamespace]:
        looks.append("looked")
        return [SimpleNamespace(index=n, name="up", workers=1, running=()) for n in range(999)]

    pool.hosts = hosts
    fleet = SimpleNamespace(hosts=expand("node-[000-998]"))
    table = HostTable(cast("Engine", SimpleNamespace(pool=pool, fleet=fleet)))
    assert [status.host.name for status in table] == [f"node-{n:03}" for n in range(999)]
    assert looks == ["looked"]


# ------------------------------------------------------------------------------- turns


def test_a_place_is_free_again_when_its_holder_has_left() -> None:
    places, order = turns.Turns(1), []

    def come() -> None:
        with places:
            order.append("came")

    thread = threading.Thread(target=come)
    with places:
        thread.start()
        order.append("first")
    thread.join(PATIENCE)
    assert order == ["first", "came"]


def test_who_takes_long_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONG", 0.05)
    places, go_on, inside = turns.Turns(2), threading.Event(), threading.Semaphore(0)

    def stay() -> None:
        with places:
            inside.release()
            go_on.wait(PATIENCE)

    threads = [threading.Thread(target=stay) for _ in range(7)]
    for thread in threads:
        thread.start()
    assert all(inside.acquire(timeout=PATIENCE) for _ in threads)
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)


def test_where_all_take_long_no_more_come_in_than_there_are_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: now[0]))
    places = turns.Turns(1)
    with places:
        now[0] += 10
    with contextlib.suppress(ConnectError), places:
        now[0] += 1
        raise ConnectError("that is no measure of what it takes")
    places.__enter__()
    now[0] += 30
    assert places._taken(), "for it takes others as long, nearly"
    now[0] += 20
    assert not places._taken()
    places.__exit__(None)


# ------------------------------------------------------------------- many hosts connect


@pytest.fixture
def gate(tmp_path: Path, keys: Keys) -> Iterator[Sshd]:
    """A head node with the limits that sshd has by default."""
    (tmp_path / "gate").mkdir()
    with Sshd(tmp_path / "gate", keys, options=STOCK) as sshd:
        yield sshd


def answers(hosts: list[Host], via: Host | None = None) -> int:
    """How many agents answer of so many hosts."""
    options: dict[str, Any] = {"ssh_config": None, "connect_timeout": 4 * PATIENCE}
    return len(set(interstate.execute(os.getpid, hosts=hosts, via=via, **options)))


@pytest.mark.usefixtures("unhurried_ends")
def test_a_hundred_hosts_behind_one_hop_are_all_there_with_stock_settings(
    gate: Sshd, tmp_path: Path, keys: Keys
) -> None:
    (tmp_path / "nodes").mkdir()
    with Sshd(tmp_path / "nodes", keys, listen=loopback_addresses(20), options=STOCK) as nodes:
        assert answers(nodes.hosts(20) * 5, gate.host()) == 100
        assert not processes.wait_gone(nodes.sessions(), PATIENCE)
    assert not processes.wait_gone(gate.sessions(), PATIENCE)
    assert gate.log.count("Accepted publickey") == 1


def test_a_crowd_that_is_not_known_to_be_for_one_server_gets_in_all_the_same(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where many names lead to one sshd: it turns some away, and these come again."""
    monkeypatch.setattr(pacing, "_server", lambda settings, chain: object())
    (tmp_path / "node").mkdir()
    with Sshd(tmp_path / "node", keys, options=["MaxStartups 3:50:10"]) as node:
        assert answers(node.hosts(1) * 40) == 40
        assert not processes.wait_gone(node.sessions(), PATIENCE)
        assert "past MaxStartups" in node.log


def test_hosts_that_do_not_answer_keep_no_others_waiting(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONG", 0.1)
    with contextlib.ExitStack() as stack:
        silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(40)]  # none accepts
        for server in silent:
            stack.enter_context(server)
        hosts = [Host("127.0.0.1", "me", server.getsockname()[1]) for server in silent]
        executor = SSHExecutor(
            [*hosts, sshd.host()], ssh_config=None, connect_timeout=10 * PATIENCE
        )
        stack.callback(executor.kill_workers)
        assert executor.submit(abs, -1).result(PATIENCE) == 1


# --------------------------------------------------------------------- so many, or none


def test_calls_wait_until_so_many_hosts_are_up(sshd: Sshd, refusing: str) -> None:
    hosts = [*sshd.hosts(3), *expand(refusing)]
    with SSHExecutor(hosts, ssh_config=None, workers_per_host=1, min_hosts=3) as executor:
        assert executor.submit(os.getpid).result(PATIENCE)
        assert [status.state for status in executor.hosts][:3] == ["up"] * 3


def test_calls_fail_when_so_many_hosts_cannot_be_up_and_say_why(sshd: Sshd, refusing: str) -> None:
    hosts = [sshd.host(), *expand(refusing)]
    with SSHExecutor(hosts, ssh_config=None, min_hosts=2) as executor:
        error = executor.submit(os.getpid).exception(PATIENCE)
        assert isinstance(error, BrokenSSHExecutor)
        assert str(error).startswith("fewer than min_hosts=2 hosts can be up:\n  1")
        assert isinstance(executor.submit(os.getpid).exception(PATIENCE), BrokenSSHExecutor)


def test_what_is_kept_of_failed_hosts_leads_to_no_connection(sshd: Sshd, refusing: str) -> None:
    stranger = dataclasses.replace(sshd.host(), known_hosts_file="/dev/null")
    with SSHExecutor([stranger, *expand(refusing)], ssh_config=None) as executor:
        error = executor.submit(os.getpid).exception(PATIENCE)
    assert isinstance(error, BrokenSSHExecutor)
    kept: list[BaseException] = [*error.errors.values()]
    for one in kept:
        assert one.__traceback__ is None
        kept += filter(None, (one.__cause__ or one.__context__,))
    assert len(kept) > 18, "there are causes among them"


def test_execute_does_nothing_unless_so_many_hosts_are_up(
    sshd: Sshd, refusing: str, tmp_path: Path
) -> None:
    def mark() -> None:
        (tmp_path / "ran").touch()

    hosts = [sshd.host(), *expand(refusing)]
    with pytest.raises(BrokenSSHExecutor, match="fewer than min_hosts=2 hosts can be up") as caught:
        interstate.execute(mark, hosts=hosts, ssh_config=None, min_hosts=2)
    assert len(caught.value.errors) == 17
    assert isinstance(caught.value.__cause__, ConnectError)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("count", "kind"), [(0, ValueError), (3, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_so_many_hosts_must_be_a_number_that_can_be(count: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="min_hosts"):
        SSHExecutor(["a", "b"], ssh_config=None, min_hosts=count)


# --------------------------------------------------------------------------- what is told


def test_hosts_that_fail_for_one_reason_are_one_line_each_time_they_are_told_of(
    refusing: str, caplog: pytest.LogCaptureFixture
) -> None:
    line = f"17 hosts: connection refused: {refusing}"
    with SSHExecutor([*expand(refusing), Host("no.invalid")], ssh_config=None) as executor:
        error = executor.submit(abs, 1).exception(PATIENCE)
    assert str(error).splitlines()[1] == f"  {line}"
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert line in caplog.messages
    with pytest.raises(ExecuteError, match="17 of 17 hosts failed") as caught:
        interstate.execute(lambda: 1, hosts=refusing, ssh_config=None)
    assert line in str(caught.value)
    assert len(caught.value.exceptions) == 17


def test_hosts_behind_a_hop_that_cannot_be_used_are_one_line(
    refusing: str, caplog: pytest.LogCaptureFixture
) -> None:
    hop = expand(refusing)[0]
    with SSHExecutor("node-[01-50]", hop, ssh_config=None) as executor:
        error = executor.submit(abs, 1).exception(PATIENCE)
    line = f"50 hosts: its hop {hop} cannot be used: connection refused: node-[01-50]"
    assert str(error) == f"none of the 50 hosts is left to run calls on:\n  {line}"
    assert caplog.messages == [line]


def test_a_lone_host_that_fails_is_told_by_its_error_only(
    refusing: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConnectError):
        interstate.execute(lambda: 1, host=expand(refusing)[0], ssh_config=None)
    assert caplog.messages == []


def test_a_hop_that_dies_takes_its_hosts_away_and_back_in_a_line_each(
    gate: Sshd, sshd: Sshd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interstate")
    hosts, hop = sshd.hosts(10), gate.host()
    with SSHExecutor(hosts, hop, ssh_config=None, workers_per_host=1, min_hosts=10) as executor:
        executor.submit(abs, 1).result(PATIENCE)
        calls = [executor.submit(time.sleep, 1.5) for _ in hosts]
        until(lambda: all(call.started_at for call in calls))
        for pid in gate.sessions():
            os.kill(pid, signal.SIGKILL)
        assert [call.exception(PATIENCE) for call in calls] == [None] * 10
        until(lambda: all(status.state == "up" for status in executor.hosts))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    away, back = caplog.messages
    names = f"127.0.1.[1-10]:{sshd.port}"
    assert away.startswith(f"10 hosts behind {hop}: the connection was lost: ")
    assert names in away
    assert back.startswith(f"10 hosts behind {hop} are there again: ")


# ------------------------------------------------------------------------------ progress


def test_progress_tells_how_many_hosts_are_up_and_have_failed(
    sshd: Sshd, refusing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = [*sshd.hosts(2), *expand(refusing)]
    with SSHExecutor(hosts, ssh_config=None, progress=True, workers_per_host=1) as executor:
        until(lambda: all(status.state != "connecting" for status in executor.hosts))
    told = capsys.readouterr().err.splitlines()
    assert "[interstate] 2 of 19 hosts are up, 17 failed" in told
    assert len(told) < 10
