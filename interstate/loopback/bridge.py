"""Bytes between a channel and a command, or a channel and a socket: both ways, at either's pace.

Each direction has a thread that reads no more than it can write, so that whoever is slow slows the
other side down, and nothing is buffered here beyond one chunk and the channel's own window.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, cast

from paramiko import Channel, SSHException

from .commands import Commands

_CHUNK = 64 * 1024
_LOOK = 500  # milliseconds after which to see whether the client of a command that stalls is there
_LOST = (OSError, EOFError, SSHException)  # what paramiko raises when the other end is no more


def run(channel: Channel, line: bytes, environment: Mapping[str, str], commands: Commands) -> None:
    """Run a command on a channel, from its start to its exit status; return when it has ended.

    As with an sshd, a command whose client is lost sees the end of its input, and may go on.
    """
    try:
        process = commands.start(line, environment)
    except OSError as error:
        _fail(channel, error)
        return
    stdin, stdout, stderr = _pipes(process)
    thread(_feed, channel, stdin)
    errors = thread(_drain, stderr, channel.sendall_stderr)
    _drain(stdout, channel.sendall)
    errors.join()
    status = commands.reap(process)
    with suppress(*_LOST):
        channel.send_exit_status(status)
        channel.close()


def forward(channel: Channel, sock: socket.socket) -> None:
    """Join a channel and a socket; return when both directions have ended, or the channel has."""
    up = thread(_upload, channel, sock)
    thread(_hang_up, channel, sock)
    _copy(sock.recv, channel.sendall)
    with suppress(*_LOST):
        channel.shutdown_write()
    up.join()
    with suppress(*_LOST):
        channel.close()
    sock.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    pipes = (process.stdin, process.stdout, process.stderr)
    return cast("tuple[IO[bytes], IO[bytes], IO[bytes]]", pipes)


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
    """Copy until the source ends, or either is lost."""
    with suppress(*_LOST):
        while data := read(_CHUNK):
            write(data)


def _feed(channel: Channel, stdin: IO[bytes]) -> None:
    os.set_blocking(stdin.fileno(), False)
    with stdin:
        _copy(channel.recv, lambda data: _write_all(channel, stdin.fileno(), data))
    # What a command no longer wants is thrown away: its client must not stall on it.
    _copy(channel.recv, len)


def _write_all(channel: Channel, fd: int, data: bytes) -> None:
    """Give a command all of it; not if the client goes while the command takes nothing in."""
    room, view = select.poll(), memoryview(data)
    room.register(fd, select.POLLOUT)
    while view:
        if room.poll(_LOOK):
            view = view[os.write(fd, view) :]
        elif channel.closed:
            raise EOFError


def _drain(source: IO[bytes], write: Callable[[bytes], object]) -> None:
    with source:  # closed when the client is gone: the command's next write then fails
        _copy(source.read, write)


def _upload(channel: Channel, sock: socket.socket) -> None:
    _copy(channel.recv, sock.sendall)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


def _hang_up(channel: Channel, sock: socket.socket) -> None:
    _wait_closed(channel)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _wait_closed(channel: Channel) -> None:
    # No client ever sends a server an exit status, so this waits for the only other thing that it
    # waits for: the end of the channel, by either side or with its connection.
    channel.recv_exit_status()


def _fail(channel: Channel, error: OSError) -> None:
    with suppress(*_LOST):
        channel.sendall_stderr(f"interstate.loopback: {error}\n".encode())
        channel.send_exit_status(255)
        channel.close()


def thread(target: Callable[..., object], *args: object) -> threading.Thread:
    """Start a thread, and return it."""
    started = threading.Thread(target=target, args=args, name=target.__name__, daemon=True)
    started.start()
    return started
