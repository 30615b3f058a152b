"""Code objects to what any Python can make them of, and back.

One travels as bytecode, which a Python of the same version takes, and as its source, which another
one compiles.  Source counts only if it compiles to what runs here.
"""

from __future__ import annotations

import marshal
import re
import sys
from _frozen_importlib_external import MAGIC_NUMBER
from types import CodeType, FunctionType

from . import current, sources
from .errors import PythonVersionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    from .compiling import Functions, Recipe, Segment

    How = Union[tuple[Any, ...], str]  # a Recipe; or why there is none

_PYTHON = ".".join(map(str, sys.version_info[:3]))
_VERSION = 2  # of marshal: equal code always gives equal bytes
_MOST = 4096  # code objects that are remembered
_MOST_TREES = 64  # of texts: one may be large
_MOST_REBUILT = 256
_known: dict[int, Any] = {}  # by id: code, and what it is reduced to
_functions: dict[int, Any] = {}  # by id: lines, and the Functions in them
_rebuilt: dict[tuple[Any, ...], Any] = {}  # by what came: code, and the source that came with it
_NOT_KNOWN = "its source is not known: it was generated, or typed where nothing is kept"
_NOT_ITS = "its source does not compile to what runs: a tool has changed one of them"
_NOT_FOUND = re.compile(r"Can't get attribute '([\w.]+)' on <module '([\w.]+)'")


def reduce_code(code: CodeType) -> tuple[Any, ...]:
    """Return a code object's reduction; raises ValueError if it is none that a compiler makes."""
    known = _known.get(id(code))
    if known is None or known[0] is not code:
        if len(_known) >= _MOST:
            _known.clear()
        known = _known[id(code)] = code, _reduce(code)
    return rebuild_code, known[1]


def rebuild_code(
    python: str, magic: bytes, bytecode: bytes, name: str, segment: Segment | None, how: How
) -> CodeType:
    """Make a code object, and note the source that it came with.

    Raises:
        PythonVersionError: This Python cannot run it.
    """
    came = python, magic, bytecode, name  # call after call has the same function with it
    known = _rebuilt.get(came)
    if known is None or known[1:] != (segment, how):
        if len(_rebuilt) >= _MOST_REBUILT:
            _rebuilt.clear()
        known = _rebuilt[came] = _rebuild(*came, segment, how), segment, how
    code: CodeType = known[0]
    if segment is not None:
        sources.show_in_linecache(code.co_filename, segment)
    return code


def _rebuild(
    python: str, magic: bytes, bytecode: bytes, name: str, segment: Segment | None, how: How
) -> CodeType:
    if magic == MAGIC_NUMBER:
        code: CodeType = marshal.loads(bytecode)  # noqa: S302  # from whose account this is
    else:
        code = _compile(python, name, segment, how)
    if segment is not None:
        sources.note(code, segment, how)
    return code


def without_rewriting(fn: FunctionType) -> FunctionType:
    """A function as it was written, if it is one whose asserts pytest has rewritten.

    What these need is pytest's own, and not over there.
    """
    if not _is_rewritten(fn.__code__):
        return fn
    found = _find(fn.__code__, rewritten=True)
    if found is None:
        return fn
    plain = FunctionType(found[2], fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    plain.__dict__.update(fn.__dict__)
    for name in ("__kwdefaults__", "__annotations__", "__qualname__", "__doc__", "__module__"):
        setattr(plain, name, getattr(fn, name))
    _known[id(found[2])] = found[2], _reduced(found[2], found[0], tuple(found[1]))
    return plain


def _reduce(code: CodeType) -> tuple[Any, ...]:
    noted = sources.how_noted(code)
    if noted is not None:
        return _reduced(code, *noted)
    found = _find(code)
    if found is not None:
        return _reduced(code, found[0], tuple(found[1]))
    segment = sources.lines_of(code)
    return _reduced(code, segment, _NOT_KNOWN if segment is None else _NOT_ITS)


def _reduced(code: CodeType, segment: Segment | None, how: How) -> tuple[Any, ...]:
    name = getattr(code, "co_qualname", code.co_name)
    return _PYTHON, MAGIC_NUMBER, marshal.dumps(code, _VERSION), name, segment, how


def _find(code: CodeType, *, rewritten: bool = False) -> tuple[Segment, Recipe, CodeType] | None:
    """Where its source is, how to compile that, and what comes of it."""
    from .compiling import compiled

    text = sources.text_around(code)
    functions = None if text is None or isinstance(text[1], str) else _functions_of(*text)
    if text is None or functions is None:
        return None
    for segment, recipe in functions.candidates(code, text[0]):
        try:
            made = compiled(segment, recipe)
        except (SyntaxError, ValueError):
            continue
        if made.replace(co_flags=code.co_flags) == code or (rewritten and _alike(made, code)):
            return segment, recipe, made
    return None


def _functions_of(segment: Segment, how: How | None) -> Functions | None:
    """The functions in a text: a file's, or that of one function."""
    from . import trees
    from .compiling import Functions, Recipe, parsed

    lines = segment[1]
    known = _functions.get(id(lines))
    if known is None or known[0] is not lines:
        if len(_functions) >= _MOST_TREES:
            _functions.clear()
        try:
            if how is None:
                found = Functions(trees.parse("".join(lines)))
            else:
                recipe = Recipe(*how)
                found = Functions(parsed(segment, recipe), recipe)
        except (SyntaxError, ValueError):
            found = None
        known = _functions[id(lines)] = lines, found
    return known[1]


def _is_rewritten(code: CodeType) -> bool:
    return any(
        name.startswith("@py")
        for part in sources.codes_in(code)
        for name in (*part.co_names, *part.co_varnames)
    )


def _alike(code: CodeType, other: CodeType) -> bool:
    takes = code.co_argcount + code.co_kwonlyargcount
    return code.co_varnames[:takes] == other.co_varnames[:takes]


def not_here(error: AttributeError) -> Exception:
    """What to raise when a pickle names what the standard library of this Python has not."""
    found = _NOT_FOUND.match(str(error))
    same = current.python.rpartition(".")[0] in ("", _PYTHON.rpartition(".")[0])
    if found is None or same or found[2] == "__main__":
        return error
    return cannot_cross("the call", f"{found[2]}.{found[1]} is not there")


def cannot_cross(name: str, why: str) -> PythonVersionError:
    """The error of something that came from another Python, and has no place in this one."""
    return PythonVersionError(_cannot(current.python or "another version", name, why))


def _compile(python: str, name: str, segment: Segment | None, how: How) -> CodeType:
    if segment is None or isinstance(how, str):
        raise PythonVersionError(_cannot(python, name, str(how)))
    from .compiling import Recipe, compiled

    try:
        return compiled(segment, Recipe(*how))
    except SyntaxError as error:
        line = segment[0] + (error.lineno or 1) - (2 if how[-2] and name != "<lambda>" else 1)
        why = f"its syntax is not known there: {error.msg} ({how[0]}, line {line})"
        raise PythonVersionError(_cannot(python, name, why)) from None
    except ValueError as error:
        raise PythonVersionError(_cannot(python, name, str(error))) from None


def _cannot(python: str, name: str, why: str) -> str:
    where = f" on {current.host}" if current.host else ""
    return f"{name} is from Python {python} and cannot run in Python {_PYTHON}{where}: {why}"
