"""What calls print: what is kept of it, how it is shown live, and whose it is."""

from __future__ import annotations

import itertools
import logging
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import interstate
from interstate import Host, SSHExecutor
from interstate.hostlog import HostLog
from interstate.output import Lines, Plain, Told
from interstate.printed import Printed
from interstate.remote import wire
from interstate.remote.sink import Sink
from interstate.screen import LONGEST, Screen

pytestmark = pytest.mark.usefixtures("unhurried_ends")

PATIENCE = 60.0  # seconds: no result takes that long
HERE = Host("node-7")
NOTICE = re.compile(
    rb"\n\[interstate: ([\d,]+) bytes? (?:was|were) dropped here, .*output_limit\]\n"
)

Pieces = list[tuple[int, bytes]]


@pytest.fixture
def one_worker(host: Host) -> Iterator[SSHExecutor]:
    with SSHExecutor([host], workers_per_host=1) as executor:
        yield executor


def result(future: Future[Any]) -> Any:
    return future.result(timeout=PATIENCE)


# ------------------------------------------------------------------------- what is kept


def joined(pieces: Iterable[tuple[int, bytes]], streams: tuple[int, ...]) -> bytes:
    return b"".join(data for stream, data in pieces if stream in streams)


def kept(pieces: Iterable[tuple[int, bytes]], limit: int | None) -> Printed:
    printed = Printed(limit)
    for stream, data in pieces:
        printed.add(stream, data)
    return printed


some_pieces = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=60)


@given(some_pieces, st.integers(0, 400))
def test_of_too_much_the_first_and_the_last_half_of_the_limit_are_kept(
    pieces: Pieces, limit: int
) -> None:
    printed, everything = kept(pieces, limit), joined(pieces, (1, 2))
    if len(everything) <= limit:
        assert printed.joined((1, 2)) == everything
    else:
        first, dropped, last = NOTICE.split(printed.joined((1, 2)))
        assert (len(first), len(last)) == (limit // 2, limit - limit // 2)
        assert everything.startswith(first)
        assert everything.endswith(last)
        assert int(dropped) == len(everything) - limit


@given(some_pieces, st.integers(0, 400))
def test_of_either_stream_it_is_said_how_much_was_dropped(pieces: Pieces, limit: int) -> None:
    printed, kept_of_both = kept(pieces, limit), 0
    for stream in (1, 2):
        everything = joined(pieces, (stream,))
        first, *more = NOTICE.split(printed.joined((stream,)))
        dropped, last = more if more else (b"0", b"")
        kept_of_both += len(first) + len(last)
        assert everything.startswith(first)
        assert everything.endswith(last)
        assert len(everything) == len(first) + int(dropped) + len(last)
    assert kept_of_both == min(limit, len(joined(pieces, (1, 2))))


@given(some_pieces)
def test_without_a_limit_all_is_kept(pieces: Pieces) -> None:
    printed = kept(pieces, None)
    assert [printed.joined(of) for of in [(1,), (2,), (1, 2)]] == [
        joined(pieces, of) for of in [(1,), (2,), (1, 2)]
    ]


@pytest.mark.parametrize(
    ("streams", "limit"), [((1,), None), ((1,), 1 << 14), ((1, 2), 1 << 14)], ids=str
)
def test_a_call_that_prints_byte_by_byte_takes_little_more_than_the_limit(
    streams: tuple[int, ...], limit: int | None
) -> None:
    size = 30_000
    tracemalloc.start()
    try:
        printed = kept(((streams[n % len(streams)], b"x") for n in range(size)), limit)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 1.2 * (limit or size) + 400_000
    assert len(NOTICE.sub(b"", printed.joined((1, 2)))) <= (limit or size)


def test_what_is_printed_can_be_read_while_more_of_it_comes_in() -> None:
    printed, ended = Printed(1 << 21), threading.Event()

    def add() -> None:
        for n in range(3_000):
            printed.add(1 + n % 2, b"x" * (n % 5_000))
        ended.set()

    adder = threading.Thread(target=add)
    adder.start()
    while not ended.is_set():  # a reader that let it be resized would fail here, or the adder
        assert set(NOTICE.sub(b"", printed.joined((1, 2)))) <= {ord("x")}
    adder.join()
    assert ended.is_set()


# ------------------------------------------------------------------ what is shown, and when


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(*pieces: bytes, pause: float = 0.0) -> list[str]:
    """What a Screen shows, in the end, of pieces that come a pause apart."""
    clock = Clock()
    screen, lines = Screen(clock), []
    for piece in pieces:
        lines += screen.write(piece)
        clock.now += pause
    return [*lines, *screen.finish()]


@given(st.text(alphabet="aäß€\n ", max_size=60), st.lists(st.integers(0, 120), max_size=8))
def test_whole_lines_are_shown_as_they_are_wherever_they_are_cut(
    text: str, cuts: list[int]
) -> None:
    data = text.encode()
    ends = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(ends)]
    assert shown(*pieces) == text.removesuffix("\n").split("\n") if text else not shown(*pieces)


@example("\x1b[\x1b0A", [])
@given(st.text(alphabet="ab\r\n\x1b[A0m;", max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_no_control_sequence_is_left_but_those_of_colours(text: str, cuts: list[int]) -> None:
    ends = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    lines = shown(*(text[a:b].encode() for a, b in itertools.pairwise(ends)), pause=0.7)
    assert not any(re.search(r"[\r\n]|\x1b\[[0-9;]*A", line) for line in lines)


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (b"one\r\ntwo\r\n\r\nthree", ["one", "two", "", "three"]),
        (b"\r10%\r20%\rdone\n", ["done"]),
        (b"\r10%\r20%\r\n", ["20%"]),
        (b"\r10%\r   \r\nnext\n", ["next"]),
        (
            b"\x1b[31mred\x1b[0m\n\x1b[1;32mgreen\n",
            ["\x1b[31mred\x1b[0m", "\x1b[1;32mgreen\x1b[0m"],
        ),
        (b"\x1b[2K\x1b[?25la\x1b[3Db\n", ["ab"]),
        (b"cut short \x1b[3", ["cut short "]),
    ],
)
def test_of_a_line_is_shown_what_a_terminal_would_show_last(
    printed: bytes, lines: list[str]
) -> None:
    assert shown(printed) == lines
    once = shown(*(bytes((byte,)) for byte in printed))
    assert [line for line in once if "%" not in line or line in lines] == lines


def test_a_line_that_goes_on_is_shown_once_a_second_and_when_it_ends() -> None:
    bar = [f"\r{n}%".encode() for n in range(0, 101, 10)]
    assert shown(*bar, b"\n", b"next\n", pause=0.25) == ["0%", "40%", "80%", "100%", "next"]
    assert shown(*bar, pause=0.25) == ["0%", "40%", "80%", "100%"]
    assert shown(*bar[:5], pause=0.25) == ["0%", "40%"]  # what was shown is not shown again


def test_a_state_is_shown_when_it_is_whole() -> None:
    pieces = [piece for n in range(3) for piece in (b"%d" % n, b" ", b"of 3", b"\r")]
    assert shown(*pieces, pause=0.3) == ["0 of 3", "1 of 3", "2 of 3"]


def test_bars_below_one_another_are_shown_like_others() -> None:
    def inner(n: int) -> list[bytes]:
        return [b"\n", b"\rinner %d" % n, b"\x1b[A"]

    def outer(n: int) -> list[bytes]:
        return [b"\router %d" % n]

    pieces = [*outer(0), *inner(0), *inner(1), *outer(1), *inner(2), *inner(3), *outer(2), b"\n"]
    assert shown(*pieces, b"end\n") == ["outer 0", "outer 2", "end"]
    slow = ["outer 0", "inner 0", "inner 1", "outer 1", "inner 2", "inner 3", "outer 2"]
    assert shown(*pieces, pause=1.0) == slow


def test_a_line_without_an_end_is_shown_in_pieces() -> None:
    screen = Screen(Clock())
    lines = [line for _ in range(40) for line in screen.write(b"x" * 10_000)]
    assert [len(line) for line in lines] == [70_000] * 5
    assert screen.write(b"yz") == []
    assert screen.finish() == ["x" * 50_000 + "yz"]
    assert shown(b"x" * (LONGEST + 1), b"\n") == ["x" * (LONGEST + 1)]


def test_lines_of_hosts_are_labelled_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    clock, other = Clock(), Host("node-8")
    lines = Lines(labelled=True, clock=clock)
    lines.printed(HERE, (0, 1), 1, b"\r10%")
    lines.printed(other, (1, 2), 1, b"torn \xe2\x82")
    lines.printed(HERE, (0, 1), 1, b"\r20%")
    lines.printed(other, (1, 2), 1, b"\xac not\n")
    lines.printed(other, (1, 2), 2, b"an error")
    clock.now = 1.0
    lines.printed(HERE, (0, 1), 1, b"\r30%")
    lines.printed(HERE, (0, 1), 1, b"\r40%")
    for call in ((0, 1), (1, 2)):
        lines.ended(call)
    out, err = capsys.readouterr()
    assert out == "[node-7] 10%\n[node-8] torn € not\n[node-7] 30%\n[node-7] 40%\n"
    assert err == "[node-8] an error\n"


def test_what_no_call_prints_is_shown_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(labelled=False)
    lines.printed(HERE, (0, wire.NO_CALL | 99), 1, b"it begins")
    lines.close()
    assert capsys.readouterr().out == "it begins\n"


def test_plain_output_passes_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    plain = Plain()
    for piece in (b"\r10%\x1b[A\xe2", b"\x82", b"\xac", b"\xc3"):
        plain.printed(HERE, (0, 1), 1, piece)
    assert capsys.readouterr().out == "\r10%\x1b[A€"
    plain.ended((0, 1))
    assert capsys.readouterr().out == "�"


def at_once(callback: Callable[[], object]) -> None:
    callback()


def test_characters_that_are_cut_are_told_whole() -> None:
    told: list[str] = []
    output = Told(lambda host, stream, text: told.append(text), at_once)
    for piece in (b"\xe2", b"\x82", b"\xac!", b"\xc3"):
        output.printed(HERE, (0, 1), 1, piece)
    output.ended((0, 1))
    assert told == ["€!", "�"]


# ----------------------------------------------------------------------- over there, in between


def test_small_pieces_of_a_call_and_stream_share_a_frame_and_keep_their_place() -> None:
    reader, writer = os.pipe()
    sink = Sink(writer)
    for call, printed in [(1, b"\1a"), (1, b"\1b"), (1, b"\2c"), (2, b"\2d")]:
        sink.put_printed(call, printed)
    sink.put(wire.encode(wire.DONE, 1, b"e"))
    sink.put_printed(2, b"\2f")
    sink.put_printed(2, b"\2" + b"g" * 5_000)
    assert not sink.flush()
    frames = wire.Decoder().receive(os.read(reader, 1 << 16))
    assert frames == [
        (wire.PRINTED, 1, b"\1ab"),
        (wire.PRINTED, 1, b"\2c"),
        (wire.PRINTED, 2, b"\2d"),
        (wire.DONE, 1, b"e"),
        (wire.PRINTED, 2, b"\2f"),
        (wire.PRINTED, 2, b"\2" + b"g" * 5_000),
    ]
    os.close(reader)
    os.close(writer)


# -------------------------------------------------------------------------------- on hosts


def test_what_is_binary_is_there_as_it_was_written(one_worker: SSHExecutor) -> None:
    data = bytes(range(256)) * 500

    def job() -> None:
        sys.stdout.buffer.write(data)
        os.write(2, data[::-1][:60_000])

    future = one_worker.submit(job)
    result(future)
    assert future.stdout_bytes == data
    assert future.stderr_bytes == data[::-1][:60_000]
    assert len(future.output_bytes) == len(data) + 60_000
    assert future.stdout == data.decode(errors="replace")


def test_of_what_a_call_prints_the_middle_is_dropped(real_host: Host) -> None:
    def job() -> None:
        for n in range(10_000):
            print(f"{n:05}", file=sys.stderr if n == 9_999 else sys.stdout)

    with SSHExecutor([real_host], workers_per_host=1, output_limit=100) as executor:
        future = executor.submit(job)
        result(future)
    everything = "".join(f"{n:05}\n" for n in range(10_000))
    first = (
        f"{everything[:50]}\n[interstate: 59,900 bytes were dropped here, beyond output_limit]\n"
    )
    assert future.output == first + everything[-50:]
    assert future.stdout == first + everything[-50:-6]
    assert future.stderr == everything[-6:]


@pytest.mark.parametrize(("limit", "error"), [(-1, ValueError), (1.5, TypeError), ("1", TypeError)])
def test_a_limit_that_is_none_is_refused(limit: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="output_limit"):
        SSHExecutor("nowhere.invalid", output_limit=limit)
    with pytest.raises(error, match="output_limit"):
        interstate.execute(print, host="nowhere.invalid", output_limit=limit)


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_hundred_megabytes_neither_stall_others_nor_fill_us(real_host: Host) -> None:
    def job() -> None:
        for _ in range(50):
            sys.stdout.write("x" * (1 << 20))
            data = b"y" * (1 << 20)
            while data:
                data = data[os.write(2, data) :]

    with SSHExecutor([real_host], workers_per_host=2, output_limit=1 << 20) as executor:
        for future in [executor.submit(time.sleep, 0.1) for _ in range(2)]:
            result(future)
        before, answered = rss(), 0
        future = executor.submit(job)
        while not future.done():
            answered += result(executor.submit(abs, -1))
        result(future)
        assert answered >= 3
        assert rss() - before < 50 << 20
        assert len(NOTICE.sub(b"", future.output_bytes)) == 1 << 20


def test_what_python_prints_is_in_order_and_a_child_in_its_place(one_worker: SSHExecutor) -> None:
    def job(stream: int) -> None:
        for n in range(100):
            print(n, "a", file=sys.stdout if n % 3 else sys.stderr)
        subprocess.run(["sh", "-c", f"echo child >&{stream}"], check=True)
        for n in range(100):
            print(n, "b", file=sys.stderr if n % 3 else sys.stdout)

    expected = [*(f"{n} a" for n in range(100)), "child", *(f"{n} b" for n in range(100))]
    for stream in (1, 2):
        future = one_worker.submit(job, stream)
        result(future)
        assert future.output.splitlines() == expected
        assert ("child" in future.stdout, "child" in future.stderr) == (stream == 1, stream == 2)


@pytest.mark.parametrize("how", ["os._exit", "SIGKILL", "abort"])
def test_all_that_a_worker_printed_before_it_died_is_there(
    one_worker: SSHExecutor, how: str
) -> None:
    def job() -> None:
        print("a line", "and")
        subprocess.run(["printf", "child "], check=True)
        print("no line", end="")
        if how == "os._exit":
            os._exit(0)
        elif how == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        os.abort()

    future = one_worker.submit(job)
    assert isinstance(future.exception(PATIENCE), interstate.WorkerDied)
    assert future.output == "a line and\nchild no line"


def test_a_call_that_prints_at_the_interpreters_end_is_told_of(real_host: Host) -> None:
    script = f"""if True:
        import time, interstate
        executor = interstate.SSHExecutor(
            interstate.{real_host!r}, output=lambda *what: print(what[1:], flush=True)
        )
        executor.submit(abs, 1).result()
        executor.submit(lambda: (time.sleep(0.3), print("hello", end="")))
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("('stdout', 'hello')\n", "")


# ---------------------------------------------------------------------- what is no call's


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The messages of the hosts' log, without the host, and their streams."""
    found = []
    for record in caplog.records:
        if record.name == "interstate.host":
            host, _, text = record.getMessage().partition(": ")
            assert (str(vars(record)["host"]), record.levelname) == (host, "INFO")
            found.append((text, vars(record)["stream"]))
    return found


def leave_child(executor: SSHExecutor, script: str, start: Path) -> Callable[[], None]:
    """Leave a child behind that runs a script when the function runs over there."""
    waits = f"while [ ! -e {start} ]; do sleep 0.01; done; {script}"
    child = result(executor.submit(os.spawnvp, os.P_NOWAIT, "sh", ["sh", "-c", waits]))

    def end() -> None:
        start.touch()
        os.waitpid(child, 0)

    return end


def test_what_a_left_over_child_prints_goes_to_the_hosts_log(
    host: Host, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO, "interstate.host")
    told: list[str] = []
    with SSHExecutor([host], workers_per_host=1, output=lambda *what: told.append(what[2])) as pool:
        script = "echo late; echo läte; echo sad >&2; printf 'no line'; printf torn >&2"
        end = leave_child(pool, script, tmp_path / "start")
        following = pool.submit(end)
        result(following)
        assert following.output == ""
    assert told == []
    assert sorted(logged(caplog)) == [
        ("late", "stdout"),
        ("läte", "stdout"),
        ("no line", "stdout"),
        ("sad", "stderr"),
        ("torn", "stderr"),
    ]


def test_what_a_left_over_thread_prints_goes_there_too(
    one_worker: SSHExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interstate.host")

    def leaves() -> None:
        def late() -> None:
            print("its call's")
            begun.set()
            end.wait()
            print("late")
            print("no line", end="", file=sys.stderr)

        begun, end = threading.Event(), threading.Event()
        thread = threading.Thread(target=late)
        thread.start()
        begun.wait()
        vars(sys)["left"] = end, thread

    def follows() -> None:
        end, thread = vars(sys).pop("left")
        print("one")
        end.set()
        thread.join()
        own = threading.Thread(target=print, args=("two",))
        own.start()
        own.join()
        print("three")

    first, second = one_worker.submit(leaves), one_worker.submit(follows)
    result(second)
    assert first.output == "its call's\n"
    assert second.output == "one\ntwo\nthree\n"
    one_worker.shutdown()
    assert logged(caplog) == [("late", "stdout"), ("no line", "stderr")]


def test_what_an_initializer_prints_is_shown_and_not_logged(
    real_host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interstate.host")
    told: list[str] = []
    with SSHExecutor(
        [real_host], workers_per_host=1, initializer=print, initargs=("ready",),
        output=lambda *what: told.append(what[2]),
    ) as executor:  # fmt: skip
        result(executor.submit(abs, -1))
    assert ("".join(told), logged(caplog)) == ("ready\n", [])


def test_a_handler_of_the_hosts_log_may_submit_and_wait(real_host: Host, tmp_path: Path) -> None:
    found: queue.SimpleQueue[int] = queue.SimpleQueue()

    class Asking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.put(result(executor.submit(abs, -7)))

    log, handler = logging.getLogger("interstate.host"), Asking()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with SSHExecutor([real_host], workers_per_host=1) as executor:
            result(executor.submit(leave_child(executor, "echo late", tmp_path / "start")))
            assert found.get(timeout=PATIENCE) == 7
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


def test_what_comes_too_quickly_for_the_log_is_left_out_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "interstate.host")
    waiting: list[Callable[[], object]] = []
    log, piece = HostLog(waiting.append), (b"x" * 999 + b"\n") * 20
    for _ in range(100):
        log.add(0, HERE, 1, piece)
    assert len(waiting) * len(piece) < 1.1 * (1 << 20)
    for callback in waiting:
        callback()
    waiting.clear()
    log.add(0, HERE, 1, b"more\nno line")
    log.close()
    for callback in waiting:
        callback()
    *lines, lost, more, last = [text for text, _ in logged(caplog)]
    assert all(text == "x" * 999 for text in lines)
    assert lost == f"[interstate: {2_000 - len(lines):,} lines were dropped here, too many at once]"
    assert (more, last) == ("more", "no line")


def test_the_hosts_log_needs_no_thread_at_the_interpreters_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(callback: Callable[[], object]) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    caplog.set_level(logging.INFO, "interstate.host")
    HostLog(refuse).add(0, HERE, 2, b"late\n")
    assert logged(caplog) == [("late", "stderr")]
