"""Calls and outcomes to bytes and back; used by every end.

A call is a function's pickle and that of its arguments, one after the other.  An outcome is a
header (how it ended, when it started, how long it took) and a pickle, so that what cannot be
unpickled still says whose it is and how it ended.

What is large in either travels apart from it: buffers that pickle lets out of a pickle (the data of
arrays, for one), `bytes` that are an argument or the result, and whole pickles.
"""

from __future__ import annotations

import mmap
import struct
import time

from . import current, pickling, wire
from .culprit import cannot_be_pickled, name_of, named
from .errors import Unreadable
from .lean import pickle
from .letgo import let_go, let_go_for_want_of_memory
from .pickling import goes_by_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Union

    from .files import Departing, File

    Buffer = Any  # bytes, a view, a mapping: what pickle takes for the content of a buffer
    Store = Callable[[Any], int]  # takes a large part of a call in, or a File, and numbers it
    Part = Union[memoryview, Departing]
    Content = Union[bytes, memoryview]

RETURNED = 0  # the pickle is the result
RAISED = 1  # in place of the pickle: the exception, as failure.py makes it

LARGE = 1 << 16  # bytes; what is larger travels apart
MOST = 64  # large buffers of one pickle that do; each may need a descriptor over there
DESCRIPTORS = 2 * (MOST + 1)  # at most, of one call: its two pickles may be large too
MOST_FILES = 2000  # of one pickle of a call: its references are in one message with it

_CALL = struct.Struct("!HI")  # how many parts of it are apart; the length of the function's pickle
NOTHING_APART = b"\0\0"  # what a call begins with then
_REFERENCE = struct.Struct("!QB")  # a large part: its number, and what it is
_FUNCTION, _ARGUMENTS, _PICKLE, _READONLY, _FILE = 0, 1, 2, 4, 8  # the bits of that

_HEADER = struct.Struct("!B?dd")  # the second: the pickle is the last of the large parts
BUFFER = struct.Struct("!QB")  # a large part of an outcome: its size, and what it is:
WRITABLE, READONLY, FILE, PROGRAM = range(4)  # the last two: a file, whose NAME and digest follow

_PLAIN = frozenset((type(None), bool, int, float, complex, str))


class Outcome:
    """How a call ended.

    Attributes:
        status: RETURNED or RAISED.
        started: Unix time by the clock over there, seconds.
        seconds: How long it ran.
        body: The pickle.
        buffers: What is large in it.
    """

    __slots__ = ("body", "buffers", "seconds", "started", "status")

    def __init__(
        self, status: int, started: float, seconds: float, body: Buffer, buffers: Sequence[Buffer]
    ) -> None:
        self.status = status
        self.started = started
        self.seconds = seconds
        self.body = body
        self.buffers = buffers

    def load(self) -> Any:
        """Return the result or the exception; raises what unpickling the result does."""
        if self.status == RAISED:
            from .rebuilding import rebuild

            return rebuild(self.body)
        return pickle.loads(self.body, buffers=self.buffers)  # from the user's host


class Ran:
    """An outcome as bytes.

    Attributes:
        content: The header and the pickle.
        large: A list of views of what is large, and of its files.
        seconds: How long the call ran.
    """

    __slots__ = ("content", "large", "seconds")

    def __init__(self, content: bytes, large: list[Part], seconds: float) -> None:
        self.content = content
        self.large = large
        self.seconds = seconds

    def outcome(self) -> Outcome:
        return parse_outcome(self.content, self.large)

    def whole(self) -> bytes:
        """The bytes of one that is no result, with the pickle in it, however large."""
        if not self.large:
            return self.content
        status, _, *times = _HEADER.unpack_from(self.content)
        return _HEADER.pack(status, False, *times) + self.large[-1]  # type: ignore[operator]

    @property
    def described(self) -> bytes:
        """The BUFFERs, one for each large part."""
        from .files import described

        return b"".join(map(described, self.large))


# ------------------------------------------------------------------------------- calls


def dump_call(
    fn: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    store: Store | None = None,
) -> bytes:
    """Return a call as bytes.

    Args:
        store: Called with each part that is large; None: all stay within.

    Raises:
        pickle.PicklingError: It cannot be pickled; the message names the object that cannot.
        Unreadable: Nor can a file be read that is to travel with it.
    """
    return dump_arguments(dump_function(fn, store), fn, args, kwargs, store)


_NAMES = 256
_names: dict[int, tuple[Any, Function]] = {}  # by id: functions that go by their names


class Function:
    """A function as bytes.

    Attributes:
        pickle: It.
        references: A list of references to what is large in it.
        begin: What the bytes of its calls begin with, if they have nothing large of their own.
    """

    __slots__ = ("begin", "pickle", "references")

    def __init__(self, pickled: bytes, references: list[bytes], begin: bytes) -> None:
        self.pickle = pickled
        self.references = references
        self.begin = begin

    def small_call(self, args: tuple[Any, ...]) -> bytes | None:
        """Return a call as `dump_call` does, if its arguments are plain and small."""
        if not _are_plain(args):
            return None
        arguments: bytes = pickle.dumps(args, wire.PICKLE)
        return self.begin + arguments if len(arguments) < LARGE else None


def dump_function(fn: Callable[..., Any], store: Store | None = None) -> Function:
    """Return what all calls of a function have in common, as `dump_call` does."""
    try:
        if goes_by_reference(fn):
            return _function(pickle.dumps(fn, wire.PICKLE), [])
        return _function(*_dump(fn, _FUNCTION, store))
    except Exception as error:
        raise _cannot_be_sent(fn, name_of(fn), [(name_of(fn), fn)], error) from error


def _function(pickled: bytes, references: list[bytes]) -> Function:
    begin = b"".join((_CALL.pack(len(references), len(pickled)), *references, pickled))
    return Function(pickled, references, begin)


def dump_arguments(
    function: Function,
    fn: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    store: Store | None = None,
) -> bytes:
    """Return a call of a function that is dumped already, as `dump_call` does."""
    try:
        whole = [tuple(map(_apart, args)), {k: _apart(v) for k, v in kwargs.items()}]
        arguments, references = _dump(whole if kwargs else whole[0], _ARGUMENTS, store)
    except Exception as error:
        among = named(fn, args, kwargs)
        raise _cannot_be_sent(fn, "its arguments", among, error) from error
    return _function(function.pickle, function.references + references).begin + arguments


def dump_small_call(fn: Callable[..., Any], args: tuple[Any, ...]) -> bytes | None:
    """Return a call as `dump_call` does, if it goes by its function's name and is small."""
    if not goes_by_reference(fn):
        return None
    known = _names.get(id(fn))
    if known is None or known[0] is not fn:
        if len(_names) >= _NAMES:
            _names.clear()
        known = _names[id(fn)] = fn, dump_function(fn)
    return known[1].small_call(args)


def references(content: Content) -> list[int]:
    """The numbers of the large parts of a call, in the order in which it is run with them."""
    count, _ = _CALL.unpack_from(content)
    listed = memoryview(content)[_CALL.size : _CALL.size + count * _REFERENCE.size]
    return [number for number, _ in _REFERENCE.iter_unpack(listed)]


def dump_shared(value: Any) -> tuple[bytes, list[memoryview | File]]:
    """Return the pickle of an object that calls share, and what is large in it.

    Raises:
        pickle.PicklingError: It cannot be pickled; the message names the object that cannot.
    """
    try:
        return _dump_apart(_apart(value))  # type: ignore[no-any-return]
    except Exception as error:
        what = f"the {type(value).__qualname__}"
        why = f"{what} cannot be shared: "
        raise cannot_be_pickled([(what, value)], what, error, why) from error


def rebuild(pickled: Buffer, *buffers: Buffer) -> Any:
    """Return the object that was shared."""
    return _whole(pickle.loads(pickled, buffers=buffers))  # from whose account this is


def _whole(value: Any) -> Any:
    """Make bytes of what came apart."""
    return bytes(value) if isinstance(value, (mmap.mmap, memoryview)) else value


def prepare_for(content: Content) -> None:
    """Import what a call will need, or its outcome may need: in the agent, for all its workers.

    One that names its function and is given plain things needs nothing.
    """
    if b"cloudpickle" in bytes(content) or references(content):
        from . import failure, reducing

        _ = failure, reducing


def _cannot_be_sent(
    fn: Any, whole: str, among: Iterable[tuple[str, Any]], error: Exception
) -> pickle.PicklingError:
    if isinstance(error, Unreadable):
        raise error
    why = f"cannot send the call of {name_of(fn)} to a host: "
    return cannot_be_pickled(among, whole, error, why)


def _are_plain(values: Sequence[Any]) -> bool:
    """Whether pickle and cloudpickle do the same to them, and none is large bytes."""
    for value in values:
        kind = type(value)
        if kind not in _PLAIN and not (kind is bytes and len(value) < LARGE):
            return False
    return True


def _apart(value: Any) -> Any:
    """What makes pickle let large bytes out."""
    large = type(value) is bytes and len(value) >= LARGE
    return pickle.PickleBuffer(value) if large else value


def _dump(value: Any, whose: int, store: Store | None) -> tuple[bytes, list[bytes]]:
    """The pickle of a part of a call, and references to what is large in it."""
    if store is None:
        return pickling.dumps(value), []
    content, large = _dump_apart(value)
    if len(large) > MOST_FILES + MOST:
        raise ValueError(f"there are more than {MOST_FILES:,} Files in it")
    references = []
    for part in large:
        kind = _FILE if not isinstance(part, memoryview) else _READONLY if part.readonly else 0
        references.append(_REFERENCE.pack(store(part), whose | kind))
    if len(content) >= LARGE:
        references.append(_REFERENCE.pack(store(memoryview(content)), whose | _PICKLE))
        content = b""
    return content, references


def _dump_apart(value: Any) -> Any:
    """A pickle, and views of the large buffers that it lets out, and its Files."""
    from .files import Token

    large: list[Any] = []

    def keep_within(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if type(view.obj) is Token:
            large.append(view.obj.file)
            return False
        if view.nbytes < LARGE or len(large) >= MOST:
            return True
        large.append(view)
        return False

    return pickling.dumps(value, True, buffer_callback=keep_within), large


# ---------------------------------------------------------------------------- outcomes


def run_call(content: Content, attached: Callable[[bool], Buffer] | None = None) -> Ran:
    """Unpickle a call, run it, and return its outcome, whatever it does.

    Args:
        content: The call.
        attached: Returns the next of its large parts; if asked, as one that may be written to.
    """
    started, clock = time.time(), time.perf_counter()
    large: list[Part] = []
    try:
        fn, args, kwargs = _load_call(content, attached)
        current.function = fn
        status, (body, large) = RETURNED, _dump_result(fn, fn(*args, **kwargs))
    except BaseException as error:  # also SystemExit: it ends the call, not the worker
        let_go_for_want_of_memory(error)
        from . import failure, imports

        imports.explain(error)
        status, body = RAISED, failure.dump_exception(error)
    current.function = None
    apart = len(body) >= LARGE
    if apart:
        large, body = [*large, memoryview(body)], b""
    seconds = time.perf_counter() - clock
    return Ran(_HEADER.pack(status, apart, started, seconds) + body, large, seconds)


def failed(error: OSError, ran: Ran) -> Ran:
    """Return what is to be said in place of an outcome that cannot be sent."""
    from . import failure

    _, _, *times = _HEADER.unpack_from(ran.content)
    body = failure.dump_exception(error)
    return Ran(_HEADER.pack(RAISED, True, *times), [memoryview(body)], ran.seconds)


def _load_call(content: Content, attached: Callable[[bool], Buffer] | None) -> Any:
    count, length = _CALL.unpack_from(content)
    start = _CALL.size + count * _REFERENCE.size
    pickles: list[Buffer] = [content[start : start + length], content[start + length :]]
    buffers: tuple[list[Buffer], list[Buffer]] = ([], [])
    for index in range(count):
        number, kind = _REFERENCE.unpack_from(content, _CALL.size + index * _REFERENCE.size)
        if kind & _FILE:
            from .files import Place

            buffers[kind & _ARGUMENTS].append(Place(number))
            continue
        part = attached(not kind & (_PICKLE | _READONLY)) if attached else b""
        if kind & _PICKLE:
            pickles[kind & _ARGUMENTS] = part
        else:
            buffers[kind & _ARGUMENTS].append(part)
    fn = _load(pickles[0], buffers[0])
    loaded = _load(pickles[1], buffers[1])
    args, kwargs = (loaded, {}) if type(loaded) is tuple else loaded
    if buffers[_ARGUMENTS]:
        args, kwargs = map(_whole, args), {name: _whole(v) for name, v in kwargs.items()}
    return fn, args, kwargs


def _load(content: Buffer, buffers: Sequence[Buffer] = ()) -> Any:
    try:
        return pickle.loads(content, buffers=buffers)  # from whose account this is
    except AttributeError as error:
        from .crossing import not_here

        plainer = not_here(error)
        if plainer is error:
            raise  # the user's own, maybe, with its cause
        raise plainer from None


def _dump_result(fn: Any, result: Any) -> tuple[bytes, list[Part]]:
    try:
        if _are_plain((result,)):
            return pickle.dumps(result, wire.PICKLE), []
        from .files import departing

        body, large = _dump_apart(_apart(result))
        return body, list(map(departing, large))
    except Unreadable as obstacle:
        raise obstacle.error from None
    except MemoryError as error:  # there is none to look for who needs it
        let_go(error)
        name = f"the result of {name_of(fn)}"
        raise cannot_be_pickled((), name, error, returned=True) from error
    except Exception as error:
        name = f"the result of {name_of(fn)}"
        raise cannot_be_pickled([(name, result)], name, error, returned=True) from error


def parse_outcome(content: Content, large: Sequence[Buffer] = ()) -> Outcome:
    """Return the Outcome that `run_call` made bytes of; its body is not unpickled yet."""
    status, apart, started, seconds = _HEADER.unpack_from(content)
    if apart:
        return Outcome(status, started, seconds, large[-1], large[:-1])
    return Outcome(status, started, seconds, memoryview(content)[_HEADER.size :], large)
