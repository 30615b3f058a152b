"""Calls and outcomes to bytes and back; used by every end.

A call is (function, args, kwargs).  An outcome is a header (how it ended, when it started, how long
it took) and a pickle, so that what cannot be unpickled still says whose it is and how it ended.
"""

from __future__ import annotations

import io
import pickle
import platform
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import cloudpickle  # type: ignore[import-untyped]
from tblib import pickling_support  # type: ignore[import-untyped]

RETURNED = 0  # the pickle is the result
RAISED = 1  # the pickle is the exception
DESCRIBED = 2  # the exception could not be rebuilt: the pickle is a Description

_HEADER = struct.Struct("!Bdd")
_PROTOCOL = 5  # the newest that every Python from 3.8 on reads
_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes))


class Description(NamedTuple):
    """An exception in words."""

    type_name: str
    message: str
    traceback: str
    reason: str  # why it is not here as itself


class Outcome(NamedTuple):
    """How a call ended."""

    status: int
    started: float  # Unix time by the clock over there, seconds
    seconds: float  # how long it ran
    body: memoryview

    def load(self) -> Any:
        """Return the result, the exception or the Description; raises what its unpickling does."""
        return pickle.loads(self.body)  # noqa: S301  # from the host that the user runs code on


# ------------------------------------------------------------------------------- calls


def dump_call(fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> bytes:
    """Return a call as bytes.

    Raises:
        pickle.PicklingError: It cannot be pickled; the message names the object that cannot.
    """
    dump = pickle.dumps if _goes_by_reference(fn) and _is_plain(args, kwargs) else cloudpickle.dumps
    try:
        return dump((fn, args, kwargs), protocol=_PROTOCOL)
    except Exception as error:
        culprit = _first_unpicklable(_parts_of_call(fn, args, kwargs))
        raise pickle.PicklingError(
            f"cannot send the call of {_name(fn)} to a host: {culprit or _name(fn)} "
            f"cannot be pickled: {error}"
        ) from error


def run_chunk(fn: Callable[..., Any], chunk: list[tuple[Any, ...]]) -> list[Any]:
    """Several calls of a `map` as one."""
    return [fn(*args) for args in chunk]


# ---------------------------------------------------------------------------- outcomes


def _goes_by_reference(fn: Any) -> bool:
    """Whether cloudpickle would send just the name of `fn`: for sure, not maybe."""
    module = getattr(fn, "__module__", None)
    if module is None or module == "__main__":
        return False
    if cloudpickle.list_registry_pickle_by_value():  # of modules; seldom used
        return False
    name = getattr(fn, "__qualname__", "")
    return getattr(sys.modules.get(module), name, None) is fn


def _is_plain(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    return not kwargs and all(type(arg) in _PLAIN for arg in args)


def run_call(payload: bytes) -> bytes:
    """Unpickle a call, run it, and return its outcome as bytes, whatever it does."""
    started, clock = time.time(), time.perf_counter()
    try:
        status, body = RETURNED, _run(payload)
    except BaseException as error:  # also SystemExit: it ends the call, not the worker
        status, body = _dump_exception(error)
    return _HEADER.pack(status, started, time.perf_counter() - clock) + body


def _run(payload: bytes) -> bytes:
    fn, args, kwargs = _load(payload)
    result = fn(*args, **kwargs)
    dump = pickle.dumps if type(result) in _PLAIN else cloudpickle.dumps
    try:
        return dump(result, protocol=_PROTOCOL)
    except Exception as error:
        name = f"the result of {_name(fn)}"
        culprit = _first_unpicklable(_parts(name, result)) or name
        raise pickle.PicklingError(f"{culprit} cannot be pickled: {error}") from error


def _load(payload: bytes) -> Any:
    try:
        return pickle.loads(payload)  # noqa: S301  # from the user whose account this is
    except ModuleNotFoundError as error:
        if hasattr(error, "add_note"):
            where = f"Python {platform.python_version()} on {platform.node()}"
            error.add_note(
                f"The call needs the module {error.name!r}, which {where} has not. What a script "
                "or notebook defines travels with a call; what it imports must be there."
            )
        raise


def parse_outcome(payload: bytes) -> Outcome:
    """Return the Outcome that `run_call` made bytes of; its body is not unpickled yet."""
    status, started, seconds = _HEADER.unpack_from(payload)
    return Outcome(status, started, seconds, memoryview(payload)[_HEADER.size :])


def _dump_exception(error: BaseException) -> tuple[int, bytes]:
    """The exception pickled when it can be rebuilt, else described."""
    error = BaseException.with_traceback(error, _without_our_frames(error.__traceback__))
    try:
        body = _pickle_exception(error)
        pickle.loads(body)  # noqa: S301  # our own bytes: can they be rebuilt?
        return RAISED, body
    except BaseException as obstacle:  # it runs the user's code
        reason = f"{type(obstacle).__name__}: {_text(obstacle)}"
    return DESCRIBED, pickle.dumps(_describe(error, reason), protocol=_PROTOCOL)


def _pickle_exception(error: BaseException) -> bytes:
    file = io.BytesIO()
    _ExceptionPickler(file, protocol=_PROTOCOL).dump(error)
    return file.getvalue()


class _ExceptionPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle that also takes tracebacks, causes and contexts along."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, BaseException):
            return pickling_support.pickle_exception(obj)
        if isinstance(obj, TracebackType):
            return pickling_support.pickle_traceback(obj)
        return super().reducer_override(obj)


def _without_our_frames(tb: TracebackType | None) -> TracebackType | None:
    """The traceback from the call's own first frame on."""
    while tb is not None and tb.tb_frame.f_globals.get("__package__") == __package__:
        tb = tb.tb_next
    return tb


def _describe(error: BaseException, reason: str) -> Description:
    kind = type(error)
    try:
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


# ------------------------------------------------------- which object does not pickle


def _parts_of_call(
    fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    for number, value in enumerate(args, 1):
        yield from _parts(f"argument {number}", value)
    for key, value in kwargs.items():
        yield from _parts(f"argument {key!r}", value)
    yield from _parts(_name(fn), fn)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What `value` is made of, the inner things first, then itself."""
    code = getattr(value, "__code__", None)
    for variable, cell in zip(
        getattr(code, "co_freevars", ()), getattr(value, "__closure__", None) or ()
    ):
        try:
            yield f"{name}, its variable {variable!r}", cell.cell_contents
        except ValueError:  # a cell that is still empty
            continue
    for variable in getattr(code, "co_names", ()):
        if variable in getattr(value, "__globals__", {}):
            yield f"{name}, its global {variable!r}", value.__globals__[variable]
    if isinstance(value, dict):
        yield from ((f"{name}, its item {key!r}", item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"{name}, its item {index}", item) for index, item in enumerate(value))
    for attribute, item in getattr(value, "__dict__", {}).items() if code is None else ():
        yield f"{name}, its attribute {attribute!r}", item
    yield name, value


def _first_unpicklable(parts: Iterator[tuple[str, Any]]) -> str | None:
    for name, value in parts:
        try:
            cloudpickle.dumps(value, protocol=_PROTOCOL)
        except Exception:
            return f"{name} ({type(value).__module__}.{type(value).__qualname__})"
    return None


def _name(fn: Any) -> str:
    return getattr(fn, "__qualname__", None) or repr(fn)
