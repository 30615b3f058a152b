"""SSHExecutor as a concurrent.futures.Executor: on a real sshd and on loopback hosts."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, as_completed, wait
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import interstate
from interstate import Host, RemoteError, SSHExecutor, WorkerDied

from .gates import Gate
from .waiting import until

PATIENCE = 60.0  # seconds: no result takes that long


@pytest.fixture(autouse=True)
def _hosts_have_time_to_say_what_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a call is cancelled; two seconds, else."""
    monkeypatch.setattr("interstate.engine._REVOKING", PATIENCE)


@pytest.fixture
def executor(host: Host) -> Iterator[SSHExecutor]:
    with SSHExecutor([host], workers_per_host=2) as executor:
        yield executor


def outcome(future: Future[Any]) -> Any:
    return future.result(timeout=PATIENCE)


def failure(future: Future[Any]) -> BaseException:
    error = future.exception(timeout=PATIENCE)
    assert error is not None
    return error


# ------------------------------------------------------------------------------- results


def test_a_closure_runs_over_there_and_its_result_is_here(executor: SSHExecutor) -> None:
    offset = 10
    here = os.getpid()

    def there(x: int, *, y: int) -> tuple[int, bool]:
        return x + y + offset, os.getpid() != here

    assert outcome(executor.submit(there, 1, y=2)) == (13, True)


def test_results_of_any_size_arrive_whole(executor: SSHExecutor) -> None:
    for size in (0, 1, 1 << 16, (1 << 16) + 1, 5_000_000):
        data = os.urandom(size)
        assert outcome(executor.submit(bytes, data)) == data


def test_many_calls_from_many_threads_all_come_back(executor: SSHExecutor) -> None:
    results: dict[int, list[int]] = {}

    def submit_some(start: int) -> None:
        futures = [executor.submit(abs, -n) for n in range(start, start + 300)]
        results[start] = [outcome(future) for future in futures]

    threads = [threading.Thread(target=submit_some, args=(i * 1000,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i * 1000: list(range(i * 1000, i * 1000 + 300)) for i in range(8)}


def test_as_completed_wait_and_callbacks_work(executor: SSHExecutor) -> None:
    futures = [executor.submit(abs, -n) for n in range(20)]
    assert {outcome(future) for future in as_completed(futures, PATIENCE)} == set(range(20))
    assert wait(futures, PATIENCE).not_done == set()
    called = threading.Event()
    executor.submit(abs, -1).add_done_callback(lambda future: called.set())
    assert called.wait(PATIENCE)


def test_a_callback_may_submit_and_wait_for_the_result(executor: SSHExecutor) -> None:
    found: list[int] = []
    called = threading.Event()

    def callback(future: Future[int]) -> None:
        found.append(outcome(executor.submit(abs, -future.result())))
        called.set()

    executor.submit(abs, -5).add_done_callback(callback)
    assert called.wait(PATIENCE)
    assert found == [5]


def test_a_callback_that_raises_hurts_nobody(
    executor: SSHExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    called = threading.Event()

    def callback(future: Future[None]) -> None:
        called.set()
        raise SystemExit("from a callback")

    executor.submit(time.sleep, 0.1).add_done_callback(callback)
    assert called.wait(PATIENCE)
    assert outcome(executor.submit(abs, -5)) == 5


def test_it_serves_asyncio(executor: SSHExecutor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(executor, abs, -n) for n in range(10)))

    assert asyncio.run(main()) == list(range(10))


def test_the_future_tells_where_and_when_it_ran(executor: SSHExecutor, host: Host) -> None:
    before = time.time()
    future = executor.submit(time.sleep, 0.2)
    outcome(future)
    assert future.host == host
    assert future.started_at is not None
    assert future.finished_at is not None
    assert before - 0.1 <= future.started_at <= future.finished_at <= time.time()
    assert future.finished_at - future.started_at >= 0.2


def test_a_future_knows_that_its_call_runs(executor: SSHExecutor, gate: Gate) -> None:
    future = executor.submit(gate.wait)
    until(lambda: future.started_at is not None)
    assert future.running()
    assert future.finished_at is None
    gate.open()
    outcome(future)


def test_a_call_keeps_no_other_from_a_free_worker(executor: SSHExecutor, gate: Gate) -> None:
    """Also when it was sent behind a call that turns out to be long."""
    for _ in range(50):
        outcome(executor.submit(abs, 1))  # short calls: several are sent ahead
    slow = executor.submit(gate.wait)
    quick = [executor.submit(abs, -n) for n in range(50)]
    assert [outcome(future) for future in quick] == list(range(50))
    assert not slow.done()
    gate.open()
    outcome(slow)


# ----------------------------------------------------------------------------------- map


def test_map_keeps_the_order(executor: SSHExecutor) -> None:
    assert list(executor.map(pow, range(50), range(50))) == list(map(pow, range(50), range(50)))
    assert list(executor.map(pow, range(50), range(50), chunksize=7)) == list(
        map(pow, range(50), range(50))
    )
    assert list(executor.map(abs, [])) == []


def test_map_raises_where_the_result_would_be(executor: SSHExecutor) -> None:
    results = executor.map(divmod, [1, 1, 1], [1, 0, 1])
    assert next(results) == (1, 0)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_map_gives_up_after_its_timeout(executor: SSHExecutor, gate: Gate) -> None:
    wait_there = gate.wait

    def job(waits: bool) -> object:
        return waits and wait_there()

    assert list(executor.map(job, [False] * 4)) == [False] * 4  # the workers are there, and ready
    results = executor.map(job, [False, True], timeout=3)
    assert next(results) is False
    with pytest.raises(TimeoutError):
        next(results)
    gate.open()


def test_map_with_a_buffersize_consumes_its_input_lazily(executor: SSHExecutor) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        n = 0
        while True:
            taken.append(n)
            yield n
            n += 1

    results = executor.map(abs, numbers(), buffersize=4)
    assert taken == [0, 1, 2, 3]
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(taken) <= 14
    assert list(executor.map(abs, iter(range(10)), buffersize=2, chunksize=3)) == list(range(10))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"chunksize": 0}, ValueError),
        ({"buffersize": 0}, ValueError),
        ({"buffersize": 1.5}, TypeError),
    ],
)
def test_map_refuses_bad_options(
    executor: SSHExecutor, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        executor.map(abs, [1], **options)


# ---------------------------------------------------------------------------- exceptions


class AppError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


def test_the_exception_arrives_with_its_cause_and_the_remote_frames(
    executor: SSHExecutor,
) -> None:
    def inner() -> None:
        raise KeyError("deep")

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise ValueError("on top") from error

    error = failure(executor.submit(outer))
    assert isinstance(error, ValueError)
    assert isinstance(error.__cause__, KeyError)
    assert [frame.name for frame in _frames(error)][-1] == "outer"
    assert [frame.name for frame in _frames(error.__cause__)] == ["outer", "inner"]


def _frames(error: BaseException) -> Any:
    import traceback

    return traceback.extract_tb(error.__traceback__)


def test_the_traceback_shows_the_source_line_that_raised(executor: SSHExecutor) -> None:
    future = executor.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        outcome(future)
    assert "lambda: 1 / 0" in str(_frames(caught.value)[-1].line)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_would_act_as_a_local_one_arrives_as_a_remote_error(
    executor: SSHExecutor, kind: type[BaseException]
) -> None:
    def there() -> None:
        raise kind("over there")

    error = failure(executor.submit(there))
    assert isinstance(error, RemoteError)
    assert kind.__name__ in str(error)
    assert isinstance(error.__cause__, kind)
    assert outcome(executor.submit(abs, -1)) == 1


def test_sys_exit_ends_the_call_only(executor: SSHExecutor) -> None:
    pid = outcome(executor.submit(os.getpid))
    assert isinstance(failure(executor.submit(sys.exit, 3)), RemoteError)
    assert pid in {outcome(executor.submit(os.getpid)) for _ in range(20)}


def test_an_exception_whose_type_cannot_travel_is_described(executor: SSHExecutor) -> None:
    def there() -> None:
        lock = threading.Lock()

        class HasLockError(Exception):
            held = lock

        error = HasLockError(1, 2)
        error.add_note("take note")
        raise error

    error = failure(executor.submit(there))
    assert isinstance(error, RemoteError)
    assert "HasLockError" in error.type_name
    assert "(1, 2)" in str(error)
    assert error.__notes__ == ["take note"]
    assert "raise error" in error.remote_traceback
    assert _frames(error)[-1].line == "raise error"


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (lambda: os._exit(3), "status 3"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "SIGSEGV"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
    ],
)
def test_a_worker_that_dies_fails_its_call_and_is_replaced(
    executor: SSHExecutor, host: Host, end: Callable[[], None], says: str
) -> None:
    others = [executor.submit(abs, -n) for n in range(20)]
    victim = executor.submit(end)
    others += [executor.submit(abs, -n) for n in range(20)]
    error = failure(victim)
    assert isinstance(error, WorkerDied)
    assert isinstance(error, BrokenExecutor)
    assert says in str(error)
    assert str(host) in str(error)
    assert [outcome(future) for future in others] == [*range(20), *range(20)]
    assert outcome(executor.submit(abs, -1)) == 1


def test_a_death_right_after_large_results_fails_no_other_call(executor: SSHExecutor) -> None:
    def job(n: int) -> bytes:
        if n % 10 == 9:
            os._exit(1)
        return bytes(500_000)

    futures = [executor.submit(job, n) for n in range(100)]
    for n, future in enumerate(futures):
        if n % 10 == 9:
            assert isinstance(failure(future), WorkerDied)
        else:
            assert len(outcome(future)) == 500_000


def test_many_deaths_in_a_row_lose_no_other_call(executor: SSHExecutor) -> None:
    def job(n: int) -> int:
        if n % 5 == 0:
            os._exit(1)
        return n

    futures = [executor.submit(job, n) for n in range(100)]
    for n, future in enumerate(futures):
        if n % 5 == 0:
            assert isinstance(failure(future), WorkerDied)
        else:
            assert outcome(future) == n


def test_a_falsey_exception_is_raised_too(executor: SSHExecutor) -> None:
    class NothingError(Exception):
        def __bool__(self) -> bool:
            return False

    def job() -> None:
        raise NothingError

    with pytest.raises(NothingError):
        outcome(executor.submit(job))


def test_exceptions_that_misbehave_end_truthfully(executor: SSHExecutor) -> None:
    @dataclass(frozen=True)
    class FrozenError(Exception):
        code: int

    class ExitsWhenPickledError(Exception):
        def __reduce__(self) -> Any:
            raise SystemExit(1)

    class Unshowable:
        def __repr__(self) -> str:
            raise ValueError("no repr")

    def throw(error: type[BaseException], *args: Any) -> None:
        raise error(*args)

    assert "FrozenError" in repr(failure(executor.submit(lambda: throw(FrozenError, 3))))
    exits = failure(executor.submit(lambda: throw(ExitsWhenPickledError)))
    assert isinstance(exits, ExitsWhenPickledError)
    assert isinstance(
        failure(executor.submit(lambda: throw(SystemExit, Unshowable()))), RemoteError
    )
    assert outcome(executor.submit(abs, -1)) == 1


# ------------------------------------------------------------------------------ pickling


def test_an_argument_that_cannot_be_pickled_fails_its_future_and_is_named(
    executor: SSHExecutor,
) -> None:
    error = failure(executor.submit(print, 1, {"lock": threading.Lock()}))
    assert isinstance(error, pickle.PicklingError)
    assert "argument 2" in str(error)
    assert "lock" in str(error)


def test_a_closure_that_cannot_be_pickled_fails_its_future_and_is_named(
    executor: SSHExecutor,
) -> None:
    lock = threading.Lock()

    def job() -> object:
        return lock

    error = failure(executor.submit(job))
    assert isinstance(error, pickle.PicklingError)
    assert "job" in str(error)
    assert "'lock'" in str(error)


def test_a_result_that_cannot_be_pickled_fails_its_future_and_the_worker_lives(
    executor: SSHExecutor,
) -> None:
    pids = {outcome(executor.submit(os.getpid)) for _ in range(50)}
    error = failure(executor.submit(lambda: {"a": threading.Lock()}))
    assert isinstance(error, pickle.PicklingError)
    assert "the result of" in str(error)
    assert {outcome(executor.submit(os.getpid)) for _ in range(50)} & pids


def test_what_cannot_be_unpickled_fails_one_future(executor: SSHExecutor) -> None:
    class Bad:
        def __reduce__(self) -> Any:
            return int, ("not a number",)

    assert isinstance(failure(executor.submit(id, Bad())), ValueError)
    assert isinstance(failure(executor.submit(lambda: Bad())), RemoteError)
    assert outcome(executor.submit(abs, -1)) == 1


def test_arguments_and_results_are_let_go_of(executor: SSHExecutor) -> None:
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    future = executor.submit(lambda x: x, thing)
    del thing
    gc.collect()
    assert gone() is None
    result = weakref.ref(outcome(future))
    assert result() is not None
    del future
    for _ in range(3):
        outcome(executor.submit(abs, 1))
    until(lambda: gc.collect() >= 0 and result() is None)


# -------------------------------------------------------------------------------- output


def test_what_a_call_prints_is_on_its_future(executor: SSHExecutor) -> None:
    def job() -> None:
        print("one")
        print("two", file=sys.stderr)
        print("three", end="")

    future = executor.submit(job)
    outcome(future)
    assert future.stdout == "one\nthree"
    assert future.stderr == "two\n"
    assert future.output == "one\ntwo\nthree"


def test_what_c_code_and_children_print_counts_too_and_in_order(executor: SSHExecutor) -> None:
    def job() -> None:
        print("python")
        os.write(1, b"c code\n")
        subprocess.run(["sh", "-c", "echo child; echo sad child >&2"], check=True)
        print("python again")

    future = executor.submit(job)
    outcome(future)
    assert future.stdout == "python\nc code\nchild\npython again\n"
    assert future.stderr == "sad child\n"


def test_what_is_printed_can_be_read_while_the_call_runs(executor: SSHExecutor, gate: Gate) -> None:
    wait_there = gate.wait

    def job() -> None:
        print("from python")
        os.write(1, b"from below\n")
        wait_there()

    future = executor.submit(job)
    until(lambda: "below" in future.stdout)
    assert future.stdout == "from python\nfrom below\n"
    assert not future.done()
    gate.open()
    outcome(future)


def test_prints_of_calls_that_run_together_do_not_mix(executor: SSHExecutor) -> None:
    def job(n: int) -> None:
        for _ in range(20):
            print(n)
            os.write(1, b"%d\n" % n)

    futures = [executor.submit(job, n) for n in range(100)]
    for n, future in enumerate(futures):
        outcome(future)
        assert future.stdout == f"{n}\n" * 40


@pytest.mark.once
def test_a_hundred_megabytes_of_output_hang_nothing(host: Host) -> None:
    def by_python() -> None:
        for _ in range(100):
            sys.stdout.write("x" * (1 << 20))

    def by_c() -> None:
        for _ in range(100):
            data = b"y" * (1 << 20)
            while data:
                data = data[os.write(1, data) :]

    with SSHExecutor([host], workers_per_host=2, output_limit=None) as executor:
        futures = [executor.submit(by_python), executor.submit(by_c)]
    for future, letter in zip(futures, "xy", strict=True):
        outcome(future)
        assert len(future.stdout) == 100 << 20
        assert set(future.stdout) == {letter}


def test_binary_output_does_not_mix_with_the_protocol(executor: SSHExecutor) -> None:
    def job() -> None:
        sys.stdout.buffer.write(bytes(range(256)) * 100)
        os.write(1, bytes(range(256)))

    future = executor.submit(job)
    outcome(future)
    assert "�" in future.stdout
    assert "\x00" in future.stdout


def test_what_a_call_printed_before_it_died_is_there(executor: SSHExecutor) -> None:
    def job() -> None:
        print("last words")
        os.write(2, b"really the last\n")
        os.kill(os.getpid(), signal.SIGKILL)

    future = executor.submit(job)
    failure(future)
    assert future.output == "last words\nreally the last\n"


def test_input_is_at_its_end(executor: SSHExecutor) -> None:
    assert isinstance(failure(executor.submit(input)), EOFError)


def test_a_job_that_forks_prints_from_its_child_too(executor: SSHExecutor) -> None:
    def job() -> None:
        pid = os.fork()
        if pid == 0:
            print("child")
            os._exit(0)
        os.waitpid(pid, 0)
        print("parent")

    future = executor.submit(job)
    outcome(future)
    assert future.stdout == "child\nparent\n"


def late(begin: Path, end: Path) -> str:
    """A shell's lines: it prints when one file is there, and then makes the other."""
    return f"until test -e {begin}; do sleep 0.01; done; echo late; touch {end}"


def in_between(begin: Path, end: Path) -> None:
    """Wait until somebody else has printed."""
    begin.touch()
    while not end.exists():
        time.sleep(0.005)


def test_what_a_left_over_child_prints_is_not_the_next_calls(host: Host, tmp_path: Path) -> None:
    files = tmp_path / "begin", tmp_path / "end"
    script = f"{late(*files)}; sleep 0.2"
    with SSHExecutor([host], workers_per_host=1) as executor:
        leaves = executor.submit(
            lambda: os.posix_spawnp("sh", ["sh", "-c", script], os.environ.copy())
        )
        outcome(leaves)
        after = executor.submit(in_between, *files)
        outcome(after)
        assert (leaves.stdout, after.stdout) == ("", "")


def test_a_job_that_closes_its_streams_spoils_nothing(executor: SSHExecutor) -> None:
    def job() -> None:
        sys.stdout.close()
        os.close(1)
        os.close(2)
        time.sleep(0.2)

    futures = [executor.submit(job) for _ in range(4)]
    assert [outcome(future) for future in futures] == [None] * 4


def test_output_is_streamed_in_whole_labelled_lines(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    def job(n: int) -> None:
        for part in ("a", "b", "c"):
            print(part, end="" if part != "c" else "\n", flush=True)
        print(n, end="")

    with SSHExecutor([host, host], workers_per_host=2, output="stream") as executor:
        assert len(list(executor.map(job, range(40)))) == 40
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted([f"[{host}] abc"] * 40 + [f"[{host}] {n}" for n in range(40)])


def test_an_output_callable_is_told_what_is_printed(host: Host) -> None:
    told: list[tuple[Host, str, str]] = []
    with SSHExecutor([host], output=lambda *what: told.append(what)) as executor:
        outcome(executor.submit(print, "hello"))
        outcome(executor.submit(os.write, 2, b"sad"))
    assert "".join(text for _, stream, text in told if stream == "stdout") == "hello\n"
    assert "".join(text for _, stream, text in told if stream == "stderr") == "sad"
    assert {place for place, _, _ in told} == {host}


def test_an_output_callable_may_submit_and_wait(host: Host) -> None:
    found: queue.SimpleQueue[int] = queue.SimpleQueue()

    def tell(_: Host, stream: str, text: str) -> None:
        if text == "go":
            found.put(outcome(pool.submit(abs, -7)))

    with SSHExecutor([host], workers_per_host=1, output=tell) as pool:
        pool.submit(print, "go", end="")
        assert found.get(timeout=PATIENCE) == 7


def test_threads_of_a_call_may_print_together(executor: SSHExecutor) -> None:
    def job() -> None:
        def chatter(n: int) -> None:
            for _ in range(500):
                print(n)

        threads = [threading.Thread(target=chatter, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    future = executor.submit(job)
    outcome(future)
    assert future.stderr == ""
    assert sorted(future.stdout.replace("\n", "")) == sorted("0123" * 500)


@pytest.mark.parametrize("end", ["return", "sys.exit"])
def test_a_forked_child_that_comes_back_does_not_answer_for_its_parent(
    executor: SSHExecutor, end: str
) -> None:
    def job() -> int:
        child = os.fork()
        if child == 0:
            if end == "sys.exit":
                sys.exit(7)
            return -1
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    futures = [executor.submit(job) for _ in range(20)]
    assert {outcome(future) for future in futures} == {7 if end == "sys.exit" else 0}


def test_a_signal_handler_that_raises_in_a_print_tears_nothing(executor: SSHExecutor) -> None:
    def job() -> str:
        class LateError(Exception):
            pass

        def handler(*_: object) -> None:
            raise LateError

        signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            while True:
                print("x" * 100_000)
        except LateError:
            return "late"

    assert [outcome(executor.submit(job)) for _ in range(5)] == ["late"] * 5


def test_what_a_grandchild_prints_late_is_not_the_next_calls(host: Host, tmp_path: Path) -> None:
    files = tmp_path / "begin", tmp_path / "end"
    script = f"({late(*files)}) &"
    with SSHExecutor([host], workers_per_host=1) as executor:
        outcome(executor.submit(subprocess.run, script, shell=True, check=True))
        after = executor.submit(in_between, *files)
        outcome(after)
        assert after.stdout == ""


def test_an_initializer_may_print_more_than_a_pipe_holds(host: Host) -> None:
    def initializer() -> None:
        subprocess.run(["seq", "100000"], check=True)

    with SSHExecutor([host], workers_per_host=1, initializer=initializer) as executor:
        assert outcome(executor.submit(abs, -1)) == 1


def test_a_stream_that_is_detached_or_changed_is_the_next_calls_as_new(
    executor: SSHExecutor,
) -> None:
    def spoil() -> None:
        sys.stdout.reconfigure(encoding="ascii", errors="strict")  # type: ignore[union-attr]
        sys.stderr.detach()  # type: ignore[union-attr]

    for _ in range(4):
        outcome(executor.submit(spoil))
    futures = [executor.submit(lambda: print("ü", file=sys.stderr)) for _ in range(4)]
    for future in futures:
        outcome(future)
    assert {future.stderr for future in futures} == {"ü\n"}


def test_a_plain_object_will_do_as_our_own_stdout(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tee:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

    tee = Tee()
    monkeypatch.setattr(sys, "stdout", tee)
    assert interstate.execute(lambda: print("hello"), host=host) is None
    assert tee.text == "hello\n"


# ----------------------------------------------------------------- cancelling and the end


def test_a_call_that_was_not_sent_can_be_cancelled(executor: SSHExecutor, gate: Gate) -> None:
    running = [executor.submit(gate.wait) for _ in range(2)]
    waiting = [executor.submit(abs, -n) for n in range(20)]
    assert waiting[-1].cancel()
    assert waiting[-1].cancelled()
    gate.open()
    assert wait(waiting, PATIENCE).not_done == set()
    with pytest.raises(CancelledError):
        outcome(waiting[-1])
    assert [outcome(future) for future in waiting[:-1]] == list(range(19))
    assert [outcome(future) for future in running] == [None, None]


def test_long_calls_after_short_ones_can_be_cancelled_still(
    executor: SSHExecutor, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interstate.engine._REVOKING", PATIENCE)  # a host may take, when busy
    assert list(executor.map(abs, range(500))) == list(range(500))
    futures = [executor.submit(gate.wait) for _ in range(50)]
    until(lambda: sum(future.started_at is not None for future in futures) == 2)
    cancelled = sum(future.cancel() for future in reversed(futures))
    assert cancelled == 48
    gate.open()
    assert wait(futures, PATIENCE).not_done == set()


def test_calls_sent_ahead_of_long_ones_come_back_and_run_on_a_free_host(
    host: Host, gate: Gate
) -> None:
    wait_there = gate.wait
    with SSHExecutor([host, host], workers_per_host=1) as executor:

        def job(n: int) -> int:
            if n == 2000:
                wait_there()
            elif n > 2000:
                time.sleep(0.01)
            return os.getppid()

        futures = [executor.submit(job, n) for n in range(2100)]
        assert wait(futures[2001:], PATIENCE).not_done == set()
        assert not futures[2000].done()
        gate.open()
        assert len({outcome(future) for future in futures}) == 2


def test_shutdown_finishes_what_was_submitted(host: Host) -> None:
    executor = SSHExecutor([host], workers_per_host=2)
    futures = [executor.submit(time.sleep, 0.05) for _ in range(10)]
    executor.shutdown()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)


def test_shutdown_without_waiting_finishes_too(host: Host) -> None:
    executor = SSHExecutor([host], workers_per_host=2)
    futures = [executor.submit(abs, -n) for n in range(10)]
    executor.shutdown(wait=False)
    assert [outcome(future) for future in futures] == list(range(10))


def test_shutdown_can_cancel_what_waits(host: Host, gate: Gate) -> None:
    executor = SSHExecutor([host], workers_per_host=2)
    futures = [executor.submit(gate.wait) for _ in range(50)]
    until(lambda: sum(future.started_at is not None for future in futures) == 2)
    executor.shutdown(wait=False, cancel_futures=True)
    until(lambda: sum(future.cancelled() for future in futures) == 48)
    gate.open()
    executor.shutdown()
    assert all(future.done() for future in futures)


def test_an_executor_that_is_dropped_finishes_and_goes(host: Host) -> None:
    executor = SSHExecutor([host], workers_per_host=2)
    futures = [executor.submit(abs, -n) for n in range(10)]
    engine = executor._engine
    del executor
    gc.collect()
    assert [outcome(future) for future in futures] == list(range(10))
    engine.join()


def test_shutdown_from_a_callback_does_not_wait_for_itself(host: Host) -> None:
    executor = SSHExecutor([host], workers_per_host=1)
    called = threading.Event()

    def callback(future: Future[None]) -> None:
        executor.shutdown()
        called.set()

    executor.submit(time.sleep, 0.1).add_done_callback(callback)
    assert called.wait(PATIENCE)
    executor.shutdown()


# --------------------------------------------------------------------- workers and hosts


def test_libraries_are_told_how_many_workers_there_are(host: Host) -> None:
    with SSHExecutor([host, host], workers_per_host=3) as executor:
        assert executor._max_workers == 6
    with SSHExecutor([host]) as executor:
        assert executor._max_workers == len(os.sched_getaffinity(0))


def test_all_workers_of_all_hosts_work(host: Host, tmp_path: Path) -> None:
    with SSHExecutor([host, host], workers_per_host=2) as executor:

        def pid() -> int:
            (tmp_path / str(os.getpid())).touch()
            while len(os.listdir(tmp_path)) < 4:  # until the others are there, too
                time.sleep(0.005)
            return os.getpid()

        assert len({outcome(f) for f in [executor.submit(pid) for _ in range(4)]}) == 4


def test_the_initializer_runs_in_each_worker(host: Host) -> None:
    def initialize(value: int) -> None:
        os.environ["INITIALIZED"] = str(value)

    with SSHExecutor([host], workers_per_host=2, initializer=initialize, initargs=(7,)) as executor:
        values = [executor.submit(os.environ.get, "INITIALIZED") for _ in range(20)]
        assert {outcome(future) for future in values} == {None}  # pickled with its own environ
        there = [executor.submit(lambda: os.environ.get("INITIALIZED")) for _ in range(20)]
        assert {outcome(future) for future in there} == {"7"}


@pytest.mark.parametrize("initializer", [lambda: 1 / 0, lambda: os._exit(4)])
def test_an_initializer_that_fails_breaks_the_executor_and_says_why(
    host: Host, initializer: Callable[[], None]
) -> None:
    with SSHExecutor([host], workers_per_host=2, initializer=initializer) as executor:
        error = failure(executor.submit(abs, 1))
        assert isinstance(error, interstate.BrokenSSHExecutor)
        assert "initializer" in str(error)
        with pytest.raises(interstate.BrokenSSHExecutor, match="initializer"):
            executor.submit(abs, 1)


def test_the_agent_and_its_workers_say_what_they_are(executor: SSHExecutor) -> None:
    def arguments() -> tuple[str, str]:
        def of(pid: int) -> str:
            with open(f"/proc/{pid}/cmdline") as file:
                return file.read().replace("\0", " ").strip()

        return of(os.getpid()), of(os.getppid())

    worker, agent = outcome(executor.submit(arguments))
    assert worker.startswith("interstate: worker for ")
    assert agent.startswith("interstate: agent for ")


def test_a_worker_is_a_clean_place(executor: SSHExecutor) -> None:
    def look() -> dict[str, Any]:
        import __main__

        return {
            "argv": sys.argv,
            "main": sorted(name for name in vars(__main__) if not name.startswith("__")),
            "path": "" in sys.path,
            "group": os.getpgid(0) == os.getpid(),
            "descriptors": len(os.listdir("/proc/self/fd")),
        }

    seen = outcome(executor.submit(look))
    assert seen.pop("descriptors") <= 11
    assert seen == {"argv": [""], "main": [], "path": False, "group": True}


def test_a_job_may_import_interstate_for_its_slices(executor: SSHExecutor) -> None:
    def job() -> list[int]:
        from interstate import slices

        return [environ.index for environ in slices(3)]

    assert outcome(executor.submit(job)) == [0, 1, 2]


def test_a_function_that_was_made_by_another_of_a_module_travels(
    executor: SSHExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("made")
    exec("def make(k):\n def job(x): return x + k\n return job\njob = make(5)", vars(module))
    monkeypatch.setitem(sys.modules, "made", module)
    assert outcome(executor.submit(module.job, 1)) == 6


def test_the_repr_says_what_it_is(executor: SSHExecutor, host: Host) -> None:
    assert repr(executor) == f"<SSHExecutor on {host}>"


def test_users_streams_may_be_odd(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    odd = io.TextIOWrapper(buffer, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", odd)
    interstate.execute(lambda: print("ünïcode"), host=host)
    odd.flush()
    assert buffer.getvalue() == b"?n?code\n"
