"""A host is up once its agent has said that it knows what to do; until then, any agent will do.

It is played: what decides is what an agent says before it is lost, and what it does not.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable
from types import SimpleNamespace

import pytest

from interstate import ConnectError, Host, HostLost, SSHExecutor, boot, link
from interstate.link import Patience
from interstate.messages import Away, Back, Down, Up
from interstate.remote import wire
from interstate.ssh import SSH

from .test_hop_comes_and_goes import (
    ACKNOWLEDGED,
    CONFIGURED,
    GONE,
    GREETING,
    HOST,
    MARKED,
    PATIENCE,
    START,
    Far,
    Played,
)

pytestmark = pytest.mark.once

RESUMED = MARKED + wire.encode(wire.RESUMED, len(CONFIGURED))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_PAUSES", (0.001, 0.001))


class Flighty(Played):
    """A link to a host whose connections are these, and which keeps deadlines."""

    def __init__(self, streams: Iterable[Far], reconnect: float) -> None:
        super().__init__(reconnect=reconnect)
        self._endless = iter(streams)

    def _open(self, host: Host, command: str, deadline: float) -> boot.Stream:
        if time.monotonic() >= deadline:
            raise ConnectError("there was no time left to connect", host)
        return next(self._endless)


def test_another_agent_is_told_all_anew_though_the_first_had_heard_it() -> None:
    """It was back for a moment, and said no word: nothing can have run there."""
    second = Far(GREETING, stays=True)
    played = Played(Far(GREETING), Far(RESUMED), Far(GONE), second)
    kinds = played.kinds()
    assert kinds[:5] == [Up, Away, Back, Away, Up]
    assert kinds.count(Down) == 1
    assert second.written.startswith(CONFIGURED) or CONFIGURED in second.written
    assert second.written.count(CONFIGURED) == 1


def test_connections_that_led_to_nothing_are_closed() -> None:
    gone = [Far(GREETING), Far(GONE), Far(GREETING), Far(GONE)]
    Played(*gone, Far(GREETING, stays=True)).kinds()
    assert all(stream._closed.is_set() for stream in gone)


def test_a_host_that_never_says_more_than_its_greeting_is_given_up() -> None:
    """Though it is there again, each time."""
    streams = (Far(said) for said in itertools.cycle((GREETING, GONE)))
    played = Flighty(streams, reconnect=0.3)
    played.link.open()
    assert played.down.wait(PATIENCE)
    down = played.messages[-1]
    assert isinstance(down, Down)
    assert "there was no way back within 0.3 s" in str(down.error)
    played.link.join(PATIENCE)


def test_a_host_that_has_said_more_is_waited_for_anew_each_time_that_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = itertools.count(0.0, 10.0)
    back = MARKED + wire.encode(wire.RESUMED, len(CONFIGURED)) + ACKNOWLEDGED
    streams = [Far(GREETING + ACKNOWLEDGED), *(Far(back) for _ in range(20))]
    played = Played(*streams, Far(back, stays=True))
    monkeypatch.setattr(link, "time", SimpleNamespace(monotonic=lambda: next(now)))
    played.link._patience = Patience(1e6, 1e6, 1000.0)
    assert played.kinds().count(Back) == 21


@pytest.mark.parametrize(("seconds", "attempts"), [(0.0, 11), (10.0, 7), (40.0, 4)])
def test_an_agent_is_started_again_and_again_for_as_long_as_connecting_may_take(
    seconds: float, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But four times at least; the last may begin just after."""

    class Slow(Played):
        now = 0.0

        def _open(self, host: Host, command: str, deadline: float) -> boot.Stream:
            self.now += seconds
            self.given.append(deadline)
            return self._streams.popleft()

    played = Slow(*(Far(b"") for _ in range(50)))
    played.link._patience = Patience(60.0, PATIENCE, PATIENCE)
    monkeypatch.setattr(link, "time", SimpleNamespace(monotonic=lambda: played.now))
    played.link.open()
    assert played.down.wait(PATIENCE)
    assert len(played.given) == attempts


def test_a_host_whose_agent_fails_at_what_it_is_told_first_was_never_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So it is not tried again: another agent would fail as well."""
    failed = wire.encode(wire.FAILED, 0, b"Traceback (most recent call last): ...")
    streams = deque([Far(GREETING + failed)])
    monkeypatch.setattr(SSH, "open", lambda *_: streams.popleft())
    monkeypatch.setattr("interstate.fleet.boot.prepare", lambda python: START)
    with SSHExecutor(HOST, ssh_config=None) as executor:
        with pytest.raises(HostLost, match="Traceback"):
            executor.submit(abs, -1).result(PATIENCE)
        (status,) = executor.hosts
        assert status.state != "up"
