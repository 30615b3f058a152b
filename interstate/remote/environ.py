"""What a job is told of its share: its slice of the whole, and where it runs."""

from __future__ import annotations

from _collections_abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction
    from typing import Any, TypeVar

    T = TypeVar("T")
    _Mapping = Mapping[str, Any]
else:  # what takes long to import is not, on a host that never asks for a slice
    _Mapping = Mapping


class Environ(_Mapping):
    """The mapping that tells a job its slice of the work.

    Job i of n gets the slice from i/n to (i+1)/n, so neighbours meet exactly.  The keys are
    attributes too.

    Args:
        index: Which job this is, from 0.
        count: How many jobs there are.
        host: The host that the job runs on, as `user@host:port`.

    Attributes:
        start_slice: Where this slice starts, a Fraction from 0 (included).
        end_slice: Where it ends, a Fraction up to 1 (excluded).
    """

    __slots__ = ("count", "host", "index")
    _KEYS = ("start_slice", "end_slice", "index", "count", "host")

    def __init__(self, index: int = 0, count: int = 1, host: str = "") -> None:
        if not 0 <= index < count:
            raise ValueError(f"index {index} is not one of {count} slices")
        self.index = index
        self.count = count
        self.host = host

    @property
    def start_slice(self) -> Fraction:
        return self._fraction(self.index)

    @property
    def end_slice(self) -> Fraction:
        return self._fraction(self.index + 1)

    def _fraction(self, index: int) -> Fraction:
        from fractions import Fraction

        return Fraction(index, self.count)

    def range(self, start: int, stop: int) -> range:
        """Return this slice's exact share of `range(start, stop)`; integers of any size."""
        size = max(0, stop - start)
        return range(start + self._cut(size, self.index), start + self._cut(size, self.index + 1))

    def take(self, sequence: Sequence[T]) -> Sequence[T]:
        """Return this slice's exact share of a sequence, as a slice of it."""
        size = len(sequence)
        return sequence[self._cut(size, self.index) : self._cut(size, self.index + 1)]

    def _cut(self, size: int, index: int) -> int:
        return size * index // self.count

    def __getitem__(self, key: str) -> Any:
        if key in self._KEYS:
            return getattr(self, key)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._KEYS)

    def __len__(self) -> int:
        return len(self._KEYS)

    def __reduce__(self) -> Any:
        return Environ, (self.index, self.count, self.host)

    def __repr__(self) -> str:
        values: dict[str, Any] = dict(self)
        return f"Environ({', '.join(f'{key}={value!s}' for key, value in values.items())})"


def slices(count: int) -> list[Environ]:
    """Return the environs of `count` jobs that share one piece of work.

    Args:
        count: How many slices to cut it into; at least 1.

    Raises:
        ValueError: `count` is less than 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    return [Environ(index, count) for index in range(count)]
