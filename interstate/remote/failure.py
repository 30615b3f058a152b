"""Exceptions to bytes: all that hang together, and each of them whole.

What makes an exception is read from it, and none of its own methods is asked: its type, arguments,
attributes, slots and what the types of the standard library keep besides, its cause, context, notes
and traceback.  Each part is tried out; what cannot travel is left out, and a note says so.  An
exception whose type cannot travel goes in words.  The other way: rebuilding.py.

    dump -> {"errors": [NODE, …], "lines": what ran where the tracebacks lead, "where": who ran it}
"""

from __future__ import annotations

import io
import os
import sys
from collections import namedtuple
from types import (
    FunctionType,
    ModuleType,
    TracebackType,
)

from . import pickling, wire
from .alarm import Alarm, TookTooLong
from .frames import collect
from .lean import pickle, suppress
from .standin import StandIn, lenient, shown, stand_for
from .state import GROUP, is_plain, own, says_how, shell_of, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_MOST = 2000  # exceptions that hang together; what is beyond is left out
_LARGE = 1 << 16  # bytes: a type that is larger does not travel as a spare


class Node(
    namedtuple(
        "Node",
        "type_name message notes kind tracker spare plain state spare_state how group cause "
        "context suppress frames left_out why",
    )
):
    """An exception.

    Attributes:
        type_name, message, notes: In words.
        kind: The pickle of its type; None: it goes in words.
        tracker: What a type that came from the other end is known by there; or None.
        spare: The same by value, for where the type is not; or None.
        plain: Whether its state is of plain objects only, whose unpickling runs no code.
        state: The pickle of (arguments, members, attributes); or of the whole.
        spare_state: The same, with what the other end may not have by value; or None.
        how: STATE or WHOLE: which of these.
        group: None, or (message, the numbers of those in it).
        cause, context: Numbers of others, or None.
        suppress: Its `__suppress_context__`.
        frames: Of its traceback, the outermost first.
        left_out: What could not travel.
        why: Why it goes in words.
    """

    __slots__ = ()


STATE, WHOLE = "state", "whole"
BEYOND = -1  # in place of the number of an exception that is left out


def dump_exception(error: BaseException) -> bytes:
    """Return an exception as bytes, whatever its own code does."""
    try:
        return _Dump(error).result()
    except Exception as obstacle:  # memory is out, or an object lies about what it is
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        why = f"it cannot be looked into: {shown(obstacle)}"
        nothing: Any = [None] * 3
        node = (name, "", [], *nothing, True, None, None, STATE, *nothing, False, [], [], why)
        return pickle.dumps({"errors": [node], "lines": {}, "where": _where()}, wire.PICKLE)


def _where() -> tuple[int, str]:
    return os.getpid(), ".".join(map(str, sys.version_info[:3]))


class _Dump:
    """One exception, and all that it leads to."""

    def __init__(self, error: BaseException) -> None:
        self.errors: list[BaseException] = []
        self._numbers: dict[int, int] = {}  # by id
        self._lines: dict[str, dict[int, str]] = {}
        self.number(error)

    def result(self) -> bytes:
        nodes = []
        try:
            for error in self.errors:  # grows while it is walked
                nodes.append(tuple(_Dumping(self, error).node()))
        finally:
            self.errors.clear()  # classes that pickled them lead here, in rings
        whole = {"errors": nodes, "lines": self._lines, "where": _where()}
        return pickle.dumps(whole, wire.PICKLE)

    def number(self, error: BaseException) -> int | None:
        """The number of an exception that hangs on this one; None: there are too many."""
        known = self._numbers.get(id(error))
        if known is None and len(self.errors) < _MOST:
            known = self._numbers[id(error)] = len(self.errors)
            self.errors.append(error)
        return known

    def frames(self, tb: TracebackType | None) -> list[Any]:
        return collect(without_our_frames(tb), self._lines)


class _Dumping:
    """One exception of those."""

    def __init__(self, dump: _Dump, error: BaseException) -> None:
        self._dump = dump
        self._error = error
        self._left_out: list[str] = []
        self._plain = False
        self._spare: bytes | None = None
        self._modules: set[str] = set()  # users' modules that what is pickled leads to

    def node(self) -> Node:
        error = self._error
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        number = self._dump.number
        frames = self._dump.frames(own(error, "__traceback__"))
        cause, context = own(error, "__cause__"), own(error, "__context__")
        cause = None if cause is None else number(cause)
        context = None if context is None else number(context)
        suppresses = own(error, "__suppress_context__")
        message, notes = self._message(), _notes_of(error)
        kind = tracker = spare = state = group = None
        how, why = STATE, ""
        try:
            if message is None:
                raise TookTooLong("its __str__ does not end")
            kind, tracker, spare = _dump_type(type(error))
            group = self._group()
            how, state = self._state()
        except BaseException as obstacle:  # the user's code
            kind, why = None, shown(obstacle)
        return Node(
            *(name, message or "(its __str__ does not end)", notes, kind, tracker, spare),
            *(self._plain, state, self._spare, how, group, cause, context, suppresses, frames),
            *(self._left_out, why),
        )

    def _message(self) -> str | None:
        """What it says; None: that does not end."""
        try:
            with Alarm():
                return str(self._error)
        except TookTooLong:
            return None
        except BaseException as obstacle:
            return f"(its message cannot be shown: {type(obstacle).__name__})"

    def _group(self) -> tuple[str, list[int]] | None:
        error: Any = self._error
        if GROUP is None or not isinstance(error, GROUP):
            return None
        inner = own(error, "exceptions", GROUP)
        numbers = [number for number in map(self._dump.number, inner) if number is not None]
        return own(error, "message", GROUP), numbers

    # ---------------------------------------------------------------------------- state

    def _state(self) -> tuple[str, bytes]:
        """How it is to be made, and what of."""
        try:
            shell_of(type(self._error), ("", [ValueError()]))
        except TypeError:  # code in C makes it, which wants to be asked
            return WHOLE, self._whole()
        state = state_of(self._error)
        if isinstance(self._error, AttributeError) and not self._is_light(state[1].get("obj")):
            del state[1]["obj"]
        body = self._try(state)
        if body is not None:
            self._spare = self._by_value(state)
            return STATE, body
        if says_how(type(self._error)):
            with suppress(Exception, TookTooLong):
                return WHOLE, self._whole()
        return STATE, self._without_what_cannot(state)

    def _try(self, state: Any) -> bytes | None:
        """Its pickle, if it has one and that can be unpickled."""
        try:
            with Alarm():
                body = self._dumped(state)
                plain = is_plain(state, numbered=True)
                if not plain:
                    self._load(body)
            self._plain = plain
            return body
        except BaseException:  # the user's code, or what it has cannot travel
            return None

    def _is_light(self, value: Any) -> bool:
        """Whether what Python has noted of its own accord may come along."""
        if value is None or isinstance(value, ModuleType):
            return value is None
        body = self._try(value)
        return body is not None and len(body) <= _LARGE

    def _without_what_cannot(self, state: Any) -> bytes:
        """The pickle of what is left of it."""
        arguments, members, attributes = state
        self._plain = False
        kept = (
            tuple(self._or_stand_in(value) for value in arguments),
            {name: self._or_stand_in(value) for name, value in members.items()},
            dict(self._of_attributes(attributes)),
        )
        return self._dumped(kept, [])

    def _of_attributes(self, attributes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in attributes.items():
            kept = self._or_stand_in(value, f"its attribute {name!r}")
            if kept is value or not isinstance(kept, StandIn):
                yield name, kept

    def _or_stand_in(self, value: Any, name: str = "") -> Any:
        """It, if it can travel; else as much of it as can, or what stands for it."""
        if self._try(value) is not None:
            return value
        left_out: list[str] = []
        try:
            with Alarm():
                body = self._dumped(value, left_out)
                kept = self._load(body)
        except BaseException as obstacle:  # the user's code
            kept = stand_for(value, shown(obstacle))
            left_out = [f"{kept!r} ({kept.reason})"]
        if name and isinstance(kept, StandIn):
            left_out = [f"{name} ({kept.reason})"]
        self._left_out += left_out
        return kept

    def _by_value(self, state: Any) -> bytes | None:
        """Its pickle for who has none of the user's modules."""
        if not self._modules:
            return None
        try:
            with Alarm(), pickling.by_value(self._modules):
                body = self._dumped(state)
        except BaseException:  # then it needs them
            return None
        return body if len(body) <= _LARGE else None

    def _whole(self) -> bytes:
        """Its pickle as its own code makes it."""
        with Alarm():
            body = self._dumped(self._error, by_its_own=True)
            again = self._load(body)
        if type(again) is not type(self._error):
            raise TypeError(f"it unpickles to an object of type {type(again).__qualname__}")
        return body

    def _dumped(
        self, value: Any, left_out: list[str] | None = None, *, by_its_own: bool = False
    ) -> bytes:
        kind = _pickler() if left_out is None else lenient(_pickler(), left_out)
        file = io.BytesIO()
        itself = value if by_its_own else None
        kind(file, self._dump.number, itself, self._modules).dump(value)
        return file.getvalue()

    def _load(self, body: bytes) -> Any:
        return pickling.Unpickler(body, self._dump.errors.__getitem__).load()


_numbering: Any = None


def _pickler() -> Any:
    """The class of picklers that refer to exceptions by number; made when it is first needed."""
    global _numbering
    if _numbering is None:
        _numbering = type("Numbering", (_Numbering, pickling.pickler()), {})
    return _numbering


class _Numbering:
    """Mixed into a Pickler.

    Args:
        file: Where to.
        number: Numbers an exception.
        itself: An exception to be pickled as others are.
        modules: Takes in the names of users' modules that something is referred to in.
    """

    def __init__(
        self,
        file: io.BytesIO,
        number: Callable[[BaseException], int | None],
        itself: BaseException | None,
        modules: set[str],
    ) -> None:
        super().__init__(file, protocol=wire.PICKLE)  # type: ignore[call-arg]
        self._number = number
        self._itself = itself
        self._modules = modules

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, BaseException) and obj is not self._itself:
            known = self._number(obj)
            return BEYOND if known is None else known
        return None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (type, FunctionType)) and _is_users(obj.__module__):
            self._modules.add(obj.__module__)
        if obj is self._itself:
            return NotImplemented
        return super().reducer_override(obj)  # type: ignore[misc]


def without_our_frames(tb: TracebackType | None) -> TracebackType | None:
    """The traceback from the call's own first frame on."""
    while tb is not None and tb.tb_frame.f_globals.get("__package__") == __package__:
        tb = tb.tb_next
    return tb


def _notes_of(error: BaseException) -> list[str]:
    notes = own(error, "__dict__").get("__notes__", ())
    return [note for note in notes if type(note) is str] if isinstance(notes, list) else []


# ------------------------------------------------------------------------------ its type

_NOT_USERS = ("interstate", "cloudpickle")
_types: dict[type, tuple[bytes, Any, bytes | None]] = {}


def _dump_type(kind: type) -> tuple[bytes, Any, bytes | None]:
    """The pickle of a type, what it is known by, and a pickle by value if that goes by its name."""
    known = _types.get(kind)
    if known is None:
        if len(_types) > 256:
            _types.clear()
        with Alarm():
            pickled = pickling.dumps(kind)
            known = _types[kind] = pickled, pickling.tracker_of(kind), _spare(kind)
    return known


def _spare(kind: type) -> bytes | None:
    """The type by value: the other end may not have the module that it is from."""
    modules = {base.__module__ for base in kind.__mro__ if _is_users(base.__module__)}
    if not modules:
        return None
    try:
        with pickling.by_value(modules):
            pickled = pickling.dumps(kind)
    except Exception:  # then it has to go by its name
        return None
    return pickled if len(pickled) <= _LARGE else None


def _is_users(module: Any) -> bool:
    """Whether a module can be imported, and is neither Python's nor ours."""
    if type(module) is not str:
        return False
    top = module.partition(".")[0]
    if top in getattr(sys, "stdlib_module_names", ("builtins",)) or top in _NOT_USERS:
        return False
    return module in sys.modules and module != "__main__"
