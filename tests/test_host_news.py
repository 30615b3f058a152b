"""What becomes of many hosts is told in few words: in the log, and by the progress on stderr."""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Callable

import pytest

from interstate import hostnews, output
from interstate.boot import Hello
from interstate.errors import HostLost
from interstate.hostnews import HostNews
from interstate.hosts import Host, expand
from interstate.messages import Away, Back, Down, Up
from interstate.progress import Progress

AFTER = "calls that may have begun there fail, unless they may be tried again"
UP = Up(Hello(0, (3, 12, 1), "", "", 1, 0, "", "", 1, 0.0, b"", "", "", "", ""))


class Told:
    """News of hosts node-01, node-02, …, to be told when a test says so."""

    def __init__(
        self,
        count: int,
        way: Callable[[Host], str] = lambda host: f"here → {host}",
        progress: bool = False,
    ) -> None:
        self.hosts = expand(f"node-[01-{count:02d}]")
        self.later: list[Callable[[], object]] = []
        self.news = HostNews(self.hosts, way, Progress(progress), self.later.append)

    def down(self, *indices: int, what: str = "its agent has ended", asked: bool = False) -> None:
        for index in indices:
            host = self.hosts[index]
            error = HostLost(f"{host} (here → {host}): {what}", host)
            self.news.note(index, Down(error, (), asked))

    def up(self, *indices: int) -> None:
        for index in indices:
            self.news.note(index, UP)

    def tell(self) -> None:
        self.news.tell(self.news.due)
        while self.later:
            self.later.pop()()


# ----------------------------------------------------------------------------- in the log


def test_what_happens_at_a_time_is_told_when_the_moment_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told(9)
    told.up(*range(9))
    assert told.news.due == float("inf")
    told.down(4, 3, 2)
    told.down(7, what="stolen")
    due = told.news.due
    told.news.tell(due - 0.01)
    assert told.later == []
    told.tell()
    assert caplog.messages == [
        f"3 hosts: its agent has ended: node-[03-05]; {AFTER}",
        f"node-08 (here → node-08): stolen; {AFTER}",
    ]
    assert told.news.due == float("inf")
    told.news.tell(due + 100)
    assert told.later == []


def test_those_that_fail_while_others_are_connected_to_are_one_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told(20)
    told.down(*range(9))
    while_connecting = told.news.due
    told.down(*range(9, 17))
    assert told.news.due == while_connecting
    told.up(17, 18, 19)
    assert told.news.due < while_connecting, "now it is known of all"
    told.tell()
    assert caplog.messages == ["17 hosts: its agent has ended: node-[01-17]"]


def test_a_host_that_was_up_and_stays_away_is_not_told_of_at_each_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told(2)
    told.up(0)
    for _ in range(5):
        told.down(0, 1)
        told.tell()
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("node-02 ")
    assert caplog.messages[1].startswith("node-01 ")


def test_a_lone_host_that_cannot_be_connected_to_is_not_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told(1)
    told.down(0)
    told.tell()
    assert caplog.messages == []


def test_hosts_that_are_away_for_different_reasons_or_ways_are_told_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told(6, lambda host: f"here → gate → {host}")
    told.up(*range(6))
    for host in (0, 1, 2):
        told.news.note(host, Away("the connection was lost"))
    told.news.note(5, Away("it has fallen silent"))
    told.tell()
    assert caplog.messages == [
        "3 hosts behind gate: the connection was lost: node-[01-03]; "
        "their calls go on there, and we try to get back to them",
        "node-06: it has fallen silent; its calls go on there, and we try to get back to it",
    ]


def test_a_host_with_another_agent_is_there_again(caplog: pytest.LogCaptureFixture) -> None:
    """And so keeps none waiting that are told of as back."""
    caplog.set_level(logging.INFO)
    told = Told(2)
    told.up(0, 1)
    for host in range(2):
        told.news.note(host, Away("the connection was lost"))
    told.news.note(0, Back())
    told.up(1)
    told.tell()
    assert "2 hosts are there again: node-[01-02]" in caplog.messages


def test_the_last_that_is_told_of_a_host_is_how_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "interstate")
    told = Told(3)
    told.up(0, 1, 2)
    for message in (Away("lost"), Back(), Away("lost")):
        told.news.note(0, message)
    told.news.note(1, Away("lost"))
    told.news.note(1, Back())
    told.down(1)
    told.news.note(2, Away("lost"))
    told.news.note(2, Back())
    told.tell()
    assert [message.split()[0] for message in caplog.messages] == ["node-02", "2"]
    assert "2 hosts: lost: node-[01,03]; their calls go on" in caplog.messages[1]
    told.tell()
    assert caplog.messages[2:] == ["node-03: it is there again"]


def test_hosts_that_come_back_one_by_one_are_one_record(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostnews, "_LONGEST", 1000.0)
    caplog.set_level(logging.INFO, "interstate")
    told = Told(4)
    told.up(0, 1, 2, 3)
    for host in range(4):
        told.news.note(host, Away("lost"))
    told.tell()
    for host in range(3):
        told.news.note(host, Back())
        told.news.tell(time.monotonic() + 1)
    assert len(caplog.messages) == 1
    told.tell()
    assert caplog.messages[1:] == ["3 hosts are there again: node-[01-03]"]
    told.news.note(3, Back())
    told.news.end()
    told.later.pop()()
    assert caplog.messages[2:] == ["node-04: it is there again"]


def test_a_slow_handler_of_the_log_keeps_no_host_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told(2)
    told.up(0, 1)
    told.down(0)
    told.news.tell(told.news.due)
    assert (len(told.later), caplog.messages) == (1, [])
    told.later.pop()()
    assert len(caplog.messages) == 1


def test_where_no_thread_can_be_had_it_is_told_all_the_same(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(callback: Callable[[], object]) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    told = Told(2)
    monkeypatch.setattr(told.news, "_run", run)
    told.up(0, 1)
    told.down(0)
    told.tell()
    assert len(caplog.messages) == 1


# ------------------------------------------------------------------------------- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Let stderr be a terminal, until the test ends, on which no line stands."""
    monkeypatch.setattr(output, "_standing", False)
    monkeypatch.setattr("interstate.progress._OFTEN", 1000.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    return terminal


def told_by(text: str) -> list[str]:
    return [line.removeprefix("[interstate] ") for line in text.splitlines()]


def test_on_a_terminal_the_number_of_hosts_is_one_line_written_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal, progress = on_terminal(monkeypatch), Progress(True)
    progress.connecting(1, 0, 3)
    progress.tell("node-1", "resolving")
    monkeypatch.setattr(progress, "_hosts_due", 0.0)
    progress.connecting(2, 0, 3)
    progress.step_aside()
    progress.step_aside()
    progress.connecting(2, 1, 3)
    assert terminal.getvalue() == (
        "[interstate] 1 of 3 hosts are up"
        "\r\x1b[K[interstate] node-1: resolving\n"
        "[interstate] 2 of 3 hosts are up"
        "\r\x1b[K"
        "[interstate] 2 of 3 hosts are up, 1 failed\n"
    )


def test_what_calls_print_does_not_get_into_that_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = on_terminal(monkeypatch)
    Progress(True).connecting(1, 0, 3)
    output.write("stdout", "hello\n")
    assert terminal.getvalue().endswith("up\r\x1b[K")
    assert capsys.readouterr().out == "hello\n"


def test_elsewhere_the_number_of_hosts_is_told_in_few_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress(True)
    for up in range(1, 301):
        progress.connecting(up, 0, 300)
    assert told_by(capsys.readouterr().err) == ["1 of 300 hosts are up", "300 of 300 hosts are up"]


def test_it_is_told_that_hosts_are_connected_to_before_any_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Told(9, progress=True).news.begin()
    assert told_by(capsys.readouterr().err) == ["0 of 9 hosts are up"]


def test_a_lone_host_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(1, progress=True)
    told.news.begin()
    told.up(0)
    assert capsys.readouterr().err == ""


def test_a_host_counts_once_however_often_it_comes_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = Told(2, progress=True)
    for _ in range(3):
        told.up(0, 1)
        told.down(0, 1)
    assert told_by(capsys.readouterr().err) == ["1 of 2 hosts are up", "2 of 2 hosts are up"]


def test_hosts_that_are_left_before_they_are_up_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal, told = on_terminal(monkeypatch), Told(4, progress=True)
    told.up(0)
    told.down(1, asked=True)
    told.down(2, asked=True)
    assert terminal.getvalue() == "[interstate] 1 of 4 hosts are up"
    told.down(3, asked=True)
    assert terminal.getvalue().endswith("\r\x1b[K"), "no more will be told"
    told.hosts.append(Host("another"))
    told.up(4)
    assert terminal.getvalue().endswith("[interstate] 2 of 2 hosts are up\n")


def test_no_line_is_left_standing_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, told = on_terminal(monkeypatch), Told(4, progress=True)
    told.up(0)
    told.news.end()
    assert terminal.getvalue().endswith("up\r\x1b[K")


def test_a_log_record_gets_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    handler = logging.StreamHandler(terminal)
    logging.getLogger("interstate").addHandler(handler)
    try:
        told = Told(3, progress=True)
        told.up(0, 1)
        told.down(0, what="stolen")
        told.tell()
    finally:
        logging.getLogger("interstate").removeHandler(handler)
    assert terminal.getvalue() == (
        f"[interstate] 1 of 3 hosts are up\r\x1b[Knode-01 (here → node-01): stolen; {AFTER}\n"
    )
