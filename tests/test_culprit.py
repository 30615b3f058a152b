"""Which object cannot be pickled: its path in words, and what to do, whatever the objects do."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import pickle
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import types
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import interstate
from interstate import Host, SSHExecutor
from interstate.remote import payload, search

PATIENCE = 60.0  # seconds: no result takes that long
LOCK = threading.Lock()
SAID = "TypeError: cannot pickle '_thread.lock' object"
AWAY = "make it inside the function, over there"


@pytest.fixture(autouse=True, scope="module")
def _searches_may_take_long() -> Iterator[None]:
    """Five seconds, else, which on a busy computer may go by while little is done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "find", functools.partial(search.find, seconds=1000.0))
        yield


def error_of(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> pickle.PicklingError:
    """What a call raises when it is made ready to be sent."""
    with pytest.raises(pickle.PicklingError) as raised:
        payload.dump_call(fn, args, kwargs)
    return raised.value


def told(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """What that says after its beginning."""
    name = getattr(fn, "__qualname__", type(fn).__qualname__)
    begin, text = f"cannot send the call of {name} to a host: ", str(error_of(fn, *args, **kwargs))
    assert text.startswith(begin)
    return re.sub(r"test_\w+\.<locals>\.", "", text.removeprefix(begin)).replace(f"{__name__}.", "")


def path(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The path to a lock."""
    where, _, rest = told(fn, *args, **kwargs).partition(": ")
    assert rest == f"_thread.lock cannot be pickled ({SAID}); {AWAY}"
    return where


class Locked:
    """What is not to be sent; it goes by its name, as it is part of a module."""

    def __init__(self) -> None:
        self._lock = LOCK

    def method(self) -> None: ...


# ------------------------------------------------------------------------------ the path


def test_the_path_leads_from_a_function_to_the_object() -> None:
    db = Locked()

    def fit() -> object:
        return db

    assert told(fit) == (
        f"fit → closure 'db' → attribute '_lock': _thread.lock cannot be pickled ({SAID}); {AWAY}"
    )


def test_what_pickle_said_is_the_cause() -> None:
    error = error_of(len, LOCK)
    assert type(error.__cause__) is TypeError
    assert str(error.__cause__) == "cannot pickle '_thread.lock' object"


def test_functions_that_refer_to_functions_are_followed() -> None:
    lock = LOCK

    def inner() -> object:
        return lock

    def between(x: object = inner) -> object:
        return x

    def outer() -> object:
        return lambda: between

    assert path(outer) == "outer → closure 'between' → default 'x' → closure 'lock'"


def test_a_global_is_named() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__", "LOCK": LOCK}
    exec("def fit(): return lambda: LOCK", namespace)
    assert path(namespace["fit"]) == "fit → global 'LOCK'"


def test_defaults_go_by_their_parameters() -> None:
    def last(a: object, b: object = 1, c: object = LOCK) -> None: ...
    def keyword(a: object = 1, *, b: object = LOCK) -> None: ...

    assert path(last) == "last → default 'c'"
    assert path(keyword) == "keyword → default 'b'"


def test_attributes_and_annotations_of_a_function_are_named() -> None:
    def marked() -> None: ...
    def annotated(a: Any) -> None: ...

    marked.mark = LOCK  # type: ignore[attr-defined]
    annotated.__annotations__ = {"a": LOCK}
    assert path(marked) == "marked → attribute 'mark'"
    assert path(annotated) == "annotated → annotation 'a'"


def test_arguments_have_their_number_or_name() -> None:
    assert path(print, 1, 2, [LOCK]) == "argument 3 → item 0"
    assert path(print, None, sep=LOCK, end=None) == "argument 'sep'"


def test_the_object_of_a_bound_method_is_its_self() -> None:
    assert path(Locked().method) == "Locked.method → self → attribute '_lock'"
    assert path(LOCK.acquire) == "lock.acquire → self"
    assert path([Locked()].append, 1) == "list.append → self → item 0 → attribute '_lock'"


def test_partials_are_taken_apart() -> None:
    lock = LOCK
    assert path(functools.partial(lambda n: lock, 1)) == "partial → function → closure 'lock'"
    assert path(functools.partial(print, 1, LOCK)) == "partial → argument 2"
    assert path(functools.partial(print, sep={"a": LOCK})) == "partial → argument 'sep' → item 'a'"


class Slotted:
    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = LOCK


class Reduced:
    def __reduce__(self) -> Any:
        return str, (b"", LOCK)


class Stateful:
    def __getstate__(self) -> Any:
        return [1, LOCK]


Named = namedtuple("Named", "x y")


SETTER = "setter of its state → self → attribute '_lock'"
CONTAINERS: dict[str, tuple[Callable[[], Any], str]] = {
    "list": (lambda: [1, LOCK], "item 1"),
    "tuple": (lambda: (1, LOCK), "item 1"),
    "dict": (lambda: {1: 2, "a": LOCK}, "item 'a'"),
    "key": (lambda: {(1, LOCK): 2}, "key (1, of the type _thread.lock) → item 1"),
    "set": (lambda: {LOCK}, "element"),
    "frozenset": (lambda: frozenset([LOCK]), "element"),
    "deque": (lambda: deque([1, LOCK]), "item 1"),
    "OrderedDict": (lambda: OrderedDict(a=LOCK), "item 'a'"),
    "defaultdict": (
        lambda: defaultdict(Locked().method),
        "constructor argument 1 → self → attribute '_lock'",
    ),
    "namedtuple": (lambda: Named(1, LOCK), "attribute 'y'"),
    "namespace": (lambda: types.SimpleNamespace(a=LOCK), "attribute 'a'"),
    "module": (lambda: _module(), "attribute 'lock'"),
    "slots": (Slotted, "attribute '_lock'"),
    "reduce": (Reduced, "constructor argument 2"),
    "setter": (lambda: Misshapen(list, (), 1, None, None, Locked().method), SETTER),
    "state": (Stateful, "state → item 1"),
    "exception in a list": (lambda: [ValueError("x"), LOCK], "item 1"),
}


def _module() -> types.ModuleType:
    module = types.ModuleType("made")
    module.lock = LOCK  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("kind", CONTAINERS)
def test_each_kind_of_object_is_taken_apart(kind: str) -> None:
    make, steps = CONTAINERS[kind]
    assert path(len, make()) == f"argument 1 → {steps}"


def test_classes_that_travel_by_value_are_taken_apart() -> None:
    lock = LOCK

    class Held:
        held = LOCK

    class Derived(Held): ...

    class Methods:
        def method(self) -> object:
            return lock

    class Properties:
        @property
        def name(self) -> object:
            return lock

    class Static:
        @staticmethod
        def make() -> object:
            return lock

    assert path(Held) == "Held → attribute 'held'"
    assert path(len, Held()) == "argument 1 → class 'Held' → attribute 'held'"
    assert path(Derived) == "Derived → base 'Held' → attribute 'held'"
    assert path(Methods) == "Methods → method 'method' → closure 'lock'"
    assert path(Properties) == "Properties → attribute 'name' → getter → closure 'lock'"
    assert path(Static) == "Static → method 'make' → closure 'lock'"


WRAPPERS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: [0, x], "item 1"),
    (lambda x: (x,), "item 0"),
    (lambda x: {"k": x}, "item 'k'"),
    (lambda x: types.SimpleNamespace(name=x), "attribute 'name'"),
    (lambda x: lambda: x, "closure 'x'"),
    (lambda x: functools.partial(print, x), "argument 1"),
    (lambda x: deque([0, 0, x]), "item 2"),
    (lambda x: types.MethodType(len, [x]), "self → item 0"),
    (lambda x: [*range(500), x, *range(500)], "item 500"),
    (lambda x: _with_itself([x]), "item 0"),
]


def _with_itself(value: list[Any]) -> list[Any]:
    value.append(value)
    return value


@given(st.lists(st.sampled_from(range(len(WRAPPERS))), max_size=5))
def test_the_path_is_the_way_in_however_things_are_nested(kinds: list[int]) -> None:
    value: Any = LOCK
    steps: list[str] = []
    for kind in kinds:
        wrap, step = WRAPPERS[kind]
        value, steps = wrap(value), [step, *steps]
    assert path(len, value) == " → ".join(["argument 1", *steps])


def test_the_result_is_followed_too() -> None:
    def f() -> object:
        return [0, 1, 2, {"a": Locked()}]

    outcome = payload.run_call(payload.dump_call(f, (), {})).outcome()
    error = outcome.load()
    assert isinstance(error, pickle.PicklingError)
    assert str(error) == (
        f"the result of {f.__qualname__} → item 3 → item 'a' → attribute '_lock': _thread.lock "
        f"cannot be pickled ({SAID}); return what you need of it"
    )


def test_what_is_shared_is_followed_too() -> None:
    with pytest.raises(pickle.PicklingError) as raised:
        interstate.share({"db": Locked()})
    assert str(raised.value) == (
        "the dict cannot be shared: the dict → item 'db' → attribute '_lock': _thread.lock cannot "
        f"be pickled ({SAID}); {AWAY}"
    )


def test_a_host_sends_the_path_back_and_chunks_do_not_show(loopback_host: Host) -> None:
    lock = LOCK
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        error = executor.submit(lambda: [(n for n in "ab")]).exception(PATIENCE)
        assert "→ item 0: generator cannot be pickled" in str(error)
        assert str(error).endswith("; return a list")
        with pytest.raises(pickle.PicklingError, match=r"host: [^ ]*<lambda> → closure 'lock': "):
            list(executor.map(lambda n: lock, [1, 2], chunksize=2))
        chunk = "the chunk of arguments → item 1 → item 0: _thread.lock"
        with pytest.raises(pickle.PicklingError, match=chunk):
            list(executor.map(repr, [1, lock], chunksize=2))


# ---------------------------------------------------------------------------- what to do


@contextlib.contextmanager
def managed() -> Iterator[None]:
    yield


class Refuses:
    def __reduce__(self) -> Any:
        raise ValueError("I stay")


UNPICKLABLE: dict[str, tuple[Callable[[], Any], str]] = {
    "lock": (threading.RLock, AWAY),
    "event": (threading.Event, AWAY),
    "thread": (threading.Thread, AWAY),
    "executor": (lambda: ThreadPoolExecutor(1), AWAY),
    "context manager": (managed, AWAY),
    "frame": (sys._getframe, AWAY),
    "generator": (lambda: (n for n in "a"), "pass a list"),
    "future": (Future, "pass its result()"),
    "its own words": (Refuses, "leave it out, or mend its __reduce__"),
}


@pytest.mark.parametrize("kind", UNPICKLABLE)
def test_what_to_do_depends_on_the_object(kind: str) -> None:
    make, advice = UNPICKLABLE[kind]
    value = make()
    name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    text = told(len, [value])
    assert text.startswith(f"argument 1 → item 0: {name.removeprefix(f'{__name__}.')} cannot be ")
    assert text.endswith(f"); {advice}")


def test_files_and_connections_are_to_be_opened_over_there() -> None:
    with open("/dev/null", "w") as file, socket.socket() as plug:
        assert told(len, file).endswith(f"not opened for reading: w); {AWAY}")
        assert told(len, plug).startswith("argument 1: socket.socket cannot be pickled (TypeError")
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        assert told(len, database).endswith(f"'sqlite3.Connection' object); {AWAY}")
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        assert told(len, process).startswith("argument 1: subprocess.Popen cannot be pickled")


def test_a_class_of_the_users_own_is_to_be_left_out_or_changed() -> None:
    class Odd:
        def __getattribute__(self, name: str) -> Any:
            raise ValueError(f"no {name}")

    text = told(len, Odd())
    assert text.startswith("argument 1: Odd cannot be pickled (ValueError: no __")
    assert text.endswith("); leave it out, or give its class a __reduce__ / __getstate__")


def test_an_executor_and_its_futures_speak_for_themselves(loopback_host: Host) -> None:
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        future = executor.submit(abs, -1)
        assert future.result(PATIENCE) == 1
        for value, words in (
            (executor, "submit more here"),
            (executor.with_options(timeout=9), "submit more here"),
            (executor.submit, "submit more here"),
            (future, "pass its result() to the call"),
        ):
            assert told(len, [value]).endswith(f"{words})")
    with interstate.share([1]) as shared:
        pass
    assert told(len, shared).endswith("share it anew)")


# --------------------------------------------------------------------- whatever they do


class Endless:
    def __getstate__(self) -> Any:
        return self.__getstate__()


class Unfolding:
    def __reduce__(self) -> Any:
        return list, ((Unfolding(), Unfolding()),)


class Misshapen:
    def __init__(self, *reduced: Any) -> None:
        self._reduced = reduced

    def __reduce__(self) -> Any:
        return self._reduced


class Breaking:
    def __reduce__(self) -> Any:
        return list, (), None, self._items()

    def _items(self) -> Iterator[int]:
        yield from range(600)
        raise ValueError("it breaks off")


class Silent:
    def __init__(self) -> None:
        self.lock = LOCK

    def __repr__(self) -> str:
        raise AssertionError("nobody may ask")

    __str__ = __hash__ = __len__ = __bool__ = __repr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise AssertionError("nobody may compare")


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "endless": (Endless, "recursion required.); leave it out, or mend its __getstate__"),
    "no arguments": (lambda: Misshapen(len, 3), "mend its __reduce__"),
    "no function": (lambda: Misshapen(3, ()), "mend its __reduce__"),
    "too short": (lambda: Misshapen(3), "mend its __reduce__"),
    "too long": (lambda: Misshapen(*[None] * 9), "mend its __reduce__"),
    "no items": (lambda: Misshapen(list, (), None, 3), "mend its __reduce__"),
    "breaking": (Breaking, "(ValueError: it breaks off); leave it out, or mend its __reduce__"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_objects_are_named_and_do_no_harm(kind: str) -> None:
    make, end = BAD[kind]
    value = make()
    text = told(len, [value])
    assert text.startswith(f"argument 1 → item 0: {type(value).__qualname__} cannot be pickled (")
    assert text.endswith(end)


def test_what_fails_but_once_is_told_as_far_as_it_is_known() -> None:
    once = Misshapen(dict, (), None, None, iter([3]))
    text = told(len, [once])
    assert text.startswith("argument 1: something in this list cannot be pickled (TypeError: dict")


def test_what_is_too_deep_says_so_and_not_what_is_down_there() -> None:
    for innermost in ([], [LOCK]):
        value: list[Any] = innermost
        for _ in range(100_000):
            value = [value]
        assert told(len, {"a": value}).startswith(
            "argument 1 → item 'a': list is nested too deeply to be pickled ("
        )
        while value:  # let go of it from outside, which needs no deep stack
            value = value.pop() if isinstance(value[0], list) else []
    assert told(len, [Unfolding()]).startswith(
        "argument 1 → item 0: Unfolding is nested too deeply to be pickled ("
    )


def test_a_long_path_is_told_by_its_ends() -> None:
    value: Any = LOCK
    for _ in range(100):
        value = [value]
    ends = ["item 0"] * 5, ["item 0"] * 6
    assert path(len, value) == " → ".join(["argument 1", *ends[0], "… 89 more …", *ends[1]])


def test_no_methods_of_objects_are_called_to_tell_of_them() -> None:
    assert path(len, [Silent()]) == "argument 1 → item 0 → attribute 'lock'"
    assert path(len, {types.SimpleNamespace: {frozenset(): LOCK}}) == (
        "argument 1 → item types.SimpleNamespace → item of the type frozenset"
    )


def test_keys_and_messages_are_shown_as_far_as_there_is_room() -> None:
    assert path(len, {"k" * 1000: LOCK}) == f"argument 1 → item '{'k' * 40}'…"
    assert path(len, {10**5000: LOCK}) == "argument 1 → item of the type int"
    assert path(len, {b"k": {("a", 1, None): LOCK}}) == (
        "argument 1 → item b'k' → item ('a', 1, None)"
    )

    class Wordy:
        def __reduce__(self) -> Any:
            raise ValueError("words\n" * 10_000)

    assert len(str(error_of(len, Wordy()))) < 1000


def test_rings_are_walked_once() -> None:
    class Node:
        def __init__(self, parent: Node | None) -> None:
            self.parent = parent
            self.children: list[Any] = []

    root = Node(None)
    root.children = [Node(root) for _ in range(300)]
    for child in root.children:
        child.children = [Node(child) for _ in range(10)]
    root.children[-1].children[-1].children.append(LOCK)
    assert path(len, [root]) == (
        "argument 1 → item 0 → attribute 'children' → item 299 → attribute 'children' → item 9 → "
        "attribute 'children' → item 0"
    )


def test_what_is_wide_takes_no_longer_than_pickling_does() -> None:
    start = time.process_time()
    assert path(len, [*range(1_000_000), LOCK]) == "argument 1 → item 1000000"
    assert path(len, [LOCK, *range(1_000_000)]) == "argument 1 → item 0"
    assert path(len, {n: [n] for n in range(20_000)} | {"a": LOCK}) == "argument 1 → item 'a'"
    assert path(len, [[n] for n in range(20_000)] + [LOCK]) == "argument 1 → item 20000"
    assert time.process_time() - start < 5


def test_a_search_ends_in_time_with_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfold() -> Iterator[Any]:
        while True:
            yield [object()]

    class Wide:
        def __reduce__(self) -> Any:
            return list, (), None, unfold()

    start = time.monotonic()
    found = search.find([("it", {"a": [Wide()]})], seconds=0.1)
    assert time.monotonic() - start < PATIENCE / 2
    assert found is not None
    assert (found.error, len(found.path)) == (None, 1)
    in_no_time = functools.partial(search.find, seconds=0.0)
    monkeypatch.setattr(search, "find", in_no_time)
    assert told(len, [LOCK]) == f"argument 1: something in this list cannot be pickled ({SAID})"


def test_when_memory_is_short_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("there is no memory for it")

    class Large:
        def __reduce__(self) -> Any:
            raise MemoryError

    monkeypatch.setattr(search, "find", never)
    assert told(len, Large()) == "its arguments cannot be pickled (MemoryError)"


def test_where_the_stack_is_full_the_error_is_told_all_the_same() -> None:
    def deep(left: int) -> str:
        return told(len, LOCK) if left == 0 else deep(left - 1)

    for left in range(sys.getrecursionlimit()):
        try:
            text = deep(left)
        except RecursionError:  # there was no room even to try
            break
        assert "cannot be pickled" in text


def test_nothing_is_kept_of_what_was_looked_at() -> None:
    value = Locked()
    watched = weakref.ref(value)
    error: Exception | None = error_of(len, [value])
    text = str(error)
    del value, error
    gc.collect()
    assert watched() is None
    assert "attribute '_lock'" in text


def test_what_pickle_takes_though_it_has_no_parts_is_not_blamed() -> None:
    taken = [pickle.PickleBuffer(b"x"), io.BytesIO(b"x"), ValueError("x"), print, Locked, b"x"]
    assert path(len, [*taken, LOCK]) == f"argument 1 → item {len(taken)}"
