"""Servers that are none, or bad ones: what may answer on a port in place of a good sshd."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import paramiko
from paramiko.common import (
    AUTH_SUCCESSFUL,
    OPEN_SUCCEEDED,
    cMSG_CHANNEL_DATA,
    cMSG_USERAUTH_SUCCESS,
)

from interstate.loopback.connection import _Packetizer

Answer = Callable[[socket.socket], None]


@contextlib.contextmanager
def port_with(answer: Answer, address: str = "127.0.0.1") -> Iterator[int]:
    """A port each of whose connections is handled by `answer`, in a thread of its own."""
    threads: list[threading.Thread] = []
    taken: list[socket.socket] = []
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def handle(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            answer(client)  # the last: who asked may be gone before it has greeted

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(server.accept()[0])
                threads.append(threading.Thread(target=handle, args=(taken[-1],)))
                threads[-1].start()

    with socket.create_server((address, 0), family=family) as server:
        accepting = threading.Thread(target=serve, args=(server,))
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for client in taken:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """A port of 127.0.0.0/8 that refuses, and that nobody else gets meanwhile: no one listens."""
    with socket.socket() as reserved:
        reserved.bind(("", 0))
        yield reserved.getsockname()[1]


def until_closed(client: socket.socket) -> None:
    """Hear a client out and say nothing."""
    while client.recv(4096):
        pass


def saying(data: bytes) -> Answer:
    """Say something, then no more."""

    def answer(client: socket.socket) -> None:
        client.sendall(data)
        until_closed(client)

    return answer


def saying_and_closing(data: bytes) -> Answer:
    """Say something and hang up, without a reset that could overtake it."""

    def answer(client: socket.socket) -> None:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        until_closed(client)

    return answer


def flooding(data: bytes) -> Answer:
    """Say the same for ever."""

    def answer(client: socket.socket) -> None:
        while True:
            client.sendall(data)

    return answer


_STEPS = 5, 50, 90, 98  # a service, to log in, a channel, a command


class _Server(paramiko.ServerInterface):
    """Lets everybody in, and opens channels."""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class _Transport(paramiko.Transport):
    """A server's end of a connection, without the timer that outlives a handshake broken off.

    Attributes:
        told: Whether a client has been told that it is let in; `is_authenticated` is before that.
    """

    def __init__(self, client: socket.socket, host_key: paramiko.PKey) -> None:
        super().__init__(client, packetizer_class=_Packetizer)
        self.add_server_key(host_key)
        self.told = threading.Event()

    def _send_message(self, message: paramiko.Message) -> None:
        super()._send_message(message)  # type: ignore[misc]
        if message.asbytes()[:1] == cMSG_USERAUTH_SUCCESS:
            self.told.set()


def letting_in_and_hanging_up(host_key: paramiko.PKey) -> Answer:
    """Speak SSH, let everybody in, and hang up at that moment."""

    def answer(client: socket.socket) -> None:
        transport = _Transport(client, host_key)
        try:
            transport.start_server(server=_Server())
            while transport.is_active() and not transport.told.wait(0.001):
                pass
        finally:
            transport.close()

    return answer


def stuck(host_key: paramiko.PKey, at: int, *, hangs_up: bool = False) -> Answer:
    """Speak SSH until a message of type `at` comes (RFC 4250, 4.1.2); say nothing to that."""

    def answer(client: socket.socket) -> None:
        transport = _Transport(client, host_key)
        stop = threading.Event()

        def ignore(*_: object) -> None:
            if hangs_up:
                stop.set()

        later = {kind: ignore for kind in _STEPS if kind >= at}
        transport._handler_table = {**transport._handler_table, **later}  # type: ignore[attr-defined]
        try:
            transport.start_server(server=_Server())
            while transport.is_active() and not stop.wait(0.05):
                pass
        finally:
            transport.close()

    return answer


def bursting(host_key: paramiko.PKey, size: int) -> Answer:
    """Speak SSH, let everybody in, and answer a command with so many bytes, whatever the window."""

    def answer(client: socket.socket) -> None:
        transport = _Transport(client, host_key)
        try:
            transport.start_server(server=_Bursting(size))
            while transport.is_active():
                transport.join(0.05)
        finally:
            transport.close()

    return answer


class _Bursting(_Server):
    def __init__(self, size: int) -> None:
        self._size = size

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        for _ in range(self._size >> 14):
            message = paramiko.Message()
            message.add_byte(cMSG_CHANNEL_DATA)
            message.add_int(channel.remote_chanid)
            message.add_string(bytes(1 << 14))
            channel.get_transport()._send_message(message)  # type: ignore[attr-defined]
        return True
