"""Exceptions to bytes: as themselves where they can be rebuilt, else in words."""

from __future__ import annotations

import io
from collections import namedtuple
from types import TracebackType

from . import pickling, wire
from .lean import pickle, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Description(namedtuple("Description", "type_name message traceback reason")):
    """An exception in words, all of them `str`; the reason is why it is not here as itself."""

    __slots__ = ()


def dump_exception(error: BaseException) -> tuple[bool, bytes]:
    """Return (True, its pickle) when it can be rebuilt, else (False, that of its Description)."""
    error = BaseException.with_traceback(error, _without_our_frames(error.__traceback__))
    try:
        body = _pickle_exception(error)
        pickle.loads(body)  # our own bytes: can they be rebuilt?
        return True, body
    except BaseException as obstacle:  # it runs the user's code
        reason = f"{type(obstacle).__name__}: {_text(obstacle)}"
    return False, pickle.dumps(_describe(error, reason), protocol=wire.PICKLE)


def let_go_for_want_of_memory(error: BaseException) -> None:
    """The same for an error that a MemoryError led to, and for those between them."""
    chain: list[BaseException] = [error]
    for link in chain:  # grows while it is walked
        others = (link.__cause__, link.__context__)
        chain += [other for other in others if other is not None and other not in chain]
    if any(isinstance(link, MemoryError) for link in chain):
        for link in chain:
            let_go(link)


def let_go(error: BaseException) -> None:
    """Forget what the call had when it failed: the memory may be needed to tell of it."""
    tb = error.__traceback__
    while tb is not None:
        with suppress(RuntimeError):  # it is still running: one of our own
            tb.tb_frame.clear()
        tb = tb.tb_next


def _pickle_exception(error: BaseException) -> bytes:
    """By a cloudpickle that also takes tracebacks, causes and contexts along."""
    from tblib import pickling_support  # type: ignore[import-untyped]

    class Pickler(pickling.pickler()):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, BaseException):
                return pickling_support.pickle_exception(obj)
            if isinstance(obj, TracebackType):
                return pickling_support.pickle_traceback(obj)
            return super().reducer_override(obj)

    file = io.BytesIO()
    Pickler(file, protocol=wire.PICKLE).dump(error)
    return file.getvalue()


def _without_our_frames(tb: TracebackType | None) -> TracebackType | None:
    """The traceback from the call's own first frame on."""
    while tb is not None and tb.tb_frame.f_globals.get("__package__") == __package__:
        tb = tb.tb_next
    return tb


def _describe(error: BaseException, reason: str) -> Description:
    kind = type(error)
    try:
        import traceback

        lines = traceback.format_exception(kind, error, error.__traceback__)
    except BaseException as obstacle:
        lines = [f"(its traceback cannot be shown: {type(obstacle).__name__})"]
    return Description(
        f"{kind.__module__}.{kind.__qualname__}", _text(error), "".join(lines), reason
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as obstacle:
        return f"(its message cannot be shown: {type(obstacle).__name__})"
