"""What an exception is made of, read from where it is kept: none of its own methods is asked."""

from __future__ import annotations

import builtins
from types import GetSetDescriptorType, MemberDescriptorType

from .lean import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_HEAP_TYPE = 1 << 9  # the flag of types that are not C code's own
GROUP: Any = getattr(builtins, "BaseExceptionGroup", None)
_PROTOCOL = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs_ex__")


def own(error: BaseException, name: str, kind: type = BaseException) -> Any:
    """An attribute of an exception as it is kept, whatever its type says."""
    return vars(kind)[name].__get__(error)


def state_of(error: BaseException) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """Its arguments, what descriptors keep, and its attributes."""
    return own(error, "args"), dict(_members_of(error)), dict(own(error, "__dict__"))


def _members_of(error: BaseException) -> Iterator[tuple[str, Any]]:
    """What slots keep, and the members of the standard library's types."""
    for kind in type(error).__mro__:
        known = kind in (BaseException, GROUP) or not issubclass(kind, BaseException)
        if known and not is_heap(kind):
            continue
        for name, descriptor in vars(kind).items():
            in_slot = type(descriptor) is MemberDescriptorType
            if not in_slot and (is_heap(kind) or type(descriptor) is not GetSetDescriptorType):
                continue
            with suppress(AttributeError):  # it is not set
                value = descriptor.__get__(error)
                if value is not None or is_heap(kind):
                    yield name, value


def is_heap(kind: type) -> bool:
    """Whether a type was made by Python code, or as one is."""
    return bool(kind.__flags__ & _HEAP_TYPE)


def shell_of(kind: type, group: tuple[str, list[BaseException]] | None) -> BaseException:
    """A new exception of some type that is nothing but of that type.

    Raises:
        TypeError: That cannot be had: code in C makes those.
    """
    base: Any = next(base for base in kind.__mro__ if not is_heap(base))
    if GROUP is not None and issubclass(base, GROUP) and group is not None:
        return base.__new__(kind, *group)  # type: ignore[no-any-return]
    made: BaseException = base.__new__(kind)
    if not isinstance(made, BaseException):
        raise TypeError(f"{kind!r} is not a type of exceptions")
    return made


def is_plain(value: Any, depth: int = 8, *, numbered: bool = False) -> bool:
    """Whether it is of plain objects only, whose unpickling runs no code but pickle's.

    Args:
        depth: How deep it is looked into.
        numbered: Whether exceptions go by their numbers, which is plain too.
    """
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind in (tuple, list):
        parts = value
    elif kind is dict:
        parts = [part for pair in value.items() for part in pair]
    else:
        return numbered and isinstance(value, BaseException)
    return depth > 0 and all(is_plain(part, depth - 1, numbered=numbered) for part in parts)


_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes))


def says_how(kind: type) -> bool:
    """Whether a type has code of its own to be pickled by."""
    python = [base for base in kind.__mro__ if is_heap(base)]
    return any(name in vars(base) for base in python for name in _PROTOCOL)
