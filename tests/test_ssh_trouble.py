"""What is promised about everything that can be wrong on the way to a host: a sentence for each.

It says what is wrong, on which host and by which way, and what to do; and it comes in time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko
import pytest

from interstate.errors import ConnectError, HostError
from interstate.hosts import Host
from interstate.ssh import SSH, dialing, wires
from interstate.ssh.config import Config
from interstate.ssh.deadline import Clock, Deadline
from interstate.ssh.settings import settle
from interstate.ssh.trouble import WayError
from interstate.ssh.wires import Command, Socket

from .servers import (
    Answer,
    flooding,
    letting_in_and_hanging_up,
    port_with,
    saying,
    saying_and_closing,
    stuck,
)
from .sshd import Keys, Sshd, loopback_addresses

pytestmark = pytest.mark.once

LONG = 120.0  # seconds that a host may take
SOON = 60.0  # for what is known at once, without waiting so long; this computer may be busy

Start = Callable[..., SSH]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A function that makes an SSH, given hops and lines of ssh_config; it is closed at the end."""
    made: list[SSH] = []

    def make(*via: Host, config: str | Path | None = None) -> SSH:
        if isinstance(config, str):
            path = tmp_path / f"config_{len(made)}"
            path.write_text(config)
            config = path
        made.append(SSH(via, ssh_config=config))
        return made[-1]

    yield make
    for ssh in made:
        ssh.close()


def failure(
    ssh: SSH, host: Host, within: float = LONG, kind: type[HostError] = ConnectError
) -> str:
    """The message that opening a host ends with; it names the host, and how it is reached."""
    before = time.monotonic()
    with pytest.raises(HostError) as caught:
        ssh.open(host, "true", before + within)
    assert time.monotonic() - before < within + SOON
    assert type(caught.value) is kind, caught.value
    assert caught.value.host == host
    message = str(caught.value)
    assert message.startswith(f"{host}: ")
    assert f"(way: {ssh.way(host)})" in message
    assert str(host) not in caught.value.reason  # so that hosts are told of together
    return message


def at_once(ssh: SSH, host: Host) -> str:
    before = time.monotonic()
    message = failure(ssh, host)
    assert time.monotonic() - before < SOON
    return message


# What answers is no SSH server


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "it said 'HTTP/1.1 400 Bad Request'"),
        (saying(b"220 mail.example ESMTP\r\n"), "it said '220 mail.example ESMTP'"),
        (saying(b"J\0\0\0\x0a8.0.36\0\x01"), r"it said 'J\x00\x00\x00'"),
        (saying(b"\x15\x03\x01\x00\x02\x02\x46"), r"it said '\x15\x03\x01"),
        (saying_and_closing(b"what is it?\n"), "it said 'what is it?'"),
        (flooding(b"lorem ipsum " * 100), "it said 'lorem ipsum lorem"),
        (flooding(b"lorem ipsum\r\n" * 100), "it said 'lorem ipsum'"),
        (flooding(b"\xff\xfe\xfd" * 100), r"it said '\\xff\\xfe"),
    ],
    ids=["HTTP", "mail", "MySQL", "TLS", "a line", "a flood", "a flood of lines", "no text"],
)
def test_what_is_no_ssh_server_is_known_at_once_by_what_it_says(
    start: Start, answer: Answer, told: str
) -> None:
    with port_with(answer) as port:
        message = at_once(start(), Host("127.0.0.1", "me", port))
    assert "no SSH server listens there; " in message
    assert told in message
    assert "Is the port right?" in message


def test_what_says_something_else_and_waits_is_told_by_what_it_said(start: Start) -> None:
    with port_with(saying(b"login: ")) as port:
        message = failure(start(), Host("127.0.0.1", "me", port), 2)
    assert "it took the connection, said 'login: ', and gave no answer within 2 s" in message
    assert "That is no greeting of SSH: is the port right?" in message


def test_lines_before_the_greeting_are_passed_over(start: Start, keys: Keys) -> None:
    host_key = paramiko.Ed25519Key.from_private_key_file(str(keys.host))

    def answer(client: socket.socket) -> None:
        client.sendall(b"Authorized users only\r\n" * 40)
        stuck(host_key, 5)(client)

    with port_with(answer) as port:
        assert "its host key is not known" in failure_of_key(start(), Host("127.0.0.1", "me", port))


def failure_of_key(ssh: SSH, host: Host) -> str:
    with pytest.raises(HostError) as caught:
        ssh.open(host, "true", time.monotonic() + LONG)
    return str(caught.value)


def test_version_1_of_ssh_is_refused_at_once(start: Start) -> None:
    with port_with(saying(b"SSH-1.5-OpenSSH_1.2\r\n")) as port:
        message = at_once(start(), Host("127.0.0.1", "me", port))
    assert "it speaks version 1 of SSH alone" in message
    assert "it said 'SSH-1.5-OpenSSH_1.2'" in message


@pytest.mark.parametrize("rubbish", [b"\xff" * 4096, b"\0\0\0\x0c" + b"rubbish" * 40])
def test_rubbish_after_the_greeting_is_told_at_once(start: Start, rubbish: bytes) -> None:
    with port_with(saying(b"SSH-2.0-Test\r\n" + rubbish)) as port:
        message = at_once(start(), Host("127.0.0.1", "me", port))
    assert "no handshake with it: " in message
    assert "it said 'SSH-2.0-Test'" in message


# An SSH server that is busy, or stops


@pytest.mark.parametrize(
    "said", [b"", b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"]
)
def test_one_that_hangs_up_is_tried_again_until_the_end_with_what_to_think_of(
    start: Start, said: bytes
) -> None:
    with port_with(saying_and_closing(said)) as port:
        message = failure(start(), Host("127.0.0.1", "me", port), 2)
    assert re.search(r"no answer that we could use within 2 s and \d+ attempts", message)
    assert "it hung up before it greeted us" in message
    assert repr(said.decode().strip()) in message or not said
    for word in ("MaxStartups", "PerSourcePenalties", "fail2ban", "hosts.deny"):
        assert word in message


_AT = "a service", "a key", "a channel", "a command"


@pytest.mark.parametrize(
    ("at", "hangs_up", "told"),
    [
        (5, True, "no answer that we could use within 4 s and"),
        (5, False, "no answer within 4 s, while logging in"),
        (50, True, "the connection ended before we could log in"),
        (50, False, "no answer within 4 s, while logging in"),
        (90, True, "we are logged in, but it does not run commands for us"),
        (90, False, "it does not run commands for us (no answer within 4 s)"),
        (98, True, "we are logged in, but it does not run commands for us"),
        (98, False, "it does not run commands for us (no answer within 4 s)"),
    ],
    ids=[f"{what} {at}" for at in _AT for what in ("hangs up at", "stops at")],
)
def test_one_that_stops_or_hangs_up_halfway_is_told_by_how_far_it_came(
    start: Start, keys: Keys, tmp_path: Path, at: int, hangs_up: bool, told: str
) -> None:
    host_key = paramiko.Ed25519Key.from_private_key_file(str(keys.host))
    with port_with(stuck(host_key, at, hangs_up=hangs_up)) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
        host = Host("127.0.0.1", "me", port, str(keys.client), str(known))
        assert told in failure(start(), host, 4)


def test_one_that_hangs_up_as_soon_as_we_are_logged_in_is_told(
    start: Start, keys: Keys, tmp_path: Path
) -> None:
    host_key = paramiko.Ed25519Key.from_private_key_file(str(keys.host))
    with port_with(letting_in_and_hanging_up(host_key)) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
        host = Host("127.0.0.1", "me", port, str(keys.client), str(known))
        for _ in range(5):
            assert "we are logged in, but it does not run commands for us" in at_once(start(), host)


# Nothing in common


PICKY = {
    "kex": ["KexAlgorithms diffie-hellman-group1-sha1"],
    "host key": ["HostKeyAlgorithms ssh-rsa"],
    "cipher": ["Ciphers 3des-cbc,aes256-cbc"],
    "mac": ["Ciphers aes128-ctr", "MACs umac-64@openssh.com,hmac-md5"],
    "gate": ["PermitOpen nowhere.invalid:22 127.0.0.1:*"],
}


@pytest.fixture(scope="module")
def picky(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[dict[str, Sshd]]:
    """Servers that want no more than is said in PICKY, with RSA host keys."""
    folder = tmp_path_factory.mktemp("picky")
    rsa = Keys(keys.client, folder / "rsa")
    command = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(rsa.host)]
    subprocess.run(command, check=True)
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, options in PICKY.items():
            (folder / name).mkdir()
            where = loopback_addresses(1)
            sshd = Sshd(folder / name, rsa, listen=where, options=options)
            servers[name] = stack.enter_context(sshd)
        yield servers


@pytest.mark.parametrize(
    ("server", "kind", "offered", "advice"),
    [
        (
            "kex",
            "way to exchange keys",
            "It offers diffie-hellman-group1-sha1; we would take mlkem768x25519-sha256, ",
            "(KexAlgorithms in sshd_config)",
        ),
        (
            "host key",
            "type of host key",
            "It offers ssh-rsa; we would take rsa-sha2-512, ",
            "(HostKeyAlgorithms in sshd_config)",
        ),
        (
            "cipher",
            "cipher",
            "It offers 3des-cbc, aes256-cbc; we would take aes128-gcm@openssh.com, ",
            "allow it in ssh_config: `Ciphers +3des-cbc`",
        ),
        (
            "mac",
            "MAC",
            "It offers umac-64@openssh.com, hmac-md5; we would take hmac-sha2-256, ",
            "allow it in ssh_config: `MACs +hmac-md5`",
        ),
    ],
    ids=["kex", "host key", "cipher", "MAC"],
)
def test_algorithms_that_do_not_meet_are_told_of_both_ends(
    start: Start,
    picky: dict[str, Sshd],
    server: str,
    kind: str,
    offered: str,
    advice: str,
) -> None:
    sshd = picky[server]
    message = at_once(start(), sshd.host())
    assert f"no handshake with it: there is no {kind} that both ends would take. " in message
    assert offered in message
    assert advice in message
    allowed = re.search(r"`(\w+ \+.*)`", message)
    if allowed:  # and then it works
        ssh = start(config=allowed[1])
        ssh.open(sshd.host(), "true", time.monotonic() + LONG).close()


# Names and addresses


@pytest.mark.parametrize(
    ("error", "told", "advice"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), 1, "Check the spelling"),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            2,
            "Is this computer on the network, and does its name server answer?",
        ),
        (UnicodeError("label too long"), 1, "Check the spelling"),
    ],
    ids=["unknown", "passing", "no name"],
)
def test_a_name_that_cannot_be_looked_up_is_told_and_asked_again_if_that_may_help(
    start: Start, monkeypatch: pytest.MonkeyPatch, error: Exception, told: int, advice: str
) -> None:
    asked = []

    def look_up(name: str, *_: object, flags: int = 0) -> list[Any]:
        if flags:  # is it an address, not a name?
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        asked.append(name)
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    message = at_once(start(), Host("node"))
    assert f"its name 'node' cannot be resolved: {getattr(error, 'strerror', error)}" in message
    assert advice in message
    assert asked == ["node"] * told


def test_a_name_that_is_looked_up_for_ever_is_given_up_in_time(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()

    def look_up(*_: object, flags: int = 0) -> list[Any]:
        if not flags:
            hangs.wait(LONG)
        raise socket.gaierror(socket.EAI_NONAME, "no address")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        message = failure(start(), Host("node"), 0.3)
    finally:
        hangs.set()
    assert "its name 'node' was looked up in vain for 0.3 s" in message
    assert "Does this computer's name server answer?" in message


def test_an_address_of_ours_that_is_looked_up_for_ever_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("BindAddress ours\n")
    settings = settle(Host("127.0.0.1"), Config(tmp_path / "config"))
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 22))
    hangs, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: hangs.wait(LONG))
    told = "from ours: its name was looked up in vain for 0.3 s"
    try:
        with pytest.raises(WayError, match=re.escape(told)):
            dialing.dial(settings, [address], Deadline(Clock(), 0.3), ended.wait, lambda wire: None)
    finally:
        hangs.set()


def addresses(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, int]) -> None:
    """Let every name have these addresses, in that order."""

    def look_up(*_: object, flags: int = 0) -> list[Any]:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return [
            (socket.AF_INET6 if ":" in name else socket.AF_INET, 1, 6, "", (name, port))
            for name, port in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_of_several_addresses_each_is_tried(
    start: Start, sshd: Sshd, refused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses(monkeypatch, ("::1", refused_port), ("127.0.0.1", refused_port), good(sshd))
    ssh = start(config=sshd.config_file({"target": "node"}, "HostKeyAlias " + known_as(sshd)))
    ssh.open(Host("target"), "true", time.monotonic() + LONG).close()


def good(sshd: Sshd) -> tuple[str, int]:
    return sshd.addresses[0], sshd.port


def known_as(sshd: Sshd) -> str:
    return f"[{sshd.addresses[0]}]:{sshd.port}"


def test_when_none_of_several_addresses_answers_all_are_named(
    start: Start, refused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses(monkeypatch, ("::1", refused_port), ("127.0.0.1", refused_port))
    message = at_once(start(), Host("node", port=refused_port))
    assert (
        f"cannot connect to node (::1, 127.0.0.1) port {refused_port}: Connection refused"
        in message
    )


def test_where_there_is_no_ipv6_here_the_other_addresses_count(
    start: Start, refused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OfIpv4(Socket):
        def __init__(self, family: int = -1, *how: Any, **named: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            super().__init__(family, *how, **named)

    addresses(monkeypatch, ("::1", refused_port), ("127.0.0.1", refused_port))
    monkeypatch.setattr(dialing, "Socket", OfIpv4)
    assert "port 22: Connection refused" in at_once(start(), Host("node"))
    addresses(monkeypatch, ("::1", refused_port))
    message = at_once(start(), Host("six"))
    assert os.strerror(errno.EAFNOSUPPORT) in message
    assert "No way leads there from here" in message


def test_a_host_that_has_an_address_of_the_other_family_only_is_told(
    start: Start, real_host: Host
) -> None:
    message = at_once(start(config="AddressFamily inet\nHost six\n  HostName ::1"), Host("six"))
    assert "its name '::1' cannot be resolved" in message
    assert "(AddressFamily inet: only an address of IPv4 will do)" in message
    assert "have AddressFamily any in ssh_config" in message


def test_a_host_with_ipv6_only_is_reached(start: Start, keys: Keys, tmp_path: Path) -> None:
    host_key = paramiko.Ed25519Key.from_private_key_file(str(keys.host))
    try:
        port_six = port_with(stuck(host_key, 98, hangs_up=True), "::1")
        with port_six as port:
            config = f"Host six\n  HostName ::1\n  Port {port}\n  StrictHostKeyChecking no\n"
            config += f"  UserKnownHostsFile {tmp_path}/known\n  IdentityFile {keys.client}"
            assert "we are logged in" in failure(start(config=config), Host("six"))
            assert (tmp_path / "known").read_text().startswith(f"[::1]:{port} ssh-ed25519 ")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENETUNREACH, "No way leads there from here: is the network up, or a VPN needed?"),
        (errno.EHOSTUNREACH, "No way leads there from here: is the network up, or a VPN needed?"),
        (errno.EADDRNOTAVAIL, "No way leads there from here: is the network up, or a VPN needed?"),
        (errno.ECONNREFUSED, "Is sshd running there, and is that its port?"),
    ],
)
def test_a_host_that_cannot_be_reached_is_told_at_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    def connect(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Socket, "connect", connect)
    message = at_once(start(), Host("192.0.2.1"))
    assert f"cannot connect to 192.0.2.1 port 22: {os.strerror(code)}" in message
    assert advice in message


def test_a_port_behind_a_firewall_is_given_up_in_time(start: Start) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):  # a queue that is full: Linux drops what comes then
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        port = server.getsockname()[1]
        message = failure(start(), Host("127.0.0.1", port=port), 0.5)
    assert f"127.0.0.1 port {port} gave no answer within 0.5 s" in message
    assert "does no firewall stand between?" in message


# Hops


def test_a_hop_that_is_its_own_hop_is_told(start: Start) -> None:
    ssh = start(config="Host node-1\n  ProxyJump node-1")
    assert "in a circle: node-1 needs node-1" in at_once(ssh, Host("node-1"))


def test_a_hop_whose_name_is_unknown_is_told_by_its_name(start: Start) -> None:
    ssh = start(config="Host node\n  ProxyJump head.invalid")
    message = at_once(ssh, Host("node"))
    assert "its hop head.invalid cannot be used: its name 'head.invalid' cannot be" in message
    assert ssh.way(Host("node")) == "this computer → head.invalid → node"


@pytest.fixture
def gate(picky: dict[str, Sshd]) -> Sshd:
    """A hop that forwards to some places."""
    return picky["gate"]


def test_a_hop_that_does_not_know_the_name_is_told(start: Start, gate: Sshd) -> None:
    message = failure(start(gate.host()), Host("nowhere.invalid", "me"))
    assert "the hop before it cannot connect to nowhere.invalid port 22: " in message
    assert re.search(r"port 22: .*(not known|resolution|No address)", message)
    assert "does the hop know that name?" in message


def test_a_hop_that_forwards_elsewhere_only_is_told(start: Start, gate: Sshd) -> None:
    message = at_once(start(gate.host()), Host("127.0.0.2", "me"))
    assert "the hop before it forbids forwarding to 127.0.0.2 port 22" in message
    assert "PermitOpen" in message


def test_each_of_many_that_a_hop_refuses_at_once_learns_its_own_reason(
    start: Start, gate: Sshd, refused_port: int
) -> None:
    ssh = start(gate.host())
    hosts = [Host(f"127.0.0.{i % 2 + 1}", f"user{i}", refused_port) for i in range(20)]
    with ThreadPoolExecutor(20) as threads:
        messages = list(threads.map(lambda host: failure(ssh, host), hosts))
    for host, message in zip(hosts, messages, strict=True):
        where = f"{host.name} port {refused_port}"
        refused = f"the hop before it cannot connect to {where}: Connection refused"
        forbidden = f"the hop before it forbids forwarding to {where}"
        assert (refused if host.name == "127.0.0.1" else forbidden) in message


# ProxyCommand


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("sh -c 'echo no way through >&2; exit 1'", "led to no SSH server: no way through"),
        ("/no/such/relay %h", "/no/such/relay"),
        ("true", "led to no SSH server: it ended without a word"),
        ("echo rubbish", "led to no SSH server; it said 'rubbish'"),
        ("cat /dev/zero", r"led to no SSH server; it said '\x00\x00"),
        ("yes 'HTTP/1.1 407 Who are you?'", "it said 'HTTP/1.1 407 Who are you?'"),
    ],
    ids=["fails", "is not there", "ends", "says rubbish", "floods", "says HTTP"],
)
def test_a_proxy_command_that_leads_nowhere_is_told_at_once_with_what_it_said(
    start: Start, command: str, told: str
) -> None:
    ssh = start(config=f"Host node\n  ProxyCommand {command}")
    message = at_once(ssh, Host("node"))
    assert "its ProxyCommand led to no SSH server" in message
    assert told in message
    assert "Try that command in a shell" in message
    assert ssh.way(Host("node")) == "this computer → ProxyCommand → node"


def test_a_proxy_command_that_hangs_is_given_up_in_time(start: Start) -> None:
    ssh = start(config="Host node\n  ProxyCommand sleep 30")
    assert "gave no answer within 0.5 s" in failure(ssh, Host("node"), 0.5)


def test_what_a_proxy_command_complains_of_does_nothing_to_a_terminal(start: Start) -> None:
    ssh = start(config="Host node\n  ProxyCommand printf 'no\\033[2Jway' >&2")
    assert "led to no SSH server: no?[2Jway" in at_once(ssh, Host("node"))


def test_a_proxy_command_that_cannot_be_started_leaves_nothing_open(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "no more processes")

    ssh = start(config="Host node\n  ProxyCommand true")
    before = os.listdir("/dev/fd")
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", no_more)
        with pytest.raises(ConnectError, match="no more processes"):
            ssh.open(Host("node"), "true", time.monotonic() + SOON)
    assert {*os.listdir("/dev/fd")} <= {*before}


def test_a_proxy_command_of_another_user_is_left_to_see_that_its_input_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_ours(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    command = Command("sh -c 'cat; echo done >&2'")
    monkeypatch.setattr(os, "killpg", not_ours)
    monkeypatch.setattr(wires, "_GRACE", 60.0)
    assert command.complaint() == "done"


# ssh_config


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("Host a\n  Colour red", 2, "colour: expected a keyword of ssh_config"),
        ("Port many", 1, "port: expected a port between 1 and 65535, not 'many'"),
        ("Host a\n\n  HostName", 3, "hostname: expected something after it"),
        ('User "me', 1, "user: expected a closing quote"),
        ("Compression maybe", 1, "compression: expected one of yes, no, not 'maybe'"),
        ("Match hosts a", 1, "match: expected criteria"),
        ("Match host", 1, "match: expected something after host"),
        ("ProxyJump a:b:c", 1, "proxyjump: expected hosts between commas"),
        ("\nInclude {path}", 2, "include: expected files that do not include one another"),
    ],
)
def test_an_ssh_config_that_makes_no_sense_is_told_by_file_and_line(
    tmp_path: Path, text: str, line: int, told: str
) -> None:
    path = tmp_path / "ssh_config"
    path.write_text(text.format(path=path))
    with pytest.raises(ValueError, match=r"^ssh_config ") as caught:
        SSH(ssh_config=path)
    assert str(caught.value).startswith(f"ssh_config {path} line {line}: {told}")
