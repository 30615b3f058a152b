"""The traceback of a call that failed: as good as a local one."""

from __future__ import annotations

import importlib
import linecache
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import pytest

import interstate
from interstate import Host, RemoteError, SSHExecutor, future
from interstate.remote import failure, frames, rebuilding, sources, stubs


@pytest.fixture(scope="module")
def executor(loopback_host: Host) -> Iterator[SSHExecutor]:
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        executor.submit(abs, -1).result()  # its process is there before a test
        yield executor


def _divide(numbers: list[int]) -> float:
    return sum(numbers) / len(numbers)


def _local(numbers: list[int]) -> str:
    """How the same looks here."""
    try:
        _divide(numbers)
    except ZeroDivisionError as error:
        return "".join(traceback.format_exception(error)).split("File ", 2)[2]
    raise AssertionError


def _caught(call: Any) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def _again(error: BaseException) -> BaseException:
    return rebuilding.rebuild(failure.dump_exception(error))


def _files(tb: TracebackType | None) -> list[str]:
    return [frame.f_code.co_filename for frame, _ in traceback.walk_tb(tb)]


# ------------------------------------------------------------------------------- what it says


def test_it_says_where_it_was_submitted_on_which_host_it_ran_and_then_what_ran(
    executor: SSHExecutor, loopback_host: Host
) -> None:
    divide = _by_value(_divide)
    call = executor.submit(divide, [])
    text = "".join(traceback.format_exception(call.exception()))
    here, where, there = text.split("File ")[1:]
    assert "call = executor.submit(divide, [])" in here
    version = ".".join(map(str, sys.version_info[:3]))
    assert where.startswith(f'"<{loopback_host}, worker ')
    assert f"Python {version}>" in where
    assert there == _local([])


def test_asking_again_does_not_make_it_grow(executor: SSHExecutor) -> None:
    call = executor.submit(_by_value(_divide), [])
    lengths = set()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) as caught:
            call.result()
        lengths.add(len(list(traceback.walk_tb(caught.value.__traceback__))))
    assert len(lengths) == 1


def test_where_it_was_submitted_is_not_said_twice(executor: SSHExecutor) -> None:
    divide = _by_value(_divide)
    with pytest.raises(ZeroDivisionError) as caught:
        list(executor.map(divide, [[]]))
    assert _files(caught.value.__traceback__).count(__file__) == 2  # here, and in _divide


def test_many_that_ask_at_once_all_get_the_exception(executor: SSHExecutor) -> None:
    call = executor.submit(_by_value(_divide), [])
    came = []
    threads = [threading.Thread(target=lambda: came.append(_caught(call.result))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {type(error) for error in came} == {ZeroDivisionError}


def test_a_result_that_is_an_exception_has_its_traceback(executor: SSHExecutor) -> None:
    def job() -> Any:
        try:
            return [][1]
        except IndexError as error:
            return error, error.__traceback__

    error, tb = executor.submit(job).result()
    assert isinstance(error, IndexError)
    for came in (error.__traceback__, tb):
        assert traceback.extract_tb(came)[-1].line == "return [][1]"


def test_what_a_job_prints_of_its_own_traceback_has_the_lines(executor: SSHExecutor) -> None:
    def job() -> None:
        try:
            print([][1])
        except IndexError:
            traceback.print_exc()

    call = executor.submit(job)
    call.result()
    assert "print([][1])" in call.stderr


def test_of_some_hosts_that_fail_each_says_where(loopback_hosts: list[Host]) -> None:
    with pytest.raises(interstate.ExecuteError) as caught:
        interstate.execute(_by_value(lambda: 1 / 0), hosts=loopback_hosts)
    for error, host in zip(caught.value.exceptions, loopback_hosts, strict=True):
        assert _files(error.__traceback__)[0].startswith(f"<{host}, worker ")


def _by_value(function: Any) -> Any:
    """The same function, not to be imported over there."""
    function = type(function)(function.__code__, function.__globals__, function.__name__)
    function.__module__ = "__main__"
    return function


# ------------------------------------------------------------------------ the lines that ran


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module whose function fails."""
    file = tmp_path / "a_module.py"
    file.write_text("def fail():\n    table = {}\n    return table['no key']\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("a_module")
    del sys.modules["a_module"]


def _last_line(error: BaseException) -> str | None:
    return traceback.extract_tb(error.__traceback__)[-1].line


def test_the_file_has_its_own_name_where_it_says_the_same(module: ModuleType) -> None:
    error = _again(_caught(module.fail))
    assert _files(error.__traceback__)[-1] == module.__file__
    assert _last_line(error) == "return table['no key']"


def test_a_file_that_was_changed_meanwhile_has_another_name_and_the_lines_that_ran(
    module: ModuleType,
) -> None:
    content = failure.dump_exception(_caught(module.fail))
    Path(str(module.__file__)).write_text("# nothing like it\n" * 9)
    error = rebuilding.rebuild(content)
    assert _files(error.__traceback__)[-1] == f"{module.__file__} (remote)"
    assert _last_line(error) == "return table['no key']"


def test_a_file_that_is_not_here_does_too(module: ModuleType) -> None:
    content = failure.dump_exception(_caught(module.fail))
    os.remove(str(module.__file__))
    error = rebuilding.rebuild(content)
    assert _last_line(error) == "return table['no key']"
    linecache.clearcache()  # its frames know them, too
    assert _last_line(error) == "return table['no key']"


def test_other_lines_of_the_same_name_get_a_name_of_their_own() -> None:
    made = [
        stubs.traceback_of(
            [frames.Frame("/not/here.py", "f", "f", 1, 1, 1, None, None, "m")],
            {"/not/here.py": {1: line}},
        )
        for line in ("one\n", "two\n", "one\n")
    ]
    names = [_files(tb)[0] for tb in made]
    assert names == ["/not/here.py (remote)", "/not/here.py (remote 2)", "/not/here.py (remote)"]
    assert [traceback.extract_tb(tb)[0].line for tb in made] == ["one", "two", "one"]


def test_lines_are_not_told_of_a_file_that_no_longer_compiles_to_the_code(
    module: ModuleType,
) -> None:
    Path(str(module.__file__)).write_text("def fail():\n    return 1\n\n\n")
    linecache.checkcache()
    assert sources.lines_of(module.fail.__code__) is None
    error = _again(_caught(module.fail))
    assert _last_line(error) == ""  # and none rather than another


def test_a_changed_file_that_still_compiles_to_the_code_is_believed(module: ModuleType) -> None:
    file = Path(str(module.__file__))
    file.write_text(file.read_text() + "\n\ndef another():\n    return 2\n")
    linecache.checkcache()
    assert sources.lines_of(module.fail.__code__) == (1, file.read_text().splitlines(True)[:3])


def test_a_text_that_was_given_has_no_lines() -> None:
    namespace: dict[str, Any] = {}
    exec("def fail():\n    return {}[1]\n", namespace)
    assert sources.lines_of(namespace["fail"].__code__) is None


def test_a_very_deep_recursion_comes_whole() -> None:
    def down(depth: int) -> int:
        return 1 + down(depth + 1)

    error = _again(_caught(lambda: down(0)))
    assert isinstance(error, RecursionError)
    assert len(list(traceback.walk_tb(error.__traceback__))) > sys.getrecursionlimit() / 2


# ------------------------------------------------------------------ who looks at it otherwise


def test_the_frames_stand_at_instructions_made_from_the_expression_that_ran() -> None:
    error = _again(_caught(lambda: _divide([])))
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    assert tb is not None
    code = tb.tb_frame.f_code
    import dis

    at = {found.offset: found.opname for found in dis.get_instructions(code)}
    assert at[tb.tb_lasti] == "BINARY_OP"


def test_an_uncaught_one_is_printed_with_the_lines_that_ran(tmp_path: Path) -> None:
    """Before Python 3.13, it is C code that prints it, and reads files."""
    (tmp_path / "here.py").write_text("# another file of that name\n" * 9)
    script = tmp_path / "script.py"
    script.write_text(
        "from interstate.remote import frames, stubs\n"
        "from interstate import tracebacks\n"
        "tracebacks.show_lines_that_ran()\n"
        "frame = frames.Frame('/not/here.py', 'f', 'f', 1, 1, 1, 0, 3, 'm')\n"
        "tb = stubs.traceback_of([frame], {'/not/here.py': {1: 'a + b\\n'}})\n"
        "raise ValueError.with_traceback(ValueError('no'), tb)\n"
    )
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert '"/not/here.py (remote)", line 1, in f\n    a + b' in ended.stderr


def test_who_hides_frames_hides_our_own() -> None:
    hidden = future.RemoteFuture.result.__code__.co_varnames
    assert "__tracebackhide__" in hidden


# ------------------------------------------------------------------------ exceptions here only


def test_what_never_ends_here_is_told_in_words(
    executor: SSHExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interstate.outcome._LONGEST", 0.2)
    here = os.getpid()

    class Endless:
        def __setstate__(self, state: Any) -> None:
            while os.getpid() == here:
                pass

        def __getstate__(self) -> int:
            return 1

    def job() -> None:
        error = ValueError("of there")
        error.held = Endless()  # type: ignore[attr-defined]
        raise error

    error = executor.submit(job).exception(30)
    assert isinstance(error, RemoteError)
    assert "of there" in str(error)
    assert "takes longer than 0.2 s" in str(error)
    assert "raise error" in error.remote_traceback
    assert executor.submit(abs, -1).result(30) == 1


def test_one_whose_truth_value_fails_is_raised(executor: SSHExecutor) -> None:
    class NeitherError(Exception):
        def __bool__(self) -> bool:
            raise OSError("neither")

    def job() -> None:
        raise NeitherError

    with pytest.raises(NeitherError):
        executor.submit(job).result()


def test_a_class_of_ours_that_comes_back_is_left_as_it_is(executor: SSHExecutor) -> None:
    class CountedError(Exception):
        made = 0

    def job() -> None:
        raise CountedError

    call = executor.submit(job)
    CountedError.made = 7
    assert type(call.exception()) is CountedError
    assert CountedError.made == 7
