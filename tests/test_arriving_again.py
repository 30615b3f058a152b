"""What travels call after call: it arrives as it is by then, and nothing of it heaps up."""

from __future__ import annotations

import dataclasses
import gc
import importlib.util
import linecache
import os
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudpickle import cloudpickle  # type: ignore[import-untyped]

from interstate import Host, SSHExecutor
from interstate.remote import alarm, crossing, pickling, sources

from .trees import Tree

MANY = 300  # more than are remembered of anything that is large


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    tree = Tree(tmp_path, monkeypatch)
    tree.importable()
    yield tree
    tree.forget()


def arrived(value: Any) -> Any:
    return pickle.loads(pickling.dumps(value))


def adder(number: int) -> Callable[[int], int]:
    def add(other: int) -> int:
        return other + number

    return add


def unknown(kind: type) -> None:
    """Have a class made anew when it comes back."""
    tracker = pickling.tracker_of(kind)
    assert tracker is not None
    del cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID[tracker]


def functions_of(tree: Tree, name: str, text: str) -> Any:
    """A module that is loaded, and can be imported by no name."""
    path = tree.root / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------ functions


def test_a_function_that_comes_again_has_the_code_that_came_before() -> None:
    first, second = (arrived(adder(number)) for number in (1, 2))
    assert (first(10), second(10)) == (11, 12)
    assert first.__code__ is second.__code__
    assert sources.lines_of(first.__code__) == sources.lines_of(adder(0).__code__)


def test_what_is_remembered_of_functions_does_not_grow_with_the_calls(tree: Tree) -> None:
    text = "".join(f"def f{i}(x):\n    def inner(y): return x + y + {i}\n    return inner\n\n"
                   for i in range(MANY))  # fmt: skip
    module = functions_of(tree, "many", text)
    for i in range(MANY):
        came = arrived(getattr(module, f"f{i}"))
        pickling.dumps(came(1))  # as a worker does that returns it
    assert len(crossing._functions) <= crossing._MOST_TREES < MANY
    assert len(crossing._rebuilt) <= crossing._MOST_REBUILT < MANY
    known = weakref.ref(came.__code__)
    crossing._rebuilt.clear()
    crossing._known.clear()
    del came
    gc.collect()
    assert known() is None


def test_the_same_code_from_another_text_has_the_lines_of_that(tree: Tree) -> None:
    written = "def f(x):\n    return x  # {}\n"
    for word in ("once", "twice"):
        module = functions_of(tree, "same", written.format(word))
        linecache.checkcache()
        segment = sources.lines_of(arrived(module.f).__code__)
        assert segment is not None
        assert word in segment[1][1]


def test_lines_that_linecache_has_already_are_not_put_there_again(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = "\n" * 20_000 + "def f(x):\n    return x\n"
    function = functions_of(tree, "late", late).f
    sent = pickling.dumps(function)
    monkeypatch.setattr(alarm, "enabled", True)  # as it is in a worker
    put: list[str] = []
    monkeypatch.setattr(sources, "_shown", {})
    plain = sources.put_into_linecache

    def note(file: str, lines: dict[int, str]) -> None:
        put.append(file)
        plain(file, lines)

    monkeypatch.setattr(sources, "put_into_linecache", note)
    for _ in range(3):
        pickle.loads(sent)
    assert put == [function.__code__.co_filename]


# -------------------------------------------------------------------------------- classes


def test_an_attribute_of_a_dataclass_that_was_changed_arrives_so(host: Host) -> None:
    @dataclasses.dataclass
    class Options:
        size: int = 1
        name: str = dataclasses.field(default="", repr=False)
        kinds: list[str] = dataclasses.field(default_factory=list)

    def seen() -> Any:
        return Options(), Options.size, Options.name, hasattr(Options, "kinds")

    Options.size, Options.name = 2, "changed"
    with SSHExecutor([host], workers_per_host=1) as executor:
        first = executor.submit(seen).result()
        Options.size = 3
        second = executor.submit(seen).result()
    assert first == (Options(), 2, "changed", False)
    assert second == (Options(), 3, "changed", False)
    assert first[0].size == 1  # which is what its __init__ has


def test_an_attribute_of_a_class_that_was_deleted_is_gone_when_it_comes_again() -> None:
    class Kind:
        gone, stays = 1, 2

        def method(self) -> int:
            return 3

    first = pickling.dumps(Kind)
    unknown(Kind)
    kind = pickle.loads(first)
    assert kind is not Kind
    assert (kind.gone, kind.stays, kind().method()) == (1, 2, 3)
    del Kind.gone
    del Kind.method
    Kind.new = 4  # type: ignore[attr-defined]
    kind.own = 5
    assert arrived(Kind) is kind
    assert (hasattr(kind, "gone"), hasattr(kind, "method")) == (False, False)
    assert (kind.stays, kind.new, kind.own) == (2, 4, 5)


def test_while_a_class_arrives_other_threads_can_make_and_send_what_they_like(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    class Base:
        def __init_subclass__(cls, **given: Any) -> None:
            told.append(cls.__name__)

    class Made(Base):
        pass

    sent = pickling.dumps(Made)
    unknown(Made)
    meanwhile: list[bytes] = []
    make = cloudpickle._make_skeleton_class

    def other_thread() -> None:
        type("Other", (Base,), {})
        meanwhile.append(pickling.dumps(Base))

    def making(*args: Any) -> Any:
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
        return make(*args)

    monkeypatch.setattr(cloudpickle, "_make_skeleton_class", making)
    assert pickle.loads(sent) is not Made
    assert told == ["Made", "Other"]
    unknown(Base)
    monkeypatch.undo()
    base = pickle.loads(meanwhile[0])
    assert vars(base)["__init_subclass__"].__func__.__name__ == "__init_subclass__"
    assert vars(base)["__init_subclass__"].__func__.__code__.co_names[:1] == ("append",)


def test_the_cause_of_an_error_in_making_an_argument_is_kept(host: Host) -> None:
    class Odd:
        def __reduce__(self) -> Any:
            return make, ()

    def make() -> None:
        raise AttributeError("no such thing") from KeyError("k")

    with SSHExecutor([host], workers_per_host=1) as executor:
        error = executor.submit(type, Odd()).exception()
    assert isinstance(error, AttributeError)
    assert isinstance(error.__cause__, KeyError)


# --------------------------------------------------------------- files that look unchanged


def test_a_file_of_the_same_size_and_time_is_sent_as_it_is_now(tree: Tree, host: Host) -> None:
    def value() -> int:
        import quick  # type: ignore[import-not-found]

        return quick.VALUE  # type: ignore[no-any-return]

    for number in (1, 2):
        tree.write({"quick.py": f"VALUE = {number}\n"})
        os.utime(tree.root / "quick.py", (1e9, 1e9))
        with SSHExecutor([host], workers_per_host=1) as executor:
            assert executor.submit(value).result() == number


def test_a_module_whose_place_an_older_file_has_taken_is_not_sent(tree: Tree, host: Host) -> None:
    tree.write({"replaced.py": "def f(): return 1\n", "older.py": "def f(): return 2\n"})
    for name in ("replaced.py", "older.py"):
        os.utime(tree.root / name, (1e9, 1e9))
    module = tree.load("replaced")
    (tree.root / "older.py").replace(tree.root / "replaced.py")
    with SSHExecutor([host], workers_per_host=1) as executor:
        error = executor.submit(module.f).exception()
    assert isinstance(error, ImportError)
    assert "was changed after it was imported" in str(error)


def test_the_lines_of_an_older_file_are_not_taken_for_those_of_code(tree: Tree) -> None:
    tree.write({"lines.py": "def f(): return 1\n", "other.py": "def f(): return 2\n"})
    for name in ("lines.py", "other.py"):
        os.utime(tree.root / name, (1e9, 1e9))
    module = tree.load("lines")
    (tree.root / "other.py").replace(tree.root / "lines.py")
    assert sources.lines_of(module.f.__code__) is None
