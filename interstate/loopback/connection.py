"""One client's connection to a loopback host: who may log in, and what may be asked for."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)
from paramiko.message import Message
from paramiko.packet import Packetizer

from . import bridge
from .commands import Commands

_CONNECT_TIMEOUT = 5.0  # to a loopback address: it answers at once, or its queue is full
_IDLE_TIMEOUT = 60.0


@dataclass(frozen=True)
class Account:
    """Whom the loopback hosts let in, and what the commands find in their environment."""

    user: str
    key: paramiko.PKey
    environment: dict[str, str]


class Connection(paramiko.ServerInterface):
    """One connection; paramiko asks it, in that connection's thread, what is allowed."""

    def __init__(
        self, sock: socket.socket, host_key: paramiko.PKey, account: Account, commands: Commands
    ) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._account = account
        self._commands = commands
        self._environment = account.environment | _ssh_variables(sock)
        self._sessions: dict[int, paramiko.Channel] = {}  # paramiko holds channels only weakly
        self._transport = paramiko.Transport(sock, packetizer_class=_Packetizer)
        self._packetizer = cast(_Packetizer, self._transport.packetizer)
        self._transport.add_server_key(host_key)

    def start(self) -> None:
        """Serve the connection in a thread of its own, until either side ends it."""
        self._transport.start_server(event=threading.Event(), server=self)

    def cut(self) -> None:
        """End the connection as a host does that loses its power."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if username != self._account.user or key != self._account.key:
            return AUTH_FAILED
        # paramiko wakes up ten times a second to see whether it was closed; cut() needs no such.
        self._sock.settimeout(_IDLE_TIMEOUT)
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind != "session":
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self._packetizer.afterwards(self._keep_session)
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        session = self._sessions.pop(channel.get_id(), None)
        if session is None:  # it runs a command already
            return False
        self._packetizer.afterwards(lambda: self._run(session, command))
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if not _is_loopback(destination[0]):
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            sock = socket.create_connection(destination, _CONNECT_TIMEOUT)
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._packetizer.afterwards(lambda: self._forward(sock))
        return OPEN_SUCCEEDED

    def _keep_session(self) -> None:
        channel = self._opened()
        self._sessions[channel.get_id()] = channel

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        bridge.thread(bridge.run, channel, command, self._environment, self._commands)

    def _forward(self, sock: socket.socket) -> None:
        bridge.thread(bridge.forward, self._opened(), sock)

    def _opened(self) -> paramiko.Channel:
        """The channel that was just opened; it is there, since this thread put it there."""
        return cast(paramiko.Channel, self._transport.accept(0))


class _Packetizer(Packetizer):
    """Does what a request leads to after the request has been answered, not before.

    paramiko answers when a check has returned, and reads its next message after that.  Work that
    were started by the check itself could overtake the answer: a command's end, its beginning.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._waiting: deque[Callable[[], None]] = deque()

    def start_handshake(self, timeout: float) -> None:
        """Start no timer: where many come at a time, agreeing on keys may take them long."""

    def afterwards(self, action: Callable[[], None]) -> None:
        self._waiting.append(action)

    def read_message(self) -> tuple[int, Message]:
        while self._waiting:
            self._waiting.popleft()()
        return super().read_message()


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _ssh_variables(sock: socket.socket) -> dict[str, str]:
    """What an sshd tells its commands about the connection that they came by."""
    client, client_port = sock.getpeername()
    address, port = sock.getsockname()
    return {
        "SSH_CLIENT": f"{client} {client_port} {port}",
        "SSH_CONNECTION": f"{client} {client_port} {address} {port}",
    }
