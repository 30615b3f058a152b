"""What the benchmarks run over there; each thing is made there once, outside of what is timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
_BLOCK = 1 << 20

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the hosts do not have this module


def _kept(make: Callable[[int], Any], size: int) -> Any:
    """What `make` makes, made once in a process; the globals that a function has over there go."""
    store = vars(sys).setdefault("kept_by_benchmarks", {})
    key = (make.__name__, size)
    if key not in store:
        store[key] = make(size)
    return store[key]


def array(size: int) -> Array:
    """An array of so many bytes that cannot be compressed."""
    made: Array = _kept(_array, size)
    return made


def _array(size: int) -> Array:
    return np.random.default_rng(0).random(size // 8)


def _text(size: int) -> bytes:
    """So many bytes that can be compressed about fivefold, as tables of figures can."""
    lines: list[bytes] = []
    made = 0
    while made < size:
        lines.append(b"%08d,%012d,measured,some place\n" % (len(lines), len(lines) ** 2))
        made += len(lines[-1])
    return b"".join(lines)[:size]


def _noise(size: int) -> bytes:
    """So many bytes that cannot be compressed."""
    return np.random.default_rng(0).bytes(size)


def renew(size: int, turn: int) -> None:
    """Make the array unlike any before, all of it: what came already need not come again."""
    array(size)[:] = np.random.default_rng(turn).random(size // 8)


def fresh_text(size: int, turn: int) -> bytes:
    """What can be compressed; as fresh as the array."""
    data: bytes = _kept(_text, size)
    return b"%08d" % turn + data[8:]


def fresh_noise(size: int, turn: int) -> bytes:
    """What cannot be compressed; as fresh as the array."""
    data: bytes = _kept(_noise, size)
    return b"%08d" % turn + data[8:]


def checksum(size: int) -> float:
    """Make the array, and return nothing large."""
    return float(array(size).sum())


def ends(data: Array) -> tuple[float, float]:
    """An array's first and last figure."""
    return float(data[0]), float(data[-1])


def fail() -> None:
    """Raise what a call of this one ends by."""
    raise ValueError("it fails")


def huge(size: int) -> bytes:
    """So many bytes: blocks, which are zeros but for their number."""
    return b"".join(
        number.to_bytes(8, "big") + bytes(_BLOCK - 8) for number in range(size // _BLOCK)
    )


def is_huge(data: bytes, size: int) -> bool:
    """Whether it is what `huge` makes: its length, and each block's number."""
    numbers = (int.from_bytes(data[at : at + 8], "big") for at in range(0, size, _BLOCK))
    return len(data) == size and all(i == number for i, number in enumerate(numbers))
