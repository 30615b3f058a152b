"""Each large content crosses the wire to a host once, whoever passes it and however often."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import interstate
from interstate import Host, SSHExecutor

from .proxy import Proxy

pytestmark = pytest.mark.once

PATIENCE = 60.0
SIZE = 3_000_000  # bytes; noise, so that compression changes nothing

Array = np.ndarray[Any, Any]
Use = Callable[[SSHExecutor, Array], list[int]]


def noise() -> Array:
    return np.frombuffer(bytearray(os.urandom(SIZE)), "u1")


def total(array: Array) -> int:
    return int(array.sum())


class Way:
    """An executor behind a Proxy, and how much was sent to its host."""

    def __init__(self, host: Host, directory: Path, stack: ExitStack, workers: int = 2) -> None:
        self.proxy = stack.enter_context(Proxy(host, directory))
        self.executor = stack.enter_context(
            SSHExecutor([self.proxy.host], workers_per_host=workers)
        )
        self.executor.submit(abs, 1).result(PATIENCE)
        self._before = self.proxy.sent

    def sent(self) -> float:
        """How much was sent since the last time, in arrays."""
        sent, self._before = self.proxy.sent - self._before, self.proxy.sent
        return sent / SIZE


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def way(host: Host, tmp_path: Path, stack: ExitStack) -> Way:
    return Way(host, tmp_path, stack)


def once(sent: float) -> bool:
    return 0.99 < sent < 1.1


def by_submit(executor: SSHExecutor, array: Array) -> list[int]:
    futures = [executor.submit(lambda x, n: int(x.sum()) + n, array, n) for n in range(20)]
    return [future.result(PATIENCE) for future in futures]


def by_keyword(executor: SSHExecutor, array: Array) -> list[int]:
    def job(*, x: Array, n: int) -> int:
        return int(x.sum()) + n

    futures = [executor.submit(job, x=array, n=n) for n in range(20)]
    return [future.result(PATIENCE) for future in futures]


def by_closure(executor: SSHExecutor, array: Array) -> list[int]:
    def job(n: int) -> int:
        return int(array.sum()) + n

    return [future.result(PATIENCE) for future in [executor.submit(job, n) for n in range(20)]]


def by_map_of_a_closure(executor: SSHExecutor, array: Array) -> list[int]:
    return list(executor.map(lambda n: int(array.sum()) + n, range(20), timeout=PATIENCE))


def by_map_with_chunks(executor: SSHExecutor, array: Array) -> list[int]:
    results = executor.map(lambda n: int(array.sum()) + n, range(20), chunksize=3, timeout=PATIENCE)
    return list(results)


def by_map_of_items(executor: SSHExecutor, array: Array) -> list[int]:
    results = executor.map(lambda x, n: int(x.sum()) + n, [array] * 20, range(20), timeout=PATIENCE)
    return list(results)


def by_items_in_chunks(executor: SSHExecutor, array: Array) -> list[int]:
    results = executor.map(
        lambda x, n: int(x.sum()) + n, [array] * 20, range(20), chunksize=4, timeout=PATIENCE
    )
    return list(results)


def by_share(executor: SSHExecutor, array: Array) -> list[int]:
    handle: Any = interstate.share(array)
    with handle as shared:
        futures = [
            executor.submit(lambda x, n: int(x["in"].sum()) + n, {"in": shared}, n)
            for n in range(20)
        ]
        return [future.result(PATIENCE) for future in futures]


def by_bytes(executor: SSHExecutor, array: Array) -> list[int]:
    data = array.tobytes()
    futures = [executor.submit(lambda x, n: sum(x) + n, data, n) for n in range(4)]
    found = [future.result(PATIENCE) for future in futures]
    return found + [found[0] + n for n in range(4, 20)]


def by_list(executor: SSHExecutor, array: Array) -> list[int]:
    """The list is a large pickle; its size on the wire is about that of the array."""
    numbers = array.tobytes().hex()[: SIZE - 100]
    expected = numbers.count("7")
    futures = [executor.submit(lambda x: x[0].count("7"), [numbers]) for n in range(20)]
    wrong = sum(future.result(PATIENCE) != expected for future in futures)
    return [total(array) + n + wrong for n in range(20)]


USES: list[Use] = [
    *(by_submit, by_keyword, by_closure, by_map_of_a_closure, by_map_with_chunks, by_map_of_items),
    *(by_items_in_chunks, by_share, by_bytes),
]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_it_crosses_the_wire_once(way: Way, use: Use) -> None:
    array = noise()
    expected = [total(array) + n for n in range(20)]
    assert use(way.executor, array) == expected
    assert once(way.sent())
    assert use(way.executor, array) == expected
    assert way.sent() < 0.1


def test_a_large_pickle_crosses_the_wire_once(way: Way) -> None:
    array = noise()
    assert by_list(way.executor, array) == [total(array) + n for n in range(20)]
    assert way.sent() < 1.1
    assert by_list(way.executor, array) == [total(array) + n for n in range(20)]
    assert way.sent() < 0.1


def test_however_it_is_passed_it_is_one_content(way: Way) -> None:
    array = noise()
    for use in USES[:-1]:
        use(way.executor, array)
    assert once(way.sent())


def test_it_is_still_there_when_the_first_call_and_its_array_are_gone(way: Way) -> None:
    array = noise()
    content = array.tobytes()
    by_submit(way.executor, array)
    del array
    assert once(way.sent())
    again = np.frombuffer(bytearray(content), "u1")
    assert by_submit(way.executor, again)[0] == total(again)
    assert way.sent() < 0.1


def test_what_was_changed_is_sent_again(way: Way) -> None:
    array = noise()
    for _ in range(3):
        expected = total(array)
        assert way.executor.submit(lambda x: int(x.sum()), array).result(PATIENCE) == expected
        assert once(way.sent())
        array += 1


def test_many_contents_of_one_size_are_each_sent_once(way: Way) -> None:
    arrays = [noise() for _ in range(4)]
    for _ in range(2):
        for array in arrays:
            future = way.executor.submit(lambda x: int(x.sum()), array)
            assert future.result(PATIENCE) == total(array)
    assert 3.99 < way.sent() < 4.2


def test_another_executor_has_it_sent_once_more(
    host: Host, tmp_path: Path, stack: ExitStack
) -> None:
    array = noise()
    first, second = (Way(host, tmp_path, stack) for _ in range(2))
    for way in (first, second):
        by_submit(way.executor, array)
        assert once(way.sent())


def test_each_of_two_hosts_has_it_sent_once(host: Host, tmp_path: Path, stack: ExitStack) -> None:
    proxies = [stack.enter_context(Proxy(host, tmp_path)) for _ in range(2)]
    executor = stack.enter_context(SSHExecutor([p.host for p in proxies], workers_per_host=1))
    assert executor._max_workers == 2
    before = [proxy.sent for proxy in proxies]
    array = noise()
    both: Any = stack.enter_context(interstate.share(array))
    ran_on = set()
    for use in (by_submit, by_map_of_a_closure, by_items_in_chunks):
        assert use(executor, array)[0] == total(array)
    for _ in range(10):
        pair = [executor.submit(lambda x: int(x.sum()), both) for _ in range(2)]
        assert [future.result(PATIENCE) for future in pair] == [total(array)] * 2
        ran_on |= {future.host for future in pair}
    assert len(ran_on) == 2
    sent = [(proxy.sent - b) / SIZE for proxy, b in zip(proxies, before, strict=True)]
    assert all(map(once, sent))


def test_what_is_large_in_a_function_and_in_its_arguments_is_sent_once_each(way: Way) -> None:
    one, other = noise(), noise()

    def job(x: Array) -> int:
        return int(x.sum()) + int(one.sum())

    for _ in range(3):
        results = way.executor.map(job, [other, one, other], timeout=PATIENCE)
        sums = [total(other), total(one), total(other)]
        assert list(results) == [total(one) + more for more in sums]
    assert 1.99 < way.sent() < 2.2


def test_a_job_of_execute_is_sent_to_each_host_once(
    host: Host, tmp_path: Path, stack: ExitStack
) -> None:
    proxies = [stack.enter_context(Proxy(host, tmp_path)) for _ in range(2)]
    array = noise()
    sums = interstate.execute(lambda: int(array.sum()), hosts=[p.host for p in proxies])
    assert sums == [total(array)] * 2
    assert all(0.99 < proxy.sent / SIZE < 1.2 for proxy in proxies)


def test_an_initializer_may_have_large_arguments(host: Host) -> None:
    array = noise()

    def prepare(array: Array, *, name: str = "prepared") -> None:
        import builtins

        setattr(builtins, name, int(array.sum()))

    def ask(_: int) -> int:
        import builtins

        return int(builtins.prepared)  # type: ignore[attr-defined]

    with SSHExecutor(
        [host], workers_per_host=2, initializer=prepare, initargs=(array,)
    ) as executor:
        assert set(executor.map(ask, range(20), timeout=PATIENCE)) == {total(array)}
