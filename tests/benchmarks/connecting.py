"""What connecting to hosts costs here: logging in, and reading known_hosts and ssh_config."""

from __future__ import annotations

import base64
import hmac
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import paramiko

import interstate
from interstate import Host
from interstate.ssh import SSH

from .place import PATIENCE, Place, seconds
from .report import Line, Row, at_most
from .turns import compare

_TURNS = 3
_HOSTS = 32
_AT_ONCE = 32  # as many as interstate connects to
_CLIENT = "paramiko.SSHClient: connect, exec"
_KNOWN, _BLOCKS, _ASKED = 10_000, 2_000, 999

Connect = Callable[[Host], object]


def connect_cost(place: Place) -> Row:
    """Up to a running command on each of 32 addresses, beside as many of paramiko's clients."""
    hosts = place.sshd.hosts(_HOSTS)
    one_by_one, at_once = (_compared(hosts, threads) for threads in (1, _AT_ONCE))
    return Row(
        [
            replace(one_by_one, what="one by one"),
            replace(at_once, what=f"{_AT_ONCE} at once"),
            _first_results(hosts),
            _hashed_known_hosts(place, hosts),
            _large_config(place),
        ]
    )


def _compared(hosts: Sequence[Host], threads: int) -> Line:
    found = compare(
        _TURNS,
        lambda: [_with_ours(hosts, threads)],
        {_CLIENT: lambda: [_with_clients(hosts, threads)]},
    )
    return found.line("ms a host", _CLIENT, at_most(1.3), scale=1e3 / len(hosts))


def _with_ours(hosts: Sequence[Host], threads: int) -> float:
    ssh = SSH(ssh_config=None)
    try:
        return _all(lambda host: ssh.open(host, ":", time.monotonic() + PATIENCE), hosts, threads)
    finally:
        ssh.close()


def _with_clients(hosts: Sequence[Host], threads: int) -> float:
    clients: list[paramiko.SSHClient] = []

    def connect(host: Host) -> None:
        clients.append(client := paramiko.SSHClient())
        client.load_host_keys(str(host.known_hosts_file))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            host.name, host.port or 22, host.user, key_filename=str(host.identity_file),
            allow_agent=False, look_for_keys=False, banner_timeout=PATIENCE,
        )  # fmt: skip
        client.exec_command(":")

    try:
        return _all(connect, hosts, threads)
    finally:
        for client in clients:
            client.close()


def _all(connect: Connect, hosts: Sequence[Host], threads: int) -> float:
    with ThreadPoolExecutor(threads) as pool:
        return seconds(lambda: list(pool.map(connect, hosts)))


def _first_results(hosts: Sequence[Host]) -> Line:
    took = seconds(lambda: interstate.execute(os.getpid, hosts=hosts, ssh_config=None))
    return Line(took / len(hosts) * 1e3, "ms a host", what="to the first result")


def _hashed_known_hosts(place: Place, hosts: Sequence[Host]) -> Line:
    """What a long known_hosts file, in which names are hashed, adds to each host."""
    long = place.new_directory() / "known_hosts"
    lines = [f"{_hashed(f'node-{i}')} ssh-ed25519 {_public_key()}\n" for i in range(_KNOWN)]
    long.write_text("".join(lines) + Path(str(hosts[0].known_hosts_file)).read_text())
    with_long = [replace(host, known_hosts_file=str(long)) for host in hosts]
    usual = _cpu(lambda: _with_ours(hosts, 1))
    took = _cpu(lambda: _with_ours(with_long, 1)) - usual
    what = f"more for a known_hosts of {_KNOWN:,} hashed names"
    return Line(took / len(hosts) * 1e3, "ms of CPU a host", what=what)


def _cpu(run: Callable[[], object]) -> float:
    """How much of its own time this process needs."""
    start = time.process_time()
    run()
    return time.process_time() - start


def _hashed(name: str) -> str:
    salt = os.urandom(20)
    digest = base64.b64encode(hmac.digest(salt, name.encode(), "sha1")).decode()
    return f"|1|{base64.b64encode(salt).decode()}|{digest}"


def _public_key() -> str:
    return base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + os.urandom(32)).decode()


def _large_config(place: Place) -> Line:
    """What it takes to find out how to reach each of 999 of 2,000 hosts in an ssh_config."""
    config = place.new_directory() / "config"
    blocks = [f"Host node-{i}\n  HostName 10.0.{i // 250}.{i % 250}\n" for i in range(_BLOCKS)]
    config.write_text("".join(blocks) + "Host *\n  User me\n")

    def find() -> None:
        ssh = SSH(ssh_config=config)
        for i in range(_ASKED):
            ssh.way(Host(f"node-{2 * i}"))
        ssh.close()

    what = f"for an ssh_config of {_BLOCKS:,} hosts"
    return Line(_cpu(find) / _ASKED * 1e3, "ms of CPU a host", what=what)
