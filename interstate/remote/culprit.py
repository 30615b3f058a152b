"""What to say of an object that cannot be pickled: which it is, by its path, and what to do."""

from __future__ import annotations

import sys

from .lean import pickle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from .anatomy import Step
    from .search import Found, Path

_LONGEST = 400  # characters of what pickle says
_LONGEST_KEY = 40
_TOO_DEEP = 500  # steps that pickle takes anywhere, at the least
_ENDS = 6  # steps at either end of a long path

_THERE = "make it inside the function, over there", "return what you need of it"
_AS_LIST = "pass a list", "return a list"
_AS_RESULT = "pass its result()", "return its result()"
_FLATTER = "pass something flatter", "return something flatter"
_ADVICE = {  # by the name of a class: what to pass instead, and what to return
    "builtins.generator": _AS_LIST,
    "builtins.async_generator": _AS_LIST,
    "concurrent.futures._base.Future": _AS_RESULT,
}
_OPAQUE = {  # classes whose insides would tell nobody anything
    *("_ssl._SSLContext", "asyncio.events.AbstractEventLoop", "concurrent.futures._base.Executor"),
    *("concurrent.futures._base.Future", "contextlib._GeneratorContextManagerBase"),
    *("http.client.HTTPConnection", "logging.Handler", "multiprocessing.pool.Pool"),
    *("multiprocessing.process.BaseProcess", "multiprocessing.queues.Queue", "queue.Queue"),
    *("multiprocessing.synchronize.SemLock", "subprocess.Popen", "threading.Barrier"),
    *("tempfile._TemporaryFileWrapper",),
    *("threading.Condition", "threading.Event", "threading.Semaphore", "threading.Thread"),
}
_HANDLES = (("acquire", "release"), ("fileno",), ("cursor", "commit"))  # what locks, … can do
_HEAP_TYPE = 1 << 9  # the flag of classes that were made while Python runs


def name_of(fn: Any) -> str:
    """What to call a function in a message."""
    try:
        name = fn.__qualname__
    except Exception:  # it has none, or its class has something of its own to say to that
        name = None
    return name if name and isinstance(name, str) else type(fn).__qualname__


def named(fn: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments of a call, and what to call them."""
    from .chunked import Chunked

    if isinstance(fn, Chunked):
        yield "the chunk of arguments", args[0]
        return
    for number, value in enumerate(args, 1):
        yield f"argument {number}", value
    for name, value in kwargs.items():
        yield f"argument {shown_key(name)}", value


def cannot_be_pickled(
    among: Iterable[tuple[str, Any]],
    whole: str,
    error: Exception,
    why: str = "",
    returned: bool = False,
) -> pickle.PicklingError:
    """Return what to raise for an error of pickle's: which object it is that it means.

    Args:
        among: What was to be pickled, each with its name: the object is in one of these.
        whole: What all of it is.
        error: What pickle says.
        why: What to begin with: what it was to be pickled for.
        returned: Whether it is a call's result.
    """
    text = f"{whole} cannot be pickled ({_said(error)})"
    if not isinstance(error, MemoryError):  # of which no one object is the culprit
        try:
            text = _found(among, error, returned) or text
        except Exception as obstacle:  # the stack is full, maybe; say at least what was wrong
            text += f"; which object it is was not found ({_said(obstacle)})"
    return pickle.PicklingError(why + text)


def _found(among: Iterable[tuple[str, Any]], error: Exception, returned: bool) -> str | None:
    from .search import find

    found = find(among, deepest=_TOO_DEEP) if _is_of_depth(error) else find(among)
    return _sentence(found, error, returned) if found else None


def _sentence(found: Found, error: Exception, returned: bool) -> str:
    reason, too_deep = found.error, _is_of_depth(error) and not _is_of_depth(found.error)
    path = _until(found.path, _is_like(found.path[-1][1]) if too_deep else _is_opaque)
    where, culprit = _in_words(found.name, (step for step, _ in path)), path[-1][1]
    kind = _type_name(type(culprit))
    if too_deep:
        what, advice = f"{kind} is nested too deeply to be pickled", _FLATTER[returned]
    elif reason is None:
        what, advice = f"something in this {kind} cannot be pickled", ""
    else:
        what, advice = f"{kind} cannot be pickled", _advice(culprit, returned)
    return "; ".join(filter(None, (f"{where}: {what} ({_said(reason or error)})", advice)))


def _until(path: Path, ends: Callable[[Any], bool]) -> Path:
    """The path as far as to the first object that ends it."""
    return path[: next((n for n, (_, value) in enumerate(path, 1) if ends(value)), None)]


def _is_like(other: Any) -> Callable[[Any], bool]:
    return lambda value: type(value) is type(other)


def _is_of_depth(error: Exception | None) -> bool:
    """Whether it says that something is nested too deeply, or never ends."""
    return isinstance(error, RecursionError) or isinstance(
        getattr(error, "__cause__", None), RecursionError
    )


# ----------------------------------------------------------------------------- in words


def _in_words(name: str, steps: Iterable[Step]) -> str:
    told = [name, *(" ".join((step[0], *map(shown_key, step[1:]))) for step in steps if step)]
    between = len(told) - 2 * _ENDS
    if between > 1:
        told[_ENDS:-_ENDS] = [f"… {between} more …"]
    return " → ".join(told)


def shown_key(key: Any) -> str:
    """A name or a key in few characters, without a call of its own code."""
    kind = type(key)
    if kind is str or kind is bytes:
        return repr(key) if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]!r}…"
    if kind is tuple and len(key) <= 3:
        return f"({', '.join(map(shown_key, key))})"
    if kind is float or kind is bool or key is None or (kind is int and abs(key) < 10**30):
        return repr(key)
    return _type_name(key) if kind is type else f"of the type {_type_name(kind)}"


def _type_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _said(error: Exception) -> str:
    """What an error says, on one line."""
    from .standin import shown

    text = " ".join(shown(error).split()).rstrip(": ")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# ----------------------------------------------------------------------------- what to do


def _advice(value: Any, returned: bool) -> str:
    kind = type(value)
    if _is_ours(kind):
        return ""  # its own error gives some
    for name in map(_full_name, kind.__mro__):
        if name in _ADVICE:
            return _ADVICE[name][returned]
    if _is_opaque(value) or _is_handle(kind) or _is_of_c(kind):
        return _THERE[returned]
    own = _own_reducer(kind)
    return f"leave it out, or {own or 'give its class a __reduce__ / __getstate__'}"


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


def _is_opaque(value: Any) -> bool:
    names = map(_full_name, type(value).__mro__)
    return not _is_ours(type(value)) and not _OPAQUE.isdisjoint(names)


def _is_handle(kind: type) -> bool:
    """Whether it looks like a lock, a file, a connection."""
    return any(all(_has(kind, method) for method in methods) for methods in _HANDLES)


def _has(kind: type, method: str) -> bool:
    return any(method in vars(base) for base in kind.__mro__)


def _is_of_c(kind: type) -> bool:
    """Whether nobody can give it a method."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    c_module = kind.__module__ in sys.builtin_module_names or file.endswith((".so", ".pyd"))
    return c_module or not kind.__flags__ & _HEAP_TYPE


def _own_reducer(kind: type) -> str | None:
    """What to do about a method of its own that pickle calls."""
    for name in ("__reduce_ex__", "__reduce__", "__getstate__"):
        if any(hasattr(vars(base).get(name), "__code__") for base in kind.__mro__):
            return f"mend its {name}"
    return None
