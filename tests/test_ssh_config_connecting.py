"""What is promised about ssh_config once we connect: what it says of a connection is so."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import cMSG_CHANNEL_DATA
from paramiko.message import Message

from interstate.errors import AuthenticationError, ConnectError, HostKeyError
from interstate.hosts import Host
from interstate.ssh import SSH, Stream, interfaces
from interstate.ssh.deadline import Clock, Deadline
from interstate.ssh.transport import Transport
from interstate.ssh.wires import Command, Socket, inside

from .sshd import Keys, Sshd, loopback_addresses
from .test_ssh_login import Person, config_file, password_server, refusal, with_key


@pytest.fixture
def made() -> Iterator[list[SSH]]:
    """The SSHs of a test, which are closed after it."""
    made: list[SSH] = []
    yield made
    for ssh in made:
        ssh.close()


@pytest.fixture
def start(made: list[SSH], sshd: Sshd) -> Callable[..., Stream]:
    """A function: a command on the sshd's `target`, given lines of ssh_config."""

    def started(more: str, command: str = "cat") -> Stream:
        made.append(SSH(ssh_config=sshd.config_file(more=more)))
        return made[-1].open(Host("target"), command, time.monotonic() + 120)

    return started


def transport(ssh: SSH) -> Transport:
    """The one connection that is open."""
    (only,) = (one for one in ssh._alive if one.is_active())
    return only


def everything(stream: Stream) -> str:
    return b"".join(iter(lambda: stream.read(4096), b"")).decode()


def test_the_algorithms_are_those_of_ssh_config(
    start: Callable[..., Stream], made: list[SSH]
) -> None:
    start("Ciphers 3des-cbc,aes256-ctr\nMACs -*etm*,hmac-sha2-256\nKexAlgorithms *nistp384")
    agreed = transport(made[0])
    assert agreed.local_cipher == "aes256-ctr"
    assert agreed.local_mac == "hmac-sha2-512"
    assert agreed.get_security_options().kex == ("ecdh-sha2-nistp384",)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "Ciphers"),
        ("Ciphers *-ctr\nMACs umac-*", "MACs"),
    ],
)
def test_algorithms_of_which_we_have_none_are_an_error(
    start: Callable[..., Stream], line: str, named: str
) -> None:
    with pytest.raises(ConnectError, match=f"wants {named} .*none of these is possible here"):
        start(line)


def test_host_keys_are_asked_for_as_ssh_config_says(start: Callable[..., Stream]) -> None:
    with pytest.raises(ConnectError, match="no handshake with it"):  # its key is an ed25519
        start("HostKeyAlgorithms rsa-sha2-*")


def test_compression_compresses(start: Callable[..., Stream], made: list[SSH]) -> None:
    stream = start("Compression yes")
    assert transport(made[0]).local_compression == "zlib@openssh.com"
    data = b"0123456789abcdef" * 65536
    writer = threading.Thread(target=stream.write, args=(data,))
    writer.start()
    back = b""
    while len(back) < len(data):
        back += stream.read(1 << 20)
    writer.join()
    assert back == data


def test_variables_are_sent_and_set(
    start: Callable[..., Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_SENT", "sent\N{SNOWMAN}")
    monkeypatch.setenv("LC_KEPT", "kept")
    stream = start(
        'SendEnv LC_SENT LC_KEPT\nSendEnv -LC_K*\nSetEnv LC_SET="two words" REFUSED=1',
        'echo "$LC_SENT,$LC_KEPT,$LC_SET,$REFUSED"',
    )
    assert everything(stream) == "sent\N{SNOWMAN},,two words,\n"


def test_connections_come_from_the_bind_address(start: Callable[..., Stream]) -> None:
    line = start("BindAddress 127.0.0.9", "echo $SSH_CLIENT")
    assert everything(line).split()[0] == "127.0.0.9"
    with pytest.raises(ConnectError, match=r"from 203\.0\.113\.1.*See BindAddress"):
        start("BindAddress 203.0.113.1")


def test_connections_come_from_an_address_of_the_bind_interface(
    start: Callable[..., Stream],
) -> None:
    (loopback,) = {
        own.interface for own in interfaces.addresses() if str(own.address) == "127.0.0.1"
    }
    line = start(f"BindInterface {loopback}", "echo $SSH_CLIENT")
    assert everything(line).split()[0] == "127.0.0.1"
    line = start(f"BindInterface {loopback}\nBindAddress 127.0.0.9", "echo $SSH_CLIENT")
    assert everything(line).split()[0] == "127.0.0.9"
    with pytest.raises(ConnectError, match=r"from nosuch0: the interface nosuch0 has no IPv4"):
        start("BindInterface nosuch0")


@pytest.mark.parametrize(("line", "asked"), [("TCPKeepAlive no", 0), ("", 1)])
def test_kernels_ask_one_another_whether_they_are_there_unless_told_otherwise(
    start: Callable[..., Stream], made: list[SSH], line: str, asked: int
) -> None:
    start(line)
    wire = transport(made[0]).wire
    assert isinstance(wire, Socket)
    assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == asked


@pytest.mark.parametrize("line", ["RekeyLimit 64K", "RekeyLimit default 1"])
def test_keys_are_agreed_on_anew_as_often_as_asked_for(
    start: Callable[..., Stream], made: list[SSH], line: str
) -> None:
    stream = start(line)
    connection = transport(made[0])
    hashes, end = {connection.H}, time.monotonic() + 60
    while len(hashes) < 3 and time.monotonic() < end:
        stream.write(bytes(16384))
        there = 0
        while there < 16384:
            there += len(stream.read(16384))
        hashes.add(connection.H)
    assert len(hashes) == 3
    stream.write(b"after it")
    assert stream.read(8) == b"after it"


def test_a_command_may_end_while_keys_are_agreed_on_anew(
    start: Callable[..., Stream], made: list[SSH]
) -> None:
    stream = start("", "read end; echo ended")
    connection = transport(made[0])
    connection.clear_to_send.clear()  # as once we have said that we want other keys
    end = Message()
    end.add_byte(cMSG_CHANNEL_DATA)
    end.add_int(stream._channel.remote_chanid)
    end.add_string("\n")
    inside(connection)._send_message(end)
    assert everything(stream) == "ended\n"
    for _ in iter(lambda: inside(connection)._channels.get(stream._channel.chanid), None):
        threading.Event().wait(0.01)  # that it is closed is heard a moment after its end
    agreed = connection.H
    connection.renegotiate_keys()
    assert agreed != connection.H
    again = made[0].beside(stream, Host("target"), "echo on", time.monotonic() + 60)
    assert everything(again) == "on\n"
    assert transport(made[0]) is connection


HANDS_OVER = """
import socket, sys
made = socket.create_connection((sys.argv[1], int(sys.argv[2])))
socket.send_fds(socket.socket(fileno=1), [b"x"], [made.fileno()])
"""


def test_a_proxy_command_may_hand_its_connection_over(
    start: Callable[..., Stream], made: list[SSH], tmp_path: Path
) -> None:
    (tmp_path / "proxy.py").write_text(HANDS_OVER)
    proxy = f"ProxyUseFdpass yes\nProxyCommand {sys.executable} {tmp_path}/proxy.py %h %p"
    assert everything(start(proxy, "echo in")) == "in\n"
    assert not isinstance(transport(made[0]).wire, Command)


def test_what_a_proxy_command_leads_to_is_not_taken_for_this_computer(
    made: list[SSH], sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "proxy.py").write_text(HANDS_OVER)
    unknown = f"NoHostAuthenticationForLocalhost yes\nUserKnownHostsFile {tmp_path}/none"
    proxy = f"ProxyUseFdpass yes\nProxyCommand {sys.executable} {tmp_path}/proxy.py %h %p"
    made.append(SSH(ssh_config=sshd.config_file(more=f"Host *\n{unknown}\n{proxy}")))
    host = Host(sshd.addresses[0], port=sshd.port)  # as where that is a SOCKS proxy
    with pytest.raises(HostKeyError, match="its host key is not known"):
        made[0].open(host, "true", time.monotonic() + 120)


def test_a_host_that_shows_another_key_when_keys_are_agreed_on_anew_is_left() -> None:
    ends, ready = socket.socketpair(), threading.Event()
    server = paramiko.Transport(ends[0])
    server.add_server_key(paramiko.ECDSAKey.generate())
    server.start_server(server=paramiko.ServerInterface(), event=ready)
    client = Transport(Socket(fileno=ends[1].detach()), "client")
    client.handshake(lambda names: names, Deadline(Clock(), 120))
    shown = client.get_remote_server_key()
    assert ready.wait(60)
    server.add_server_key(paramiko.ECDSAKey.generate())
    with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
        server.renegotiate_keys()
    client.join(60)
    assert not client.is_alive()
    assert "another host key" in str(client.get_exception())
    assert client.host_key == shown
    for end in client, server:
        end.close()


def test_a_proxy_command_that_hands_nothing_over_is_an_error(start: Callable[..., Stream]) -> None:
    with pytest.raises(ConnectError, match=r"handed no connection over: no way.*`nc -F`"):
        start("ProxyUseFdpass yes\nProxyCommand sh -c 'echo no way >&2'")


def test_what_a_proxy_command_hands_over_is_closed_if_it_is_no_connection(
    start: Callable[..., Stream],
) -> None:
    program = "import os, socket; a = os.open(os.devnull, 0); b = socket.socket(fileno=1)"
    program += "; socket.send_fds(b, [b'x'], [a])"
    before = {*os.listdir("/dev/fd")}
    with pytest.raises(ConnectError, match=r"handed no connection over: what it did .* is none"):
        start(f'ProxyUseFdpass yes\nProxyCommand {sys.executable} -c "{program}"')
    assert {*os.listdir("/dev/fd")} <= before


def test_an_address_family_that_a_host_has_not_is_an_error(start: Callable[..., Stream]) -> None:
    with pytest.raises(ConnectError, match="cannot be resolved"):
        start("AddressFamily inet6")


def test_what_holds_for_a_hop_is_what_its_own_block_says(made: list[SSH], sshd: Sshd) -> None:
    first, second, last = sshd.addresses[:3]
    more = """
Host target
  ProxyJump second
  Ciphers aes256-ctr
Host second
  ProxyJump first
Host first
  BindAddress 127.0.0.9
"""
    aliases = {"target": last, "second": second, "first": first}
    made.append(SSH(ssh_config=sshd.config_file(aliases, more)))
    stream = made[0].open(Host("target"), "echo $SSH_CONNECTION", time.monotonic() + 120)
    assert everything(stream).split()[2] == last
    assert made[0].way(Host("target")) == "this computer → first → second → target"
    ciphers = {one.name: one.local_cipher for one in made[0]._alive if one.is_active()}
    assert ciphers["ssh target"] == "aes256-ctr" != ciphers["ssh first"]


def test_connection_attempts_are_made_a_second_apart(
    made: list[SSH], tmp_path: Path, refused_port: int
) -> None:
    path = tmp_path / "config"
    path.write_text(f"Port {refused_port}\nConnectionAttempts 2\n")
    made.append(SSH(ssh_config=path))
    began = time.monotonic()
    with pytest.raises(ConnectError, match="refused"):
        made[0].open(Host("127.0.0.1"), "true", began + 120)
    assert time.monotonic() - began >= 1.0


def test_a_server_that_falls_silent_is_given_up(tmp_path: Path, keys: Keys) -> None:
    (tmp_path / "sshd").mkdir()
    with Sshd(tmp_path / "sshd", keys) as sshd:
        more = "ServerAliveInterval 1\nServerAliveCountMax 4"
        ssh = SSH(ssh_config=sshd.config_file(more=more))
        command = "sleep 6; echo there; read line"  # it answers meanwhile, and so it stays
        stream = ssh.open(Host("target"), command, time.monotonic() + 120)
        assert stream.read(6) == b"there\n"
        stopped = sshd.sessions()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert stream.read(1) == b""
            assert stream.lost
            assert not stream.finished
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            ssh.close()


def test_only_the_preferred_methods_are_tried(start: Callable[..., Stream]) -> None:
    with pytest.raises(AuthenticationError, match="the server allows publickey") as caught:
        start("PreferredAuthentications password")
    assert "there was no key to offer" in str(caught.value)
    with pytest.raises(AuthenticationError, match="there was no key to offer"):
        start("PubkeyAuthentication no")


def test_a_password_comes_before_a_key_where_that_is_preferred(keys: Keys, tmp_path: Path) -> None:
    person = Person("wrong")
    config = config_file(tmp_path, "PreferredAuthentications password,publickey")
    with password_server("publickey,password", keys, tmp_path) as (host, attempts):
        message = refusal(with_key(host, keys.client), config, person)
    assert attempts == ["wrong"]
    assert message.index("a password") < message.index(str(keys.client))


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_password_is_asked_for_as_often_as_allowed(keys: Keys, tmp_path: Path, most: int) -> None:
    person = Person("one", "two", "three")
    lines = (f"NumberOfPasswordPrompts {most}", "IdentityFile none", "IdentityAgent none")
    with password_server("password", keys, tmp_path) as (host, attempts):
        refusal(host, config_file(tmp_path, *lines), person)
    assert attempts == ["one", "two", "three"][:most]


def test_an_rsa_host_key_that_is_too_small_is_refused(
    made: list[SSH], tmp_path: Path, keys: Keys
) -> None:
    small = tmp_path / "rsa"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(small)], check=True
    )
    (tmp_path / "sshd").mkdir()
    with Sshd(tmp_path / "sshd", Keys(keys.client, small), listen=loopback_addresses(1)) as sshd:
        made.append(SSH(ssh_config=sshd.config_file(more="RequiredRSASize 3072")))
        with pytest.raises(HostKeyError, match="2048 bits, fewer than RequiredRSASize 3072"):
            made[0].open(Host("target"), "true", time.monotonic() + 120)


def test_a_certificate_file_lets_us_in(made: list[SSH], tmp_path: Path, keys: Keys) -> None:
    authority, mine = tmp_path / "ca", tmp_path / "mine"
    for path in (authority, mine):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    (tmp_path / "sshd").mkdir()
    options = [f"TrustedUserCAKeys {authority}.pub"]
    with Sshd(tmp_path / "sshd", keys, listen=loopback_addresses(1), options=options) as sshd:
        sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", sshd.user]
        subprocess.run([*sign, f"{mine}.pub"], check=True)
        certificate = tmp_path / "elsewhere"
        os.rename(f"{mine}-cert.pub", certificate)
        more = f"CertificateFile {certificate}\nHost target\nIdentityFile {mine}"
        made.append(SSH(ssh_config=sshd.config_file(more=more)))
        stream = made[0].open(Host("target"), "echo in", time.monotonic() + 120)
        assert everything(stream) == "in\n"
        assert str(certificate) in made[0].met(Host("target")).key
        made[0].close()
