"""Where the benchmarks run: a real sshd, executors on it, and the peers' ways to it."""

from __future__ import annotations

import contextlib
import socket
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

    Attributes:
        directory: Where rows may have files of their own.
    """

    def __init__(self, directory: Path, peers_python: str | None = None) -> None:
        self.directory = directory
        self._peers_python = peers_python
        for name in ("keys", "sshd"):
            (directory / name).mkdir()
        keys = Keys.generate(directory / "keys")
        self.sshd = Sshd(directory / "sshd", keys, listen=loopback_addresses(HOSTS))

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

    def peer(self, module: str) -> Peer:
        """One of the peers in their own environment."""
        return Peer(module, self._peers_python)

    @contextlib.contextmanager
    def executor(self, workers: int = 2) -> Iterator[SSHExecutor]:
        """One of ours on one host, whose workers are up."""
        with SSHExecutor([self.host], workers_per_host=workers, ssh_config=None) as executor:
            warm_up(executor)
            yield executor

    @contextlib.contextmanager
    def channel(self, command: str, host: Host | None = None) -> Iterator[paramiko.Channel]:
        """A command's channel, as bare as paramiko has it."""
        host = host or self.host
        wire = socket.create_connection((host.name, host.port))
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.closing(paramiko.Transport(wire)) as transport:
            key = paramiko.Ed25519Key.from_private_key_file(str(host.identity_file))
            transport.connect(username=str(host.user), pkey=key)
            channel = transport.open_session()
            channel.settimeout(PATIENCE)
            channel.exec_command(command)
            yield channel


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
