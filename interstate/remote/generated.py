"""The recipes of what is generated for classes: by `dataclass`, by `namedtuple` and for enums."""

from __future__ import annotations

import dataclasses
import enum
import sys
from types import FunctionType, MemberDescriptorType

from . import crossing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EXEC = "<string>"  # the file of generated code
_PARAMETERS = ("init", "repr", "eq", "order", "unsafe_hash", "frozen")
_SPECIAL = ("_FIELD_CLASSVAR", "_FIELD_INITVAR")
_FIELD = {"init": True, "repr": True, "hash": None, "compare": True, "kw_only": False}
_OF_DATACLASS = {"__dataclass_fields__", "__dataclass_params__", "__match_args__", "__replace__"}
_OF_NAMEDTUPLE = {"_fields", "_field_defaults", "_fields_defaults", "__slots__", "__match_args__"}
_OF_PROTOCOL = {
    *("__protocol_attrs__", "__non_callable_proto_members__"),
    *("__static_attributes__", "__firstlineno__"),
}
_OF_ENUM = {"__new_member__", "__new__"}


def _function(value: Any) -> Any:
    """The innermost function of a method; None: it is none."""
    value = getattr(value, "__func__", value)
    value = getattr(value, "__wrapped__", value)
    return value if isinstance(value, FunctionType) else None


def _home(value: Any) -> str:
    """The module of a method, or of the value."""
    return getattr(_function(value) or value, "__module__", None) or ""


# ------------------------------------------------------------------------ dataclasses


def is_dataclass(kind: type) -> bool:
    """Whether `dataclass` was applied to it, and not only to a base."""
    return "__dataclass_fields__" in vars(kind)


def without_dataclass(attributes: dict[str, Any]) -> dict[str, Any]:
    """What `dataclass` has not generated."""
    kept = {n: v for n, v in attributes.items() if not _is_of_dataclass(n, v)}
    if "__hash__" in kept and kept["__hash__"] is None and "__eq__" not in kept:
        del kept["__hash__"]
    for name, ours in (("__getstate__", get_state), ("__setstate__", set_state)):
        if name in attributes and _home(attributes[name]) == "dataclasses":
            kept[name] = ours  # not every version has them
    if "__annotations__" in kept:
        given = kept["__annotations__"].items()
        kept["__annotations__"] = {n: v for n, v in given if not _is_marker(v)}
    return kept


def _is_of_dataclass(name: str, value: Any) -> bool:
    fn = _function(value)
    made = fn is not None and fn.__code__.co_filename == _EXEC
    return name in _OF_DATACLASS or (
        name.startswith("__") and (made or (fn is not None and _home(fn) == "dataclasses"))
    )


def _is_marker(annotation: Any) -> bool:
    """Whether it says that what follows is keyword-only."""
    return hasattr(dataclasses, "KW_ONLY") and annotation is dataclasses.KW_ONLY


def dataclass_recipe(kind: Any) -> tuple[dict[str, bool], dict[str, tuple[str, dict[str, Any]]]]:
    """Its parameters; and its own fields, each with its sort and what is special about it."""
    parameters = {n: getattr(kind.__dataclass_params__, n) for n in _PARAMETERS}
    own = vars(kind).get("__annotations__", {})
    fields = {n: f for n, f in kind.__dataclass_fields__.items() if n in own}
    return parameters, {n: (field._field_type.name, _special(field)) for n, field in fields.items()}


def _special(field: Any) -> dict[str, Any]:
    missing = dataclasses.MISSING
    special = {n: getattr(field, n) for n in ("default", "default_factory")}
    special = {n: v for n, v in special.items() if v is not missing}
    others = {n: getattr(field, n, usual) for n, usual in _FIELD.items()}
    special.update((n, v) for n, v in others.items() if v is not missing and v != _FIELD[n])
    if field.metadata:
        special["metadata"] = dict(field.metadata)
    return special


def make_dataclass(kind: Any, parameters: dict[str, bool], fields: dict[str, Any]) -> None:
    """Generate what `dataclass` does, for a class that has the rest."""
    annotations, module = vars(kind).get("__annotations__", {}), kind.__module__
    before = {n: vars(kind)[n] for n in fields if n in vars(kind)}  # may have been changed
    keywords = [n for n, (_, special) in fields.items() if special.get("kw_only")]
    try:
        kind.__annotations__ = {n: _sorted(s, annotations[n]) for n, (s, _) in fields.items()}
        kind.__module__ = module if module in sys.modules else "__main__"
        for name, (sort, special) in fields.items():
            if sort != "_FIELD_CLASSVAR" and special:
                setattr(kind, name, _field(special))
            elif _is_slot(before.get(name)):
                delattr(kind, name)
        _apply(kind, parameters, keywords)
    finally:
        kind.__annotations__, kind.__module__ = annotations, module
    for name in fields:
        if name in before:
            setattr(kind, name, before[name])
        elif name in vars(kind):
            delattr(kind, name)


def _apply(kind: Any, parameters: dict[str, bool], keywords: list[str]) -> None:
    """Apply `dataclass`; where it knows of no keyword-only fields, they come last, and do here."""
    if not keywords or hasattr(dataclasses, "KW_ONLY"):
        dataclasses.dataclass(**parameters)(kind)
        return
    fields = {name: vars(kind)[name] for name in keywords}
    required = [name for name, field in fields.items() if _is_required(field)]
    for name, field in fields.items():
        kind.__annotations__[name] = kind.__annotations__.pop(name)  # is the last now
        if name in required:
            field.default = None  # what comes after others with a default must have one
    dataclasses.dataclass(**parameters)(kind)
    for name in required:
        delattr(kind, name)
        fields[name].default = dataclasses.MISSING
    if parameters["init"]:
        kind.__init__ = _with_keywords(kind.__init__, required, keywords)


def _is_required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _with_keywords(init: Any, required: list[str], keywords: list[str]) -> Any:
    """An `__init__` that takes some arguments by their names only, and must be given some."""
    import functools

    most = init.__code__.co_argcount - len(keywords)

    @functools.wraps(init)
    def with_keywords(self: Any, *args: Any, **kwargs: Any) -> None:
        missing = ", ".join(repr(name) for name in required if name not in kwargs)
        if missing:
            name = f"{type(self).__qualname__}.__init__()"
            raise TypeError(f"{name} is missing required keyword-only arguments: {missing}")
        if len(args) >= most:
            raise TypeError(f"__init__() takes {most} positional arguments, not {len(args) + 1}")
        init(self, *args, **kwargs)

    return with_keywords


def _is_slot(value: Any) -> bool:
    return isinstance(value, MemberDescriptorType)


def _sorted(sort: str, annotation: Any) -> Any:
    """An annotation by which `dataclass` sees what sort of field it is."""
    if sort in _SPECIAL and isinstance(annotation, str):
        import typing

        return typing.ClassVar if sort == "_FIELD_CLASSVAR" else dataclasses.InitVar
    return annotation


def _field(special: dict[str, Any]) -> Any:
    known = hasattr(dataclasses, "KW_ONLY")
    return dataclasses.field(**{n: v for n, v in special.items() if known or n != "kw_only"})


def get_state(self: Any) -> Any:
    """The fields of one that has slots and is frozen."""
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def set_state(self: Any, state: Any) -> None:
    """Take them."""
    for field, value in zip(dataclasses.fields(self), state):
        object.__setattr__(self, field.name, value)


# ------------------------------------------------------------------------ namedtuples


def is_namedtuple(kind: Any) -> bool:
    """Whether `namedtuple` has made it, be it for `typing.NamedTuple`."""
    if kind.__bases__ != (tuple,) or "_fields" not in vars(kind):
        return False
    new = _function(vars(kind).get("__new__"))
    return new is not None and new.__code__.co_filename == _EXEC


def namedtuple_recipe(kind: Any) -> tuple[str, tuple[str, ...], tuple[Any, ...], str]:
    """Its name, its fields, the defaults of the last of them, and its module."""
    return kind.__name__, kind._fields, tuple(kind._field_defaults.values()), kind.__module__


def without_namedtuple(kind: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """What `namedtuple` has not generated."""
    return {
        name: value
        for name, value in attributes.items()
        if name not in _OF_NAMEDTUPLE
        and name not in kind._fields
        and _home(value) not in ("collections", f"namedtuple_{kind.__name__}")
    }


# ------------------------------------------------------------------------ protocols


def without_protocol(attributes: dict[str, Any]) -> dict[str, Any]:
    """What `Protocol` has not generated; an older one would take the rest for what it demands."""
    return {
        name: value
        for name, value in attributes.items()
        if name not in _OF_PROTOCOL and (_function(value) is None or _home(value) != "typing")
    }


def make_protocol(kind: Any) -> None:
    """Have it find out what it demands, where that is kept: it was made without its members."""
    import typing

    if hasattr(typing, "_get_protocol_attrs") and hasattr(kind, "__protocol_attrs__"):
        kind.__protocol_attrs__ = typing._get_protocol_attrs(kind)
    if getattr(kind, "_is_runtime_protocol", False):
        typing.runtime_checkable(kind)


# ------------------------------------------------------------------------ enums


def is_of_enum(name: str, value: Any) -> bool:
    """Whether an attribute of an enumeration was generated for it."""
    if name[:1] == name[-1:] == "_" and name[1] != "_":
        return name != "_missing_"
    return _home(value) == "enum" if _function(value) else name in _OF_ENUM


def set_boundary(kind: Any, name: str) -> None:
    """Say what becomes of bits that a flag has no name for.

    Raises:
        PythonVersionError: This Python's flags have no such choice, and do otherwise.
    """
    if hasattr(enum, "FlagBoundary"):
        kind._boundary_ = enum.FlagBoundary[name]
    elif name != ("KEEP" if issubclass(kind, enum.IntFlag) else "STRICT"):
        raise crossing.cannot_cross(f"the flag {kind.__qualname__}", f"its boundary is {name}")
