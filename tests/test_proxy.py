"""What the tests' own unkind network does to a connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from interstate.hosts import Host

from .proxy import Proxy
from .test_loopback import connected, run, ssh


@pytest.fixture
def proxy(loopback_host: Host, tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(loopback_host, tmp_path) as proxy:
        yield proxy


def test_it_leads_to_its_target_and_counts_what_it_carries(proxy: Proxy) -> None:
    assert ssh(proxy.host, "cat", bytes(1 << 20)).stdout == bytes(1 << 20)
    assert 1 << 20 < proxy.sent < 2 << 20
    assert 1 << 20 < proxy.received < 2 << 20
    assert proxy.accepted == 1


def test_a_delay_is_felt_both_ways(proxy: Proxy) -> None:
    with connected(proxy.host) as client:
        proxy.delay = 0.05
        begun = time.monotonic()
        assert run(client, "echo there") == (b"there\n", 0)
        assert time.monotonic() - begun >= 0.2


def test_a_rate_is_felt_both_ways(proxy: Proxy) -> None:
    data = bytes(1 << 20)
    with connected(proxy.host) as client:
        proxy.rate = 4 * len(data)
        begun = time.monotonic()
        stdin, stdout, _ = client.exec_command("cat")
        stdin.write(data)
        stdin.channel.shutdown_write()
        assert stdout.read() == data
        assert time.monotonic() - begun >= 0.2  # it makes up for what a sleep took too long


def test_what_is_frozen_stands_still_until_it_is_thawed(proxy: Proxy) -> None:
    with connected(proxy.host) as client:
        stdin, stdout, _ = client.exec_command("read line; echo $line")
        proxy.freeze()
        stdin.write(b"later\n")
        stdin.flush()
        stdout.channel.settimeout(0.2)
        with pytest.raises(TimeoutError):
            stdout.channel.recv(10)
        proxy.thaw()
        stdout.channel.settimeout(60)
        assert stdout.channel.recv(10) == b"later\n"


@pytest.mark.parametrize("reset", [True, False])
def test_a_cut_ends_all_connections_and_takes_new_ones(proxy: Proxy, reset: bool) -> None:
    with connected(proxy.host) as client:
        _stdin, stdout, _ = client.exec_command("cat")
        proxy.cut(reset=reset)
        assert stdout.channel.recv(1) == b""
    assert ssh(proxy.host, "echo back").stdout == b"back\n"


def test_a_frozen_connection_can_be_cut(proxy: Proxy) -> None:
    with connected(proxy.host) as client:
        _stdin, stdout, _ = client.exec_command("cat")
        proxy.freeze()
        proxy.cut()
        assert stdout.channel.recv(1) == b""


def test_refused_is_refused(proxy: Proxy) -> None:
    proxy.refuse()
    with pytest.raises((paramiko.SSHException, OSError, EOFError)), connected(proxy.host):
        pass
    proxy.refuse(False)
    assert ssh(proxy.host, "echo back").stdout == b"back\n"
