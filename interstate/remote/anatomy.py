"""What an object is made of for pickle: its parts, in pickle's order, each with the step to it.

A step is a word and, with most of them, a name or a number: ("attribute", "_lock"), ("item", 3).
The empty one leads to what a reader would not call a part, the content of a closure's cell, say.
"""

from __future__ import annotations

from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Step = tuple[Any, ...]
    Parts = Iterator[tuple[Step, Any]]

WITHIN: Step = ()
OURS = __name__.partition(".")[0]
ATOMS = frozenset(
    (type(None), bool, int, float, complex, str, bytes, bytearray, type(...), CodeType)
)

_CELL = type((lambda of: lambda: of)(0).__closure__[0])  # type: ignore[index]
_ARGUMENTS: dict[type, tuple[Step, ...]] = {  # the steps to what these are made from
    MethodType: (("function",), ("self",)),
    partial: (("function",),),
    property: (("getter",), ("setter",), ("deleter",)),
    staticmethod: (WITHIN,),
    classmethod: (WITHIN,),
    _CELL: (WITHIN,),
}
_OF_FUNCTION = {
    "__kwdefaults__": "default",
    "__annotations__": "annotation",
    "__globals__": "global",
}


def parts(value: Any, pickler: Any) -> Parts | None:
    """Return what an object is made of; None if it goes by its name.

    Raises:
        Exception: What its own code raises, or that of its class.
    """
    kind = type(value)
    if kind is dict:
        return _items(list(value.items()))
    if kind is list or kind is tuple:
        return ((("item", index), item) for index, item in enumerate(value))
    if kind is set or kind is frozenset:
        return ((("element",), element) for element in list(value))
    reduced = _reduced(value, pickler)
    if isinstance(reduced, str):
        return None
    found = _parts_of_reduced(value, *reduced)
    return ((WITHIN, part) for _, part in found) if is_ours(kind) else found


def is_ours(kind: type) -> bool:
    """Whether a class is one of ours, whose insides are nobody's business."""
    return str(kind.__module__).partition(".")[0] == OURS


def _reduced(value: Any, pickler: Any) -> Any:
    """What pickle makes of an object: how to make it anew, or its name."""
    reduced = pickler.reducer_override(value)
    if reduced is not NotImplemented:
        return reduced
    if isinstance(value, (type, FunctionType)):
        return ""
    reduce = pickler.dispatch_table.get(type(value))
    return value.__reduce_ex__(wire.PICKLE) if reduce is None else reduce(value)


def _parts_of_reduced(
    value: Any,
    make: Any,
    arguments: tuple[Any, ...],
    state: Any = None,
    items: Iterable[Any] | None = None,
    pairs: Iterable[tuple[Any, Any]] | None = None,
    set_state: Any = None,
) -> Parts:
    if not callable(make) or not isinstance(arguments, tuple):
        raise TypeError("this is no way to make an object anew")
    yield (("class", make.__name__) if isinstance(make, type) else WITHIN), make
    yield from _arguments(value, make, arguments)
    for index, item in enumerate(() if items is None else items):
        yield ("item", index), item
    yield from _items(() if pairs is None else pairs)
    if state is not None:
        yield ("setter of its state",), set_state
        yield from _state(value, state)


def _items(pairs: Iterable[tuple[Any, Any]]) -> Parts:
    for key, item in pairs:
        yield ("key", key), key
        yield ("item", key), item


def _named(word: str, values: dict[str, Any]) -> Parts:
    for name, value in list(values.items()):
        yield (word, name), value


# ------------------------------------------------------------------ what it is made from


def _arguments(value: Any, make: Any, arguments: tuple[Any, ...]) -> Parts:
    kind = type(value)
    if isinstance(value, type):
        return _of_class(arguments)
    if isinstance(value, ModuleType) and len(arguments) == 2:
        return _named("attribute", arguments[1])
    if make is getattr and arguments[0] is getattr(value, "__self__", value):
        return iter([(("self",), arguments[0])])
    if getattr(make, "__name__", "") in ("__newobj__", "__newobj_ex__") and arguments:
        return _of_new(value, *arguments)
    steps = _ARGUMENTS.get(kind, ())
    return _constructor(arguments, steps)


def _constructor(arguments: Iterable[Any], steps: tuple[Step, ...] = ()) -> Parts:
    for index, argument in enumerate(arguments):
        known = index < len(steps)
        yield steps[index] if known else ("constructor argument", index + 1), argument


def _of_new(value: Any, kind: Any, *arguments: Any) -> Parts:
    yield ("class", kind.__name__), kind
    fields = getattr(kind, "_fields", ())
    if isinstance(value, tuple) and len(fields) == len(arguments):  # a named one
        yield from _constructor(arguments, tuple(("attribute", field) for field in fields))
    elif isinstance(value, (tuple, set, frozenset)):
        yield from _constructor(arguments, (WITHIN,))
    else:
        yield from _constructor(arguments)


def _of_class(arguments: tuple[Any, ...]) -> Parts:
    """A class by value: its metaclass, bases and, if it is an Enum, members."""
    for argument in arguments:
        if isinstance(argument, tuple):
            for base in argument:
                yield ("base", getattr(base, "__name__", "")), base
        elif isinstance(argument, dict):
            yield from _named("attribute", argument)
        elif isinstance(argument, type):
            yield ("class", argument.__name__), argument
        else:
            yield WITHIN, argument


# ----------------------------------------------------------------------------- its state


def _state(value: Any, state: Any) -> Parts:
    if isinstance(value, partial) and isinstance(state, tuple) and len(state) == 4:
        return _of_partial(*state)
    both = (None, state) if type(state) is dict else state
    if not _are_attributes(both):
        return iter([(("state",), state)])
    if isinstance(value, FunctionType):
        return _of_function(value, *both)
    return _of_object(isinstance(value, type), *both)


def _are_attributes(state: Any) -> bool:
    """Whether it is what pickle makes of attributes and slots."""
    if type(state) is not tuple or len(state) != 2:
        return False
    attributes, slots = state
    return type(slots) is dict and (attributes is None or type(attributes) is dict)


def _of_object(is_class: bool, attributes: dict[str, Any] | None, slots: dict[str, Any]) -> Parts:
    for values in (attributes or {}, slots):
        for name, part in list(values.items()):
            called = is_class and isinstance(part, (FunctionType, staticmethod, classmethod))
            yield ("method" if called else "attribute", name), part


def _of_partial(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], attributes: Any
) -> Parts:
    yield ("function",), function
    for number, value in enumerate(args, 1):
        yield ("argument", number), value
    yield from _named("argument", kwargs)
    yield from _named("attribute", attributes or {})


def _of_function(function: Any, attributes: Any, state: dict[str, Any]) -> Parts:
    yield from _named("attribute", attributes or {})
    code = function.__code__
    for name, part in state.items():
        if name == "__closure__":
            yield from _named("closure", dict(zip(code.co_freevars, part or ())))
        elif name == "__defaults__":
            last = code.co_varnames[: code.co_argcount][-len(part or "-") :]
            yield from _named("default", dict(zip(last, part or ())))
        elif name in _OF_FUNCTION:
            yield from _named(_OF_FUNCTION[name], part or {})
        else:
            yield ("attribute", name), part
