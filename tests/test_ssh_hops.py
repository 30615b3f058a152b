"""What is promised about hops: one connection to each, shared, and checked like any host."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from interstate.errors import AuthenticationError, ConnectError, HostError, HostKeyError
from interstate.hosts import Host
from interstate.ssh import SSH, Stream, opener, wires
from interstate.ssh.login import Login

from . import processes
from .sshd import Keys, Sshd, loopback_addresses

PATIENCE = 60.0  # seconds: nothing takes that long, though this computer may be busy


@pytest.fixture
def gate(tmp_path: Path, keys: Keys) -> Iterator[Sshd]:
    """The sshd of head nodes, at three addresses."""
    (tmp_path / "gate").mkdir()
    with Sshd(tmp_path / "gate", keys, listen=loopback_addresses(3)) as sshd:
        yield sshd


@pytest.fixture
def start() -> Iterator[Callable[..., SSH]]:
    """A function that makes an SSH, which is closed after the test."""
    made: list[SSH] = []

    def make(*via: Host, config: Path | None = None) -> SSH:
        made.append(SSH(via, ssh_config=config))
        return made[-1]

    yield make
    for ssh in made:
        ssh.close()


Start = Callable[..., SSH]


def echo(ssh: SSH, host: Host) -> Stream:
    """Open a host and see that bytes go there and back."""
    stream = ssh.open(host, "cat", time.monotonic() + PATIENCE)
    stream.write(b"ping")
    assert stream.read(4) == b"ping"
    return stream


def failure(ssh: SSH, host: Host, seconds: float = PATIENCE) -> HostError:
    with pytest.raises(HostError) as caught:
        ssh.open(host, "true", time.monotonic() + seconds)
    assert caught.value.host == host
    return caught.value


def logins(sshd: Sshd) -> int:
    """How many connections logged in to an sshd; call it when all of them have ended."""
    assert not processes.wait_gone(sshd.sessions(), PATIENCE)
    return sshd.log.count("Accepted publickey")


def config_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ssh_config"
    path.write_text(text)
    return path


def test_a_host_behind_a_hop_is_reached_from_there(gate: Sshd, sshd: Sshd, start: Start) -> None:
    ssh = start(gate.host())
    stream = echo(ssh, sshd.host())
    assert ssh.way(sshd.host()) == f"this computer → {gate.host()} → {sshd.host()}"
    stream.close()
    ssh.close()
    assert logins(gate) == 1


def test_twenty_hosts_opened_at_once_share_one_connection_to_their_hop(
    gate: Sshd, sshd: Sshd, start: Start
) -> None:
    ssh = start(gate.host())
    hosts = (sshd.hosts(16) * 2)[:20]
    with ThreadPoolExecutor(20) as threads:
        streams = list(threads.map(lambda host: echo(ssh, host), hosts))
    for stream in streams:
        stream.write(b"again")
        assert stream.read(5) == b"again"
        stream.close()
    ssh.close()
    assert logins(gate) == 1


def test_two_hops_are_gone_over_in_order_and_both_are_shared(
    gate: Sshd, sshd: Sshd, start: Start
) -> None:
    first, second = gate.hosts(2)
    ssh = start(first, second)
    streams = [echo(ssh, host) for host in sshd.hosts(3)]
    assert ssh.way(sshd.host()) == f"this computer → {first} → {second} → {sshd.host()}"
    for stream in streams:
        stream.close()
    ssh.close()
    assert logins(gate) == 2


def test_closing_a_host_leaves_the_others_behind_its_hop_alone(
    gate: Sshd, sshd: Sshd, start: Start
) -> None:
    ssh = start(gate.host())
    one, other = (echo(ssh, host) for host in sshd.hosts(2))
    one.close()
    other.write(b"still here")
    assert other.read(10) == b"still here"


def test_small_messages_through_a_hop_do_not_wait_for_one_another(
    gate: Sshd, sshd: Sshd, start: Start
) -> None:
    program = """
import os, time
while os.read(0, 1):
    for letter in b'abc':
        os.write(1, bytes([letter]))
        time.sleep(0.002)
"""
    stream = start(gate.host()).open(
        sshd.host(), f'{sys.executable} -c "{program}"', time.monotonic() + PATIENCE
    )
    # With Nagle's algorithm, which a hop's sshd leaves on, each round takes 0.044 s at least.
    limit, quickest = time.monotonic() + PATIENCE, 1.0
    while quickest > 0.03 and time.monotonic() < limit:
        before = time.monotonic()
        stream.write(b"x")
        received = b""
        while len(received) < 3:
            received += stream.read(3)
        quickest = min(quickest, time.monotonic() - before)
    stream.close()
    assert quickest < 0.03


def test_a_hop_that_is_also_a_host_is_reached_directly(
    gate: Sshd, sshd: Sshd, start: Start
) -> None:
    ssh = start(gate.host())
    assert ssh.way(gate.host()) == f"this computer → {gate.host()}"
    echo(ssh, gate.host()).close()


def test_a_hop_that_fails_is_named_to_everybody_and_tried_again_by_the_next(
    gate: Sshd, sshd: Sshd, start: Start, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    hop = replace(gate.host(), known_hosts_file=str(known))
    ssh = start(hop)
    with ThreadPoolExecutor(5) as threads:
        failures = list(threads.map(lambda host: failure(ssh, host), sshd.hosts(5)))
    for error, host in zip(failures, sshd.hosts(5), strict=True):
        assert isinstance(error, HostKeyError)
        assert str(error).startswith(f"{host}: its hop {hop} cannot be used: its host key is not")
        assert f"way: this computer → {hop} → {host}" in str(error)
    known.write_text(gate.known_hosts.read_text())
    echo(ssh, sshd.host()).close()


def test_a_hop_that_was_lost_is_opened_anew(gate: Sshd, sshd: Sshd, start: Start) -> None:
    ssh = start(gate.host())
    stream = echo(ssh, sshd.host())
    processes.kill(gate.sessions())
    assert stream.read(1) == b""
    stream.close()
    echo(ssh, sshd.host()).close()


@pytest.mark.parametrize(
    ("where", "step"), [(SSH, "_shake_hands"), (Login, "run"), (opener, "_start")]
)
def test_a_hop_that_is_lost_as_a_host_is_connected_to_costs_no_host(
    gate: Sshd, sshd: Sshd, start: Start, monkeypatch: pytest.MonkeyPatch, where: object, step: str
) -> None:
    original, ssh = getattr(where, step), start(gate.host())
    echo(ssh, sshd.host()).close()
    killed: list[int] = []

    def once_cut(*args: object, **options: object) -> object:
        if not killed:
            killed.extend(gate.sessions())
            processes.kill(killed)
            assert not processes.wait_gone(set(killed), PATIENCE)
            if step == "run":  # it has been said by then
                vars(args[0])["_handler"].allowed = ["publickey"]
        return original(*args, **options)

    monkeypatch.setattr(where, step, once_cut)
    echo(ssh, sshd.host()).close()
    assert killed


def test_a_hop_that_stops_taking_anything_in_does_not_hold_close_up(
    gate: Sshd, sshd: Sshd, start: Start
) -> None:
    ssh = start(gate.host())
    streams = [echo(ssh, host) for host in sshd.hosts(3)]
    stopped = gate.sessions()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        before = time.monotonic()
        for stream in streams:
            stream.close()
        ssh.close()
        assert time.monotonic() - before < PATIENCE / 2
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_a_port_that_is_refused_behind_a_hop_says_so_at_once(
    gate: Sshd, start: Start, refused_port: int
) -> None:
    error = failure(start(gate.host()), Host("127.0.0.1", "me", refused_port))
    assert isinstance(error, ConnectError)
    assert f"the hop before it cannot connect to 127.0.0.1 port {refused_port}" in str(error)


def test_a_silent_host_behind_a_hop_is_given_up_at_the_deadline(
    gate: Sshd, sshd: Sshd, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (opener, wires):
        monkeypatch.setattr(module, "ALIVE", PATIENCE / 2)  # that the hop may take to say it is
    ssh = start(gate.host())
    echo(ssh, sshd.host()).close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = Host("127.0.0.1", "me", server.getsockname()[1])
        before = time.monotonic()
        assert isinstance(failure(ssh, silent, 0.5), ConnectError)
        assert time.monotonic() - before < PATIENCE / 2
    echo(ssh, sshd.host()).close()
    ssh.close()
    assert logins(gate) == 1


def test_a_hop_that_forbids_forwarding_says_so(
    tmp_path: Path, keys: Keys, sshd: Sshd, start: Start
) -> None:
    (tmp_path / "strict").mkdir()
    with Sshd(tmp_path / "strict", keys, options=["AllowTcpForwarding no"]) as strict:
        ssh = start(strict.host())
        assert "forbids forwarding" in str(failure(ssh, sshd.host()))
        ssh.close()


def test_proxy_jump_of_the_config_leads_over_its_hops_and_theirs(
    gate: Sshd, sshd: Sshd, start: Start, tmp_path: Path
) -> None:
    names = gate.addresses
    config = gate.config_file(
        {"outer": names[0], "middle": names[1], "inner": names[2]},
        more=f"""
Host middle
  ProxyJump outer
Host target
  HostName {sshd.addresses[0]}
  Port {sshd.port}
  UserKnownHostsFile {sshd.known_hosts}
  ProxyJump middle,inner
""",
    )
    ssh = start(config=config)
    target = Host("target")
    assert ssh.way(target) == "this computer → outer → middle → inner → target"
    echo(ssh, target).close()
    ssh.close()
    assert logins(gate) == 3


def test_via_stands_in_for_proxy_jump_and_none_means_none(gate: Sshd, start: Start) -> None:
    config = gate.config_file(
        {"target": gate.addresses[0]},
        more="Host free\n  ProxyJump none\nHost target free\n  ProxyJump nowhere.invalid",
    )
    assert start(config=config).way(Host("target")) == "this computer → nowhere.invalid → target"
    assert start(config=config).way(Host("free")) == "this computer → free"
    ssh = start(gate.host(gate.addresses[1]), config=config)
    echo(ssh, Host("target")).close()


def test_hops_in_a_circle_are_an_error(start: Start, tmp_path: Path) -> None:
    config = config_file(tmp_path, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    error = failure(start(config=config), Host("a"))
    assert isinstance(error, ConnectError)
    assert "ProxyJump leads in a circle: a needs b needs a" in str(error)
    everything = config_file(tmp_path, "Host *\n  ProxyJump head\n")
    assert "in a circle" in str(failure(start(config=everything), Host("node")))


def with_command(sshd: Sshd, gate: Sshd) -> Path:
    """A config in which everything is reached by a ProxyCommand over a head node."""
    head = gate.config_file({"head": gate.addresses[0]})
    return sshd.config_file(more=f"ProxyCommand ssh -F {head} -W %h:%p head")


def test_a_proxy_command_is_the_way_and_ends_with_the_connection(
    gate: Sshd, sshd: Sshd, start: Start
) -> None:
    config = with_command(sshd, gate)
    ssh = start(config=config)
    assert ssh.way(Host("target")) == "this computer → ProxyCommand → target"
    before = set(processes.children(os.getpid()))
    stream = echo(ssh, Host("target"))
    (command,) = set(processes.children(os.getpid())) - before
    stream.close()
    assert command not in processes.children(os.getpid())


def test_a_proxy_command_that_is_lost_is_the_end_of_the_stream(
    gate: Sshd, sshd: Sshd, start: Start
) -> None:
    ssh = start(config=with_command(sshd, gate))
    before = set(processes.children(os.getpid()))
    stream = echo(ssh, Host("target"))
    for pid in set(processes.children(os.getpid())) - before:
        os.kill(pid, signal.SIGKILL)
    assert stream.read(1) == b""
    stream.close()


def test_a_proxy_command_that_fails_is_an_error_with_what_it_said(sshd: Sshd, start: Start) -> None:
    config = sshd.config_file(more="ProxyCommand sh -c 'echo no way through >&2; exit 1'")
    error = failure(start(config=config), Host("target"))
    assert isinstance(error, ConnectError)
    assert "its ProxyCommand led to no SSH server: no way through" in str(error)


def test_a_proxy_command_that_says_nothing_is_given_up_at_the_deadline(
    sshd: Sshd, start: Start
) -> None:
    config = sshd.config_file(more="ProxyCommand cat >/dev/null")
    before = time.monotonic()
    assert isinstance(failure(start(config=config), Host("target"), 0.5), ConnectError)
    assert time.monotonic() - before < PATIENCE / 2


def test_what_a_shell_would_read_is_not_handed_to_a_proxy_command(
    sshd: Sshd, start: Start, tmp_path: Path
) -> None:
    config = sshd.config_file(more="ProxyCommand nc %h %p # %r")
    error = failure(start(config=config), Host("target", f"me;touch {tmp_path}/pwned"))
    assert "cannot be handed to a shell" in str(error)
    assert not (tmp_path / "pwned").exists()


def test_proxy_command_none_means_none(sshd: Sshd, start: Start) -> None:
    config = sshd.config_file(more="Host target\n  ProxyCommand none\nHost *\n  ProxyCommand false")
    echo(start(config=config), Host("target")).close()


def test_a_hop_has_keys_of_its_own(gate: Sshd, sshd: Sshd, start: Start, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(wrong)]
    subprocess.run(command, check=True)
    hop = replace(gate.host(), identity_file=str(wrong))
    error = failure(start(hop), sshd.host())
    assert isinstance(error, AuthenticationError)
    assert f"its hop {hop} cannot be used: {hop.user} could not log in" in str(error)
