"""One host: opens the way to it, starts the agent, and moves frames.  Ends in exactly one Down.

Two threads: one opens and then reads, the other writes, so that a slow host blocks only itself.
What happens is told to `deliver`, by the thread that it happened in.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from . import boot
from .errors import BootError, HostError, HostLost
from .hosts import Host
from .remote import wire

READ = 1 << 18  # bytes at once
JOIN = 1 << 16  # bytes: smaller writes are put together up to this


class Up(NamedTuple):
    """The agent has said HELLO."""

    hello: boot.Hello


class Arrived(NamedTuple):
    """Frames came in."""

    frames: list[wire.Frame]


class Down(NamedTuple):
    """It is over, and nothing will come any more."""

    error: HostError


Deliver = Callable[[int, Up | Arrived | Down], None]


class Link:
    """Our live connection to one host.

    Args:
        index: The host's number, told with all that is delivered.
        host: The host.
        way: How it is reached, in words, for errors.
        open_stream: Runs a line at the host's login, by a deadline, and returns its byte stream.
        start: How to start the agent.
        timeout: How long opening may take, until HELLO, seconds.
        turn: Held while opening, so that not all hosts open at once.
        deliver: Told of what happens.
    """

    def __init__(
        self,
        index: int,
        host: Host,
        way: str,
        open_stream: Callable[[Host, str, float], boot.Stream],
        start: boot.Start,
        timeout: float,
        turn: threading.Semaphore,
        deliver: Deliver,
    ) -> None:
        self.index = index
        self.host = host
        self.way = way
        self._open_stream = open_stream
        self._start = start
        self._timeout = timeout
        self._turn = turn
        self._deliver = deliver
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writing = threading.Lock()  # held while bytes are being written
        self._lock = threading.Lock()  # guards the next three
        self._stream: boot.Stream | None = None
        self._up = False
        self._over = False
        self._reader = self._thread(self._run, "reader")
        self._writer = self._thread(self._write, "writer")

    def __repr__(self) -> str:
        state = "down" if self._over else "up" if self._up else "opening"
        return f"<Link to {self.host}: {state}>"

    def open(self) -> None:
        """Begin to open; returns at once."""
        try:
            self._reader.start()
        except RuntimeError as error:  # there are too many threads, or the interpreter ends
            self._end(HostLost(self._say(f"could not begin to connect: {error}"), self.host))

    def send(self, data: bytes) -> None:
        """Send the bytes of frames; returns at once, whatever the host does.

        Where nothing is before it and the way is free, the caller writes it: a thread less to wake.
        """
        if not self._send_now(data):
            self._outgoing.put(data)

    def _send_now(self, data: bytes) -> bool:
        stream = self._stream
        if (
            stream is None
            or not self._outgoing.empty()
            or not self._writing.acquire(blocking=False)
        ):
            return False
        try:
            return stream.write_now(data)
        except OSError:
            return True  # the reader sees the end, and tells of it
        finally:
            self._writing.release()

    def close(self) -> None:
        """End the link; a Down follows, or has come."""
        with self._lock:
            opening, stream = not self._up, self._stream
        if opening:  # the thread that opens may be stuck in it for a while: do not wait for it
            self._end(HostLost(f"{self.host}: closed before it was connected", self.host))
        if stream is not None:
            stream.close()

    def join(self) -> None:
        """Wait for the end of the threads of a link that was up."""
        for thread in (self._reader, self._writer):
            if self._up and thread is not threading.current_thread():
                thread.join()

    def owns(self, thread: threading.Thread) -> bool:
        return thread is self._reader or thread is self._writer

    def _thread(self, target: Callable[[], None], what: str) -> threading.Thread:
        return threading.Thread(target=target, name=f"interstate {self.host} {what}", daemon=True)

    # ---------------------------------------------------------------------------- reader

    def _run(self) -> None:
        try:
            stream, decoder, frames = self._open()
            if stream is None:
                return
            if frames:
                self._deliver(self.index, Arrived(frames))
            self._pump(stream, decoder)
            error: HostError = HostLost(self._say("the connection was lost"), self.host)
        except HostError as known:
            error = known
        except (wire.ProtocolError, OSError) as obstacle:
            error = HostLost(self._say(f"the connection was lost: {obstacle}"), self.host)
        except Exception as obstacle:  # also no thread to be had: no call may wait for ever
            error = HostLost(self._say(f"the connection failed: {obstacle!r}"), self.host)
            error.__cause__ = obstacle
        self._end(error)

    def _open(self) -> tuple[boot.Stream | None, wire.Decoder, list[wire.Frame]]:
        """Connect and start the agent; no stream when the link was closed meanwhile."""
        with self._turn:
            if self._over:
                return None, wire.Decoder(), []
            deadline = time.monotonic() + self._timeout
            stream = self._open_stream(self.host, self._start.command, deadline)
            with self._lock:
                self._stream = stream
            if self._over:
                stream.close()
                return None, wire.Decoder(), []
            hello, decoder, frames = self._boot(stream, deadline)
        self._writer.start()
        with self._lock:
            if self._over:  # closed just now: an Up must not follow the Down
                return None, wire.Decoder(), []
            self._up = True
        self._deliver(self.index, Up(hello))
        return stream, decoder, frames

    def _boot(
        self, stream: boot.Stream, deadline: float
    ) -> tuple[boot.Hello, wire.Decoder, list[wire.Frame]]:
        """Start the agent; closing the stream is what ends the wait for one that does not come."""
        alarm = threading.Timer(max(0.0, deadline - time.monotonic()), stream.close)
        alarm.daemon = True
        alarm.start()
        try:
            return boot.await_hello(stream, self._start)
        except (boot.NoAgentError, OSError) as obstacle:
            late = time.monotonic() >= deadline
            what = f"no agent within {self._timeout:g} s" if late else str(obstacle)
            raise BootError(self._say(what), self.host) from None
        finally:
            alarm.cancel()
            alarm.join()

    def _pump(self, stream: boot.Stream, decoder: wire.Decoder) -> None:
        while data := stream.read(READ):
            frames = decoder.receive(data)
            if frames:
                self._deliver(self.index, Arrived(frames))
                del frames  # a payload must not live until the next one comes

    def _end(self, error: HostError) -> None:
        with self._lock:
            if self._over:
                return
            self._over, stream = True, self._stream
        self._outgoing.put(None)
        if stream is not None:
            stream.close()
        self._deliver(self.index, Down(error))

    def _say(self, what: str) -> str:
        return f"{self.host} ({self.way}): {what}"

    # ---------------------------------------------------------------------------- writer

    def _write(self) -> None:
        stream = self._stream
        if stream is None:
            return
        with contextlib.suppress(OSError):  # the reader sees the end, and tells of it
            while (data := self._next()) is not None:
                with self._writing:
                    stream.write(data)
                del data  # a payload must not live until the next one comes

    def _next(self) -> bytes | None:
        """What is there to be written: small pieces as one, so that they travel together."""
        first = self._outgoing.get()
        if first is None or len(first) >= JOIN:
            return first
        pieces, size = [first], len(first)
        while size < JOIN and not self._outgoing.empty():
            piece = self._outgoing.get()
            if piece is None:
                self._outgoing.put(None)
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)
