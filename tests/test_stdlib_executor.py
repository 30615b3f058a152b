"""SSHExecutor passes the tests that the interpreter has for its own executors, on a real sshd.

They are imported, not copied: a class here has the name of theirs, and runs what theirs defines.
What we promise otherwise is overridden, in the same words as far as they go; what does not apply
is in LEFT_OUT with its reason.
"""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import operator
import os
import pickle
import sys
import time
import types
import unittest
import warnings
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from interstate import RemoteError, WorkerDied

from . import stdlib_executor_support as support
from .sshd import Keys, Sshd

STDLIB: Any = support.load()
if STDLIB is None:
    pytest.skip(
        f"the executor tests of Python {sys.version_info.major}.{sys.version_info.minor} are not "
        "installed: it was built without them, and there is no libpython3.X-testsuite of Debian's",
        allow_module_level=True,
    )

_NO_MAX_TASKS = "SSHExecutor has no max_tasks_per_child"
_AHEAD = "workers are forked ahead, not on demand; with such pools the test skips itself"
_THREADS = "counts or names the threads of a pool that runs calls in threads"
_TRACKER = "asks multiprocessing's resource tracker whether its queues leaked; we use neither"
LEFT_OUT = {
    "ProcessPoolExecutorTest.test_idle_process_reuse_multiple": _AHEAD,
    "ProcessPoolExecutorTest.test_idle_process_reuse_one": _AHEAD,
    "ProcessPoolExecutorTest.test_killed_child": (
        "a worker that dies fails the call that it ran and no other: the executor goes on"
    ),
    "ProcessPoolExecutorTest.test_max_tasks_early_shutdown": _NO_MAX_TASKS,
    "ProcessPoolExecutorTest.test_max_tasks_per_child": _NO_MAX_TASKS,
    "ProcessPoolExecutorTest.test_max_tasks_per_child_defaults_to_spawn_context": _NO_MAX_TASKS,
    "ProcessPoolExecutorTest.test_max_workers_too_large": "a limit of Windows alone",
    "ThreadPoolExecutorTest.test_idle_thread_reuse": _THREADS,
    "ThreadPoolExecutorTest.test_saturation": (
        f"{_THREADS}; ProcessPoolExecutorTest.test_saturation is its twin"
    ),
    "ThreadPoolShutdownTest.test_thread_names_assigned": _THREADS,
    "ThreadPoolShutdownTest.test_thread_names_default": _THREADS,
    "ThreadPoolShutdownTest.test_threads_terminate": (
        f"{_THREADS}; ProcessPoolShutdownTest.test_processes_terminate is its twin"
    ),
}
if sys.version_info >= (3, 12):
    LEFT_OUT |= {
        "ExecutorDeadlockTest.test_gh105829_should_not_deadlock_if_wakeup_pipe_full": (
            "fills the wakeup pipe of ProcessPoolExecutor's manager thread; ours has none"
        ),
        "FailingInitializerResourcesTest.test_forkserver": _TRACKER,
        "FailingInitializerResourcesTest.test_spawn": _TRACKER,
    }

# Where a process pool breaks, or lets an exit through, we fail the one call, and say by what.
FAILS_BY = {
    "test_error_at_task_unpickle": pickle.UnpicklingError,
    "test_error_during_result_unpickle_in_result_handler": RemoteError,
    "test_exit_at_task_unpickle": RemoteError,
    "test_exit_during_func_exec_on_worker": RemoteError,
    "test_exit_during_result_pickle_on_worker": RemoteError,
    "test_exit_during_result_unpickle_in_result_handler": RemoteError,
}

# In these, calls that sleep are to end after something else, on a computer that stands still, too.
ENDS_LATE = {
    "AsCompletedTests.test_future_times_out"
    if sys.version_info >= (3, 12)
    else "AsCompletedTests.test_zero_timeout",
    "ExecutorShutdownTest.test_cancel_futures",
    "ExecutorTest.test_map_timeout",
    "WaitTests.test_first_completed",
    "WaitTests.test_first_completed_some_already_completed",
    "WaitTests.test_first_exception",
    "WaitTests.test_first_exception_one_already_failed",
    "WaitTests.test_first_exception_some_already_complete",
    "WaitTests.test_timeout",
}


@pytest.fixture(scope="module", autouse=True)
def _host(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[None]:
    """One sshd for all, where the tests' own functions can be imported, as in a local process."""
    overlay = tmp_path_factory.mktemp("overlay")
    Path(overlay, "test").symlink_to(str(support.folder()))
    directory = tmp_path_factory.mktemp("sshd")
    with Sshd(directory, keys, env={"PYTHONPATH": str(overlay)}) as sshd:
        support.PoolOnHost.host = sshd.host()
        yield


class Selected(unittest.TestCase):
    """Runs the tests that the class of the same name defines itself; not what that one inherits."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        original = getattr(STDLIB, cls.__name__, None)
        if original is None:
            return
        own = {
            name
            for name in support.tests_of(original)
            if support.test_id(cls, name) not in LEFT_OUT
        }
        for name in dir(cls):
            if name.startswith("test") and name not in own:
                setattr(cls, name, None)  # unittest's way to have no such test


class OnSSH(Selected, STDLIB.ExecutorMixin, STDLIB.BaseTestCase):  # type: ignore[misc]
    """A pool of the tests is an SSHExecutor."""

    executor_type: ClassVar[type[support.PoolOnHost]] = support.PoolOnHost

    def setUp(self) -> None:
        self.context = support.Context()
        self.addCleanup(self.context.close)
        self.sleep = support.Sleep(self.context.Event())
        if support.test_id(type(self), self._testMethodName) in ENDS_LATE:
            names = {**vars(time), "sleep": self.sleep}
            self.patch(getattr(STDLIB, type(self).__name__), time=types.SimpleNamespace(**names))
        super().setUp()

    def tearDown(self) -> None:
        self.sleep.wake()
        super().tearDown()

    def get_context(self) -> support.Context:
        return self.context

    def make_ready(self) -> None:
        """Have the host up and its agent ready for any call, as where a pool is of this machine."""
        assert self.executor.submit(lambda: 7).result(support.PATIENCE) == 7

    def patch(self, stdlib: type, **names: Any) -> None:
        """Replace globals of the module of a class of the tests."""
        support.patch(self, support.module_of(stdlib), **names)


class ExecutorTest(OnSSH, STDLIB.ExecutorTest):  # type: ignore[misc]
    def test_map_timeout(self) -> None:
        self.make_ready()
        super().test_map_timeout()


class WaitTests(OnSSH, STDLIB.WaitTests):  # type: ignore[misc]
    def setUp(self) -> None:
        # Theirs are to be done before others that sleep: not when those have imported their module.
        self.patch(STDLIB.WaitTests, mul=operator.mul, sleep_and_raise=support.sleep_and_raise)
        super().setUp()
        self.make_ready()


class AsCompletedTests(OnSSH, STDLIB.AsCompletedTests):  # type: ignore[misc]
    pass


class InitializerMixin(OnSSH, STDLIB.InitializerMixin):  # type: ignore[misc]
    pass


class FailingInitializerMixin(OnSSH, STDLIB.FailingInitializerMixin):  # type: ignore[misc]
    @contextlib.contextmanager
    def _assert_logged(self, message: str) -> Iterator[None]:
        with self.assertLogs("interstate", "CRITICAL") as logged:
            yield
        assert any(message in line for line in logged.output), logged.output


class ExecutorShutdownTest(OnSSH, STDLIB.ExecutorShutdownTest):  # type: ignore[misc]
    def setUp(self) -> None:
        run = support.module_of(STDLIB.ExecutorShutdownTest).assert_python_ok
        self.patch(STDLIB.ExecutorShutdownTest, assert_python_ok=support.in_child(run))
        super().setUp()

    def test_cancel_futures(self) -> None:
        assert self.executor._max_workers == self.worker_count  # known when the host is up
        super().test_cancel_futures()


class ThreadPoolShutdownTest(OnSSH, STDLIB.ThreadPoolShutdownTest):  # type: ignore[misc]
    def setUp(self) -> None:
        run = support.module_of(STDLIB.ThreadPoolShutdownTest).assert_python_ok
        self.patch(STDLIB.ThreadPoolShutdownTest, assert_python_ok=support.in_child(run))
        support.patch(self, futures, ThreadPoolExecutor=self.executor_type)
        super().setUp()


class ProcessPoolShutdownTest(OnSSH, STDLIB.ProcessPoolShutdownTest):  # type: ignore[misc]
    executor_type = support.PoolOfKnownProcesses
    ctx = "fork"

    def setUp(self) -> None:
        support.patch(self, futures, ProcessPoolExecutor=self.executor_type)
        super().setUp()


class ThreadPoolWaitTests(OnSSH, STDLIB.ThreadPoolWaitTests):  # type: ignore[misc]
    def setUp(self) -> None:
        super().setUp()
        shared = types.SimpleNamespace(Event=self.context.Event)
        self.patch(STDLIB.ThreadPoolWaitTests, threading=shared)


class ThreadPoolExecutorTest(OnSSH, STDLIB.ThreadPoolExecutorTest):  # type: ignore[misc]
    def test_map_submits_without_iteration(self) -> None:
        finished = self.context.List()

        def record_finished(n: int) -> None:
            finished.append(n)

        self.executor.map(record_finished, range(10))
        self.executor.shutdown(wait=True)
        assert sorted(map(int, finished.taken())) == list(range(10))

    def test_default_workers(self) -> None:
        with self.executor_type() as executor:
            assert executor._max_workers == len(os.sched_getaffinity(0))

    def test_hang_global_shutdown_lock(self) -> None:
        # Theirs is about a lock of ThreadPoolExecutor: a process forked while a pool is busy ends.
        with self.executor_type(1) as pool, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # that forking with threads is risky
            for _ in range(50):
                pool.submit(tuple)
                process = multiprocessing.get_context("fork").Process(target=tuple)
                process.start()
                process.join(support.PATIENCE)
                assert process.exitcode == 0
                process.close()

    def test_executor_map_current_future_cancel(self) -> None:
        stop_event = self.context.Event()
        log = self.context.List()

        def log_n_wait(ident: str) -> None:
            log.append(f"{ident=} started")
            try:
                stop_event.wait()
            finally:
                log.append(f"{ident=} stopped")

        with self.executor_type(max_workers=1) as pool:
            # submit work to saturate the pool
            fut = pool.submit(log_n_wait, ident="first")
            try:
                gen = pool.map(log_n_wait, ["second", "third"], timeout=0)
                with contextlib.closing(gen), pytest.raises(TimeoutError):  # type: ignore[type-var]
                    next(gen)
            finally:
                stop_event.set()
            fut.result()
        assert log.taken() == ["ident='first' started", "ident='first' stopped"]


class ProcessPoolExecutorTest(OnSSH, STDLIB.ProcessPoolExecutorTest):  # type: ignore[misc]
    executor_type = support.PoolOfKnownProcesses
    ctx = "fork"
    _test_traceback = STDLIB.ProcessPoolExecutorTest._test_traceback  # of a class that is there too

    def setUp(self) -> None:
        self.patch(STDLIB.ProcessPoolExecutorTest, BrokenProcessPool=BrokenExecutor)
        super().setUp()

    def test_python_finalization_error(self) -> None:
        self.executor.shutdown()  # or it would be the first to start a thread
        super().test_python_finalization_error()

    def test_traceback(self) -> None:
        # Theirs is told as text in a __cause__ of its own; ours is there, with the line that ran.
        future = self.executor.submit(self._test_traceback)
        try:
            future.result()
        except Exception as error:  # assertRaises would cut the traceback off
            exc = error

        assert type(exc) is RuntimeError
        assert exc.args == (123,)
        assert exc.__cause__ is None

        with contextlib.redirect_stderr(io.StringIO()) as printed:
            try:
                raise exc
            except RuntimeError:
                sys.excepthook(*sys.exc_info())
        assert "raise RuntimeError(123) # some comment" in printed.getvalue()


class ExecutorDeadlockTest(OnSSH, STDLIB.ExecutorDeadlockTest):  # type: ignore[misc]
    TIMEOUT = support.PATIENCE

    def setUp(self) -> None:
        self.patch(STDLIB.ExecutorDeadlockTest, BrokenProcessPool=WorkerDied)
        super().setUp()

    def _check_crash(self, error: type[BaseException], *args: Any, **kwargs: Any) -> None:
        super()._check_crash(FAILS_BY.get(self._testMethodName, error), *args, **kwargs)

    def _fail_on_deadlock(self, executor: support.PoolOnHost) -> None:
        executor.shutdown(wait=False, cancel_futures=True)
        self.fail(f"no outcome within {self.TIMEOUT:g} s")


class FutureTests(Selected, STDLIB.FutureTests):  # type: ignore[misc]
    """Those of concurrent.futures.Future, for RemoteFuture."""

    def setUp(self) -> None:
        module = support.module_of(STDLIB.FutureTests)
        support.patch(self, module, **support.future_names(module))
        assert logging.lastResort is not None
        logger = logging.getLogger("concurrent.futures")
        logger.addHandler(logging.lastResort)  # to stderr, as where no pytest collects the logs
        self.addCleanup(logger.removeHandler, logging.lastResort)
        super().setUp()


def test_every_test_of_the_interpreter_runs_or_is_left_out_for_a_reason() -> None:
    theirs = {
        support.test_id(cls, name)
        for cls in vars(STDLIB).values()
        for name in support.tests_of(cls)
    }
    ours = {support.test_id(cls, name) for cls in _subclasses(Selected) for name in _running(cls)}
    assert ours.isdisjoint(LEFT_OUT)
    assert ours | LEFT_OUT.keys() == theirs
    assert ours >= ENDS_LATE


def test_every_test_that_fails_otherwise_than_in_a_process_pool_is_there() -> None:
    assert FAILS_BY.keys() <= set(support.tests_of(STDLIB.ExecutorDeadlockTest))


def _running(cls: type[unittest.TestCase]) -> list[str]:
    return list(unittest.TestLoader().getTestCaseNames(cls))


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)
