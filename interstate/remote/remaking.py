"""Objects of the standard library that pickle refuses, or other versions pickle otherwise."""

from __future__ import annotations

import functools
from types import FunctionType

from cloudpickle import cloudpickle  # type: ignore[import-untyped]

from .pickling import known_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_DISPATCHER = vars(functools)["singledispatch"](len).__code__  # of all that it makes

_OF_FORWARD = ("__forward_is_argument__", "__forward_is_class__", "__forward_module__")


def _is_known_by(name: str | None, obj: Any) -> bool:
    """Whether it is to be found in a module that goes by its name, too."""
    found = cloudpickle._lookup_module_and_qualname(obj, name=name) if name else None
    return found is not None and not cloudpickle._is_registered_pickle_by_value(found[0])


# --------------------------------------------------------------------------- functions


def reduce_cached(pickler: Any, cached: Any) -> Any:
    """A function with an `lru_cache`, which is empty wherever it arrives."""
    fn = getattr(cached, "__wrapped__", None)
    if _is_known_by(getattr(cached, "__qualname__", None), cached):
        return NotImplemented
    limits = cached.cache_parameters() if hasattr(cached, "cache_parameters") else {}
    if not isinstance(fn, FunctionType) or cloudpickle._should_pickle_by_reference(fn):
        return make_cached, (None, (fn,), limits)
    make, arguments, state, *_ = pickler._dynamic_function_reduce(fn)
    return make_cached, (make, arguments, limits), state, None, None, set_cached_state


def make_cached(make: Any, arguments: Any, limits: dict[str, Any]) -> Any:
    """Make it around a function without its state, or a whole one."""
    fn = make(*arguments) if make is not None else arguments[0]
    return functools.lru_cache(limits.get("maxsize", 128), limits.get("typed", False))(fn)


def set_cached_state(cached: Any, state: Any) -> Any:
    """Complete the function, and name its cache after it."""
    cloudpickle._function_setstate(cached.__wrapped__, state)
    functools.update_wrapper(cached, cached.__wrapped__)
    return cached


def reduce_cached_property(pickler: Any, cached: Any) -> Any:
    """A `cached_property`, which has a lock in some versions."""
    return make_cached_property, (cached.func, cached.attrname)


def make_cached_property(fn: Callable[[Any], Any], name: str | None) -> Any:
    """Make it, as its class had done."""
    made = functools.cached_property(fn)
    made.attrname = name
    return made


def is_dispatcher(fn: FunctionType) -> bool:
    """Whether `singledispatch` has made it."""
    return fn.__code__ is _DISPATCHER


def reduce_dispatcher(dispatcher: Any) -> Any:
    """What `singledispatch` has made: by the functions that were registered."""
    state = dict(dispatcher.registry), dispatcher.__wrapped__
    return make_dispatcher, (), state, None, None, set_dispatcher_state


def make_dispatcher() -> Any:
    """Make one that knows no function yet."""
    return functools.singledispatch(len)


def set_dispatcher_state(dispatcher: Any, state: Any) -> Any:
    """Register its functions."""
    registry, wrapped = state
    for kind, fn in registry.items():
        dispatcher.register(kind, fn)
    functools.update_wrapper(dispatcher, wrapped)
    return dispatcher


def reduce_dispatching_method(pickler: Any, method: Any) -> Any:
    """A `singledispatchmethod`: likewise."""
    state = dict(method.dispatcher.registry), method.func
    return make_dispatching_method, (), state, None, None, set_method_state


def make_dispatching_method() -> Any:
    """Make one that knows no function yet."""
    return functools.singledispatchmethod(len)


def set_method_state(method: Any, state: Any) -> Any:
    """Register its functions."""
    registry, method.func = state
    for kind, fn in registry.items():
        method.dispatcher.register(kind, fn)
    return method


# ------------------------------------------------------------------------------- types


def reduce_union(pickler: Any, union: Any) -> Any:
    """A type like `int | None`, which not every version can write so."""
    return make_union, (union.__args__,)


def make_union(kinds: tuple[Any, ...]) -> Any:
    """Make it, or the same by its longer name."""
    import operator
    import types
    import typing

    if hasattr(types, "UnionType"):
        return functools.reduce(operator.or_, kinds)
    return typing.Union[kinds]


def reduce_type_variable(pickler: Any, variable: Any) -> Any:
    """A ParamSpec or TypeVarTuple that is no attribute of a module."""
    if _is_known_by(variable.__name__, variable):
        return NotImplemented
    tracker = cloudpickle._get_or_create_tracker_id(variable)
    return make_type_variable, (type(variable).__name__, variable.__name__, tracker)


def make_type_variable(kind: str, name: str, tracker: str) -> Any:
    """Make it; a plain TypeVar where this Python does not know its kind."""
    import typing

    known: Any = known_class(tracker)
    if known is not None:
        return known
    made = getattr(typing, kind, typing.TypeVar)(name)
    return cloudpickle._lookup_class_or_track(tracker, made)


def reduce_alias(pickler: Any, alias: Any) -> Any:
    """What a `type` statement has made."""
    if _is_known_by(alias.__name__, alias):
        return NotImplemented
    return make_alias, (alias.__name__, alias.__value__, alias.__type_params__)


def make_alias(name: str, value: Any, parameters: tuple[Any, ...]) -> Any:
    """Make it; where this Python has none of that kind, it is what it stands for."""
    import typing

    if hasattr(typing, "TypeAliasType"):
        return typing.TypeAliasType(name, value, type_params=parameters)
    return value


def reduce_form(pickler: Any, form: Any) -> Any:
    """What `typing` has for annotations, such as `Self`: not every version has all of it."""
    return make_form, (form._name,)


def make_form(name: str) -> Any:
    """Return it; where this Python has none of that name, what says nothing."""
    import typing

    return getattr(typing, name, Unknown)


class Unknown:
    """Stands in an annotation for what this Python does not know."""

    def __class_getitem__(cls, item: Any) -> Any:
        return item[0] if isinstance(item, tuple) else item


def reduce_forward(pickler: Any, forward: Any) -> Any:
    """A name in an annotation that was written as text."""
    state = {n: getattr(forward, n) for n in _OF_FORWARD if hasattr(forward, n)}
    return make_forward, (forward.__forward_arg__,), state, None, None, set_forward_state


def make_forward(text: str) -> Any:
    """Make it."""
    import typing

    return typing.ForwardRef(text)


def set_forward_state(forward: Any, state: dict[str, Any]) -> Any:
    """Say where it stands, as far as this Python keeps that."""
    for name, value in state.items():
        if hasattr(forward, name):
            setattr(forward, name, value)
    return forward


def reduce_new_type(pickler: Any, new: Any) -> Any:
    """What `NewType` has made: a function or an object, as the version has it."""
    if _is_known_by(getattr(new, "__qualname__", None), new):
        return NotImplemented
    return make_new_type, (new.__name__, new.__supertype__, new.__module__)


def make_new_type(name: str, kind: Any, module: str) -> Any:
    """Make it."""
    import typing

    made: Any = vars(typing)["NewType"](name, kind)
    made.__module__ = module
    return made


def reduce_method(pickler: Any, method: Any) -> Any:
    """A class method of a class that goes by its name does so too."""
    kind, name = method.__self__, method.__name__
    by_name = isinstance(kind, type) and cloudpickle._should_pickle_by_reference(kind)
    if by_name and getattr(kind, name, None) == method:
        return getattr, (kind, name)
    return NotImplemented
