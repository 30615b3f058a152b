"""Whatever comes in, cut anywhere, what comes of it is one of few things: no more, and no hang."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from interstate import boot
from interstate.errors import AuthenticationError, ConnectError
from interstate.hosts import Host
from interstate.link import Link, Patience
from interstate.messages import Arrived, Away, Back, Down, Message, Up
from interstate.remote import payload, wire
from interstate.remote.hello import hello
from interstate.remote.ledger import Ledger
from interstate.remote.sink import Sink

from . import processes

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds after which something counts as hung
KILL = 9
HEADER = wire.HEADER.size
SMALL = 4096  # bytes: the least that a pipe may hold

few = settings(max_examples=40, deadline=None)
some = settings(max_examples=100, deadline=None)
many = settings(max_examples=300, deadline=None)

NUMBERS = st.integers(0, 2**64 - 1)
FRAMES = st.lists(
    st.tuples(st.sampled_from(sorted(wire.KINDS)), NUMBERS, st.binary(max_size=60)), max_size=6
)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete", "repeat", "end"]),
        st.floats(0, 1),
        st.one_of(st.binary(min_size=1, max_size=9), st.sampled_from([b"\xff" * 8, b"\0" * 8])),
    ),
    min_size=1,
    max_size=4,
)
GARBAGE = [  # what was, or could be, mistaken for something else
    b"",
    b"\0",
    bytes(HEADER),
    b"\xff" * 64,
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"interstate-0123456789abcdef none\n",
    wire.encode(wire.RESUMED, 5),
    wire.encode(wire.GONE, 0),
    wire.encode(wire.DONE, 1),
    wire.encode(wire.PART, 1),
    wire.encode(wire.PART, 1, b"a part") * 3,
    wire.encode(wire.PACKED, 1, b"not packed") + b"\0",
    wire.encode(wire.ACK, 2**64 - 1),
    wire.encode(wire.END, 0, wire.COUNT.pack(2**64 - 1)),
    wire.encode(wire.END, 0),
    wire.HEADER.pack(wire.DONE, 1, 2**64 - 1),
    wire.HEADER.pack(wire.DONE, 1, wire.LONGEST + 1) + b"more",
    wire.HEADER.pack(wire.PART, 1, 2**64 - 1) + b"and so on",
    wire.HEADER.pack(wire.HELLO, 0, 2**63) + b"protocol",
    wire.HEADER.pack(wire.CALL, 1, 100) + b"but it ends",
]


def garbled(whole: bytes, edits: Sequence[tuple[str, float, bytes]]) -> bytes:
    """Something, changed here and there."""
    for what, where, data in edits:
        at = int(where * len(whole))
        behind = {"set": at + len(data), "delete": at + len(data), "repeat": 0, "end": len(whole)}
        added = data if what in ("set", "insert") else b""
        whole = whole[:at] + added + whole[behind.get(what, at) :]
    return whole[: 1 << 20]


def cut(whole: bytes, cuts: Sequence[float]) -> list[bytes]:
    """Something in pieces, none of them empty."""
    ends = sorted({0, len(whole), *(int(where * len(whole)) for where in cuts)})
    return [whole[start:end] for start, end in pairwise(ends)]


CUTS = st.lists(st.floats(0, 1), max_size=10)


def encoded(frames: Sequence[wire.Frame]) -> bytes:
    return b"".join(wire.encode(*frame) for frame in frames)


# --------------------------------------------------------------------------- frames


def decode(pieces: Sequence[bytes], longest: float = float("inf")) -> list[wire.Frame]:
    """The frames up to what is none; what a decoder must never do, it is seen not to do."""
    decoder, frames = wire.Decoder(longest), []
    for piece in pieces:
        try:
            frames += decoder.receive(piece)
        except wire.ProtocolError:
            break
        assert sum(map(len, decoder._pieces)) == decoder._size <= longest + HEADER
    for kind, number, content in frames:
        assert kind in wire.KINDS
        assert 0 <= number < 2**64
        assert len(content) <= longest or kind in (wire.PART, wire.PACKED)
    return frames


@many
@given(st.binary(max_size=400), CUTS, st.integers(0, 100))
def test_of_random_bytes_come_frames_or_an_error(data: bytes, cuts: list[float], most: int) -> None:
    decode(cut(data, cuts), most)


@many
@given(FRAMES, EDITS, CUTS, st.integers(0, 100))
def test_of_garbled_frames_come_frames_or_an_error(
    frames: list[wire.Frame], edits: list[tuple[str, float, bytes]], cuts: list[float], most: int
) -> None:
    decode(cut(garbled(encoded(frames), edits), cuts), most)


@pytest.mark.parametrize("data", GARBAGE)
@pytest.mark.parametrize("longest", [0, 10, wire.LONGEST, float("inf")])
def test_of_known_garbage_come_frames_or_an_error(data: bytes, longest: float) -> None:
    whole = decode([data], longest)
    byte_by_byte = decode([data[i : i + 1] for i in range(len(data))], longest)
    of_parts = wire.PART, wire.PACKED
    assert b"".join(bytes(frame[2]) for frame in whole if frame[0] in of_parts) == b"".join(
        bytes(frame[2]) for frame in byte_by_byte if frame[0] in of_parts
    )


def test_a_decoder_does_not_collect_what_it_is_not_to_take() -> None:
    decoder = wire.Decoder(1000)
    with pytest.raises(wire.ProtocolError):
        decoder.receive(wire.HEADER.pack(wire.DONE, 1, 1001))
    decoder = wire.Decoder(1000)
    stream = wire.HEADER.pack(wire.DONE, 1, 1000) + bytes(1000)
    for at in range(len(stream) - 1):
        assert decoder.receive(stream[at : at + 1]) == []
        assert decoder._size == at + 1


# --------------------------------------------------------------------------- ledgers


class LedgerMachine(RuleBasedStateMachine):
    """A Ledger, and what it stands for: a stream of bytes, and how many of it have arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.stream = b""
        self.arrived = 0
        self.before: int | None = None  # the length before what was added last

    @rule(pieces=st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4))
    def add(self, pieces: list[bytes]) -> None:
        self.before = len(self.stream)
        self.stream += b"".join(pieces)
        self.ledger.add(pieces, sum(map(len, pieces)))

    @precondition(lambda self: self.before is not None and self.before >= self.arrived)
    @rule()
    def withdraw(self) -> None:
        self.ledger.withdraw()
        self.stream, self.before = self.stream[: self.before], None

    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(0, len(self.stream)))
        self.ledger.arrived(count)
        self.arrived = max(self.arrived, count)

    @rule(more=st.integers(1, 2**64))
    def arrive_impossibly(self, more: int) -> None:
        with pytest.raises(wire.ProtocolError):
            self.ledger.arrived(len(self.stream) + more)

    @rule(data=st.data(), anew=st.booleans())
    def take_back(self, data: st.DataObject, anew: bool) -> None:
        count = data.draw(st.integers(self.arrived, len(self.stream)))
        rest = self.ledger.take_back(count)
        assert b"".join(rest) == self.stream[count:]
        assert all(rest)
        self.arrived, self.before = count, None
        if anew:
            self.ledger.add(rest, sum(map(len, rest)))
        else:
            self.stream = self.stream[:count]

    @rule(data=st.data())
    def take_back_impossibly(self, data: st.DataObject) -> None:
        too_much = st.integers(len(self.stream) + 1, 2**64)
        too_few = [st.integers(0, self.arrived - 1)] if self.arrived else []
        with pytest.raises(wire.ProtocolError):
            self.ledger.take_back(data.draw(st.one_of(too_much, *too_few)))

    @invariant()
    def is_what_it_stands_for(self) -> None:
        assert self.ledger.end == len(self.stream)
        assert self.ledger.size == len(self.stream) - self.arrived

    @invariant()
    def keeps_nothing_that_has_arrived(self) -> None:
        assert all(end > self.arrived or not any(pieces) for end, pieces in self.ledger._kept)


LedgerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestALedgerIsAStreamOfBytes = LedgerMachine.TestCase


class End:
    """One end of a session, as both the link and the agent are one."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.under_way = b""  # what was written and has not come to the other end
        self.said: list[wire.Frame] = []
        self.heard: list[wire.Frame] = []
        self.received = 0
        self._decoder = wire.Decoder()

    def say(self, kind: int, number: int, content: bytes) -> None:
        if kind != wire.ACK:
            self.said.append((kind, number, content))
        self._write([wire.HEADER.pack(kind, number, len(content)), content])

    def hear(self, data: bytes) -> None:
        self.received += len(data)
        for kind, number, content in self._decoder.receive(data):
            if kind == wire.ACK:
                self.ledger.arrived(number)
            elif kind == wire.PART and self.heard and self.heard[-1][:2] == (kind, number):
                self.heard[-1] = (kind, number, bytes(self.heard[-1][2]) + bytes(content))
            else:
                self.heard.append((kind, number, bytes(content)))

    def resume(self, received: int) -> None:
        """Go on with another channel; the other end has so many bytes."""
        self.under_way = b""
        self._write(self.ledger.take_back(received))

    def _write(self, pieces: Sequence[wire.Bytes]) -> None:
        self.ledger.add(pieces, sum(map(len, pieces)))
        self.under_way += b"".join(pieces)


@many
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["say", "say", "pass", "pass", "acknowledge", "cut"]),
            st.booleans(),
            st.floats(0, 1),
            st.binary(max_size=40),
        ),
        max_size=60,
    )
)
def test_every_frame_arrives_once_and_in_order_however_often_the_channel_is_cut(
    steps: list[tuple[str, bool, float, bytes]],
) -> None:
    ends = one, other = End(), End()
    steps += [("cut", True, 0.0, b""), ("pass", True, 1.0, b""), ("pass", False, 1.0, b"")]
    for number, (what, first, share, content) in enumerate(steps):
        here, there = ends if first else reversed(ends)
        if what == "say":
            here.say(wire.PART if share < 0.3 else wire.DONE, number, content)
        elif what == "pass":
            count = round(share * len(here.under_way))
            passed, here.under_way = here.under_way[:count], here.under_way[count:]
            there.hear(passed)
        elif what == "acknowledge":
            here.say(wire.ACK, here.received, b"")
        else:
            one.resume(other.received)
            other.resume(one.received)
    assert one.heard == other.said
    assert other.heard == one.said


class Reader:
    """Pipes, one after the other, that a Sink writes to, and the one who reads from them."""

    def __init__(self) -> None:
        self.read_end, self.write_end = self._small_pipe()
        self.taken = b""

    def take(self, most: int) -> bytes:
        """Read from the pipe at present."""
        try:
            data = os.read(self.read_end, most) if most else b""
        except BlockingIOError:
            data = b""
        self.taken += data
        return data

    def change(self) -> int:
        """Go on with another pipe, and lose what is in this one."""
        self.close()
        self.read_end, self.write_end = self._small_pipe()
        return self.write_end

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)

    @staticmethod
    def _small_pipe() -> tuple[int, int]:
        ends = os.pipe()
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, SMALL)
        for end in ends:
            os.set_blocking(end, False)
        return ends


@some
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "flush", "take", "acknowledge", "change", "break"]),
            st.lists(st.sampled_from([0, 1, 17, 1000, SMALL, 3 * SMALL]), max_size=6),
        ),
        max_size=30,
    )
)
def test_a_sink_loses_nothing_and_says_nothing_twice(steps: list[tuple[str, list[int]]]) -> None:
    reader = Reader()
    try:
        sink, put = Sink(reader.write_end), b""
        for number, (what, sizes) in enumerate(steps):
            count = sum(sizes)
            if what == "put":
                pieces = [bytes([number, index]) * (size // 2) for index, size in enumerate(sizes)]
                sink.put(*pieces)
                put += b"".join(pieces)
            elif what == "take":
                reader.take(count)
            elif what == "acknowledge":
                sink.ledger.arrived(min(count, len(reader.taken)))
            elif what == "change":
                sink.begin_anew(reader.change(), len(reader.taken))
            elif what == "break":
                _break(reader, sink)
            else:
                left = sink.flush()
                assert left == (sink.ledger.end < len(put))
            assert sink.ledger.end + sink._size == len(put)
        while sink.flush() or sink.ledger.end > len(reader.taken):
            assert reader.take(1 << 16)
        assert reader.taken == put
    finally:
        reader.close()


def _break(reader: Reader, sink: Sink) -> None:
    """Nobody reads any more from what it writes to; then there is another one."""
    os.close(reader.read_end)
    waits = bool(sink._pieces)
    with pytest.raises(BrokenPipeError) if waits else contextlib.nullcontext():
        sink.flush()
    reader.read_end = os.open(os.devnull, os.O_RDONLY)
    sink.begin_anew(reader.change(), len(reader.taken))


def test_a_sink_refuses_to_go_on_from_where_it_was_not() -> None:
    reader = Reader()
    sink = Sink(reader.write_end)
    sink.put(b"12345")
    sink.flush()
    sink.ledger.arrived(3)
    for count in (2, 6, 2**64 - 1):
        with pytest.raises(wire.ProtocolError):
            sink.begin_anew(reader.write_end, count)
    reader.close()


# ----------------------------------------------------------------- a channel's first bytes

START = boot.Start("exec python", b"exec python\n", b"interstate-0123456789abcdef", "python3")
VERSION = ".".join(map(str, sys.version_info[:3])).encode()
MARKED = b"\n" + START.marker + b" " + VERSION + b"\n"
HELLO = wire.encode(wire.HELLO, 0, hello(b"\0interstate-door"))
RESUMED = wire.encode(wire.RESUMED, 12345)
NOISE = st.binary(max_size=200).filter(lambda noise: START.marker not in noise)


class Talker:
    """A stream whose other end says this, and then ends, or breaks, or falls silent."""

    def __init__(self, pieces: Sequence[bytes], end: str = "ends", *, takes: bool = True) -> None:
        self._pieces = deque(filter(None, pieces))
        self._end = end
        self._takes = takes
        self._closed = threading.Event()
        self._ends = 0
        self.written = b""

    def read(self, n: int) -> bytes:
        if self._pieces and not self._closed.is_set():
            piece = self._pieces.popleft()
            if len(piece) > n:
                self._pieces.appendleft(piece[n:])
            return piece[:n]
        if self._end == "falls silent":
            assert self._closed.wait(PATIENCE)
        self._ends += 1
        assert self._ends < 5  # who reads on after the end does so for ever
        if self._end == "breaks":
            raise ConnectionResetError("the connection was lost")
        return b""

    def pump(self, receive: Callable[[bytes], object]) -> None:
        with contextlib.suppress(ConnectionResetError):
            while data := self.read(1 << 16):
                receive(data)

    def write(self, data: wire.Bytes) -> None:
        if self._closed.is_set() or not self._takes:
            raise BrokenPipeError("nobody reads that")
        self.written += data

    def write_now(self, data: bytes) -> bool:
        if at_once := len(data) % 2 == 0:
            self.write(data)
        return at_once

    def close(self) -> None:
        self._closed.set()

    @property
    def lost(self) -> bool:
        return False

    @property
    def finished(self) -> bool:
        return self._end == "finishes"


ENDS = st.sampled_from(["ends", "breaks", "finishes"])


@some
@given(NOISE, st.binary(max_size=50), CUTS, ENDS, st.booleans())
def test_an_agents_hello_is_found_whatever_is_around_it(
    noise: bytes, more: bytes, cuts: list[float], end: str, takes: bool
) -> None:
    stream = Talker(cut(noise + MARKED + HELLO + more, cuts), end, takes=takes)
    found, size, rest = boot.await_hello(stream, START)
    assert (found.pid, found.door, size) == (os.getpid(), b"\0interstate-door", len(HELLO))
    assert more.startswith(rest)
    assert rest + b"".join(stream._pieces) == more


@many
@given(NOISE, EDITS, CUTS, ENDS)
def test_of_a_garbled_hello_comes_one_or_the_reason_why_not(
    noise: bytes, edits: list[tuple[str, float, bytes]], cuts: list[float], end: str
) -> None:
    stream = Talker(cut(garbled(noise + MARKED + HELLO, edits), cuts), end)
    try:
        found, size, _ = boot.await_hello(stream, START)
    except (boot.NoAgentError, OSError):
        return
    assert found.protocol == wire.VERSION
    assert isinstance(found.door, bytes)
    assert size >= HEADER


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("before", [b"", MARKED, MARKED + HELLO[:30]], ids=len)
def test_of_known_garbage_comes_no_hello(before: bytes, garbage: bytes) -> None:
    with pytest.raises(boot.NoAgentError):
        boot.await_hello(Talker([before, garbage]), START)


def test_a_hello_that_is_too_long_is_not_waited_for() -> None:
    header = wire.HEADER.pack(wire.HELLO, 0, 2**40)
    with pytest.raises(boot.NoAgentError, match="the agent failed"):
        boot.await_hello(Talker([MARKED + header, b"x" * 100]), START)


@some
@given(NOISE, NUMBERS, st.binary(max_size=50), CUTS, ENDS)
def test_an_agents_answer_is_found_whatever_is_around_it(
    noise: bytes, count: int, more: bytes, cuts: list[float], end: str
) -> None:
    answer = wire.encode(wire.RESUMED, count)
    stream = Talker(cut(noise + MARKED + answer + more, cuts), end)
    found, rest = boot.resume(stream, START, b"\0door", (1, 1), 1.0)
    assert found == count
    assert rest + b"".join(stream._pieces) == more


@many
@given(NOISE, st.sampled_from([RESUMED, wire.encode(wire.GONE, 0)]), EDITS, CUTS, ENDS)
def test_of_a_garbled_answer_comes_one_or_the_reason_why_not(
    noise: bytes, answer: bytes, edits: list[tuple[str, float, bytes]], cuts: list[float], end: str
) -> None:
    stream = Talker(cut(garbled(noise + MARKED + answer, edits), cuts), end)
    with contextlib.suppress(boot.NoAgentError, boot.AgentGoneError, OSError):
        count, rest = boot.resume(stream, START, b"\0door", (1, 1), 1.0)
        assert 0 <= count < 2**64
        assert isinstance(rest, bytes)


@pytest.mark.parametrize("garbage", [g for g in GARBAGE if g[:1] != RESUMED[:1]])
@pytest.mark.parametrize("before", [b"", MARKED], ids=len)
def test_of_known_garbage_comes_no_answer(before: bytes, garbage: bytes) -> None:
    stream = Talker([before, garbage])
    with pytest.raises((boot.NoAgentError, boot.AgentGoneError)):
        boot.resume(stream, START, b"\0door", (1, 1), 1.0)


# ----------------------------------------------------------------------------- agents

AGENT = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))  # bytes, whatever it is told to keep
from interstate.remote import main
main.main()
"""
CONFIG = {
    "workers": 2,
    "owner": "tests",
    "host": "a-host",
    "initializer": None,
    "heartbeat": 100.0,
    "reconnect": 0.0,
    "grace": 0.1,
    "max_calls": None,
    "python": "3.12.0",
}
CALLS = [
    payload.dump_call(abs, (-7,), {}),
    payload.dump_call(print, ("printed",), {}),
    payload.dump_call(int, ("no number",), {}),
    payload.dump_call(bytes, (80_000,), {}),
]


class Agent:
    """A real agent on pipes."""

    def __init__(self, **config: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", AGENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._source, self._sink = self._process.stdout, self._process.stdin
        self._config = pickle.dumps({**CONFIG, **config})
        self._decoder = wire.Decoder()
        self._frames: deque[wire.Frame] = deque()
        kind, _, content = self.next()
        assert kind == wire.HELLO
        self.hello = boot._parse(bytes(content))
        self.calls = 0

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self._source.close()
        self._sink.close()

    def configure(self) -> None:
        self.send(wire.encode(wire.CONFIG, 0, self._config))

    def send(self, data: bytes) -> None:
        """Send it, as far as it is taken."""
        with contextlib.suppress(BrokenPipeError):
            self._sink.write(data)

    def next(self) -> wire.Frame:
        while not self._frames:
            data = self._source.read(1 << 16)
            assert data, "the agent has ended"
            self._frames += self._decoder.receive(data)
        return self._frames.popleft()

    def run(self) -> Any:
        """Run a call there, and return its result."""
        self.calls += 1
        self.send(wire.encode(wire.CALL, self.calls, payload.dump_call(abs, (-self.calls,), {})))
        while True:
            kind, number, content = self.next()
            if kind == wire.DONE:
                assert number == self.calls
                return payload.parse_outcome(content).load()
            assert kind in (wire.ACK, wire.STARTED)

    def rest(self) -> bytes:
        """Say no more, and return all that it says until it ends, which it must."""
        self._sink.close()
        alarm = threading.Timer(PATIENCE, self._process.kill)
        alarm.start()
        said = b"".join(iter(lambda: self._source.read(1 << 16), b""))
        self._process.wait(PATIENCE)
        alarm.cancel()
        alarm.join()
        assert self._process.returncode in (0, 1)
        return said

    def files(self) -> int:
        """How many it has open."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))


FED = b"".join(
    [
        *(wire.encode(wire.CALL, number, call) for number, call in enumerate(CALLS, 1)),
        wire.encode(wire.BLOB, 9, wire.LENGTH.pack(6)),
        *(wire.encode(wire.PART, 9, part) for part in (b"abc", b"def")),
        wire.encode(wire.LIMIT, 5, wire.SECONDS.pack(1.0)),
        wire.encode(wire.CALL, 5, CALLS[0]),
        wire.encode(wire.RECALL, 0, wire.COUNT.pack(1)),
        wire.encode(wire.REVOKE, 4),
        wire.encode(wire.STOP, 3),
        wire.encode(wire.FORGET, 9),
        wire.encode(wire.ACK, 40),
    ]
)


def feed(data: Sequence[bytes], *, configured: bool = True) -> list[wire.Frame]:
    """What an agent says that is fed this, and then nothing more; it ends, with all of its own."""
    before = set(processes.children(os.getpid()))
    with Agent() as agent:
        if configured:
            agent.configure()
        for piece in data:
            agent.send(piece)
        said = agent.rest()
    new = set(processes.children(os.getpid())) - before
    assert processes.wait_gone(new, PATIENCE) == []
    return decode([said])


@few
@given(EDITS, CUTS)
def test_an_agent_that_is_fed_garbled_frames_ends_with_all_that_it_started(
    edits: list[tuple[str, float, bytes]], cuts: list[float]
) -> None:
    feed(cut(garbled(FED, edits), cuts))


@few
@given(st.binary(min_size=1, max_size=300), st.booleans())
def test_an_agent_that_is_fed_random_bytes_ends(data: bytes, configured: bool) -> None:
    frames = feed([data], configured=configured)
    if len(data) >= HEADER and data[0] not in wire.KINDS:
        assert [kind for kind, _, _ in frames][-1] == wire.FAILED
        assert b"ProtocolError" in bytes(frames[-1][2])


@pytest.mark.parametrize("garbage", GARBAGE)
def test_an_agent_that_is_fed_known_garbage_ends(garbage: bytes) -> None:
    feed([FED, garbage])


# ------------------------------------------------------------------- an agent's door

Stranger = Callable[[socket.socket], object]


def _give(guest: socket.socket, said: bytes, descriptors: Sequence[int]) -> None:
    rights = array.array("i", descriptors)
    guest.sendmsg([said], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else [])


def _give_pipes(guest: socket.socket, said: bytes, count: int) -> None:
    """Give ends of pipes whose other ends are closed."""
    pipes = [os.pipe() for _ in range(count)]
    for _, writer in pipes:
        os.close(writer)
    _give(guest, said, [reader for reader, _ in pipes])
    for reader, _ in pipes:
        os.close(reader)


STRANGERS: dict[str, Stranger] = {
    "says nothing": lambda guest: None,
    "says too little": lambda guest: guest.send(b"abc"),
    "says too much": lambda guest: guest.send(bytes(100_000), socket.MSG_DONTWAIT),
    "says a count alone": lambda guest: guest.send(wire.ERRAND.pack(0, 1)),
    "says a wrong count": lambda guest: guest.send(wire.ERRAND.pack(2**63, 1)),
    "brings nothing to a message": lambda guest: _give(guest, b"12345678", []),
    "brings one descriptor": lambda guest: _give_pipes(guest, wire.ERRAND.pack(0, 1), 1),
    "brings one too many, and says too little": lambda guest: _give_pipes(guest, b"abc", 3),
    "says nothing any more": lambda guest: guest.shutdown(socket.SHUT_WR),
    "does not listen": lambda guest: guest.shutdown(socket.SHUT_RD),
}


@contextlib.contextmanager
def strangers(door: bytes, kinds: Sequence[str]) -> Iterator[None]:
    """Some at the door of an agent; they stay until the end."""
    with contextlib.ExitStack() as guests:
        for kind in kinds:
            guest = guests.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            guest.connect(door)
            guest.settimeout(PATIENCE)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                STRANGERS[kind](guest)
        yield


@pytest.fixture(scope="module")
def visited() -> Iterator[Agent]:
    """An agent that would wait for another channel, if it lost its own."""
    with Agent(reconnect=60.0, workers=1) as agent:
        agent.configure()
        assert agent.run() == 1
        yield agent


@some
@given(st.lists(st.sampled_from(sorted(STRANGERS)), min_size=1, max_size=12))
def test_strangers_at_its_door_do_an_agent_no_harm(visited: Agent, kinds: list[str]) -> None:
    files = visited.files()
    with strangers(visited.hello.door, kinds):
        assert visited.run() == visited.calls
    deadline = time.monotonic() + PATIENCE
    while visited.files() != files:  # until it has seen them leave
        assert visited.run() == visited.calls
        assert time.monotonic() < deadline


@pytest.mark.parametrize("count", [2**63, 10**6])
def test_a_stranger_with_two_descriptors_and_an_impossible_count_does_it_no_harm(
    count: int,
) -> None:
    with Agent(reconnect=60.0) as agent:
        agent.configure()
        assert agent.run() == 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as guest:
            guest.connect(agent.hello.door)
            _give_pipes(guest, wire.ERRAND.pack(count, 1), 2)
            guest.settimeout(PATIENCE)
            assert guest.recv(1) == b""
        assert agent.run() == 2


def test_a_channel_that_comes_too_late_is_not_taken() -> None:
    """The client has given that attempt up, and has come back by a later one."""
    with Agent(reconnect=60.0) as agent:
        agent.configure()
        assert agent.run() == 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as guest:
            guest.connect(agent.hello.door)
            _give_pipes(guest, wire.ERRAND.pack(0, 0), 2)
            guest.settimeout(PATIENCE)
            assert guest.recv(1) == b""
        assert agent.run() == 2


# ----------------------------------------------------------------------------- links

HOST = Host("far.example")
PATIENT = Patience(connect=PATIENCE, heartbeat=PATIENCE, reconnect=0.05)
CONFIGURED = wire.encode(wire.CONFIG, 0, bytes(range(101)))  # even: it is written at once


@pytest.fixture(scope="module")
def transcript() -> bytes:
    """What an agent says after its HELLO."""
    return encoded(feed([FED]))


class Opening:
    """A link whose streams are these, one after the other; then there is no way any more."""

    def __init__(self, streams: Sequence[Talker | Exception], reconnect: float = 0.0) -> None:
        self.messages: list[Message] = []
        self.up, self.down = threading.Event(), threading.Event()
        self._streams = deque(streams)
        self._count = len(streams)
        self._threads = set(threading.enumerate())
        self.link = Link(
            0, HOST, "directly", self._open_stream, START, PATIENT._replace(reconnect=reconnect),
            threading.Semaphore(1), self._deliver,
        )  # fmt: skip
        self.link.open()

    def check(self) -> None:
        """See that there was one Down, as the last of all, and that no thread is left."""
        assert self.down.wait(PATIENCE)
        for thread in set(threading.enumerate()) - self._threads:
            with contextlib.suppress(RuntimeError):  # a timer that is cancelled as it starts
                thread.join(PATIENCE)
        assert not any(map(self.link.owns, threading.enumerate()))
        kinds = [type(message) for message in self.messages]
        assert kinds.count(Down) == 1
        assert kinds[-1] is Down
        assert Up not in kinds[1:]
        assert kinds.count(Back) <= kinds.count(Away) <= self._count

    def _open_stream(self, host: Host, command: str, deadline: float) -> boot.Stream:
        found = self._streams.popleft() if self._streams else ConnectError("no way", host)
        if isinstance(found, Exception):
            raise found
        return found

    def _deliver(self, host: int, message: Message) -> None:
        self.messages.append(message)
        if isinstance(message, Up):
            self.link.send(CONFIGURED)
            self.up.set()
        if isinstance(message, Down):
            self.down.set()


@some
@given(st.one_of(st.binary(max_size=200), EDITS), CUTS, ENDS, st.booleans())
def test_whatever_an_agent_says_its_link_ends_in_one_down(
    transcript: bytes,
    said: bytes | list[tuple[str, float, bytes]],
    cuts: list[float],
    end: str,
    takes: bool,
) -> None:
    data = said if isinstance(said, bytes) else garbled(transcript, said)
    opening = Opening([Talker(cut(MARKED + HELLO + data, cuts), end, takes=takes)])
    opening.check()
    assert opening.up.is_set()
    frames = [m for m in opening.messages if isinstance(m, Arrived)]
    assert all(frame[0] in wire.KINDS for message in frames for frame in message.frames)


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("reconnect", [0.0, 0.05])
def test_whatever_known_garbage_an_agent_says_its_link_ends_in_one_down(
    garbage: bytes, reconnect: float
) -> None:
    opening = Opening([Talker([MARKED + HELLO + garbage])], reconnect)
    opening.check()


@few
@given(EDITS, CUTS, ENDS)
def test_whatever_comes_instead_of_a_hello_its_link_ends_in_one_down(
    edits: list[tuple[str, float, bytes]], cuts: list[float], end: str
) -> None:
    Opening([Talker(cut(garbled(MARKED + HELLO, edits), cuts), end)]).check()


OBSTACLES: list[Exception] = [
    ConnectError("there is no way", HOST),
    AuthenticationError("go away", HOST),
    ConnectionResetError("not now"),
    TimeoutError(),
]


@few
@given(
    st.lists(
        st.one_of(st.sampled_from(OBSTACLES), st.tuples(EDITS, CUTS, ENDS, st.booleans())),
        max_size=3,
    ),
    st.integers(0, len(CONFIGURED) + 1),
)
def test_whatever_is_in_the_way_back_a_link_ends_in_one_down(
    ways: list[Exception | tuple[list[tuple[str, float, bytes]], list[float], str, bool]],
    count: int,
) -> None:
    answer = MARKED + wire.encode(wire.RESUMED, count)
    streams = [
        way
        if isinstance(way, Exception)
        else Talker(cut(garbled(answer, way[0]), way[1]), way[2], takes=way[3])
        for way in ways
    ]
    Opening([Talker([MARKED + HELLO]), *streams], 0.05).check()


@few
@given(st.integers(0, len(CONFIGURED)), NOISE, CUTS, st.sampled_from(["ends", "breaks"]))
def test_a_link_that_finds_its_way_back_says_what_has_not_arrived_and_that_only(
    count: int, noise: bytes, cuts: list[float], end: str
) -> None:
    printed = wire.encode(wire.PRINTED, 1, b"\1printed")
    first = Talker(cut(MARKED + HELLO + printed[:20], cuts))
    answer = noise + MARKED + wire.encode(wire.RESUMED, count)
    second = Talker(cut(answer + printed[20:], cuts), end)
    opening = Opening([first, second, AuthenticationError("go away", HOST)], PATIENCE)
    opening.check()
    kinds = [type(message) for message in opening.messages]
    assert kinds == [Up, Away, Back, Arrived, Away, Down]
    assert second.written.endswith(CONFIGURED[count:])
    errand = second.written.removesuffix(CONFIGURED[count:]).removeprefix(START.again)
    assert int(errand[:10]) == len(errand[10:])


@few
@given(st.booleans(), st.floats(0, 1), st.sampled_from([0.0, 0.05]))
def test_a_link_to_who_is_silent_ends_in_one_down_when_it_is_closed(
    awaited: bool, share: float, reconnect: float
) -> None:
    said = MARKED + HELLO
    said = said if awaited else said[: int(share * len(said))]
    opening = Opening([Talker(cut(said, []), "falls silent")], reconnect)
    if awaited:
        assert opening.up.wait(PATIENCE)
    opening.link.close(KILL)
    opening.link.hang_up()  # its time is up
    assert opening.down.wait(PATIENCE)
    opening.link.close(KILL)
    opening.check()
