"""Objects that many calls need: pickled once here, sent once to each host."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from .blobs import Blob
from .fileblobs import buffer_of, take
from .remote import payload
from .remote.errors import Unreadable

T = TypeVar("T")


class Shared(Generic[T]):
    """A handle for an object; where a call gets the handle, it finds the object.

    The object is what it was when it was shared.  A call may not change its arrays (NumPy says so:
    "assignment destination is read-only"), since all workers of a host have them in common.
    """

    def __init__(self, value: T) -> None:
        self._what = type(value).__qualname__
        pickled, large = payload.dump_shared(value)
        try:
            parts = [take(part) for part in (memoryview(pickled), *large)]
        except Unreadable as obstacle:
            raise obstacle.error from None
        self._parts: list[Blob] | None = parts

    def __repr__(self) -> str:
        parts = self._parts  # which another thread may be about to close
        if parts is None:
            return f"<Shared {self._what}: closed>"
        return f"<Shared {self._what}: {sum(part.size for part in parts):,} bytes>"

    def close(self) -> None:
        """Free the memory that it needs here; it cannot be passed to calls any more."""
        self._parts = None

    def __enter__(self) -> Shared[T]:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        parts = self._parts
        if parts is None:
            raise ValueError(f"this shared {self._what} was closed; share it anew")
        return payload.rebuild, tuple(map(buffer_of, parts))


def share(value: T) -> Shared[T]:
    """Return a handle for an object that many calls need: it is sent to each host but once.

    Large arguments, and large arrays in them, are sent once by themselves.  A handle spares the
    search for what was sent already, and does the same for any large object, a list or a dict, say.

    Args:
        value: Anything that can be pickled.

    Raises:
        pickle.PicklingError: It cannot be.
        OSError: A File in it cannot be read.
    """
    return Shared(value)
