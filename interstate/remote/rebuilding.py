"""Exceptions from the bytes that failure.py makes of them.

First every exception is made as a shell of its type, then each is filled, so that they may hang
together in rings.  One that cannot be made here is stood for by a RemoteError that has it in words.
"""

from __future__ import annotations

from . import pickling
from .errors import RemoteError
from .failure import BEYOND, WHOLE, Node, dump_exception
from .frames import Frame, collect
from .lean import pickle, suppress
from .standin import StandIn, shown
from .state import shell_of
from .stubs import traceback_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from . import wire
    from .frames import Lines


def reduce_exception(error: BaseException) -> Any:
    """How an exception is pickled that is part of something else."""
    return rebuild, (dump_exception(error),)


def reduce_traceback(tb: TracebackType) -> Any:
    """How a traceback is pickled that is part of something else."""
    lines: Lines = {}
    return _rebuild_traceback, (collect(tb, lines), lines)


def _rebuild_traceback(frames: list[tuple[Any, ...]], lines: Lines) -> TracebackType | None:
    return traceback_of([Frame(*frame) for frame in frames], lines)


def rebuild(content: wire.Bytes) -> BaseException:
    """Return the exception, whatever it was, or what stands for it."""
    return Rebuilding(content).result()


class Rebuilding:
    """The exceptions of one dump.

    Attributes:
        plain: Whether making them runs no code of the user's, nor imports anything.
        where: The process that they were raised in: its pid, and its Python's version.
    """

    def __init__(self, content: wire.Bytes) -> None:
        whole = pickle.loads(content)
        self._nodes = [Node(*node) for node in whole["errors"]]
        self._lines: Lines = whole["lines"]
        self._made: dict[int, BaseException] = {}
        self._obstacles: dict[int, str] = {}  # why some go in words
        self.where: tuple[int, str] = whole["where"]
        self.plain = all(map(_is_plain, self._nodes))

    def result(self) -> BaseException:
        """Return the first of them."""
        while not self._make_all():
            self._made.clear()
        for number, node in enumerate(self._nodes):
            self._connect(self._made[number], node)
        return self._made[0]

    def _make_all(self) -> bool:
        """Make and fill them; False: some cannot be filled, and are now known to go in words."""
        known = len(self._obstacles)
        for number, node in enumerate(self._nodes):
            self._make(number)
            if node.how != WHOLE and number not in self._obstacles:
                try:
                    self._fill(self._made[number], node)
                except BaseException as obstacle:  # the user's code
                    self._obstacles[number] = shown(obstacle)
        return len(self._obstacles) == known

    def in_words(self, why: str) -> BaseException:
        """Return the first of them as a RemoteError, and the others likewise."""
        self._made.clear()
        self._obstacles = dict.fromkeys(range(len(self._nodes)), why)
        return self.result()

    def _make(self, number: int) -> Any:
        """It, maybe without anything in it yet."""
        if number == BEYOND:
            return StandIn("<one exception too many>", "so many hang together")
        if number not in self._made:
            node = self._nodes[number]
            try:
                if number not in self._obstacles:
                    self._made[number] = self._shell(node)
            except BaseException as obstacle:  # the user's code
                self._obstacles[number] = node.why or shown(obstacle)
            if number in self._obstacles:
                self._made[number] = self._describe(node, self._obstacles[number])
        return self._made[number]

    def _shell(self, node: Node) -> BaseException:
        if node.kind is None:
            raise ValueError(node.why)
        if node.how == WHOLE:
            made: BaseException = self._load(node.state)
            return made
        group = node.group and (node.group[0], [self._make(number) for number in node.group[1]])
        return shell_of(_type_of(node), group)

    def _fill(self, error: BaseException, node: Node) -> None:
        args, members, attributes = self._state_of(node)
        _set(error, "args", args)
        for name, value in members.items():
            _set_member(error, name, value)
        _dict_of(error).update(attributes)

    def _state_of(self, node: Node) -> Any:
        """What it has; what is of a type that is not here, by value, or a stand-in for it."""
        if node.spare_state is not None:
            with suppress(ImportError, AttributeError):
                return self._load(node.state, strictly=True)
            with suppress(Exception):
                return self._load(node.spare_state)
        return self._load(node.state)

    def _connect(self, error: BaseException, node: Node) -> None:
        """Set what is the same for all exceptions."""
        made = self._made
        _set(error, "__cause__", None if node.cause is None else made[node.cause])
        _set(error, "__context__", None if node.context is None else made[node.context])
        _set(error, "__suppress_context__", node.suppress)
        frames = [Frame(*frame) for frame in node.frames]
        _set(error, "__traceback__", traceback_of(frames, self._lines))
        if node.left_out:
            note = f"Not all of it could travel; left out: {', '.join(node.left_out)}"
            notes = _dict_of(error).setdefault("__notes__", [])
            with suppress(AttributeError):  # the user has made something else of it
                notes.append(note)

    def _describe(self, node: Node, why: str) -> RemoteError:
        import traceback

        frames = [Frame(*frame) for frame in node.frames]
        lines = ["Traceback (most recent call last):\n"]
        lines += traceback.format_tb(traceback_of(frames, self._lines))
        lines += [f"{node.type_name}: {node.message}\n", *(f"{note}\n" for note in node.notes)]
        message = f"{node.type_name}: {node.message}\n(it is not here as itself: {why})"
        error = RemoteError(message, node.type_name, "".join(lines))
        if node.notes:
            error.__dict__["__notes__"] = list(node.notes)
        return error

    def _load(self, body: bytes, *, strictly: bool = False) -> Any:
        return pickling.Unpickler(body, self._make, None if strictly else _absent).load()


def _absent(name: str, obstacle: Exception) -> Any:
    """A type for objects of a type that is not here."""
    why = shown(obstacle)

    def new(cls: type, *args: Any, **kwargs: Any) -> StandIn:
        made: Any = StandIn.__new__(cls)
        StandIn.__init__(made, f"<{name} object>", why)
        return made  # type: ignore[no-any-return]

    members = {"__new__": new, "__init__": _take_any, "__setstate__": _take_any}
    return type("StandIn", (StandIn,), members)


def _take_any(self: object, *args: Any, **kwargs: Any) -> None: ...


def _type_of(node: Node) -> Any:
    """The type of an exception; if it is not to be had by its name, by value."""
    known = pickling.known_class(node.tracker)
    if known is not None:
        return known
    try:
        return pickle.loads(node.kind)
    except Exception:  # what an import raises
        if node.spare is None:
            raise
        return pickle.loads(node.spare)


def _is_plain(node: Node) -> bool:
    if not node.plain:
        return node.kind is None
    import sys

    module, _, name = node.type_name.rpartition(".")
    return hasattr(sys.modules.get(module), name)


def _set_member(error: BaseException, name: str, value: Any) -> None:
    for kind in type(error).__mro__:
        descriptor: Any = vars(kind).get(name)
        if hasattr(descriptor, "__objclass__") and hasattr(descriptor, "__set__"):
            descriptor.__set__(error, value)
            return
    _dict_of(error)[name] = value  # another version of the type has no slot for it


def _set(error: BaseException, name: str, value: Any) -> None:
    vars(BaseException)[name].__set__(error, value)


def _dict_of(error: BaseException) -> dict[str, Any]:
    attributes: dict[str, Any] = vars(BaseException)["__dict__"].__get__(error)
    return attributes
