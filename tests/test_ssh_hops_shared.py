"""Which connections to a hop there are, who shares them, and what is said of the way over it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import paramiko
import pytest
from paramiko.message import Message

import interstate
from interstate import Host, HostLost, SSHExecutor
from interstate.errors import AuthenticationError, ConnectError, HostError
from interstate.ssh import SSH, Stream, hops
from interstate.ssh.config import Config
from interstate.ssh.deadline import Clock, Deadline
from interstate.ssh.hops import Chain, Hops
from interstate.ssh.refusals import Refusing
from interstate.ssh.settings import settle
from interstate.ssh.transport import Transport
from interstate.ssh.trouble import WayError
from interstate.ssh.wires import Socket

from . import processes
from .sshd import Keys, Sshd, loopback_addresses
from .waiting import until

pytestmark = pytest.mark.once

PATIENCE = 60.0


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sshd]:
    """The sshd of a head node, for this module."""
    directory = tmp_path_factory.mktemp("gate")
    with Sshd(directory, keys, listen=loopback_addresses(2)) as sshd:
        yield sshd


def echo(ssh: SSH, host: Host) -> Stream:
    """Open a host and see that bytes go there and back."""
    stream = ssh.open(host, "cat", time.monotonic() + PATIENCE)
    stream.write(b"ping")
    assert stream.read(4) == b"ping"
    return stream


# ------------------------------------------------------------- which connections there are


@dataclass(eq=False)
class Connection:
    """What Hops needs of a Transport."""

    host: Host
    chain: Chain
    repeatable: bool = True
    alive: bool = True

    def is_active(self) -> bool:
        return self.alive


class Head:
    """A hop at which connections are made of nothing."""

    def __init__(self, *via: Host, config: Path | None = None, repeatable: bool = True) -> None:
        self.made: list[Connection] = []
        self.most = 1000
        self.at_most: Callable[[], object] = lambda: None
        self.repeatable = repeatable
        read = Config(config)
        self.hops = Hops(via, lambda host: settle(host, read), self._connect)

    def _connect(self, hop: Host, chain: Chain, deadline: Deadline) -> Transport:
        if len(self.made) == self.most:
            self.at_most()
            raise WayError(ConnectError, "it lets nobody in any more", "Ask it why.")
        self.made.append(Connection(hop, chain, self.repeatable))
        return cast(Transport, self.made[-1])

    def reach(self, host: Host) -> Connection:
        """The connection that a host shares."""
        chain = self.hops.chain(host)
        shared: object = self.hops.transport(chain, host, Deadline(Clock(), PATIENCE))
        return cast(Connection, shared)


def nodes(count: int) -> list[Host]:
    return [Host(f"node-{i}") for i in range(count)]


def test_the_first_so_many_hosts_share_a_connection_and_the_next_another_one() -> None:
    head = Head(Host("head"))
    shared = [head.reach(host) for host in nodes(300)]
    assert [head.made.index(one) for one in shared] == [i // 128 for i in range(300)]
    assert [head.reach(host) for host in nodes(300)] == shared, "each comes back to its own"


def test_a_connection_that_is_lost_is_made_anew_and_the_others_stay() -> None:
    head = Head(Host("head"))
    before = [head.reach(host) for host in nodes(256)]
    before[200].alive = False
    after = [head.reach(host) for host in nodes(256)]
    assert len(head.made) == 3
    assert after[:128] == before[:128]
    assert all(one is head.made[2] for one in after[128:])


def test_where_somebody_had_to_type_something_all_share_one_connection() -> None:
    head = Head(Host("head"), repeatable=False)
    assert len({id(head.reach(host)) for host in nodes(300)}) == 1


def test_where_no_more_can_be_made_all_share_the_one_there_is() -> None:
    head = Head(Host("head"))
    head.most = 1
    assert len({id(head.reach(host)) for host in nodes(300)}) == 1
    head.most = 1000
    assert head.reach(Host("another")) is head.made[0], "it was tried, and is not again"


def test_a_hop_that_refuses_us_is_not_asked_once_for_each_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would bar us soon."""
    head, asked = Head(Host("head")), []

    def refuse(*_: object) -> Transport:
        asked.append("asked")
        raise WayError(AuthenticationError, "you could not log in", "Check the user's name.")

    head.hops = Hops((Host("head"),), lambda host: settle(host, Config(None)), refuse)
    for host in nodes(100):
        with pytest.raises(WayError, match="its hop head cannot be used: you could not log in"):
            head.reach(host)
    assert asked == ["asked"]
    monkeypatch.setattr("interstate.ssh.hops.REFUSED", 0.0)
    head.hops = Hops((Host("head"),), lambda host: settle(host, Config(None)), refuse)
    for host in nodes(2):
        with pytest.raises(WayError):
            head.reach(host)
    assert len(asked) == 3, "later it is"


def test_where_the_hop_is_lost_as_another_is_made_more_can_be_made_later() -> None:
    head = Head(Host("head"))
    lost = [head.reach(host) for host in nodes(128)][-1]
    head.most, head.at_most = 1, lambda: setattr(lost, "alive", False)
    head.reach(nodes(129)[128])
    head.most, head.at_most = 1000, lambda: None
    assert len({id(head.reach(host)) for host in nodes(300)}) == 3


def test_who_has_little_time_to_reach_a_hop_does_not_fail_who_has_more() -> None:
    asked: list[Deadline] = []

    def connect(hop: Host, chain: Chain, deadline: Deadline) -> Transport:
        asked.append(deadline)
        if deadline.wait(threading.Event() if len(asked) == 1 else open_door):
            return cast(Transport, Connection(hop, chain))
        raise WayError(ConnectError, "it gave no answer in time", "Give it more.")

    read, open_door, clock = Config(None), threading.Event(), Clock()
    hops = Hops((Host("head"),), lambda host: settle(host, read), connect)
    with ThreadPoolExecutor(2) as threads:
        hurried = threads.submit(hops.transport, *way(hops, "a"), Deadline(clock, 1.5))
        until(lambda: bool(asked))
        patient = threads.submit(hops.transport, *way(hops, "b"), Deadline(clock, PATIENCE))
        assert isinstance(hurried.exception(PATIENCE), WayError)
        open_door.set()
        assert patient.result(PATIENCE).is_active()


def way(hops: Hops, name: str) -> tuple[Chain, Host]:
    return hops.chain(Host(name)), Host(name)


def test_who_goes_by_two_names_is_one_hop_and_another_user_another(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("""
Host head gate
  HostName 10.0.0.1
  User me
Host a
  ProxyJump head
Host b
  ProxyJump me@gate:22
Host c
  ProxyJump you@head
Host d
  ProxyJump head:2222
Host gate
  IdentityFile other_key
Host e
  ProxyJump gate
Host f
  ProxyJump me@10.0.0.1
""")
    head = Head(config=config)
    a, b, c, d, e, f = (head.reach(Host(name)) for name in "abcdef")
    assert a is f
    assert b is e
    assert len({id(one) for one in (a, b, c, d)}) == 4


def test_a_host_that_is_a_hop_too_is_reached_as_the_hop_is(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host head\n  ProxyJump gate\n")
    head = Head(Host("head"), config=config)
    assert head.hops.chain(Host("node")) == (Host("gate"), Host("head"))
    assert head.hops.chain(Host("head")) == (Host("gate"),)


def test_hosts_at_once_share_each_connection_and_each_is_made_once(
    gate: Sshd, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hops, "SHARE", 6)
    assert not processes.wait_gone(gate.sessions(), PATIENCE)
    before = gate.log.count("Accepted publickey")
    ssh = SSH([gate.host()], ssh_config=None)
    hosts = sshd.hosts(16)
    with ThreadPoolExecutor(16) as threads:
        streams = list(threads.map(lambda host: echo(ssh, host), hosts))
    for stream in streams:
        stream.close()
    ssh.close()
    assert not processes.wait_gone(gate.sessions(), PATIENCE)
    assert gate.log.count("Accepted publickey") - before == 3


# ------------------------------------------------------------------- what falls silent


def stopped(sshd: Sshd, action: Callable[[], None]) -> list[int]:
    """Do something; return the processes of the connections that it has made at an sshd."""
    before = set(sshd.sessions())
    action()
    return [pid for pid in sshd.sessions() if pid not in before]


def test_a_host_behind_a_hop_that_falls_silent_is_given_up_as_its_config_says(
    gate: Sshd, sshd: Sshd
) -> None:
    config = sshd.config_file(more="ServerAliveInterval 1\nServerAliveCountMax 6")
    ssh = SSH([gate.host()], ssh_config=config)
    streams: list[Stream] = []
    pids = stopped(sshd, lambda: streams.append(echo(ssh, Host("target"))))
    (stream,) = streams
    time.sleep(1.5)  # in which it is asked, and answers
    stream.write(b"here")
    assert stream.read(4) == b"here"
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        before = time.monotonic()
        assert stream.read(1) == b""
        assert 1 < time.monotonic() - before < PATIENCE / 2
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        stream.close()
        ssh.close()


def test_who_is_stuck_in_a_hop_that_takes_nothing_in_any_more_is_out_in_time(
    gate: Sshd, sshd: Sshd
) -> None:
    ssh = SSH([gate.host()], ssh_config=None)
    streams: list[Stream] = []
    pids = stopped(gate, lambda: streams.append(echo(ssh, sshd.host())))
    (hop,) = (thread for thread in threading.enumerate() if thread.name == f"ssh {gate.host()}")
    assert isinstance(hop, Transport)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as threads:
        try:
            writing = threads.submit(write_without_end, hop)
            until(lambda: hop.clear_to_send_lock.locked() and not hop.wire.writable())
            before = time.monotonic()
            opened = threads.submit(ssh.open, sshd.host(), "true", before + 1)
            assert isinstance(opened.exception(PATIENCE), ConnectError)
            assert writing.exception(PATIENCE) is not None
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            ssh.close()


def test_a_hop_that_says_anything_is_there_though_the_answer_is_far_behind() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        hop = Transport(Socket(fileno=ours.detach()), "hop")
        assert not hop.responds(0.05)
        heard = threading.Event()

        def talk() -> None:
            while not heard.wait(0.01):
                vars(hop.packetizer).update(latest=time.monotonic())

        talking = threading.Thread(target=talk)
        talking.start()
        assert hop.responds(1.0)
        heard.set()
        talking.join()
        hop.close()


def write_without_end(hop: Transport) -> None:
    """Fill all that is between us and a hop, so that whoever writes there is stuck."""
    while hop.is_active():
        hop.send_ignore(30_000)


# ------------------------------------------------------------------- ProxyCommand, busy


def test_a_proxy_command_that_was_turned_away_by_a_busy_hop_is_run_again(
    gate: Sshd, sshd: Sshd, tmp_path: Path
) -> None:
    head = gate.config_file({"head": gate.addresses[0]})
    script = tmp_path / "proxy"
    script.write_text(f"""#!/bin/sh
if mkdir {tmp_path}/was-here 2>/dev/null; then
  echo 'kex_exchange_identification: Connection closed by remote host' >&2
  exit 255
fi
exec ssh -F {head} -W $1:$2 head
""")
    script.chmod(0o755)
    ssh = SSH(ssh_config=sshd.config_file(more=f"ProxyCommand {script} %h %p"))
    echo(ssh, Host("target")).close()
    ssh.close()
    assert (tmp_path / "was-here").exists()


def test_a_hop_may_be_reached_by_a_proxy_command_of_its_own(gate: Sshd, sshd: Sshd) -> None:
    head = gate.config_file({"head": gate.addresses[0]})
    config = gate.config_file(
        {"hop": gate.addresses[1]},
        more=f"""
Host hop
  ProxyCommand ssh -F {head} -W %h:%p head
Host target
  HostName {sshd.addresses[0]}
  Port {sshd.port}
  UserKnownHostsFile {sshd.known_hosts}
  ProxyJump hop
  ProxyCommand false
""",
    )
    ssh = SSH(ssh_config=config)
    assert ssh.way(Host("target")) == "this computer → ProxyCommand → hop → target"
    streams = [echo(ssh, Host("target")) for _ in range(2)]
    assert ssh.files([Host("target")], 1) == 2 + 3
    for stream in streams:
        stream.close()
    ssh.close()


# -------------------------------------------------------------------------- the way, said


@pytest.fixture(scope="module")
def wrong_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key that no server knows."""
    path = tmp_path_factory.mktemp("wrong") / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return str(path)


def failure(via: Host, host: Host) -> HostError:
    ssh = SSH([via], ssh_config=None)
    with pytest.raises(HostError) as caught:
        ssh.open(host, "true", time.monotonic() + PATIENCE)
    ssh.close()
    return caught.value


def test_every_error_on_the_way_says_the_way(gate: Sshd, sshd: Sshd, wrong_key: str) -> None:
    host, hop = sshd.host(), gate.host()
    nobody = replace(hop, port=1)
    way = f"(way: this computer → {hop} → {host})"
    for error, kind in (
        (failure(replace(hop, identity_file=wrong_key), host), AuthenticationError),
        (failure(hop, replace(host, identity_file=wrong_key)), AuthenticationError),
        (failure(hop, replace(host, known_hosts_file="/dev/null")), interstate.HostKeyError),
    ):
        assert isinstance(error, kind)
        assert way in str(error)
    refused = failure(nobody, host)
    assert f"(way: this computer → {nobody} → {host})" in str(refused)
    assert str(refused).startswith(f"{host}: its hop {nobody} cannot be used: cannot connect to")


def test_a_host_that_is_lost_as_it_runs_says_the_way(gate: Sshd, sshd: Sshd) -> None:
    host, hop = sshd.host(), gate.host()
    with SSHExecutor(host, hop, ssh_config=None, workers_per_host=1, reconnect=0) as executor:
        executor.submit(abs, 1).result(PATIENCE)
        call = executor.submit(time.sleep, 60)
        while not call.started_at:
            time.sleep(0.005)
        processes.kill(gate.sessions())
        error = call.exception(PATIENCE)
    assert isinstance(error, HostLost)
    assert f"{host} (this computer → {hop} → {host})" in str(error)


# ------------------------------------------------------------------- what is not counted


def test_an_agent_has_time_to_start_however_long_somebody_took_to_type(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    shutil.copy(sshd.key, locked)
    locked.chmod(0o600)
    command = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(locked)]
    subprocess.run(command, check=True)

    clock, typing = time.monotonic, [0.0]  # seconds
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(typing))

    def password(host: Host, prompt: str) -> str:
        typing.append(PATIENCE + 1)  # longer than everything may take
        return "secret"

    host = replace(sshd.host(), identity_file=str(locked))
    result = interstate.execute(
        lambda: "here", host=host, ssh_config=None, password=password, connect_timeout=PATIENCE
    )
    assert (result, len(typing)) == ("here", 2)


def test_what_a_hop_says_of_a_refusal_cannot_steer_a_terminal() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, contextlib.closing(Refusing(ours)) as transport:
        transport._asked.number = 1
        refusal = Message()
        for number in (1, 2):
            refusal.add_int(number)
        refusal.add_string(b"\x1b[31mred\xff\x07")
        refusal.rewind()
        transport.channel_events[1] = threading.Event()
        transport._parse_channel_open_failure(refusal)
        error = transport.get_exception()
    assert isinstance(error, paramiko.ChannelException)
    assert error.text == "?[31mred\ufffd?"
