"""An exception in plain data: what two exceptions are compared by, wherever they are.

It runs here and over there, and makes lists, dicts and strings only.  Two exceptions that are equal
in all that one may see are described equally: their class, args, attributes, text, what is chained
to them, and the traceback with its source lines and carets.
"""

from __future__ import annotations

import hashlib
import os
import re
import traceback
from collections.abc import Callable, Collection, Iterator
from types import GetSetDescriptorType, MemberDescriptorType, TracebackType
from typing import Any

Description = dict[str, Any]
Resolve = Callable[[str], Any]  # the class of that name that is here; None: there is none

THERE = "FIDELITY_THERE"  # a variable of the environment, for the shapes that look where they are
TEXT = "text"  # what is not to be made, where making it never ends
NOTES = "notes"

_ADDRESS = re.compile(r"\b0x[0-9a-f]+")
_LONGEST = 20_000
_REPEATED = 3  # frames alike, of which there may be more or fewer
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def catch(fn: Callable[[], object], skips: Collection[str] = ()) -> Description:
    """Call it, and describe what it raises from its own frame on, as it is where it ran."""
    before = os.environ.get(THERE)
    os.environ[THERE] = "yes"
    try:
        fn()
    except BaseException as error:
        tb = error.__traceback__
        return describe(error, skips=skips, tb=tb.tb_next if tb else None)
    finally:
        if before is None:
            del os.environ[THERE]
    raise AssertionError(f"{fn} raised nothing")


def catch_all(fns: dict[str, Callable[[], object]], skips: dict[str, Any]) -> dict[str, Any]:
    """Describe what each of some functions raises."""
    return {name: catch(fn, skips.get(name, ())) for name, fn in fns.items()}


def describe(
    error: BaseException,
    *,
    skips: Collection[str] = (),
    tb: TracebackType | None = None,
    resolve: Resolve | None = None,
) -> Description:
    """Return an exception in plain data.

    Args:
        skips: What is not to be described.
        tb: Its traceback, if not the one that it has.
        resolve: Classes that are not those that it returns are said to be others.
    """
    return _Describing(skips, resolve).exception(error, tb or error.__traceback__)


class _Describing:
    """What is described already goes by its number, so that rings end."""

    def __init__(self, skips: Collection[str], resolve: Resolve | None) -> None:
        self._skips = skips
        self._resolve = resolve
        self._seen: dict[int, tuple[int, Any]] = {}  # by id; with the object, which keeps the id

    def exception(self, error: BaseException, tb: TracebackType | None) -> Description:
        if (again := self._again(error)) is not None:
            return again
        notes = vars(error).get("__notes__")
        return {
            "class": self._class(type(error)),
            "args": self._value(error.args),
            "attributes": {name: self._value(value) for name, value in _attributes(error)},
            "text": None if TEXT in self._skips else _shortened(_text(error)),
            "notes": None if NOTES in self._skips else self._value(notes),
            "suppress_context": error.__suppress_context__,
            "cause": self._value(error.__cause__),
            "context": self._value(error.__context__),
            "frames": frames(tb),
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, BaseException):
            return self.exception(value, value.__traceback__)
        if isinstance(value, TracebackType):
            return {"traceback": frames(value)}
        if isinstance(value, type):
            return f"class {self._class(value)}"
        if type(value) in _PLAIN:
            return _shortened(_text(value, repr))
        if (again := self._again(value)) is not None:
            return again
        return self._thing(value)

    def _thing(self, value: Any) -> Any:
        kind = self._class(type(value))
        if isinstance(value, dict):
            return {"type": kind, "items": [self._value([*pair]) for pair in value.items()]}
        if isinstance(value, list | tuple | set | frozenset):
            return {"type": kind, "items": [*map(self._value, value)]}
        return {"type": kind, "repr": _shortened(_text(value, repr))}

    def _again(self, value: object) -> Description | None:
        if id(value) in self._seen:
            return {"again": self._seen[id(value)][0]}
        self._seen[id(value)] = len(self._seen), value
        return None

    def _class(self, cls: type) -> str:
        name = f"{cls.__module__}.{cls.__qualname__}"
        here = self._resolve(name) if self._resolve else None
        return name if here in (None, cls) else f"{name}, another class of that name"


def frames(tb: TracebackType | None) -> list[list[Any]]:
    """For each frame: file, line, function, and the source lines with their carets."""
    summary = traceback.extract_tb(tb)
    found: list[list[Any]] = []
    for frame in summary:
        shown = summary.format_frame_summary(frame).partition("\n")[2]
        line = [frame.filename, frame.lineno, frame.name, shown]
        if found[-_REPEATED:] != [line] * _REPEATED:
            found.append(line)
    return found


def _attributes(error: BaseException) -> Iterator[tuple[str, Any]]:
    """The public ones: in its dict, in slots, of C, and properties."""
    kinds = (MemberDescriptorType, GetSetDescriptorType, property)
    names = {
        name
        for cls in type(error).__mro__
        for name, member in vars(cls).items()
        if isinstance(member, kinds)
    }
    for name in sorted(names | vars(error).keys()):
        if not name.startswith("_") and name != "args":
            try:
                value = getattr(error, name)
            except AttributeError:  # a slot that is empty
                continue
            except Exception as problem:
                value = f"raises {type(problem).__qualname__}"
            yield name, value


def _text(value: object, make: Callable[[object], str] = str) -> str:
    try:
        text = make(value)
    except Exception as problem:
        return f"raises {type(problem).__qualname__}"
    return _ADDRESS.sub("0x…", text) if len(text) <= _LONGEST else text


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return f"{text[:20]}… {len(text)} characters, {digest}"
