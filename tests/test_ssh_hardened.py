"""What is promised about servers that allow few algorithms: what both have is found, as by ssh."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interstate.errors import ConnectError
from interstate.hosts import Host
from interstate.ssh import SSH
from interstate.ssh.transport import Transport

from .sshd import Keys, Sshd

PATIENCE = 60.0  # seconds; none of it is waited for
NO_MAC_OF_OURS = "MACs umac-128-etm@openssh.com,umac-64@openssh.com"
Connect = Callable[..., Transport]


@pytest.fixture(scope="module")
def hardened(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sshd]:
    """A server with an AEAD cipher, no MAC that we have, and X25519 by its newer name alone."""
    rules = ["Ciphers aes256-gcm@openssh.com", NO_MAC_OF_OURS, "KexAlgorithms curve25519-sha256"]
    with Sshd(tmp_path_factory.mktemp("hardened"), keys, options=rules) as sshd:
        yield sshd


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A function: have a server say hello, given lines of ssh_config; return the connection."""
    made: list[SSH] = []

    def connected(sshd: Sshd, more: str = "") -> Transport:
        made.append(SSH(ssh_config=sshd.config_file(more=more)))
        stream = made[-1].open(Host("target"), "echo hello", time.monotonic() + PATIENCE)
        assert b"".join(iter(lambda: stream.read(99), b"")) == b"hello\n"
        (transport,) = made[-1]._alive
        return transport

    yield connected
    for ssh in made:
        ssh.close()


def test_a_server_without_a_mac_of_ours_will_do_if_the_cipher_needs_none(
    hardened: Sshd, connect: Connect
) -> None:
    assert connect(hardened).local_cipher == "aes256-gcm@openssh.com"


def test_keys_are_agreed_on_anew_with_such_a_server(hardened: Sshd, connect: Connect) -> None:
    connect(hardened).renegotiate_keys()


def test_where_ssh_config_wants_no_mac_of_ours_a_cipher_that_needs_none_is_taken(
    sshd: Sshd, hardened: Sshd, connect: Connect
) -> None:
    ciphers = "Ciphers aes256-ctr,chacha20-poly1305@openssh.com,aes256-gcm@openssh.com"
    for server in (sshd, hardened):
        agreed = connect(server, f"{ciphers}\n{NO_MAC_OF_OURS}")
        assert agreed.local_cipher == "aes256-gcm@openssh.com"
        assert agreed.preferred_ciphers == ("aes256-gcm@openssh.com",)


def test_where_the_cipher_needs_a_mac_it_is_said_that_there_is_none(
    tmp_path: Path, keys: Keys, connect: Connect
) -> None:
    missing = r"no MAC that both ends would take\. It offers umac"
    with (
        Sshd(tmp_path, keys, options=["Ciphers aes256-ctr", NO_MAC_OF_OURS]) as server,
        pytest.raises(ConnectError, match=missing),
    ):
        connect(server)
