"""`share`: a handle of something large, which is what it was when it was shared."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import interstate
from interstate import Host, SSHExecutor

PATIENCE = 60.0

VALUES: dict[str, Callable[[], Any]] = {
    "dict": lambda: {n: str(n) for n in range(30_000)},
    "list": lambda: [*range(50_000)],
    "bytes": lambda: os.urandom(200_000),
    "bytearray": lambda: bytearray(200_000),
    "str": lambda: "é" * 100_000,
    "small": lambda: {"a": (1, None)},
    "empty bytes": lambda: b"",
    "nested": lambda: {"data": [os.urandom(100_000), {"more": os.urandom(70_000)}]},
}


def run(executor: SSHExecutor, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return executor.submit(fn, *args, **kwargs).result(PATIENCE)


@pytest.mark.parametrize("kind", VALUES)
def test_a_call_finds_the_object_where_it_gets_the_handle(loopback_host: Host, kind: str) -> None:
    value = VALUES[kind]()
    with interstate.share(value) as shared, SSHExecutor([loopback_host]) as executor:
        back = run(executor, lambda *args, **kwargs: (args, kwargs), shared, [shared], x=shared)
        assert back == ((value, [value]), {"x": value})
        assert type(back[0][0]) is type(value)
        assert run(executor, lambda: shared) == value


@pytest.mark.parametrize("size", [10, 500_000])
def test_a_shared_array_is_what_it_was_and_read_only(host: Host, size: int) -> None:
    array = np.arange(size)
    expected = int(array.sum())

    def write(x: Any) -> None:
        x[0] = 1

    with interstate.share(array) as shared, SSHExecutor([host], workers_per_host=2) as executor:
        array[:] = 0
        assert run(executor, lambda x: int(x.sum()), shared) == expected
        if array.nbytes > 1 << 16:
            error = executor.submit(write, shared).exception(PATIENCE)
            assert isinstance(error, ValueError)
            assert "read-only" in str(error)
        assert list(executor.map(lambda n: int(shared.sum()) + n, range(4))) == [  # type: ignore[attr-defined]
            expected + n for n in range(4)
        ]


def test_several_executors_may_use_it_and_it_is_shared_on(host: Host) -> None:
    value = {"numbers": [*range(40_000)]}
    with interstate.share(value) as shared:
        for _ in range(2):
            with SSHExecutor([host], workers_per_host=1) as executor:
                assert run(executor, lambda x: sum(x["numbers"]), shared) == sum(range(40_000))
        with interstate.share([shared, shared]) as both, SSHExecutor([host]) as executor:
            assert run(executor, lambda x: x, both) == [value, value]


def test_a_call_that_was_submitted_needs_the_handle_no_more(loopback_host: Host) -> None:
    begin = threading.Event()
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        with interstate.share([*range(50_000)]) as shared:
            futures = [executor.submit(sum, shared) for _ in range(20)]  # type: ignore[arg-type]
        begin.set()
        assert [future.result(PATIENCE) for future in futures] == [sum(range(50_000))] * 20


def test_what_is_closed_says_so(loopback_host: Host) -> None:
    shared = interstate.share([1, 2, 3])
    shared.close()
    shared.close()
    assert repr(shared) == "<Shared list: closed>"
    with pytest.raises(ValueError, match="this shared list was closed; share it anew"):
        pickle.dumps(shared)
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        error = executor.submit(len, shared).exception(PATIENCE)  # type: ignore[arg-type]
        assert isinstance(error, pickle.PicklingError)
        assert "share it anew" in str(error)
        assert run(executor, abs, -1) == 1


def test_a_handle_tells_what_it_is_of_and_how_large() -> None:
    with interstate.share(bytes(100_000)) as shared:
        assert repr(shared).startswith("<Shared bytes: 100,0")
    with pytest.raises(pickle.PicklingError, match="the dict cannot be shared"):
        interstate.share({"lock": threading.Lock()})


def test_after_a_shutdown_it_is_not_taken_and_stays_good(loopback_host: Host) -> None:
    with interstate.share(bytes(100_000)) as shared:
        executor = SSHExecutor([loopback_host], workers_per_host=1)
        executor.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.submit(len, shared)  # type: ignore[arg-type]
        with SSHExecutor([loopback_host], workers_per_host=1) as other:
            assert run(other, len, shared) == 100_000
