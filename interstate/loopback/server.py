"""The process that serves loopback hosts: their ports, their keys, and the order of its end.

Its main thread waits for new connections and for the end of its standard input; each connection
has a thread of paramiko's, and each command and each forwarded connection has a few of `bridge`.
"""

from __future__ import annotations

import io
import json
import logging
import os
import pwd
import selectors
import shutil
import signal
import socket
import sys
import weakref
from contextlib import suppress
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .commands import Commands
from .connection import Account, Connection

_GRACE = 1.0  # seconds that commands have to end by themselves when their standard input has
_BACKLOG = 1024
_INHERITED = ("LANG", "LANGUAGE", "LC_", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_")


def serve(directory: Path, count: int) -> None:
    """Serve `count` hosts until standard input says or reaches its end; does not return.

    The client's key and known_hosts go to `directory`, which is removed at the end.  One line of
    JSON on standard output says the user and the ports.

    Args:
        directory: An empty directory that is ours alone.
        count: How many hosts.
    """
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN: commands would inherit that
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # a lost client is no news here
    server = Server(directory, count)
    print(json.dumps({"user": server.user, "ports": server.ports}), flush=True)
    server.serve_until_readable(sys.stdin.fileno())
    server.end()
    shutil.rmtree(directory, ignore_errors=True)  # whoever started us may be gone
    os._exit(0)  # without a wait for the threads of clients that are still there


class Server:
    """Some hosts: a listening socket and a host key each, and one account that opens them all.

    Args:
        directory: Where the client's key and known_hosts are written.
        count: How many hosts.
    """

    def __init__(self, directory: Path, count: int) -> None:
        self.user = _user()
        self._account = Account(self.user, _write_key(directory / "key"), _environment(self.user))
        self._commands = Commands()
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._hosts = [(_listen(), _new_key()) for _ in range(count)]
        self._write_known_hosts(directory / "known_hosts")

    @property
    def ports(self) -> list[int]:
        """The TCP ports of the hosts, in order."""
        return [listener.getsockname()[1] for listener, _ in self._hosts]

    def serve_until_readable(self, fd: int) -> None:
        """Accept connections until there is something, or the end of it, to read from `fd`."""
        with selectors.DefaultSelector() as selector:
            for listener, key in self._hosts:
                selector.register(listener, selectors.EVENT_READ, (listener, key))
            selector.register(fd, selectors.EVENT_READ)
            while True:
                for ready, _ in selector.select():
                    if ready.data is None:
                        return
                    self._accept(*ready.data)

    def end(self) -> None:
        """End every connection and every command, and wait for the commands, within a bound."""
        for listener, _ in self._hosts:
            listener.close()
        for connection in list(self._connections):
            connection.cut()  # with it go its channels, and with them each command's stdin
        self._commands.end(_GRACE)

    def _accept(self, listener: socket.socket, key: paramiko.PKey) -> None:
        with suppress(OSError):  # the client has gone already
            sock, _ = listener.accept()
            connection = Connection(sock, key, self._account, self._commands)
            self._connections.add(connection)
            connection.start()

    def _write_known_hosts(self, path: Path) -> None:
        lines = [
            f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n"
            for port, (_, key) in zip(self.ports, self._hosts, strict=True)
        ]
        path.write_text("".join(lines))


def _listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    listener.setblocking(False)  # a client may leave between the select and the accept
    return listener


def _new_key() -> paramiko.PKey:
    return _loaded(_private_text())


def _write_key(path: Path) -> paramiko.PKey:
    text = _private_text()
    path.touch(mode=0o600)
    path.write_text(text)
    return _loaded(text)


def _private_text() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    ).decode()


def _loaded(text: str) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text))


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no entry
        return "user"


def _environment(user: str) -> dict[str, str]:
    """What commands find: as little as an sshd gives, and this Python first on the path."""
    path = [os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]
    inherited = {k: v for k, v in os.environ.items() if k.startswith(_INHERITED)}
    return inherited | {
        "HOME": os.path.expanduser("~"),
        "LOGNAME": user,
        "PATH": os.pathsep.join(path),
        "SHELL": "/bin/sh",
        "USER": user,
    }
