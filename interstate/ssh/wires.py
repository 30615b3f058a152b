"""What bytes of SSH travel on: a TCP connection, a ProxyCommand, or a channel through a hop."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from typing import IO, Any, Protocol

import paramiko

from ..errors import ConnectError
from ..printable import printable
from .deadline import Deadline
from .settings import Settings
from .trouble import BusyError, HopLostError, WayError

_GRACE = 0.5  # seconds that a ProxyCommand has between SIGTERM and SIGKILL
ALIVE = 1.0  # seconds that a hop may take to show that it is there
_PROHIBITED, _CONNECT_FAILED = 1, 2  # RFC 4254, 5.1: why a channel was not opened


def inside(thing: object) -> Any:
    """Return an object of paramiko's, to be used in ways that it does not promise.

    Each use is one that paramiko's public methods offer no bounded or non-blocking form of.
    """
    return thing


class Wire(Protocol):
    """What a transport needs of a socket.  `owner` is the thread that reads from it."""

    owner: threading.Thread | None

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...
    def settimeout(self, timeout: float | None, /) -> None: ...
    def hasten(self) -> None: ...
    def writable(self) -> bool: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...


class Socket(socket.socket):
    """A socket of the system's as a Wire."""

    owner: threading.Thread | None = None
    _poll: select.poll | None = None

    def hasten(self) -> None:
        """Acknowledge what comes at once, from now on, where the system can.

        A hop's sshd leaves Nagle's algorithm on, so that of several small messages from behind it
        all but the first would wait for an acknowledgement, 40 ms as a rule.
        """
        of_tcp = self.family in (socket.AF_INET, socket.AF_INET6)
        if hasattr(socket, "TCP_QUICKACK") and of_tcp:
            self.recv = self._recv_and_acknowledge  # type: ignore[method-assign]

    def writable(self) -> bool:
        """Whether a few kilobytes can be sent without waiting."""
        if self._poll is None:
            if self.fileno() < 0:
                return False  # it was closed before anything was sent
            self._poll = select.poll()
            self._poll.register(self, select.POLLOUT)
        return [event for _, event in self._poll.poll(0)] == [select.POLLOUT]

    def _recv_and_acknowledge(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(size, flags)
        if data:  # Linux takes it back by and by, so it is said each time
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def is_local(wire: Wire) -> bool:
    """Whether what we are connected to is this computer, as far as its address tells."""
    if not isinstance(wire, Socket) or wire.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return ipaddress.ip_address(wire.getpeername()[0].partition("%")[0]).is_loopback
    except OSError:
        return False  # it has hung up


class Command(Socket):
    """A ProxyCommand: a process whose stdin and stdout are the other end of this socket.

    It has a session of its own, so that a Ctrl-C meant for us does not end it.
    """

    def __init__(self, line: str) -> None:
        ours, theirs = socket.socketpair()
        super().__init__(fileno=ours.detach())
        self._closing = threading.Lock()
        self._complaint = ""
        with theirs, contextlib.ExitStack() as unless_started:
            unless_started.callback(super().close)
            self._errors = unless_started.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(  # noqa: S602  # ssh_config has it that a shell reads it
                f"exec {line}",
                shell=True,
                executable=os.environ.get("SHELL") or None,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                start_new_session=True,
            )
            unless_started.pop_all()

    def send(self, data: Any, flags: int = 0, /) -> int:
        try:
            return super().send(data, flags)
        except BrokenPipeError:  # it has ended: what it has said is still to be read, then the end
            return memoryview(data).nbytes

    def complaint(self) -> str:
        """End the command; return the last of what it wrote to stderr."""
        self.close()
        return self._complaint

    def close(self) -> None:
        super().close()
        with self._closing:
            if not self._errors.closed:
                _end(self._process)
                self._complaint = _tail(self._errors)
                self._errors.close()


def handed_over(line: str, deadline: Deadline, begin: Callable[[Socket], None]) -> Wire:
    """Run a ProxyCommand, and return the connection that it passes to us (ProxyUseFdpass).

    Args:
        line: The command.
        deadline: When to give up.
        begin: Given the command's socket before the wait: shutting it down ends that.

    Raises:
        WayError: It passes none, or not in time.
    """
    command = Command(line)
    with contextlib.closing(command):
        begin(command)
        command.settimeout(max(deadline.remaining(), 0.001))
        try:
            _, passed, _, _ = socket.recv_fds(command, 1, 1)
        except TimeoutError:
            passed = []
        if not passed:
            raise _nothing(command.complaint())
    os.set_inheritable(passed[0], False)
    try:
        return Socket(fileno=passed[0])
    except OSError as error:
        os.close(passed[0])
        raise _nothing(f"what it did hand over is none ({error.strerror})") from error


def _nothing(complaint: str) -> WayError:
    return WayError(
        ConnectError,
        f"its ProxyCommand handed no connection over: {complaint or 'it said nothing of why'}",
        "ProxyUseFdpass is for commands that can do that, such as `nc -F`.",
        "its ProxyCommand handed no connection over",
    )


def _tail(file: IO[bytes]) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - 500))
    return printable(file.read().decode(errors="replace")).strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(PermissionError):  # macOS says so of what has just ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    except (ProcessLookupError, PermissionError):  # another user's, as by sudo: its input has ended
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


class Tunnel:
    """A channel through a hop to the next host's sshd.

    Closing a channel tells the hop, which blocks while the hop takes nothing in.  So `shutdown`
    only wakes whoever reads or writes here, and the thread that reads does the telling.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self.owner: threading.Thread | None = None
        self._channel = channel
        self._untold: tuple[Any, ...] = ()
        self.recv = channel.recv
        self.send = channel.send
        self.settimeout = channel.settimeout

    def hasten(self) -> None:
        """Do nothing: it is the kernels of the hops that acknowledge."""

    @property
    def cut(self) -> bool:
        """Whether the hop was lost; its channels end before it does."""
        hop = inside(self._channel.get_transport())
        return hop.saved_exception is not None or not hop.is_active()

    @property
    def _closed(self) -> bool:  # paramiko asks every socket for it
        return self._channel.closed

    def writable(self) -> bool:
        """Never sure: it is another connection's buffers that this goes into."""
        return False

    def shutdown(self, how: int) -> None:
        with self._channel.lock:
            self._untold += inside(self._channel)._close_internal()

    def close(self) -> None:
        self.shutdown(socket.SHUT_RDWR)
        if self._may_block():
            with self._channel.lock:
                untold, self._untold = self._untold, ()
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # the hop is gone
                for message in filter(None, untold):
                    inside(self._channel.get_transport())._send_user_message(message)

    def _may_block(self) -> bool:
        owner = self.owner
        return owner is None or not owner.is_alive() or owner is threading.current_thread()


class Hop(Protocol):
    """What a tunnel needs of the connection to a hop."""

    def open_channel(
        self, kind: str, dest_addr: tuple[str, int], src_addr: tuple[str, int], *, timeout: float
    ) -> paramiko.Channel: ...
    def responds(self, seconds: float) -> bool: ...
    def is_active(self) -> bool: ...
    def close(self) -> None: ...


def tunnel(hop: Hop, settings: Settings, deadline: Deadline) -> Wire:
    """Open a channel through a hop to a host's sshd.

    Raises:
        WayError: The hop cannot reach it, forbids it, or does not answer in time.
        HopLostError: The hop was lost meanwhile, or has fallen silent: then it is closed, so that
            another connection to it is made for the next attempt.
        BusyError: The hop could not forward just now.
    """
    where = f"{settings.address} port {settings.port}"
    limit = deadline.within(settings.connect_timeout)
    try:
        channel = hop.open_channel(
            "direct-tcpip",
            (settings.address, settings.port),
            ("127.0.0.1", 0),
            timeout=limit.remaining(),
        )
    except paramiko.ChannelException as error:
        raise _not_forwarded(where, error) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        if not hop.is_active():
            raise HopLostError(f"the hop before it was lost ({error!r})") from error
        if not hop.responds(ALIVE):
            hop.close()
            raise HopLostError("the hop before it has fallen silent") from error
        raise WayError(
            ConnectError,
            f"the hop before it could not connect to {where} within {limit.seconds:.3g} s",
            "Is it up, and can it be reached from that hop?",
            "the hop before it got no connection to it in time",
        ) from error
    return Tunnel(channel)


def _not_forwarded(where: str, error: paramiko.ChannelException) -> WayError | BusyError:
    why = f": {error.text}" if error.text else ""
    if error.code == _PROHIBITED:
        return WayError(
            ConnectError,
            f"the hop before it forbids forwarding to {where}",
            "Its sshd_config needs AllowTcpForwarding (and PermitOpen) for that.",
            "the hop before it forbids forwarding to it",
        )
    if error.code == _CONNECT_FAILED:
        return WayError(
            ConnectError,
            f"the hop before it cannot connect to {where}{why}",
            "Is sshd running there, is that its port, and does the hop know that name?",
            f"the hop before it cannot connect to it{why}",
        )
    return BusyError(f"the hop before it could not forward to it: {error.text}")
