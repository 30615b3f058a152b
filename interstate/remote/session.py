"""The agent's end of the connection: it outlives the channels that carry it.

When a channel is lost, the calls go on, and what they say waits.  A new channel's process comes to
the door, a Unix socket that only its own user may use and that has no file, hands its standard
input and output over, and waits there until they are not needed any more.
"""

from __future__ import annotations

import array
import os
import select
import struct
import time

from . import wire
from .lean import socket, suppress
from .sink import Sink
from .worker import descriptors_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .watcher import Watcher

READ = 1 << 16  # bytes at once
SOON = 1.0  # seconds after which an ACK says that bytes have come, however few they are
_CREDENTIALS = struct.Struct("3i")  # of SO_PEERCRED: process, user, group
_RIGHTS = socket.CMSG_SPACE(2 * array.array("i").itemsize)
_AT_FIRST = 1200.0  # seconds between signs of life, until we are told: packages may take long


class Session:
    """What is heard and said over channels, one after the other.

    Args:
        source: The first channel's input.
        sink: Its output.
        watcher: Has our handlers called.
        receive: Called with frames that come in.

    Attributes:
        over: Whether nobody will be heard any more.
        due: When `tick` should be called, by the monotonic clock.
        door: The name of the socket that a new channel comes by.
    """

    def __init__(
        self,
        source: int,
        sink: int,
        watcher: Watcher,
        receive: Callable[[list[wire.Frame]], object],
    ) -> None:
        self.over = False
        self.due = float("inf")
        self.sink = Sink(sink)
        self._source: int | None = source
        self._watcher = watcher
        self._receive = receive
        self._decoder = wire.Decoder()
        self._received = 0
        self._acknowledged = 0  # what the other end knows of these
        self._sink_watched = False
        self._heard = self._said = time.monotonic()
        self._ack_due = float("inf")
        self._heartbeat = _AT_FIRST
        self._reconnect = 0.0
        self._configured = False
        self._lost = 0.0  # when the channel was
        self._way: socket.socket | None = None  # to the process that the channel came by
        self._guest: socket.socket | None = None  # one that brings a channel
        self._attempt = 0  # the client's, by which the channel came
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(b"\0interstate-" + os.urandom(16).hex().encode())
        self.door: bytes = self._door.getsockname()
        self._door.listen(64)
        self._door.setblocking(False)
        watcher.watch(self._door.fileno(), self._open_door)
        self._use(source, sink)

    def configure(self, heartbeat: float, reconnect: float) -> None:
        """Set how often each end is heard of at least, and how long a channel may be missing.

        The other end is told at once that it is: if the channel is lost before, we end with it, and
        nothing may have been given to us.
        """
        self._heartbeat, self._reconnect, self._configured = heartbeat, reconnect, True
        self._acknowledge()
        self.flush()
        self.due = 0.0

    def close(self) -> None:
        """Close all descriptors, in a child that has nothing to do with them."""
        for sock in filter(None, (self._door, self._way, self._guest)):
            sock.close()
        for descriptor in (self._source, self.sink.descriptor):
            if descriptor is not None:
                os.close(descriptor)

    def close_door(self) -> None:
        """Let nobody bring a channel any more."""
        self._dismiss_guest()
        self._watcher.forget(self._door.fileno())
        self._door.close()

    # -------------------------------------------------------------------------- in time

    def tick(self, now: float) -> None:
        """Do what is due, and set when to be called again."""
        if now >= self._end():
            self.over = True
        elif now >= min(self._ack_due, self._beat_due()):
            self._acknowledge()
        self.due = min(self._ack_due, self._beat_due(), self._end())

    def _beat_due(self) -> float:
        return float("inf") if self._source is None else self._said + self._heartbeat

    def _end(self) -> float:
        """Until when we wait to hear anything."""
        silent = self._heard + wire.BEATS * self._heartbeat
        return (silent if self._source is not None else min(self._lost, silent)) + self._reconnect

    # -------------------------------------------------------------------------- hearing

    def _read(self) -> None:
        try:
            data = os.read(self._source, READ)  # type: ignore[arg-type]
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        self._heard = time.monotonic()
        self._received += len(data)
        if not self._configured:
            pass  # an answer says that we are
        elif self._received - self._acknowledged >= wire.SURE:
            self._acknowledge()
        elif self._ack_due == float("inf"):
            self._ack_due = self._heard + SOON
            self.due = min(self.due, self._ack_due)
        self._receive(self._decoder.receive(data))

    def _acknowledge(self) -> None:
        self._ack_due = float("inf")
        self._acknowledged = self._received
        self._said = time.monotonic()
        self.sink.put(wire.encode(wire.ACK, self._received))

    # --------------------------------------------------------------------------- saying

    def flush(self) -> None:
        """Write what the channel takes."""
        try:
            wanted = self.sink.flush()
        except OSError:  # nobody reads any more
            self._lose()
            return
        if wanted == self._sink_watched or self.sink.descriptor is None:
            return
        self._sink_watched = wanted
        if wanted:
            self._watcher.watch(self.sink.descriptor, self.flush, select.EPOLLOUT)
        else:
            self._watcher.forget(self.sink.descriptor)

    # ------------------------------------------------------------------------- channels

    def _use(self, source: int, sink: int) -> None:
        os.set_blocking(source, False)
        os.set_blocking(sink, False)
        self._watcher.watch(source, self._read)
        self._source, self.sink.descriptor = source, sink

    def _lose(self) -> None:
        """The channel is of no use any more; there may be another one soon."""
        if self._source is None or self.sink.descriptor is None:
            return
        self._watcher.forget(self._source)
        if self._sink_watched:
            self._watcher.forget(self.sink.descriptor)
            self._sink_watched = False
        os.close(self._source)
        os.close(self.sink.descriptor)
        self._source = self.sink.descriptor = None
        self._lost = time.monotonic()
        self.due = 0.0
        if self._way is not None:
            self._way.close()  # which lets its process end
            self._way = None

    def _open_door(self) -> None:
        guest = self._accepted()
        if guest is None:
            return
        guest.setblocking(False)
        credentials = guest.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(credentials)[1] != os.geteuid():
            guest.close()
            return
        self._dismiss_guest()
        self._guest = guest
        self._watcher.watch(guest.fileno(), lambda: self._take_channel(guest))

    def _accepted(self) -> socket.socket | None:
        try:
            descriptor, _ = self._door._accept()  # type: ignore[attr-defined]
        except OSError:  # it is gone again; or no more files may be open
            return None
        return socket.socket(fileno=descriptor)

    def _dismiss_guest(self) -> None:
        if self._guest is not None:
            self._watcher.forget(self._guest.fileno())
            self._guest.close()
            self._guest = None

    def _take_channel(self, guest: socket.socket) -> None:
        """Go on with the channel that was brought, unless it comes too late, or is none."""
        try:
            said, ancillary, _, _ = guest.recvmsg(wire.ERRAND.size, _RIGHTS)
        except (BlockingIOError, ConnectionResetError):
            said, ancillary = b"", []
        descriptors = list(descriptors_in(ancillary))
        arrived, attempt = wire.ERRAND.unpack(said) if len(said) == wire.ERRAND.size else (0, 0)
        if arrived == wire.DISMISSED:
            self.over = True
        wanted = attempt > self._attempt and self.sink.ledger.fits(arrived)
        if not wanted or len(descriptors) != 2:
            for descriptor in descriptors:
                os.close(descriptor)
            self._dismiss_guest()
            return
        self._lose()
        self._watcher.forget(guest.fileno())
        self._way, self._guest, self._attempt = guest, None, attempt
        source, sink = descriptors
        self._resume(source, sink, arrived)

    def _resume(self, source: int, sink: int, arrived: int) -> None:
        self.sink.begin_anew(sink, arrived)
        try:
            self._use(source, sink)
        except OSError:  # it is no channel
            os.close(source)
            os.close(sink)
            self.sink.descriptor = None
            return
        self._heard = self._said = time.monotonic()
        self._acknowledged, self._ack_due = self._received, float("inf")
        self.due = 0.0
        with suppress(OSError):  # if it is gone already, we will see
            os.write(sink, wire.encode(wire.RESUMED, self._received))
        if self._way is not None:
            with suppress(OSError):
                self._way.send(b"\1")  # the process may let go of them
        self.flush()
