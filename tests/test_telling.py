"""What a call tells besides its outcome and what it prints, and what it is told.

Log records and warnings are handled here; context variables, and what a call knows of itself, are
there.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import importlib
import linecache
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import interstate
from interstate import Host, SSHExecutor
from interstate.callbacks import Callbacks

PATIENCE = 60.0  # seconds: nothing takes that long
Records = list[logging.LogRecord]


class Kept(logging.Handler):
    """Keeps the records that it handles, after what `also` does with them."""

    def __init__(self, also: Callable[[logging.LogRecord], object] = id) -> None:
        super().__init__()
        self.records: Records = []
        self._also = also

    def emit(self, record: logging.LogRecord) -> None:
        self._also(record)
        self.records.append(record)


@pytest.fixture(autouse=True)
def _there_is_time_to_handle_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result waits for its handlers here; for a second, where a user waits."""
    monkeypatch.setattr("interstate.future._HEARING", PATIENCE)


@pytest.fixture(scope="module")
def executor(loopback_host: Host) -> Iterator[SSHExecutor]:
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        executor.submit(eval, "__import__('logging').getLogger().error('first')").result()
        yield executor  # its process is there before a test, and so is the thread of callbacks


@pytest.fixture
def job() -> Iterator[logging.Logger]:
    """The logger "job" of this side, at INFO; it is as new after the test."""
    logger = logging.getLogger("job")
    logger.setLevel(logging.INFO)
    yield logger
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
    logger.handlers.clear()


@pytest.fixture
def kept(job: logging.Logger) -> Records:
    """What the logger "job" here has handled."""
    handler = Kept()
    job.addHandler(handler)
    return handler.records


def messages(records: Records) -> list[str]:
    return [record.getMessage() for record in records]


# ------------------------------------------------------------------------------- records


def test_a_record_goes_to_the_logger_of_its_name_with_all_that_it_has(
    executor: SSHExecutor, kept: Records, loopback_host: Host
) -> None:
    def call() -> int:
        logging.getLogger("job.part").info("%s of %d", "one", 3)
        logging.getLogger("job").warning("%(what)s", {"what": [1, None]})
        return os.getpid()

    future = executor.submit(call)
    pid = future.result()
    first, second = kept
    assert (first.name, first.levelname, first.msg) == ("job.part", "INFO", "%s of %d")
    assert (first.args, second.args) == (("one", 3), {"what": [1, None]})
    assert messages(kept) == ["one of 3", "[1, None]"]
    assert (first.funcName, first.pathname, first.process) == ("call", __file__, pid)
    assert second.lineno == first.lineno + 1
    for record in kept:
        told = vars(record)
        assert (told["host"], told["worker"], told["call"]) == (loopback_host, pid, future.call)
    assert future.output == ""


def test_what_is_logged_that_is_not_plain_arrives_as_text(
    executor: SSHExecutor, kept: Records
) -> None:
    executor.submit(lambda: logging.getLogger("job").info("%s!", Path("a/b"))).result()
    assert (kept[0].msg, kept[0].args) == ("a/b!", None)


def test_an_exception_of_the_jobs_own_may_be_an_argument_or_the_message(
    executor: SSHExecutor, kept: Records
) -> None:
    class OwnError(Exception):
        pass

    def call() -> None:
        error = OwnError("on my own")
        logging.getLogger("job").info("failed: %s", error, extra={"errors": [error]})
        logging.getLogger("job").info(error)

    executor.submit(call).result()
    assert messages(kept) == ["failed: on my own", "on my own"]
    (error,) = vars(kept[0])["errors"]
    assert isinstance(error, OwnError)


def test_a_record_that_makes_its_message_itself_does_so_there(
    executor: SSHExecutor, kept: Records
) -> None:
    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802  # its name
            return str(self.msg).format(*(self.args or ()))

    def call() -> None:
        logging.setLogRecordFactory(Braces)
        logging.getLogger("job").info("{} and {}", 1, 2)
        logging.setLogRecordFactory(logging.LogRecord)

    executor.submit(call).result()
    assert messages(kept) == ["1 and 2"]


def test_levels_are_those_set_here_whenever_they_are_set(
    executor: SSHExecutor, job: logging.Logger, kept: Records
) -> None:
    def call() -> tuple[bool, bool]:
        for name in "job", "job.part":
            for level in logging.DEBUG, logging.INFO, logging.ERROR:
                logging.getLogger(name).log(level, "%s %d", name, level)
        part = logging.getLogger("job.part")
        return part.isEnabledFor(logging.DEBUG), part.isEnabledFor(logging.ERROR)

    part = logging.getLogger("job.part")
    try:
        assert executor.submit(call).result() == (False, True)
        assert messages(kept) == ["job 20", "job 40", "job.part 20", "job.part 40"]
        kept.clear()
        job.setLevel(logging.ERROR)
        part.setLevel(logging.DEBUG)
        assert executor.submit(call).result() == (True, True)
        assert messages(kept) == ["job 40", "job.part 10", "job.part 20", "job.part 40"]
        kept.clear()
        logging.disable(logging.INFO)
        assert executor.submit(call).result() == (False, True)
        assert messages(kept) == ["job 40", "job.part 40"]
        kept.clear()
        logging.disable(logging.NOTSET)
        part.setLevel(logging.NOTSET)
        assert executor.submit(call).result() == (False, True)
        assert messages(kept) == ["job 40", "job.part 40"]
    finally:
        logging.disable(logging.NOTSET)
        part.setLevel(logging.NOTSET)


def test_the_roots_level_is_that_of_here_too(executor: SSHExecutor) -> None:
    handler = Kept()
    logging.root.addHandler(handler)
    level = logging.root.level
    try:
        logging.root.setLevel(logging.DEBUG)
        executor.submit(lambda: logging.getLogger("unheard.of").debug("low")).result()
        logging.root.setLevel(logging.ERROR)
        executor.submit(lambda: logging.getLogger().warning("too low")).result()
    finally:
        logging.root.setLevel(level)
        logging.root.removeHandler(handler)
    assert [r.getMessage() for r in handler.records if hasattr(r, "worker")] == ["low"]


def test_an_exception_that_is_logged_arrives_whole(executor: SSHExecutor, kept: Records) -> None:
    class OwnError(Exception):
        pass

    def inner(zero: int) -> float:
        return 7 / zero

    def call() -> None:
        try:
            try:
                inner(0)
            except ZeroDivisionError as error:
                raise OwnError("mine", 5) from error
        except OwnError:
            logging.getLogger("job").exception("it failed")

    executor.submit(call).result()
    (record,) = kept
    assert record.exc_info is not None
    kind, error, tb = record.exc_info
    assert kind is OwnError
    assert isinstance(error, OwnError)
    assert error.args == ("mine", 5)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert traceback.extract_tb(tb)[-1].name == "call"
    shown = logging.Formatter().format(record)
    assert shown.startswith("it failed\n")
    assert "in inner\n    return 7 / zero\n" in shown
    assert 'raise OwnError("mine", 5) from error' in shown


def test_an_exception_that_ends_processes_is_only_logged(
    executor: SSHExecutor, kept: Records
) -> None:
    def call() -> str:
        try:
            sys.exit(3)
        except SystemExit:
            logging.getLogger("job").info("so", exc_info=True)
        return "went on"

    assert executor.submit(call).result() == "went on"
    assert kept[0].exc_info is not None
    assert isinstance(kept[0].exc_info[1], SystemExit)


def test_extra_attributes_come_along_and_what_cannot_is_named(
    executor: SSHExecutor, kept: Records
) -> None:
    def call() -> None:
        extra = {"user": {"id": 7}, "path": Path("a"), "lock": threading.Lock()}
        logging.getLogger("job").info("with more", extra=extra)

    executor.submit(call).result()
    more = vars(kept[0])
    assert (more["user"], more["path"]) == ({"id": 7}, Path("a"))
    assert repr(more["lock"]).startswith("<unlocked _thread.lock")


def test_an_attribute_of_a_type_that_is_only_there_is_named(
    executor: SSHExecutor, kept: Records, tmp_path: Path
) -> None:
    def call() -> None:
        sys.path.append(str(tmp_path))
        kind = importlib.import_module("telling_only_there").Kind
        sys.path.remove(str(tmp_path))
        logging.getLogger("job").info("seen", extra={"kind": kind(), "more": 3})

    (tmp_path / "telling_only_there.py").write_text("class Kind:\n    pass\n")
    executor.submit(call).result()
    more = vars(kept[0])
    assert more["kind"].startswith("<not here: ModuleNotFoundError(")
    assert more["more"] == 3


def test_loggers_that_do_not_propagate_do_not_here_and_are_heard_from_there(
    executor: SSHExecutor, job: logging.Logger, kept: Records
) -> None:
    def call() -> None:
        logging.getLogger("job.alone").propagate = False
        logging.getLogger("job.alone").info("not propagated there")
        logging.getLogger("job").info("not propagated here")

    above = Kept()
    logging.root.addHandler(above)
    job.propagate = False
    try:
        executor.submit(call).result()
    finally:
        logging.root.removeHandler(above)
    assert messages(kept) == ["not propagated there", "not propagated here"]
    assert not [record for record in above.records if record.name.startswith("job")]


# ------------------------------------------------------------------------------- printing


def test_what_is_handled_here_is_not_printed_there_and_what_is_not_is(
    executor: SSHExecutor, kept: Records
) -> None:
    def call() -> None:
        logger = logging.getLogger("job")
        handler = logging.StreamHandler()  # to stderr
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.debug("below the level here")
        logger.info("heard here")
        logger.removeHandler(handler)
        logger.setLevel(logging.INFO)

    future = executor.submit(call)
    future.result()
    assert messages(kept) == ["heard here"]
    assert future.output == "below the level here\n"


def test_basic_config_in_a_call_prints_nothing_twice(executor: SSHExecutor, kept: Records) -> None:
    def call() -> None:
        level = logging.root.level
        logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="there: %(message)s")
        logger = logging.getLogger("job")
        logger.warning("heard")
        logger.setLevel(logging.NOTSET)
        logger.debug("not heard")
        logger.setLevel(logging.INFO)
        logging.root.handlers.clear()
        logging.root.setLevel(level)

    future = executor.submit(call)
    future.result()
    assert messages(kept) == ["heard"]
    assert future.output == "there: not heard\n"


def test_a_handler_of_the_jobs_own_that_does_not_print_gets_all(
    executor: SSHExecutor, kept: Records, tmp_path: Path
) -> None:
    def call() -> str:
        logging.getLogger("job.lib").addHandler(logging.NullHandler())  # as libraries do
        handler = logging.FileHandler(path)
        logging.getLogger("job").addHandler(handler)
        logging.getLogger("job.lib").warning("to both")
        logging.getLogger("job").removeHandler(handler)
        handler.close()
        return path.read_text()

    path = tmp_path / "log"
    future = executor.submit(call)
    assert future.result() == "to both\n"
    assert messages(kept) == ["to both"]
    assert future.output == ""


def test_an_object_that_cannot_be_shown_is_complained_of_there_as_logging_does(
    executor: SSHExecutor, kept: Records
) -> None:
    class Mute:
        def __str__(self) -> str:
            raise ValueError("I have no words")

    def call() -> str:
        logging.getLogger("job").info("%s", Mute())
        logging.getLogger("job").info("next")
        return "went on"

    future = executor.submit(call)
    assert future.result() == "went on"
    assert messages(kept) == ["next"]
    assert "--- Logging error ---" in future.stderr
    assert "ValueError: I have no words" in future.stderr


def test_a_forked_child_prints_what_it_logs(executor: SSHExecutor, kept: Records) -> None:
    def call() -> int:
        handler = logging.StreamHandler()
        logging.getLogger("job").addHandler(handler)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fork beside threads
            child = os.fork()
        if not child:
            logging.getLogger("job").info("from the child")
            warnings.warn("the child warns", UserWarning, stacklevel=1)
            os._exit(3)
        _, status = os.waitpid(child, 0)
        logging.getLogger("job").info("from the parent")
        logging.getLogger("job").removeHandler(handler)
        return os.waitstatus_to_exitcode(status)

    future = executor.submit(call)
    assert future.result() == 3
    assert messages(kept) == ["from the parent"]
    assert future.stderr.startswith("from the child\n")
    assert "UserWarning: the child warns\n" in future.stderr
    assert "from the parent" not in future.output


def test_without_forward_logs_all_is_left_to_the_python_over_there(
    loopback_host: Host, kept: Records
) -> None:
    def call() -> None:
        logging.getLogger("job").info("not even printed")
        logging.getLogger("job").warning("printed there")
        warnings.warn("warned there", UserWarning, stacklevel=1)

    with (
        warnings.catch_warnings(record=True) as caught,
        SSHExecutor([loopback_host], workers_per_host=1, forward_logs=False) as executor,
    ):
        future = executor.submit(call)
        future.result()
    assert not kept
    assert not caught
    assert future.stderr.startswith("printed there\n")
    assert "UserWarning: warned there\n" in future.stderr


# ------------------------------------------------------------------------- whose and when


def test_records_of_initializers_belong_to_no_call(loopback_host: Host, kept: Records) -> None:
    def ready() -> None:
        logging.getLogger("job").info("ready")

    with SSHExecutor([loopback_host], workers_per_host=1, initializer=ready) as executor:
        pid = executor.submit(os.getpid).result()
    (record,) = kept
    told = vars(record)
    assert (told["host"], told["worker"], told["call"]) == (loopback_host, pid, None)
    assert record.getMessage() == "ready"


def test_records_of_a_calls_threads_are_the_calls(executor: SSHExecutor, kept: Records) -> None:
    def call() -> None:
        def work() -> None:
            logging.getLogger("job").info("from a thread")

        thread = threading.Thread(target=work, name="helper")
        thread.start()
        thread.join()

    future = executor.submit(call)
    future.result()
    assert messages(kept) == ["from a thread"]
    assert (kept[0].threadName, vars(kept[0])["call"]) == ("helper", future.call)


@pytest.mark.parametrize("fails", [False, True])
def test_all_records_of_a_call_are_handled_when_its_outcome_is_there(
    executor: SSHExecutor, job: logging.Logger, fails: bool
) -> None:
    def call() -> None:
        for number in range(20):
            logging.getLogger("job").info("%d", number)
        if fails:
            raise LookupError

    slow = Kept(lambda _: time.sleep(0.001))  # slower than outcomes are
    job.addHandler(slow)
    error = executor.submit(call).exception()
    assert messages(slow.records) == [str(number) for number in range(20)]
    assert type(error) is (LookupError if fails else type(None))


def test_threads_that_ask_at_the_same_time_all_get_the_result_of_a_call_that_logged(
    executor: SSHExecutor, kept: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call() -> int:
        logging.getLogger("job").info("heard")
        return 7

    def another_asks(callbacks: Callbacks, thread: threading.Thread) -> bool:
        if not asked:  # whoever asks first is overtaken while it looks whether there is to wait
            asked.append(thread)
            other = threading.Thread(target=lambda: results.append(future.result(PATIENCE)))
            other.start()
            other.join(PATIENCE)
        return owns(callbacks, thread)

    asked: list[threading.Thread] = []
    results: list[int] = []
    owns = Callbacks.owns
    future = executor.submit(call)
    concurrent.futures.wait([future], PATIENCE)
    monkeypatch.setattr(Callbacks, "owns", another_asks)
    results.append(future.result(PATIENCE))
    assert results == [7, 7]
    assert messages(kept) == ["heard"]


def test_a_handler_here_may_submit_and_wait(executor: SSHExecutor, job: logging.Logger) -> None:
    results: list[int] = []
    handler = Kept(lambda _: results.append(executor.submit(abs, -3).result(PATIENCE)))
    job.addHandler(handler)
    executor.submit(lambda: logging.getLogger("job").info("ask again")).result(PATIENCE)
    assert results == [3]


def test_a_handler_here_that_raises_breaks_nothing(
    executor: SSHExecutor, job: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: object) -> None:
        raise ValueError("not that")

    job.addHandler(Kept(refuse))
    executor.submit(lambda: logging.getLogger("job").info("refused")).result(PATIENCE)
    assert "exception in a callback" in caplog.messages


def test_a_call_that_imports_logging_only_when_it_runs_is_heard(
    loopback_host: Host, kept: Records
) -> None:
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        assert not executor.submit(eval, "'logging' in __import__('sys').modules").result()
        log_it = "__import__('logging').getLogger('job').info('as early as can be')"
        future = executor.submit(eval, log_it)
        future.result()
        loader = executor.submit(eval, "type(__import__('logging').__loader__).__name__").result()
    assert messages(kept) == ["as early as can be"]
    assert future.output == ""
    assert loader == "SourceFileLoader"


# ------------------------------------------------------------------------------- warnings


def _warned(executor: SSHExecutor, call: Callable[[], Any], action: Any = "default") -> list[Any]:
    """What is shown here of the warnings of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        assert executor.submit(call).result() is None
    return caught


def test_a_warning_is_given_here_as_it_was_there(executor: SSHExecutor) -> None:
    class OwnWarning(UserWarning):
        pass

    def call() -> None:
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        warnings.warn(OwnWarning("mine", 5), stacklevel=1)

    old, mine = _warned(executor, call)
    assert (old.category, str(old.message)) == (DeprecationWarning, "old")
    assert (mine.category, mine.message.args) == (OwnWarning, ("mine", 5))
    line = call.__code__.co_firstlineno + 1
    assert [(w.filename, w.lineno) for w in (old, mine)] == [(__file__, line), (__file__, line + 1)]


def test_a_warning_shows_the_line_that_ran(executor: SSHExecutor, tmp_path: Path) -> None:
    def call() -> None:
        source = "import warnings\nwarnings.warn('look', stacklevel=1)  # there\n"
        linecache.cache[file] = len(source), None, source.splitlines(True), file
        exec(compile(source, file, "exec", 0, True), {"__name__": "elsewhere"})

    (tmp_path / "job.py").write_text("the file of that name\nhas other lines here\n")
    file = str(tmp_path / "job.py")
    (warning,) = _warned(executor, call)
    assert (warning.filename, warning.lineno) == (f"{file} (remote)", 2)
    shown = warnings.formatwarning(
        warning.message, warning.category, warning.filename, warning.lineno
    )
    assert shown.endswith("UserWarning: look\n  warnings.warn('look', stacklevel=1)  # there\n")


def test_a_warning_is_shown_once_for_its_place_however_many_give_it(
    loopback_hosts: list[Host],
) -> None:
    def call() -> None:
        for _ in range(3):
            warnings.warn("again", UserWarning, stacklevel=1)

    def count(executor: SSHExecutor, action: Any) -> int:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter(action)
            for _ in range(2):
                for future in [_on(executor, host, call) for host in range(2)]:
                    future.result()
        return len(caught)

    with SSHExecutor(loopback_hosts, workers_per_host=1) as executor:
        assert count(executor, "default") == 1
        assert count(executor, "ignore") == 0
        assert count(executor, "always") >= 2  # one of each host at least


def _on(executor: SSHExecutor, host: int, call: Callable[[], Any]) -> Any:
    from interstate.tracebacks import Site

    return executor._submit(host, call, (), {}, Site(_on.__code__, 0))


def test_a_warning_about_a_place_that_did_not_run_is_given_too(executor: SSHExecutor) -> None:
    def call() -> None:
        warnings.warn_explicit("of a template", UserWarning, "/nowhere/page.html", 7)
        compile("1 is 1", "/nowhere/job.py", "exec")

    explicit, syntax = _warned(executor, call)
    assert (str(explicit.message), explicit.filename) == ("of a template", "/nowhere/page.html")
    assert (explicit.lineno, explicit.category) == (7, UserWarning)
    assert (syntax.filename, syntax.category) == ("/nowhere/job.py", SyntaxWarning)


def test_a_filter_that_makes_errors_of_warnings_lets_the_call_go_on(
    executor: SSHExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    def call() -> None:
        warnings.warn("not an error there", UserWarning, stacklevel=1)

    (shown,) = _warned(executor, call, "error")
    assert (str(shown.message), shown.category) == ("not an error there", UserWarning)
    assert (shown.filename, shown.lineno) == (__file__, call.__code__.co_firstlineno + 1)
    assert not caplog.messages


@pytest.mark.parametrize(("module", "shown"), [(r"tests\.test_telling$", 0), ("another", 1)])
def test_filters_here_go_by_the_module_there(
    executor: SSHExecutor, module: str, shown: int
) -> None:
    def call() -> None:
        warnings.warn("of a module", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", module=module)
        executor.submit(call).result()
    assert len(caught) == shown


# ------------------------------------------------------------------------ context variables


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that has a context variable, and is found here."""
    source = "from contextvars import ContextVar\nlanguage = ContextVar('lang', default='en')\n"
    (tmp_path / "telling_settings.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("telling_settings")
    del sys.modules["telling_settings"]


def _with(variable: contextvars.ContextVar[Any], value: Any, task: Callable[[], Any]) -> Any:
    """What a task returns in a context where a variable has a value."""

    def run() -> Any:
        variable.set(value)
        return task()

    return contextvars.copy_context().run(run)


def test_a_modules_context_variable_travels_by_its_name(
    executor: SSHExecutor, settings: ModuleType, tmp_path: Path
) -> None:
    def call() -> str:
        return str(importlib.import_module("telling_settings").language.get())

    asking = executor.with_options(context=True)
    in_vain = _with(settings.language, "fr", lambda: asking.submit(abs, -2).result())
    assert in_vain == 2  # over there it is not to be had, so that none there can ask for it
    executor.submit(eval, f"__import__('sys').path.append({str(tmp_path)!r})").result()
    assert asking.submit(call).result() == "en"
    assert _with(settings.language, "fr", lambda: asking.submit(call).result()) == "fr"
    assert _with(settings.language, "fr", lambda: executor.submit(call).result()) == "en"


def test_an_executor_that_takes_context_variables_along_does_so_in_submit_and_map(
    loopback_host: Host,
) -> None:
    level = contextvars.ContextVar("level", default=0)
    bare: contextvars.ContextVar[int] = contextvars.ContextVar("bare")

    def call(item: int) -> tuple[int, int, int]:
        return item, level.get(), bare.get(-1)

    def all_ways(executor: SSHExecutor) -> list[Any]:
        chunked = executor.map(call, range(3), chunksize=2)
        without = executor.with_options(context=False).submit(call, 8)
        mapped = executor.with_options(name="named").map(call, [9])
        return [executor.submit(call, 7).result(), *chunked, without.result(), *mapped]

    with SSHExecutor([loopback_host], workers_per_host=1, context=True) as executor:
        results = _with(level, 5, lambda: all_ways(executor))
    assert results == [(n, 5 if n != 8 else 0, -1) for n in (7, 0, 1, 2, 8, 9)]


def test_a_value_that_cannot_be_pickled_stays_and_the_others_go(executor: SSHExecutor) -> None:
    lock = contextvars.ContextVar[Any]("lock", default="none")
    name = contextvars.ContextVar("name", default="nobody")

    def both() -> tuple[Any, str]:
        return lock.get(), name.get()

    def submit() -> Any:
        lock.set(threading.Lock())
        name.set("me")
        return executor.with_options(context=True).submit(both).result()

    assert contextvars.copy_context().run(submit) == ("none", "me")


def test_what_a_call_sets_is_its_own(executor: SSHExecutor) -> None:
    step = contextvars.ContextVar("step", default=0)

    def call() -> int:
        step.set(step.get() + 1)
        return step.get()

    def submit() -> tuple[int, int, int]:
        first, second = (asking.submit(call).result() for _ in range(2))
        return first, second, step.get()

    asking = executor.with_options(context=True)
    assert _with(step, 10, submit) == (11, 11, 10)


def test_a_closure_may_have_a_context_variable_and_bring_it_back(executor: SSHExecutor) -> None:
    mine: contextvars.ContextVar[tuple[int, ...]] = contextvars.ContextVar("mine", default=(1,))

    def call() -> tuple[tuple[int, ...], contextvars.ContextVar[tuple[int, ...]]]:
        token = mine.set((*mine.get(), 2))
        found = mine.get()
        mine.reset(token)
        return found, mine

    for _ in range(2):
        found, back = _with(mine, (7,), lambda: executor.submit(call).result())
        assert found == (1, 2)  # its value did not travel, as none asked for that
        assert back is mine


# ------------------------------------------------------------------------- the current call


def test_a_call_knows_itself(executor: SSHExecutor, loopback_host: Host) -> None:
    def call() -> Any:
        return interstate.current_call()

    known = executor.submit(call).result()
    assert known.host == str(loopback_host)
    assert known.name == f"{test_a_call_knows_itself.__name__}.<locals>.call"
    assert known.attempt == 1
    named = executor.with_options(name="fit 7")
    assert named.submit(call).result().name == "fit 7"
    assert [known.name for known in named.map(lambda _: call(), range(2))] == ["fit 7"] * 2
    assert executor.with_options(context=True).submit(call).result().name == known.name
    assert interstate.current_call() is None


def test_a_calls_threads_know_it_until_it_has_ended(executor: SSHExecutor, tmp_path: Path) -> None:
    def call() -> Any:
        def ask() -> None:
            known.append(interstate.current_call())
            asked.set()
            while interstate.current_call() is not None:
                time.sleep(0.001)
            ended.touch()

        known: list[Any] = []
        asked = threading.Event()
        threading.Thread(target=ask, daemon=True).start()
        asked.wait()
        return known[0]

    ended = tmp_path / "ended"
    assert executor.with_options(name="mine").submit(call).result().name == "mine"
    deadline = time.monotonic() + PATIENCE
    while not ended.exists():
        assert time.monotonic() < deadline, "the call is known after its end"
        time.sleep(0.005)


def test_a_call_knows_that_it_is_tried_again(loopback_host: Host) -> None:
    def call() -> int:
        known = interstate.current_call()
        assert known is not None
        if known.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return int(known.attempt)

    with SSHExecutor([loopback_host], workers_per_host=1, retries=1) as executor:
        future = executor.submit(call)
        assert future.result() == 2
    assert future.attempts == 2
