"""Large things as arguments and results: wherever they are in a call, they arrive as they were."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from interstate import Host, SSHExecutor
from interstate.remote import payload

from .kinds import KINDS

PATIENCE = 60.0  # seconds: no result takes that long
LARGE = payload.LARGE
SIZES = (0, 1, LARGE - 200, LARGE - 1, LARGE, LARGE + 1, 3_000_001)

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module", params=KINDS)
def executor(
    request: pytest.FixtureRequest, real_host: Host, loopback_host: Host
) -> Iterator[SSHExecutor]:
    """One worker, which is there already, of a host of either kind."""
    host = {"sshd": real_host, "loopback": loopback_host}[request.param]
    with SSHExecutor([host], workers_per_host=1) as executor:
        executor.submit(abs, 1).add_done_callback(lambda _: None)
        executor.submit(abs, 1).result(PATIENCE)
        yield executor


def run(executor: SSHExecutor, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return executor.submit(fn, *args, **kwargs).result(PATIENCE)


def same(one: Any, other: Any) -> bool:
    """Whether they are of one type and have the same content, whatever it is nested in."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return same([*one.items()], [*other.items()])
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


VALUES: dict[str, Callable[[], Any]] = {
    "array": lambda: np.arange(100_000.0),
    "read-only array": lambda: _read_only(np.arange(100_000.0)),
    "Fortran order": lambda: np.asfortranarray(np.arange(120_000).reshape(300, 400)),
    "not contiguous": lambda: np.arange(200_000)[::2],
    "transposed": lambda: np.arange(120_000.0).reshape(300, 400).T,
    "zero-size": lambda: np.zeros((0, 70_000)),
    "structured": lambda: np.array([(i, i / 2) for i in range(9000)], [("a", "i4"), ("b", "f8")]),
    "of objects": lambda: np.array([{"n": n} for n in range(20_000)], dtype=object),
    "zero-dimensional": lambda: np.array(1.5),
    "bool": lambda: np.arange(200_000) % 3 == 0,
    "bytes": lambda: os.urandom(300_000),
    "bytearray": lambda: bytearray(os.urandom(300_000)),
    "str": lambda: "grüße, 世界 " * 30_000,
    "list": lambda: [*range(100_000)],
    "dict": lambda: {f"key {n}": n for n in range(20_000)},
    "set": lambda: {*range(50_000)},
    "nothing": lambda: None,
}


@pytest.mark.parametrize("kind", VALUES)
def test_an_argument_arrives_and_comes_back_as_it_was(executor: SSHExecutor, kind: str) -> None:
    value = VALUES[kind]()
    assert same(run(executor, lambda x: x, value), value)


@pytest.mark.parametrize("kind", VALUES)
def test_wherever_it_is_in_a_call_it_arrives(executor: SSHExecutor, kind: str) -> None:
    value = VALUES[kind]()

    def closure(x: Any, *, y: Any, z: Any = value) -> Any:
        return [x[0], x[1]["in"], y, z, value]

    assert same(run(executor, closure, [value, {"in": value}], y=value), [value] * 5)


@pytest.mark.parametrize("kind", VALUES)
def test_what_is_in_an_object_arrives(executor: SSHExecutor, kind: str) -> None:
    class Point:
        def __init__(self, x: Any) -> None:
            self.x = x

    value = VALUES[kind]()
    back = run(executor, lambda point: (type(point.x).__name__, point), Point(value))
    assert back[0] == type(value).__name__
    assert same(back[1].x, value)


def test_the_order_of_an_array_in_memory_stays(executor: SSHExecutor) -> None:
    array = np.asfortranarray(np.arange(120_000).reshape(300, 400))
    there, back = run(executor, lambda x: (x.flags.f_contiguous, x), array)
    assert there
    assert back.flags.f_contiguous
    assert not back.flags.c_contiguous


def test_a_large_global_arrives(executor: SSHExecutor) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__", "weights": np.arange(50_000)}
    exec("def total(more):\n    return int(weights.sum()) + len(more)", namespace)
    assert run(executor, namespace["total"], b"x" * 100_000) == sum(range(50_000)) + 100_000


@pytest.mark.parametrize("kind", ["array", "bytes", "list"])
def test_what_is_in_an_exception_arrives(executor: SSHExecutor, kind: str) -> None:
    value = VALUES[kind]()

    def fails(x: Any) -> None:
        raise ValueError("no", x)

    error = executor.submit(fails, value).exception(PATIENCE)
    assert isinstance(error, ValueError)
    assert same(error.args[1], value)
    assert error.__traceback__ is not None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [bytes, bytearray, str, lambda data: np.frombuffer(data, "u1")])
def test_sizes_around_the_limit_arrive(
    executor: SSHExecutor, size: int, make: Callable[[bytes], Any]
) -> None:
    value = "é" * size if make is str else make(os.urandom(size))
    there = run(executor, lambda x, **more: (type(x).__name__, len(x), more, x), value, y=value)
    assert there[:2] == (type(value).__name__, size)
    assert same(there[2], {"y": value})
    assert same(there[3], value)


def test_two_hundred_arrays_of_one_call_all_arrive(executor: SSHExecutor) -> None:
    arrays = [np.full(100_000, n, "u1") for n in range(200)]
    back = run(executor, lambda arrays: ([int(a[-1]) for a in arrays], arrays), arrays)
    assert back[0] == [*range(200)]
    assert same(back[1], arrays)


def test_two_hundred_positional_bytes_of_one_call_all_arrive(executor: SSHExecutor) -> None:
    pieces = [bytes([n]) * 100_000 for n in range(200)]
    assert same(run(executor, lambda *pieces: [*pieces], *pieces), pieces)


def test_a_function_and_arguments_with_as_many_large_parts_as_may_be_apart(
    executor: SSHExecutor,
) -> None:
    inside = [np.full(70_000, n, "u1") for n in range(100)]
    outside = [np.full(70_000, 100 + n, "u1") for n in range(100)]
    back = run(executor, lambda *more: [int(a[0]) for a in (*inside, *more)], *outside)
    assert back == [*range(200)]


def test_the_same_array_twice_in_a_call_is_one_array_over_there(executor: SSHExecutor) -> None:
    array = np.zeros(100_000)

    def job(x: Array, pair: list[Array]) -> bool:
        return x is pair[0] is pair[1]

    assert run(executor, job, array, [array, array])


def test_a_view_of_bytes_arrives_as_the_part_that_it_shows(executor: SSHExecutor) -> None:
    class Window:
        """Lets a part of some bytes out of its pickle."""

        def __init__(self, data: Any) -> None:
            self.data = data

        def __reduce_ex__(self, protocol: Any) -> Any:
            return Window, (pickle.PickleBuffer(memoryview(self.data)[10:-10]),)

    data = os.urandom(200_000)
    assert run(executor, lambda window: bytes(window.data), Window(data)) == data[10:-10]
    assert run(executor, lambda x: x, data) == data


# ------------------------------------------------------------------------- written to


def test_an_array_may_be_written_to_over_there_and_nobody_else_sees_it(
    executor: SSHExecutor,
) -> None:
    array = np.arange(100_000)

    def job(x: Array) -> tuple[int, bool]:
        before = int(x.sum())
        x[:] = 7
        return before, x.flags.writeable

    total = int(array.sum())
    assert run(executor, job, array) == (total, True)
    assert run(executor, job, array) == (total, True)
    assert int(array.sum()) == total


def test_what_a_closure_holds_may_be_written_to_too(executor: SSHExecutor) -> None:
    array = np.zeros(100_000)

    def job() -> float:
        array[0] += 1
        return float(array[0])

    assert [run(executor, job) for _ in range(3)] == [1.0, 1.0, 1.0]
    assert array[0] == 0


def test_what_is_read_only_here_is_so_over_there(executor: SSHExecutor) -> None:
    array = _read_only(np.arange(100_000))
    assert not run(executor, lambda x: x.flags.writeable, array)
    assert not run(executor, lambda x: x, array).flags.writeable


def test_writable_and_read_only_arrays_of_one_content_stay_what_they_are(
    executor: SSHExecutor,
) -> None:
    one, other = np.arange(100_000), _read_only(np.arange(100_000))
    flags = run(executor, lambda *xs: [x.flags.writeable for x in xs], one, other, one.copy())
    assert flags == [True, False, True]


@pytest.mark.parametrize("size", [100, LARGE // 8 + 1, 1_000_000])
def test_results_may_be_written_to_here(executor: SSHExecutor, size: int) -> None:
    array, nested = run(executor, lambda n: (np.zeros(n), {"in": [bytearray(n)]}), size)
    array += 1
    nested["in"][0][-1] = 9
    assert array.sum() == size
    assert nested["in"][0][-1] == 9


def test_a_bytearray_may_grow_on_both_sides(executor: SSHExecutor) -> None:
    def job(data: bytearray) -> bytearray:
        data += b"more"
        return data

    data = bytearray(200_000)
    back = run(executor, job, data)
    back += b"!"
    assert (len(data), back[-5:]) == (200_000, b"more!")


def test_an_argument_is_what_it_was_at_submit(executor: SSHExecutor) -> None:
    array, data = np.zeros(1_000_000), bytearray(1_000_000)
    futures = []
    for n in range(5):
        array[:], data[:] = n, bytes([n]) * len(data)
        futures.append(executor.submit(lambda x, y: (float(x.max()), max(y)), array, data))
    array[:] = 99
    assert [future.result(PATIENCE) for future in futures] == [(float(n), n) for n in range(5)]


def test_each_chunk_of_a_map_has_its_own_arrays(executor: SSHExecutor) -> None:
    arrays = [np.full(50_000, n) for n in range(20)]
    sums = executor.map(
        lambda x, y: int(x.sum() + len(y)), arrays, [b"-" * 70_000] * 20, chunksize=3
    )
    assert list(sums) == [50_000 * n + 70_000 for n in range(20)]


def test_a_result_that_cannot_be_pickled_is_named_also_beside_large_ones(
    executor: SSHExecutor,
) -> None:
    error = executor.submit(
        lambda: [bytes(100_000), np.zeros(100_000), (n for n in [1])]
    ).exception(PATIENCE)
    assert isinstance(error, pickle.PicklingError)
    assert "generator" in str(error)
    assert run(executor, abs, -1) == 1
