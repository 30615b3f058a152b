"""Classes by value: what cloudpickle makes of them, and what it leaves to us.

A class takes its whole name along, and one that comes back home stays as it is.  What was generated
for it (by `dataclass`, `namedtuple`, `Enum`) does not travel, but the recipe: each Python generates
its own.  `__init_subclass__` does not run again for a class that is complete.
"""

from __future__ import annotations

import collections
import enum
import sys
import threading
import types
import typing
from types import FunctionType
from weakref import WeakKeyDictionary, WeakSet

from cloudpickle import cloudpickle  # type: ignore[import-untyped]

from . import generated
from .pickling import known_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_set_state = cloudpickle._class_setstate
_namedtuple = vars(collections)["namedtuple"]  # whose arguments are not known before
_ours: WeakSet[type] = WeakSet()  # classes that were made here, and have gone elsewhere by value
_came: WeakKeyDictionary[type, set[str]] = WeakKeyDictionary()  # others: what came of them
_making = threading.RLock()  # held while a base is kept quiet
_TYPED_DICT: Any = vars(typing)["_TypedDictMeta"]
_HOOK = "__init_subclass__"
_LIBRARIES = {"abc", "builtins", "collections", "enum", "typing", "typing_extensions"}
_TEXTS = ("__str__", "__repr__", "__format__")
_OWN_OF_MEMBERS = {"_value_", "_name_", "__objclass__", "_sort_order_"}


def reduce_class(kind: Any, reduced: Any) -> Any:
    """Return the reduction of a class, given cloudpickle's; the same if it goes by its name."""
    if type(reduced) is not tuple or reduced[-1] is not _set_state:
        return _by_its_public_name(kind) if reduced is NotImplemented else reduced
    if kind not in _came:
        _ours.add(kind)
    _, arguments, (attributes, _), *_ = reduced
    attributes = {**attributes, "__qualname__": kind.__qualname__}
    if generated.is_namedtuple(kind):
        recipe = generated.namedtuple_recipe(kind)
        attributes = generated.without_namedtuple(kind, attributes)
        return _reduction(make_namedtuple, (*recipe, arguments[4]), attributes, {})
    if type(kind) is _TYPED_DICT:
        return _reduction(make_typed_dict, (kind.__name__, arguments[4]), attributes, {})
    if issubclass(kind, enum.Enum):
        return _reduce_enum(kind, arguments, attributes)
    if "__slots__" in vars(kind):  # which cloudpickle does not make
        given = arguments[3] | {"__slots__": vars(kind)["__slots__"]}
        arguments = (*arguments[:3], given, *arguments[4:])
    more: dict[str, Any] = {}
    if generated.is_dataclass(kind):
        more["dataclass"] = generated.dataclass_recipe(kind)
        attributes = generated.without_dataclass(attributes)
    if "_is_protocol" in vars(kind):
        more["protocol"] = kind._is_protocol
        attributes = generated.without_protocol(attributes)
    return _reduction(make_class, arguments, attributes, more)


def _reduction(make: Any, arguments: Any, attributes: Any, more: Any) -> Any:
    return make, arguments, (attributes, more), None, None, set_class_state


def _reduce_enum(kind: Any, arguments: Any, attributes: dict[str, Any]) -> Any:
    members = {name: _raw(kind, member) for name, member in kind.__members__.items()}
    texts = {name: vars(kind)[name] for name in _TEXTS if name in vars(kind)}
    attributes = texts | attributes  # cloudpickle takes some of them for inherited
    kept = {
        name: value
        for name, value in attributes.items()
        if name not in members and not generated.is_of_enum(name, value)
    }
    own = {name: _own_of(member) for name, member in kind.__members__.items()}
    more: dict[str, Any] = {"members": {name: mine for name, mine in own.items() if mine}}
    if isinstance(getattr(kind, "_boundary_", None), enum.Enum):
        more["boundary"] = kind._boundary_.name
    bases, name, qualname, _, module, tracker, _ = arguments
    made_of = type(kind), name, bases, qualname, members, module, tracker
    return _reduction(make_enum, made_of, kept, more)


def _raw(kind: Any, member: Any) -> Any:
    """A member's value; and what else its own `__new__` had to make it of."""
    new, base = getattr(kind, "__new_member__", None), kind._member_type_
    is_own = isinstance(new, FunctionType) and new.__module__ != "enum"
    is_plain = base.__module__ == "builtins" and not hasattr(member.value, "__get__")
    if is_plain and not is_own:
        return member.value
    return Raw(member.value, getattr(base, "__getnewargs__", lambda _: ())(member))


class Raw:
    """What a member of an enumeration is made of, in place of what was written for it."""

    def __init__(self, value: Any, arguments: tuple[Any, ...]) -> None:
        self.value = value
        self.arguments = arguments

    def __reduce__(self) -> Any:
        return Raw, (self.value, self.arguments)


def make_member(kind: Any, raw: Any) -> Any:
    """Serve as `__new__` of an enumeration that is made of Raws."""
    if isinstance(raw, tuple):
        (raw,) = raw
    base = next(k for k in kind.__mro__ if not issubclass(k, enum.Enum))
    member = base.__new__(kind, *raw.arguments)
    member._value_ = raw.value
    return member


def _own_of(member: Any) -> dict[str, Any]:
    """What its `__init__` gave to a member."""
    return {n: value for n, value in vars(member).items() if n not in _OWN_OF_MEMBERS}


def _by_its_public_name(kind: type) -> Any:
    """By the name that all versions have: pathlib.Path is at home in a private module in some."""
    if kind is enum.EnumMeta:
        return find_public, ("enum", "EnumMeta")
    public, private, _ = (kind.__module__ or "").partition("._")
    if private and getattr(sys.modules.get(public), kind.__qualname__, None) is kind:
        return find_public, (public, kind.__qualname__)
    return NotImplemented


# ------------------------------------------------------------------------ made over there


def find_public(module: str, name: str) -> Any:
    """Return what a module has by that name."""
    __import__(module)
    return getattr(sys.modules[module], name)


def make_class(
    constructor: type, name: str, bases: Any, given: Any, tracker: str, extra: Any
) -> type:
    """Make a class without its attributes, or find it if it is known here."""
    known: Any = known_class(tracker)
    if known is not None:
        return known  # type: ignore[no-any-return]
    with _making:
        quiet = list(_hooks(bases))
        for base, hook in quiet:
            type.__setattr__(base, _HOOK, _Quiet(hook))
        try:
            if constructor in _came:
                kind = _complete(constructor, name, bases, dict(given))
                cloudpickle._lookup_class_or_track(tracker, kind)
            else:
                arguments = constructor, name, bases, given, tracker, extra
                kind = cloudpickle._make_skeleton_class(*arguments)
        finally:
            for base, hook in quiet:
                type.__setattr__(base, _HOOK, hook)
    return kind  # type: ignore[no-any-return]


class _Quiet(classmethod):  # type: ignore[type-arg]
    """A hook that says nothing to this thread; others may make classes too, or send the base."""

    def __init__(self, hook: Any) -> None:
        here = threading.get_ident()

        def __init_subclass__(cls: type, **given: Any) -> None:  # noqa: N807
            if threading.get_ident() != here:
                hook.__get__(None, cls)(**given)

        super().__init__(__init_subclass__)
        self._hook = hook

    def __reduce__(self) -> Any:
        return _itself, (self._hook,)


def _itself(value: Any) -> Any:
    return value


def _complete(constructor: Any, name: str, bases: Any, given: Any) -> Any:
    """Make a class without the part that its metaclass had in it, which is done."""
    maker: Any = next(k for k in constructor.__mro__ if k not in _came and k not in _ours)
    return maker.__new__(constructor, name, types.resolve_bases(bases), given)


def _hooks(bases: Any) -> Iterator[tuple[type, Any]]:
    """The first user's `__init_subclass__` among bases, and whose it is."""
    for base in bases:
        for kind in getattr(base, "__mro__", ()):
            if _HOOK in vars(kind) and kind.__module__ not in _LIBRARIES:
                yield kind, vars(kind)[_HOOK]
                return


def make_enum(
    constructor: Any, name: str, bases: Any, qualname: str, members: Any, module: str, tracker: str
) -> Any:
    """Make an enumeration without its attributes, or find it if it is known here."""
    known: Any = known_class(tracker)
    if known is not None:
        return known
    namespace = constructor.__prepare__(name, bases)
    of_raws = any(isinstance(raw, Raw) for raw in members.values())
    if of_raws:
        namespace.update({"__new__": make_member, "__init__": lambda *_: None})
    for of_member, value in members.items():
        raw = value if isinstance(value, Raw) or not of_raws else Raw(value, ())
        namespace[of_member] = raw
    kind = _complete(constructor, name, bases, namespace)
    if of_raws:
        del kind.__init__
    kind.__module__, kind.__qualname__ = module, qualname
    return cloudpickle._lookup_class_or_track(tracker, kind)


def make_namedtuple(
    name: str, fields: tuple[str, ...], defaults: Any, module: str, tracker: str
) -> type:
    """Make a namedtuple's class, or find it if it is known here."""
    known: Any = known_class(tracker)
    if known is None:
        known = _namedtuple(name, fields, rename=True, defaults=defaults, module=module)
        cloudpickle._lookup_class_or_track(tracker, known)
    return known  # type: ignore[no-any-return]


def make_typed_dict(name: str, tracker: str) -> Any:
    """Make a TypedDict without its keys, or find it if it is known here."""
    known: Any = known_class(tracker)
    if known is None:
        known = vars(typing)["TypedDict"](name, {})
        cloudpickle._lookup_class_or_track(tracker, known)
    return known


def set_class_state(kind: type, state: Any) -> Any:
    """Complete a class that came by value, unless it is our own that has come back."""
    if kind in _ours:
        return kind
    attributes, more = state
    before, _came[kind] = _came.get(kind), set(attributes)
    for name in (before or set()) - set(attributes):
        if name in vars(kind):
            delattr(kind, name)  # as it was deleted there
    _set_state(kind, (attributes, {}))
    if "dataclass" in more and "__dataclass_fields__" not in vars(kind):
        generated.make_dataclass(kind, *more["dataclass"])
    if more.get("protocol"):
        generated.make_protocol(kind)
    for name, own in more.get("members", {}).items():
        vars(kind.__members__[name]).update(own)  # type: ignore[attr-defined]
    if "boundary" in more:
        generated.set_boundary(kind, more["boundary"])
    if before is None:
        _tell_bases(kind)
    return kind


def _tell_bases(kind: Any) -> None:
    """A base that was here before the class has not been told of it yet; others know it."""
    for base, hook in _hooks(kind.__bases__):
        fn = getattr(hook, "__func__", None)
        if base in _came or base in _ours or not isinstance(fn, FunctionType):
            continue
        takes = fn.__code__.co_argcount
        wanted = fn.__code__.co_varnames[takes : takes + fn.__code__.co_kwonlyargcount]
        if all(name in (fn.__kwdefaults__ or {}) for name in wanted):
            super(kind, kind).__init_subclass__()
