"""A command's input and output on one host, as a stream of bytes."""

from __future__ import annotations

from collections.abc import Callable

import paramiko

from .inbox import Inbox
from .transport import Transport
from .wires import inside

_OVERHEAD = 64  # bytes of a packet that paramiko keeps for itself
_SMALL = 1 << 13  # bytes: a socket that takes any takes that many


class Stream:
    """What a command prints, stderr with stdout, and what it reads.

    One thread may read while another writes and a third closes.
    """

    def __init__(self, channel: paramiko.Channel, transport: Transport, inbox: Inbox) -> None:
        self._channel = channel
        self._transport = transport
        self._inbox = inbox

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

        def take(data: bytes) -> None:
            receive(data)
            size = inside(self._channel)._check_add_window(len(data))
            if size:
                self._transport.give_window(self._channel, size)

        self._inbox.pump(take)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of data, waiting while the other side takes no more.

        Raises:
            OSError: The connection is gone, so it cannot be said how much of it arrived.
        """
        view = memoryview(data).cast("B")
        while view:
            view = view[self._send(view) :]

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
        if not self._transport.is_active():  # then paramiko drops what it is given, silently
            raise ConnectionResetError("the connection to the host was lost")
        return sent

    def close(self) -> None:
        """End the connection to the host at once; hops stay.  Any thread, any number of times."""
        self._inbox.close()
        self._transport.close()
