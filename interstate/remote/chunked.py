"""What a `map` sends with chunks of items."""

from __future__ import annotations

from .culprit import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Chunked:
    """A function of a `map`, to be called with several items at once."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self.__qualname__ = name_of(fn)

    def __call__(self, chunk: list[tuple[Any, ...]]) -> list[Any]:
        return [self._fn(*args) for args in chunk]
