"""Where the benchmarks run: a real sshd, executors on it, and the peers' ways to it."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import paramiko

from interstate import Host, SSHExecutor
from tests.sshd import Keys, Sshd, loopback_addresses

from .peer import Peer

HOSTS = 100
PATIENCE = 120.0  # seconds that any one wait may take
READ = 1 << 18  # bytes at once


class Place:
    """One sshd at 100 addresses, to be used in a with-statement.

    Args:
        directory: An empty directory for its files.
        peers_python: The Python of an environment with the peers; None: there is none.
    """

    def __init__(self, directory: Path, peers_python: str | None = None) -> None:
        self._directory = directory
        self._peers_python = peers_python
        for name in ("keys", "sshd"):
            (directory / name).mkdir()
        self.keys = Keys.generate(directory / "keys")
        self.sshd = Sshd(directory / "sshd", self.keys, listen=loopback_addresses(HOSTS))

    def __enter__(self) -> Place:
        self.sshd.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.sshd.__exit__(*error)

    @property
    def host(self) -> Host:
        return self.sshd.host()

    @property
    def described_host(self) -> dict[str, Any]:
        """The host, for other processes."""
        return asdict(self.host)

    def new_directory(self) -> Path:
        """An empty directory for a row's files."""
        return Path(tempfile.mkdtemp(dir=self._directory))

    def peer(self, module: str) -> Peer:
        """One of the peers in their own environment."""
        return Peer(module, self._peers_python)

    @property
    def hop(self) -> Host:
        """A jump host: another address of the same sshd."""
        return self.sshd.host(self.sshd.addresses[1])

    @contextlib.contextmanager
    def executor(
        self, workers: int = 2, host: Host | None = None, via: Host | None = None
    ) -> Iterator[SSHExecutor]:
        """One of ours on one host, whose workers are up."""
        hosts = [host or self.host]
        with SSHExecutor(hosts, via, workers_per_host=workers, ssh_config=None) as executor:
            warm_up(executor)
            yield executor

    @contextlib.contextmanager
    def channel(
        self, command: str, host: Host | None = None, via: Host | None = None
    ) -> Iterator[paramiko.Channel]:
        """A command's channel, as bare as paramiko has it."""
        with contextlib.ExitStack() as ends:
            transport = _transport(ends, host or self.host, via)
            channel = transport.open_session()
            channel.settimeout(PATIENCE)
            channel.exec_command(command)
            yield channel


def _transport(
    ends: contextlib.ExitStack, host: Host, via: Host | None = None
) -> paramiko.Transport:
    address = (host.name, host.port or 22)
    wire: Any
    if via is None:
        wire = socket.create_connection(address)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        wire = _transport(ends, via).open_channel("direct-tcpip", address, ("127.0.0.1", 0))
    transport = ends.enter_context(contextlib.closing(paramiko.Transport(wire)))
    key = paramiko.Ed25519Key.from_private_key_file(str(host.identity_file))
    transport.connect(username=str(host.user), pkey=key)
    return transport


@contextlib.contextmanager
def process_pool() -> Iterator[ProcessPoolExecutor]:
    """The peer on this machine: two processes, started before any thread of ours."""
    with ProcessPoolExecutor(2) as executor:
        warm_up(executor)
        yield executor


def warm_up(executor: Executor, calls: int = 200) -> None:
    for future in [executor.submit(abs, -1) for _ in range(calls)]:
        future.result(PATIENCE)


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
