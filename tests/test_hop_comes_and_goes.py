"""A hop, or a host's own connection, is lost at the worst moments: that costs no host, and no call.

Most of it is played: what decides is when the connection is lost, which no real one can be told.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from interstate import AuthenticationError, ConnectError, Host, SSHExecutor, boot, link, noagent
from interstate.hosts import expand
from interstate.link import Link, Patience
from interstate.messages import Away, Back, Down, Message, Up
from interstate.remote import wire
from interstate.remote.hello import hello
from interstate.ssh import SSH, hops
from interstate.ssh.config import Config
from interstate.ssh.deadline import Clock, Deadline
from interstate.ssh.hops import Chain, Hops
from interstate.ssh.login import Login
from interstate.ssh.pacing import Pacing
from interstate.ssh.settings import settle
from interstate.ssh.transport import Transport
from interstate.ssh.trouble import BusyError, HopLostError, HungUpError, WayError
from interstate.ssh.wires import Socket, inside, tunnel

from . import processes
from .sshd import Keys, Sshd, loopback_addresses
from .test_fuzz import Agent
from .waiting import until

pytestmark = pytest.mark.once

PATIENCE = 60.0  # seconds: nothing takes that long, though this computer may be busy
HOST = Host("far.example")
SETTINGS = settle(HOST, Config(None))


def in_time() -> Deadline:
    return Deadline(Clock(), PATIENCE)


# -------------------------------------------------------------------------- the connection to a hop


def test_who_writes_to_a_lost_hop_knows_that_it_is_lost_before_anybody_has_read_so() -> None:
    ours, theirs = socket.socketpair()
    hop = Transport(Socket(fileno=ours.detach()), "hop")
    inside(hop).active = True  # its thread is still busy with what came before the end
    inside(hop).clear_to_send.set()
    assert hop.is_active()
    theirs.close()
    with pytest.raises(HopLostError, match="the hop before it was lost"):
        tunnel(hop, SETTINGS, in_time())
    assert not hop.is_active()
    hop.close()


class Hop:
    """A hop that is there, or is not; who is let in has no more than that."""

    def __init__(self) -> None:
        self.there = True
        self.asked = 0
        self.lost: WayError = WayError(ConnectError, "nobody listens there", "Is it up?")
        self.hops = Hops((Host("head"),), lambda host: settle(host, Config(None)), self._connect)

    def is_active(self) -> bool:
        return self.there

    @property
    def repeatable(self) -> bool:
        return True

    def reach(self, host: Host, seconds: float = PATIENCE) -> object:
        return self.hops.transport(self.hops.chain(host), host, Deadline(Clock(), seconds))

    def _connect(self, host: Host, chain: Chain, deadline: Deadline) -> Transport:
        self.asked += 1
        if not self.there:
            raise self.lost
        return cast(Transport, self)


def test_a_hop_that_was_there_is_waited_for_and_not_asked_by_each_host_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hop, hosts = Hop(), expand("node[1-50]")
    for host in hosts:
        hop.reach(host)
    hop.there = False
    monkeypatch.setattr(hops, "LOST", PATIENCE)
    for host in hosts:
        with pytest.raises(HopLostError, match="its hop head cannot be used: nobody listens"):
            hop.reach(host)
    assert hop.asked == 2


def test_a_hop_that_is_there_again_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hops, "LOST", 0.0)
    hop = Hop()
    hop.reach(HOST)
    hop.there = False
    with pytest.raises(HopLostError):
        hop.reach(HOST)
    hop.there = True
    assert hop.reach(HOST) is hop


def test_a_hop_that_never_was_there_is_no_hop_at_once() -> None:
    hop = Hop()
    hop.there = False
    with pytest.raises(WayError, match="its hop head cannot be used: nobody listens there"):
        hop.reach(HOST)


def test_a_hop_that_refuses_us_is_not_waited_for_though_it_was_there() -> None:
    hop = Hop()
    hop.reach(HOST)
    hop.there, hop.lost = False, WayError(AuthenticationError, "no entry", "Ask for it.")
    with pytest.raises(WayError, match="its hop head cannot be used: no entry"):
        hop.reach(HOST)


def test_a_lost_hop_says_nothing_of_how_many_the_server_behind_it_lets_in() -> None:
    def limit_after(error: Exception) -> float:
        pacing = Pacing()
        with contextlib.suppress(BusyError), pacing.slot(SETTINGS, (), in_time()):
            raise error
        (line,) = pacing._servers.values()
        return line.places.limit

    untouched = limit_after(HopLostError("it was lost"))
    assert limit_after(BusyError("it hung up")) < untouched


def test_who_let_us_in_and_hangs_up_as_we_log_in_again_is_asked_again(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was lost, most likely; who never let us in refuses us."""
    ssh, run = SSH(ssh_config=None), Login.run
    hanging_up: list[str] = ["once"]

    def hang_up(login: Login) -> None:
        if hanging_up:
            hanging_up.pop()
            raise HungUpError(AuthenticationError, "the server hung up", "Ask it why.")
        run(login)

    def opened() -> None:
        ssh.open(sshd.host(), "true", time.monotonic() + PATIENCE).close()

    monkeypatch.setattr(Login, "run", hang_up)
    with pytest.raises(AuthenticationError, match="the server hung up"):
        opened()
    opened()
    hanging_up.append("again")
    opened()
    assert not hanging_up
    ssh.close()


# ----------------------------------------------------------------------------- an agent that starts

START = boot.Start("exec python", b"exec python\n", b"interstate-0123456789abcdef", "python3")
VERSION = ".".join(map(str, sys.version_info[:3])).encode()
MARKED = b"\n" + START.marker + b" " + VERSION + b"\n"
GREETING = MARKED + wire.encode(wire.HELLO, 0, hello(b"\0interstate-door"))
GONE = MARKED + wire.encode(wire.GONE, 0)
CONFIGURED = wire.encode(wire.CONFIG, 0, b"what to do")
ACKNOWLEDGED = wire.encode(wire.ACK, len(CONFIGURED))


class Far:
    """A stream whose other end says this; then it is lost, or stays until it is closed."""

    def __init__(self, said: bytes, *, stays: bool = False) -> None:
        self.written = b""
        self._said = said
        self._stays = stays
        self._closed = threading.Event()
        self.lost = False

    def read(self, n: int) -> bytes:
        said, self._said = self._said[:n], self._said[n:]
        if not said and self._stays:
            assert self._closed.wait(PATIENCE)
        self.lost = not said
        return said

    def pump(self, receive: Callable[[bytes], object]) -> None:
        while data := self.read(1 << 16):
            receive(data)

    def write(self, data: wire.Bytes) -> None:
        self.written += data

    def write_now(self, data: bytes) -> bool:
        self.write(data)
        return True

    def close(self) -> None:
        self._closed.set()

    @property
    def finished(self) -> bool:
        return False


class Played:
    """A link whose connections are these, one after the other; then there is no way any more."""

    def __init__(self, *streams: Far, reconnect: float = PATIENCE, usual: float = 0.0) -> None:
        self.given: list[float] = []  # seconds for each attempt
        self.messages: list[Message] = []
        self.down = threading.Event()
        self._streams = deque(streams)
        self._far = threading.Event()
        patience = Patience(PATIENCE, PATIENCE, reconnect)
        turn = contextlib.nullcontext(usual)
        self.link = Link(0, HOST, "", self._open, START, patience, turn, self._deliver)

    def kinds(self) -> list[type]:
        """Be up over the last of the streams; then end, and return what was told."""
        self.link.open()
        assert self._far.wait(PATIENCE)
        self.link.close(9)
        self.link.hang_up()  # its time is up
        assert self.down.wait(PATIENCE)
        self.link.join(PATIENCE)
        return [type(message) for message in self.messages]

    def _open(self, host: Host, command: str, deadline: float) -> boot.Stream:
        self.given.append(deadline - time.monotonic())
        if not self._streams:
            raise ConnectError("no way", host)
        return self._streams.popleft()

    def _deliver(self, host: int, message: Message) -> None:
        self.messages.append(message)
        if isinstance(message, Up):
            self.link.send(CONFIGURED)
        if isinstance(message, Up | Back | Down) and not self._streams:
            self._far.set()
        if isinstance(message, Down):
            self.down.set()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are no pauses to speak of between attempts."""
    monkeypatch.setattr(link, "_PAUSES", (0.001, 0.001))


def test_an_agent_that_ends_before_it_was_told_anything_is_followed_by_another(
    quick: None,
) -> None:
    second = Far(GREETING, stays=True)
    played = Played(Far(GREETING), Far(GONE), second)
    assert played.kinds()[:3] == [Up, Away, Up]
    assert CONFIGURED in second.written


def test_an_agent_that_ends_after_it_has_answered_is_lost(quick: None) -> None:
    """Calls may have begun there."""
    played = Played(Far(GREETING + ACKNOWLEDGED), Far(GONE), reconnect=1.0)
    played.link.open()
    assert played.down.wait(PATIENCE)
    assert [type(message) for message in played.messages if isinstance(message, Up | Back)] == [Up]
    (down,) = (message for message in played.messages if isinstance(message, Down))
    assert "and then its agent had ended" in str(down.error)


def test_a_connection_that_is_lost_again_and_again_as_an_agent_starts_costs_no_host(
    quick: None,
) -> None:
    played = Played(*[Far(b"") for _ in range(6)], Far(GREETING, stays=True))
    assert played.kinds()[0] == Up


def test_an_attempt_to_get_back_may_take_several_times_what_it_takes_others(quick: None) -> None:
    """Else none would ever be done where all is slow, and all that was begun would be in vain."""
    back = MARKED + wire.encode(wire.RESUMED, len(CONFIGURED))
    played = Played(Far(GREETING), Far(back, stays=True), usual=3.0)
    assert played.kinds()[:3] == [Up, Away, Back]
    assert 4.0 < played.given[1] <= 12.0


def test_a_host_whose_connection_never_lasts_is_given_up(quick: None) -> None:
    played = Played(*[Far(b"") for _ in range(50)])
    played.link.open()
    assert played.down.wait(PATIENCE)
    (down,) = played.messages
    assert isinstance(down, Down)
    assert len(played._streams) > 30


def test_what_is_in_the_way_to_an_agent_is_said_in_short() -> None:
    error = ConnectError("far.example: no way. Try again.", HOST, "no way")
    said = [noagent.in_short(obstacle) for obstacle in (error, OSError("torn"))]
    assert said == ["no way", "torn"]
    assert noagent.in_short(noagent.NoAgentError("it ended", advice="Look.")) == "it ended"


def test_an_agent_says_at_once_that_it_knows_what_to_do_and_not_before() -> None:
    with Agent(reconnect=PATIENCE, workers=1) as agent:
        config = wire.encode(wire.CONFIG, 0, agent._config)
        agent.send(config[:20])
        time.sleep(1.2)  # by then it would acknowledge what has come, if it had something to do
        agent.send(config[20:])
        kind, count, _ = agent.next()
        assert (kind, count) == (wire.ACK, len(config))


class Talking(Far):
    """One that says more when it is told to."""

    def __init__(self) -> None:
        super().__init__(b"", stays=True)
        self._more: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def say(self, data: bytes) -> None:
        self._more.put(data)

    def read(self, n: int) -> bytes:
        if not self._said:
            self._said = self._more.get()
        said, self._said = self._said[:n], self._said[n:]
        return said

    def close(self) -> None:
        self._more.put(b"")


def test_no_call_is_sent_to_an_agent_that_has_not_said_that_it_knows_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So nothing can have run on one that ended before: another may take its place."""
    far = Talking()
    monkeypatch.setattr(SSH, "open", lambda *_: far)
    monkeypatch.setattr("interstate.fleet.boot.prepare", lambda python: START)
    with SSHExecutor(HOST, ssh_config=None) as executor:
        call = executor.submit(abs, -1)
        far.say(GREETING)
        until(lambda: executor._engine._told)  # it was told what to do
        done = threading.Event()
        executor._engine._inbox.put(lambda: done.set())
        assert done.wait(PATIENCE)
        assert not call.running()
        far.say(wire.encode(wire.ACK, 1))
        until(call.running)
        executor.kill_workers()


# --------------------------------------------------------------------------- a channel is brought


def brought(door: bytes) -> bytes:
    """What is said to who brings an agent a channel."""
    errand = {"door": door, "errand": b"hello", "channel": b"", "patience": PATIENCE, "gone": GONE}
    program = f"from interstate.remote.attach import attach; attach({errand!r})"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    return done.stdout


@pytest.mark.parametrize("heard", [True, False])
def test_who_brings_a_channel_and_is_turned_away_does_not_take_the_agent_for_gone(
    heard: bool,
) -> None:
    """Another one is there before it, as when a hop is lost again and again."""
    door = b"\0interstate-test-" + os.urandom(8).hex().encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.bind(door)
        agent.listen()

        def turn_away() -> None:
            with agent.accept()[0] as guest:
                if heard:
                    guest.recv(100)

        thread = threading.Thread(target=turn_away)
        thread.start()
        assert brought(door) == b""
        thread.join(PATIENCE)
    assert brought(door) == GONE


# ----------------------------------------------------------------------------------- a real sshd


class Gate(Sshd):
    """A hop whose connections can be killed."""

    def kill(self) -> None:
        processes.kill(self.sessions())


def test_a_hop_that_dies_again_and_again_as_hosts_are_connected_to_costs_none(
    tmp_path: Path, keys: Keys
) -> None:
    """Nor a call, though none may be tried again."""
    (tmp_path / "far").mkdir()
    (tmp_path / "gate").mkdir()
    with (
        Sshd(tmp_path / "far", keys, listen=loopback_addresses(12)) as far,
        Gate(tmp_path / "gate", keys) as gate,
        SSHExecutor(
            far.hosts(12),
            gate.host(),
            ssh_config=None,
            workers_per_host=1,
            connect_timeout=PATIENCE,
        ) as executor,
    ):
        calls = [executor.submit(pow, number, 2) for number in range(200)]
        for _ in range(8):
            until(gate.sessions)
            time.sleep(0.2)  # they are at different points of being connected to
            gate.kill()
        assert [call.result(PATIENCE) for call in calls] == [number**2 for number in range(200)]
        until(lambda: all(status.state == "up" for status in executor.hosts))
