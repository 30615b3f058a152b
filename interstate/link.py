"""One host: opens the way to it, starts the agent, and moves frames.  Ends in exactly one Down.

One thread opens the way and waits for its end; another writes (see `writer`), so that a slow host
blocks only itself.  What happens is told to `deliver`, by the thread that it happened in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import boot
from .blobs import Blob
from .errors import BootError, HostError, HostLost
from .hosts import Host
from .remote import wire
from .writer import Writer

_IDLE_BLOBS = 1 / 8  # of a host's memory, for blobs that no call uses at the time


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
        self._lock = threading.Lock()  # guards the next three
        self._stream: boot.Stream | None = None
        self._writer: Writer | None = None  # there is one from Up on
        self._over = False
        self._receiving: threading.Thread | None = None  # the one that frames are handled on
        self._thread = threading.Thread(
            target=self._run, name=f"interstate {host} link", daemon=True
        )

    def __repr__(self) -> str:
        state = "down" if self._over else "up" if self._writer else "opening"
        return f"<Link to {self.host}: {state}>"

    def open(self) -> None:
        """Begin to open; returns at once."""
        try:
            self._thread.start()
        except RuntimeError as error:  # there are too many threads, or the interpreter ends
            self._end(HostLost(self._say(f"could not begin to connect: {error}"), self.host))

    def send(self, frames: bytes) -> None:
        """Send whole frames to a host that is up; returns at once, whatever the host does."""
        if self._writer is not None:
            self._writer.send(frames)

    def send_with(self, call: int, blobs: Sequence[Blob], frame: bytes) -> None:
        """Send a call, and before it those of its blobs that the host has not; likewise."""
        if self._writer is not None:
            self._writer.send_with(call, blobs, frame)

    def done_with(self, call: int, refused: bool = False) -> None:
        """A call that was sent with blobs has ended, come back, or was refused for want of them.

        It may be said more than once.
        """
        if self._writer is not None:
            self._writer.done_with(call, refused)

    def close(self) -> None:
        """End the link; a Down follows, or has come."""
        with self._lock:
            opening, stream = self._writer is None, self._stream
        if opening:  # the thread that opens may be stuck in it for a while: do not wait for it
            self._end(HostLost(f"{self.host}: closed before it was connected", self.host))
        if stream is not None:
            stream.close()

    def join(self) -> None:
        """Wait for the end of the threads of a link that was up."""
        if self._writer is not None:
            for thread in (self._thread, self._writer.thread):
                if thread is not threading.current_thread():
                    thread.join()

    def owns(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of this link's, or the one that what arrives is handled on."""
        writer = self._writer.thread if self._writer else None
        return thread in (self._thread, writer, self._receiving)

    def _run(self) -> None:
        try:
            stream, decoder, frames = self._open()
            if stream is None:
                return
            self._receive(frames)
            stream.pump(lambda data: self._receive(decoder.receive(data)))
            error: HostError = HostLost(self._say("the connection was lost"), self.host)
        except HostError as known:
            error = known
        except (wire.ProtocolError, OSError) as obstacle:
            error = HostLost(self._say(f"the connection was lost: {obstacle}"), self.host)
        except BaseException as obstacle:  # also no thread to be had: no call may wait for ever
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
        idle_blobs = int(hello.memory * _IDLE_BLOBS)
        writer = Writer(stream, idle_blobs, f"interstate {self.host} writer")
        writer.thread.start()
        with self._lock:
            if not self._over:
                self._writer = writer
        if self._writer is None:  # closed just now: an Up must not follow the Down
            writer.close()
            return None, wire.Decoder(), []
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

    def _receive(self, frames: list[wire.Frame]) -> None:
        self._receiving = threading.current_thread()
        if frames:
            self._deliver(self.index, Arrived(frames))

    def _end(self, error: HostError) -> None:
        with self._lock:
            if self._over:
                return
            self._over, stream, writer = True, self._stream, self._writer
        if writer is not None:
            writer.close()
        if stream is not None:
            stream.close()
        self._deliver(self.index, Down(error))

    def _say(self, what: str) -> str:
        return f"{self.host} ({self.way}): {what}"
