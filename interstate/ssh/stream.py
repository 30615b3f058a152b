"""A command's input and output on one host, as a stream of bytes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import paramiko

from .deadline import Deadline
from .inbox import Inbox
from .transport import Transport, execute
from .wires import inside

_OVERHEAD = 64  # bytes of a packet that paramiko keeps for itself
_FAST = 2e7  # bytes a second
_WIDEST = 1 << 23  # bytes; 160 MB/s over a round trip of 50 ms
_SMALL = 1 << 13  # bytes: a socket that takes any takes that many


class Stream:
    """What a command prints, stderr with stdout, and what it reads.

    One thread may read while another writes and a third closes.

    Args:
        channel: A session in which the command runs.
        transport: The connection.
        inbox: What has come.
        guest: Whether the connection is another stream's.
    """

    def __init__(
        self, channel: paramiko.Channel, transport: Transport, inbox: Inbox, guest: bool = False
    ) -> None:
        self._channel = channel
        self._transport = transport
        self._inbox = inbox
        self._guest = guest
        self._sending = False

    @classmethod
    def start(
        cls, transport: Transport, command: str, deadline: Deadline, guest: bool = False
    ) -> Stream:
        """Start a command on a connection.

        Raises:
            SSHException, OSError, EOFError: The server does not run it for us, or not in time.
        """
        channel = transport.open_session(timeout=deadline.remaining())
        inbox = inside(channel).in_buffer = Inbox()
        if not execute(channel, command, deadline) and not inbox.fed:  # which is a hasty yes
            channel.close()
            raise paramiko.SSHException("exec refused")
        return cls(channel, transport, inbox, guest)

    def beside(self, command: str, deadline: Deadline) -> Stream:
        """Start another command on the same connection, as a guest; raises as `start` does."""
        return self.start(self._transport, command, deadline, guest=True)

    def read(self, n: int) -> bytes:
        """Return 1 to n bytes, waiting for the first; b"" at the end, however it came about.

        Args:
            n: The most bytes to return.
        """
        try:
            return self._channel.recv(n)
        except (OSError, EOFError, paramiko.SSHException):
            return b""

    def pump(self, receive: Callable[[bytes], object]) -> None:
        """Hand what comes to `receive`, mostly on the connection's own thread, until the end.

        `receive` may write by `write_now` only.  What it raises ends this, and is raised here.
        """

        window = _Window(self._channel.in_window_size)

        def take(data: bytes) -> None:
            receive(data)
            used = inside(self._channel)._check_add_window(len(data))
            if not used:
                return
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # `pump` ends
                self._transport.give_window(self._channel, used + window.growth(used))

        self._inbox.pump(take)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of data, waiting while the other side takes no more.

        Raises:
            OSError: The connection is gone, so it cannot be said how much of it arrived.
        """
        view = memoryview(data).cast("B")
        self._sending = True
        try:
            while view:
                view = view[self._send(view) :]
        finally:
            self._sending = False

    def write_now(self, data: bytes) -> bool:
        """Send all of data if that cannot block; return whether it was sent.

        Raises:
            OSError: The connection is gone.
        """
        channel = self._channel
        size = min(_SMALL, channel.out_max_packet_size - _OVERHEAD, channel.out_window_size)
        if len(data) > size or not self._transport.writable():
            return False
        return self._send(memoryview(data)) == len(data)

    def _send(self, view: memoryview) -> int:
        size = self._channel.out_max_packet_size
        try:
            sent = self._channel.send(view[:size].tobytes())
        except (EOFError, paramiko.SSHException) as error:
            raise ConnectionResetError("the connection to the host was lost") from error
        if not sent:
            raise BrokenPipeError("the command over there takes no more input")
        if self.lost:  # then paramiko drops what it is given, silently
            raise ConnectionResetError("the connection to the host was lost")
        return sent

    @property
    def lost(self) -> bool:
        """Whether the connection is known to be gone."""
        ending = inside(self._transport).saved_exception is not None  # its streams end before it
        return ending or not self._transport.is_active()

    @property
    def finished(self) -> bool:
        """Whether the command has ended its output; else the connection may be lost."""
        return bool(self._channel.eof_received)

    def close(self) -> None:
        """End the connection to the host at once; hops stay.  Any thread, any number of times.

        A guest ends its own command's input and output only, unless a write is stuck: nothing could
        be said on that connection, and nothing else ends the write.
        """
        self._inbox.close()
        stuck = self._sending and not self._transport.writable()
        if not self._guest or stuck:
            self._transport.close()
        else:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # it has ended
                self._channel.close()


class _Window:
    """How much the other side may send before it hears of us: what a fast and long way needs.

    It grows while what may be sent comes at once; where it comes slowly, it would only lie about
    on the way, before all that comes after it.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._told = time.monotonic()

    def growth(self, used: int) -> int:
        """So many bytes have come since the last time; return by how many it should grow."""
        now = time.monotonic()
        elapsed, self._told = now - self._told, now
        if used < _FAST * elapsed or self._size >= _WIDEST:
            return 0
        self._size += used
        return used
