"""What stands for an object that could not travel."""

from __future__ import annotations

import io

from . import pickling, wire
from .alarm import Alarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class StandIn:
    """Looks like the object that it stands for, and is not it.

    Attributes:
        reason: Why that could not travel.
    """

    def __init__(self, text: str, reason: str) -> None:
        self._text = text
        self.reason = reason

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StandIn) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def stand_for(value: Any, reason: str) -> StandIn:
    """Return what stands for an object."""
    try:
        with Alarm():
            text = repr(value)
    except BaseException:  # the user's code
        text = f"<{type(value).__module__}.{type(value).__qualname__} object>"
    return StandIn(text[:1000], reason)


def lenient(base: Any, left_out: list[str]) -> Any:
    """Return a Pickler class that puts stand-ins for what cannot be pickled.

    Args:
        base: The Pickler that says how the rest is pickled.
        left_out: Takes in what they stand for.
    """

    class Lenient(base):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            try:
                reduced = super().reducer_override(obj)
                if reduced is NotImplemented and not isinstance(obj, type):
                    reduced = _reduced(self, obj)
                return reduced
            except Exception as obstacle:  # the user's code, or what pickle says of it
                stand = stand_for(obj, shown(obstacle))
                left_out.append(f"{stand!r} ({stand.reason})")
                return StandIn, (repr(stand), stand.reason)

    return Lenient


def _reduced(pickler: Any, value: Any) -> Any:
    """What pickle would make of an object; raises if it cannot."""
    reduce = getattr(pickler, "dispatch_table", {}).get(type(value))
    return reduce(value) if reduce is not None else value.__reduce_ex__(wire.PICKLE)


def dumps_what_can_be(value: Any, left_out: list[str]) -> bytes:
    """Return the pickle of anything, with stand-ins for what cannot be pickled.

    Raises:
        Exception: It cannot be had even so.
    """
    file = io.BytesIO()
    lenient(pickling.pickler(), left_out)(file, protocol=wire.PICKLE).dump(value)
    return file.getvalue()


def shown(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {text_of(error)}"


def text_of(error: BaseException) -> str:
    """The message of an exception, whatever making it does."""
    try:
        with Alarm():
            return str(error)
    except BaseException as obstacle:
        return f"(its message cannot be shown: {type(obstacle).__name__})"
