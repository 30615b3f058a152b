"""One host: opens the way to it, starts the agent, and moves frames.  Ends in exactly one Down.

One thread opens the way and waits for its end; another writes (see `writer`), so that a slow host
blocks only itself.  What happens is told to `deliver`, by the thread that it happened in.

When the connection is lost, the agent lives on for a while.  The link then opens another one, which
the agent takes over, and both ends go on with the byte after the last that came (see `ledger`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import boot
from .blobs import Blob
from .errors import (
    AuthenticationError,
    BootError,
    HostError,
    HostKeyError,
    HostLost,
    PackagesError,
)
from .hosts import Host
from .messages import Arrived, Away, Back, Deliver, Down, Up
from .noagent import in_short, too_late
from .pauses import pauses
from .remote import wire
from .tracebacks import without_frames
from .writer import Writer

BEAT_CHECKS = 3  # how often in a heartbeat `tick` is to be called
_IDLE_BLOBS = 1 / 8  # of a host's memory, for blobs that no call uses at the time
_VISIT = 1.0  # seconds for an attempt to end it by another way, when it does not hear us
_FIRST_ATTEMPT = 3.0  # seconds that the first attempt to get back to a host may take, at least
_UNUSUAL = 4  # times what it takes others: so long it may take as well
_PAUSES = 0.1, 5.0  # seconds between attempts: the first and the longest
_MORE, _FEW = 10, 3  # attempts to start an agent where connections are lost; some, if it takes long


Equip = Callable[[int, Host, boot.Hello, boot.Start, boot.Stream], Sequence[str]]


class Patience(NamedTuple):
    """How long things may take, seconds.

    Attributes:
        connect: Opening, until HELLO.
        heartbeat: Each end is heard of so often.
        reconnect: A lost connection may be missing for so long.
    """

    connect: float
    heartbeat: float
    reconnect: float


class Link:
    """Our live connection to one host.

    Args:
        index: The host's number, told with all that is delivered.
        host: The host.
        way: How it is reached, in words, for errors.
        open_stream: Runs a line at the host's login, by a deadline, and returns its byte stream.
        start: How to start the agent.
        patience: How long things may take.
        turn: Held while opening, so that few do at once; says how long it takes others, seconds.
        deliver: Told of what happens.
        equip: Gives the host what calls import, and returns the folders over there.
    """

    def __init__(
        self,
        index: int,
        host: Host,
        way: str,
        open_stream: Callable[[Host, str, float], boot.Stream],
        start: boot.Start,
        patience: Patience,
        turn: contextlib.AbstractContextManager[float],
        deliver: Deliver,
        equip: Equip = lambda *_: (),
    ) -> None:
        self.index = index
        self.host = host
        self.way = way
        self._open_stream = open_stream
        self._start = start
        self._patience = patience
        self._turn = turn
        self._deliver = deliver
        self._equip = equip
        self._lock = threading.Lock()  # guards the next four
        self._stream: boot.Stream | None = None
        self._writer: Writer | None = None  # there is one from Up on
        self._opening = True  # the thread is opening a way, which may take it long
        self._over = False
        self._closing = threading.Event()
        self._door = b""  # where the agent can be brought another channel
        self._decoder = wire.Decoder(wire.LONGEST)
        self._received = 0  # bytes
        self._greeting = 0  # of these were the HELLO; who has said no more was given no calls
        self._acknowledged = 0  # of these
        self._heard = self._said = time.monotonic()
        self._written = 0  # what the writer had written then
        self._attempts = 0  # to get back to the agent
        self._back_by = 0.0  # the time; not put off while it says nothing but HELLO
        self._receiving: threading.Thread | None = None  # the one that frames are handled on
        self._thread = threading.Thread(
            target=self._run, name=f"interstate {host} link", daemon=True
        )

    def __repr__(self) -> str:
        state = "down" if self._over else "opening" if self._opening else "up"
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

    def send_in_line(self, frame: bytes) -> None:
        """Send a frame that must not overtake a call with blobs; likewise."""
        if self._writer is not None:
            self._writer.send_in_line(frame)

    def done_with(self, call: int, refused: bool = False) -> None:
        """A call that was sent with blobs has ended, come back, or was refused for want of them.

        It may be said more than once.
        """
        if self._writer is not None:
            self._writer.done_with(call, refused)

    def acknowledged(self, count: int) -> None:
        """The host has that many bytes of ours; raises ProtocolError if it cannot."""
        if self._writer is not None:
            self._writer.acknowledged(count)

    def close(self, signal: int) -> None:
        """End the link, and by a signal what runs there; a Down follows, or has come."""
        with self._lock:
            opening, stream, writer = self._opening, self._stream, self._writer
        self._closing.set()
        if opening or writer is None:  # whoever opens may be stuck in it: do not wait for it
            self._end(HostLost(self._say("closed while it was not connected"), self.host))
            if stream is not None:
                stream.close()
        else:
            writer.end(wire.encode(wire.END, 0, wire.COUNT.pack(signal)))

    def tick(self, now: float) -> bool:
        """See to it that both ends are heard of; to be called BEAT_CHECKS times a heartbeat.

        Returns whether the link is to end, and has not.
        """
        stream = self._stream
        if self._opening or self._over or stream is None or self._writer is None:
            return False
        check = self._patience.heartbeat / BEAT_CHECKS
        if self._writer.written != self._written:
            self._written, self._said = self._writer.written, now
        elif now - self._said > self._patience.heartbeat - 1.5 * check:
            self._said = now
            self._acknowledge()
        if now - self._heard > wire.BEATS * self._patience.heartbeat - check:
            stream.close()  # who reads sees the end, and tells of it
        return self._closing.is_set()

    def hang_up(self) -> None:
        """End the connection, without a word to the agent."""
        if self._stream is not None:
            self._stream.close()

    def excuse(self, now: float) -> None:
        """We were not there to hear anything until now."""
        self._heard = max(self._heard, now)

    @property
    def alive(self) -> bool:
        """Whether it has a thread that runs."""
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the threads, but not for one that is stuck in opening.

        Args:
            timeout: How long for each, seconds.
        """
        if self._writer is not None:
            stuck = threading.current_thread(), self._thread if self._opening else None
            for thread in (self._writer.thread, self._thread):
                if thread not in stuck:
                    thread.join(timeout)

    def owns(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of this link's, or the one that what arrives is handled on."""
        writer = self._writer.thread if self._writer else None
        return thread in (self._thread, writer, self._receiving)

    # ---------------------------------------------------------------- the link's own thread

    def _run(self) -> None:
        try:
            error: HostError = self._live()
        except HostError as known:
            error = without_frames(known)
        except (wire.ProtocolError, OSError) as obstacle:
            error = HostLost(self._say(f"the connection was lost: {obstacle}"), self.host)
        except BaseException as obstacle:  # also no thread to be had: no call may wait for ever
            error = HostLost(self._say(f"the connection failed: {obstacle!r}"), self.host)
            error.__cause__ = obstacle
        self._end(error)

    def _live(self) -> HostError:
        """Be connected, again and again; return why that is over."""
        stream, more = self._open()
        while stream is not None:
            if more:
                self._receive(more)
            stream.pump(self._receive)
            if stream.finished:
                return HostLost(self._say("its agent has ended"), self.host)
            if self._closing.is_set():
                self._dismiss()
            if self._over or self._closing.is_set() or not self._patience.reconnect:
                break
            stream, more = self._reopen()
        return HostLost(self._say("the connection was lost"), self.host)

    def _open(self, more: int = _MORE) -> tuple[boot.Stream | None, bytes]:
        """Connect and start the agent; no stream when the link was closed meanwhile."""
        stream, up, rest = self._start_agent(more)
        idle_blobs = int(up.hello.memory * _IDLE_BLOBS)
        writer = Writer(stream, idle_blobs, f"interstate {self.host} writer")
        writer.thread.start()
        self._door = up.hello.door
        self._heard = self._said = time.monotonic()
        with self._lock:
            if not self._over:
                self._writer, self._opening = writer, False
                self._deliver(self.index, up)
        if self._writer is not writer:  # closed just now: an Up must not follow the Down
            writer.close()
            return None, b""
        return stream, rest

    def _start_agent(self, more: int) -> tuple[boot.Stream, Up, bytes]:
        """Connect, and equip the host; so often more, if the connection is lost meanwhile."""
        end = time.monotonic() + self._patience.connect
        for attempt, pause in enumerate(pauses(*_PAUSES)):
            last = attempt >= (_FEW if time.monotonic() >= end else more)
            try:
                with self._turn:
                    if self._over:
                        raise HostLost(self._say("closed while it was not connected"), self.host)
                    deadline = time.monotonic() + self._patience.connect
                    stream = self._connect(deadline)
                    deadline = max(deadline, time.monotonic() + self._patience.connect / 2)  # typed
                    with boot.closed_after(deadline - time.monotonic(), stream):
                        hello, rest = self._boot(stream, deadline)
                begun = time.monotonic()
                path = self._equip(self.index, self.host, hello, self._start, stream)
            except (BootError, PackagesError) as error:
                late = isinstance(error, BootError) and time.monotonic() >= deadline
                if late or last or not stream.lost:
                    raise
            else:
                if last or not stream.lost:
                    hello = hello._replace(time=hello.time + time.monotonic() - begun)
                    return stream, Up(hello, path), rest
            self._closing.wait(pause)
        raise AssertionError("the last attempt is the last")

    def _connect(self, deadline: float) -> boot.Stream:
        self.hang_up()  # the one before led to nothing, or was lost
        stream = self._open_stream(self.host, self._start.command, deadline)
        with self._lock:
            self._stream = stream
        if self._over:
            stream.close()
        return stream

    def _boot(self, stream: boot.Stream, deadline: float) -> tuple[boot.Hello, bytes]:
        try:
            hello, self._greeting, more = boot.await_hello(stream, self._start)
        except (boot.NoAgentError, OSError) as obstacle:
            why: Exception = obstacle
            if time.monotonic() >= deadline:
                why = too_late(self._patience.connect, getattr(obstacle, "said", b""))
            raise BootError(self._say(str(why)), self.host, in_short(why)) from None
        self._received = self._greeting
        return hello, more

    # ------------------------------------------------------------------- a lost connection

    def _reopen(self) -> tuple[boot.Stream | None, bytes]:
        """Get back to the agent, in time; raises a HostError when that fails."""
        if self._received > self._greeting or not self._back_by:
            self._back_by = time.monotonic() + self._patience.reconnect
        silent = time.monotonic() - self._heard > 2 * self._patience.heartbeat  # one is missing
        why = "it has fallen silent" if silent else "the connection was lost"
        with self._lock:
            if self._closing.is_set():
                raise HostLost(self._say(f"{why} as it was closed"), self.host)
            self._opening = True
            self._deliver(self.index, Away(why))
        for attempt, pause in enumerate(pauses(*_PAUSES)):
            try:
                return self._come_back(_FIRST_ATTEMPT * 2 ** min(attempt, 10))
            except boot.AgentGoneError:
                gone = self._say(f"{why}, and then its agent had ended")
                raise HostLost(gone, self.host) from None
            except (AuthenticationError, HostKeyError):
                raise
            except (HostError, boot.NoAgentError, OSError) as obstacle:
                left = self._back_by - time.monotonic()
                if left <= 0 or self._closing.wait(min(pause, left)):
                    raise self._given_up(why, obstacle) from obstacle
        raise AssertionError("there is always another attempt")

    def _come_back(self, seconds: float) -> tuple[boot.Stream | None, bytes]:
        """Have the agent back, or another one if it was lost before it knew that it is to wait."""
        try:
            stream, more = self._try_again(seconds)
        except boot.AgentGoneError:
            if self._received > self._greeting:
                raise
            if self._writer is not None:
                self._writer.close()
            return self._open(0)
        self._acknowledged, self._heard = self._received, time.monotonic()
        with self._lock:
            if self._over:  # closed just now: nothing may follow the Down
                raise HostLost(self._say("closed while it was not connected"), self.host)
            self._opening = False
            self._deliver(self.index, Back())
        return stream, more

    def _try_again(self, seconds: float) -> tuple[boot.Stream, bytes]:
        self._attempts += 1
        with self._turn as usual:  # on a busy computer that takes longer than at other times
            seconds = max(seconds, min(_UNUSUAL * usual, self._patience.reconnect / 4))
            stream = self._connect(min(self._back_by, time.monotonic() + seconds))
            with boot.closed_after(self._back_by - time.monotonic(), stream):
                patience = min(wire.BEATS * self._patience.heartbeat, self._patience.reconnect)
                count, more = boot.resume(
                    stream, self._start, self._door, (self._received, self._attempts), patience
                )
                if self._writer is not None:
                    self._writer.resume(stream, count)
        return stream, more

    def _dismiss(self) -> None:
        """End an agent that did not hear us: what was on its way to it may have been too much."""
        deadline = time.monotonic() + _VISIT
        with contextlib.suppress(HostError, boot.NoAgentError, OSError):  # it ends by itself, later
            stream = self._connect(deadline)
            with boot.closed_after(deadline - time.monotonic(), stream):
                boot.dismiss(stream, self._start, self._door, _VISIT)

    def _given_up(self, why: str, obstacle: Exception) -> HostLost:
        what = f"{why}, and there was no way back within {self._patience.reconnect:g} s"
        reason = f"{what}: {in_short(obstacle)}"
        return HostLost(self._say(f"{what}: {obstacle}"), self.host, reason)

    # -------------------------------------------------------------------------- what comes

    def _receive(self, data: bytes) -> None:
        self._receiving = threading.current_thread()
        self._heard = time.monotonic()
        self._received += len(data)
        frames = self._decoder.receive(data)
        if frames:
            self._deliver(self.index, Arrived(frames))
        if self._received - self._acknowledged >= wire.SURE:
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._acknowledged = self._received
        self.send(wire.encode(wire.ACK, self._received))

    def _end(self, error: HostError) -> None:
        with self._lock:
            if self._over:
                return
            self._over, stream, writer = True, self._stream, self._writer
        if writer is not None:
            writer.close()
        if stream is not None:
            stream.close()
        unsent: Sequence[int] = ()
        if writer is not None and writer.thread is not threading.current_thread():
            unsent = writer.wind_up()  # it is nowhere that a closed stream would keep it
        self._deliver(self.index, Down(error, unsent, self._closing.is_set()))

    def _say(self, what: str) -> str:
        return f"{self.host} ({self.way}): {what}"
