"""What reading with suspicion and long random runs have found."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
import weakref
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, cast

import pytest

from interstate import SSHExecutor, events
from interstate.arrivals import News
from interstate.blobs import Blob, Blobs
from interstate.callbacks import Callbacks
from interstate.errors import BrokenSSHExecutor, HostLost
from interstate.future import RemoteFuture
from interstate.hosts import Host
from interstate.remote import payload, wire
from interstate.shelf import Shelf
from interstate.ssh.inbox import Inbox
from interstate.ssh.wires import Tunnel
from interstate.writer import Writer

from .proxy import Proxy


def test_what_arrives_while_an_inbox_begins_to_be_pumped_waits_for_what_came_before() -> None:
    inbox = Inbox()
    came: list[bytes] = []
    inbox.feed(b"first")
    feeder = threading.Thread(target=inbox.feed, args=(b"second",))

    def receive(data: bytes) -> None:
        if data == b"first":
            feeder.start()
            feeder.join(0.3)  # it must not come through in that time, nor in any other
        came.append(data)
        if len(came) == 2:
            inbox.close()

    inbox.pump(receive)
    feeder.join()
    assert came == [b"first", b"second"]


def test_a_shutdown_waits_for_a_result_that_is_being_rebuilt(host: Host) -> None:
    def slow() -> object:
        class Slow:
            def __reduce__(self) -> tuple[object, tuple[float]]:
                return time.sleep, (1.0,)

        return Slow()

    with SSHExecutor([host], ssh_config=None) as executor:
        future = executor.submit(slow)
        while future.finished_at is None:  # it is rebuilt next
            time.sleep(0.001)
    assert future.done()


def test_a_call_with_a_large_argument_that_came_back_fails_with_its_host(
    host: Host, tmp_path: Path
) -> None:
    """It has given back what it used there already."""

    def long() -> None:
        (tmp_path / str(os.getppid())).touch()
        time.sleep(100)

    with SSHExecutor([host], workers_per_host=1, ssh_config=None, reconnect=0) as executor:
        quick = [executor.submit(abs, -n) for n in range(400)]  # so that more is sent ahead
        futures: list[Future[Any]] = [executor.submit(long)]
        futures += [executor.submit(bytes.upper, bytes(100_000)) for _ in range(300)]
        wait(quick)
        while not os.listdir(tmp_path) or any(future.running() for future in futures[1:]):
            time.sleep(0.001)
        os.kill(int(os.listdir(tmp_path)[0]), signal.SIGKILL)
        for future in futures:
            assert isinstance(future.exception(90), HostLost)


def test_a_call_may_end_before_what_it_needs_is_lent_to_it() -> None:
    """Whoever fails it, and who sends it, are two threads."""
    shelf = Shelf(0)
    assert shelf.give_back(1) == []
    first, again = Blob(7, b"x"), Blob(7, b"x")
    assert shelf.lend(1, [first]) == [first]
    assert shelf.lend(2, [again]) == []
    assert shelf.give_back(1) == []
    assert shelf.give_back(1) == []  # it had come back, and fails now
    assert shelf.give_back(2) == [7]


def test_a_tunnel_whose_hop_is_gone_is_closed_without_a_word() -> None:
    class Lost:
        def _send_user_message(self, message: object) -> None:
            raise EOFError

    class Channel:
        lock = threading.Lock()
        recv = send = settimeout = None

        def _close_internal(self) -> tuple[object, ...]:
            return ("close",)

        def get_transport(self) -> Lost:
            return Lost()

    Tunnel(cast(Any, Channel())).close()


class Wire:
    """A stream that takes nothing at once, and on which a write waits until it is told to go on."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def write_now(self, data: bytes) -> bool:
        if not self.begun.is_set():
            return False
        self.frames.append(data)
        return True

    def write(self, data: bytes) -> None:
        self.frames.append(bytes(data))


def test_no_frame_overtakes_one_that_the_thread_has_begun_to_write() -> None:
    """The first may be what the agent must know before it takes a call."""
    stream = Wire()
    writer = Writer(cast(Any, stream), 0, "writer")
    write = writer._write

    def slow(*frame: Any) -> None:  # it has taken the frame, and is held up before it writes
        stream.begun.set()
        stream.go_on.wait()
        write(*frame)

    writer._write = slow  # type: ignore[method-assign]
    writer.thread.start()
    writer.send(b"first")
    stream.begun.wait()
    writer.send(b"second")
    stream.go_on.set()
    while len(b"".join(stream.frames)) < len(b"firstsecond"):
        time.sleep(0.001)
    writer.close()
    writer.thread.join()
    assert b"".join(stream.frames) == b"firstsecond"


def test_a_part_of_bytes_is_not_taken_for_the_whole() -> None:
    content = bytes(70_000) + bytes([1]) * 70_000
    blobs = Blobs()
    assert blobs.take(memoryview(content)[70_000:]).content == content[70_000:]
    whole = blobs.take(memoryview(content))
    assert whole.content == content
    assert blobs.take(memoryview(content)[:70_000]).content == content[:70_000]


def test_where_no_thread_can_be_had_a_large_content_is_looked_for_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    blobs = Blobs()
    first = blobs.take(memoryview(bytes(1 << 20)))
    monkeypatch.setattr(threading.Event, "wait", threading.Event.is_set)  # fails, hangs not
    assert blobs.take(memoryview(bytearray(1 << 20))) is first


def test_a_call_and_its_function_may_have_as_many_large_parts_as_are_let_out(host: Host) -> None:
    parts = [bytes([n]) * 70_000 for n in range(payload.MOST)]

    class Held:
        def __init__(self, content: Any) -> None:
            self.content = content

        def __reduce_ex__(self, protocol: Any) -> Any:
            return bytes, (pickle.PickleBuffer(self.content),)

    held, text = [Held(part) for part in parts], "x" * 100_000  # with which the pickle is large

    def count(*args: Any) -> tuple[int, int, int]:
        return len(held), len(text), len(args)

    with SSHExecutor([host], workers_per_host=1, ssh_config=None) as executor:
        future = executor.submit(count, *parts, "y" * 100_000)
        assert future.result(60) == (payload.MOST, 100_000, payload.MOST + 1)


def test_a_callback_is_not_run_by_a_later_thread_of_the_same_number() -> None:
    callbacks, ran = Callbacks(), list[threading.Thread]()

    class Nobody:
        def __init__(self) -> None:
            self.callbacks = callbacks
            self.is_elsewhere = False
            self.output_limit: int | None = None

        def cancelled(self, call: int) -> None: ...

        def revoke(self, future: RemoteFuture[Any], *, wait: bool = True) -> None: ...

        def stop(self, future: RemoteFuture[Any]) -> None: ...

        def check_process(self) -> None: ...

    future = RemoteFuture[None](1, Nobody())

    def add() -> None:
        future.add_done_callback(lambda _: ran.append(threading.current_thread()))

    adder = threading.Thread(target=add)
    adder.start()
    adder.join()
    number = adder.ident

    def settle() -> None:
        if threading.get_ident() == number and not future.done():
            future.set_result(None)

    for _ in range(1000):  # as a rule the next thread gets it
        later = threading.Thread(target=settle)
        later.start()
        later.join()
    callbacks.close()
    assert later not in ran
    assert [thread.name for thread in ran] == ["interstate callbacks"] * future.done()


def test_a_call_that_comes_back_cannot_be_cancelled_before_the_pool_knows_that_it_came(
    real_host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who waits for it is told only when it would have been sent again."""
    cancelled: list[bool] = []
    with (
        Proxy(real_host, tmp_path) as proxy,
        SSHExecutor([proxy.host], workers_per_host=1, ssh_config=None) as executor,
    ):
        proxy.freeze()  # until all is submitted: else the first may be done when the others come
        engine = executor._engine
        read = engine._arrivals.read

        def read_and_cancel(host: int, frames: Any) -> News:
            news = read(host, frames)
            for event in news.happened:
                if isinstance(event, events.Returned):
                    cancelled.extend(engine._calls[n].future.cancel() for n in event.calls)
            return news

        monkeypatch.setattr(engine._arrivals, "read", read_and_cancel)

        def long() -> None:
            while not (tmp_path / "end").exists():
                time.sleep(0.001)

        quick = [executor.submit(abs, -n) for n in range(400)]  # so that more is sent ahead
        executor.submit(long)
        quick += [executor.submit(abs, -n) for n in range(300)]
        proxy.thaw()
        wait(quick[:400])
        while not cancelled:
            time.sleep(0.001)
        (tmp_path / "end").touch()
    assert not any(cancelled)


def test_what_a_lost_host_was_still_to_be_sent_is_not_kept() -> None:
    class Gone(Wire):
        closed = False

        def write(self, data: bytes) -> None:
            raise ConnectionResetError

        def close(self) -> None:
            self.closed = True

    gone = Gone()
    writer = Writer(cast(Any, gone), 0, "writer")
    blob = Blob(1, bytes(100_000))
    kept = weakref.ref(blob)
    writer.send_with(1, [blob], wire.encode(wire.CALL, 1, b"call"))
    writer.thread.start()
    while not gone.closed:  # lest what reads goes on as if nothing had happened
        time.sleep(0.001)
    writer.close()
    writer.thread.join(60)  # it has the blob in hand till then
    assert writer.wind_up() == [1]
    writer.done_with(1)
    del blob
    assert kept() is None


def test_a_mistake_of_the_engine_fails_every_call_and_hangs_nobody(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with SSHExecutor([host], workers_per_host=1) as executor:
        running = executor.submit(time.sleep, 60)
        while not running.running():
            time.sleep(0.01)

        def handle(*args: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(executor._engine.pool, "handle", handle)
        for future in (executor.submit(abs, -1), running):
            with pytest.raises(BrokenSSHExecutor, match="Interstate itself failed"):
                future.result(60)
        with pytest.raises(BrokenSSHExecutor):
            executor.submit(abs, -1)
    assert "Interstate failed" in caplog.text
