"""The source lines that code was made from: as they were then, whatever its file has become.

Code that came from elsewhere brings its lines along.  For the rest `linecache` is asked; if the
file has changed since this process started, its text counts only if it still compiles to the code.
"""

from __future__ import annotations

import linecache
import os
import time
import weakref
from types import CodeType

from . import alarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Segment = tuple[int, list[str]]  # the number of the first line, and the lines

NEWLOCALS = 2  # the flag of functions, which the code of a class has not
_ANY_TEXT = ("<string>", "<stdin>")  # files that are more than one
_MOST = 4096  # code objects whose lines are remembered
_came: dict[int, Any] = {}  # by id: a weak reference to code from elsewhere, and what it came with
_shown: dict[str, dict[int, str]] = {}  # file -> number -> line: what linecache has from us
_known: dict[int, Any] = {}  # by id: code, and its Segment or None
_compiled: dict[str, tuple[list[str], list[CodeType]]] = {}  # file -> its lines, all that is there


def note(code: CodeType, segment: Segment, how: Any, outermost: bool = True) -> None:
    """Know the lines of code that came with them, and how it was to be compiled.

    They are known for as long as the code is there, and for that within it.
    """
    key = id(code)
    forget = weakref.ref(code, lambda _: _came.pop(key, None))
    _came[key] = forget, segment, how, outermost
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            note(constant, segment, how, False)


def how_noted(code: CodeType) -> Any:
    """The lines that code came with, and how to compile it; or None."""
    came = _came_with(code)
    return came[1:3] if came is not None and (came[3] or isinstance(came[2], str)) else None


def text_around(code: CodeType) -> tuple[Segment, Any] | None:
    """The whole text that code is in: its file's, or what it came in and how to compile that."""
    came = _came_with(code)
    if came is not None:
        return came[1:3]  # type: ignore[no-any-return]
    lines = linecache.getlines(code.co_filename)
    return ((1, lines), None) if lines and _made_of(code, lines) else None


def _came_with(code: CodeType) -> Any:
    came = _came.get(id(code))
    return came if came is not None and came[0]() is code else None


def lines_of(code: CodeType, namespace: dict[str, Any] | None = None) -> Segment | None:
    """Return the lines that a code object was made from; None if they cannot be had.

    Args:
        namespace: The globals that it runs with: their loader may know the source.
    """
    came = _came_with(code)
    if came is not None:
        return came[1]  # type: ignore[no-any-return]
    known = _known.get(id(code))
    if known is None or known[0] is not code:
        if len(_known) >= _MOST:
            _known.clear()
        known = _known[id(code)] = code, _find(code, namespace)
    return known[1]


def padded(lines: dict[int, str]) -> list[str]:
    """All lines of a file of which some are known; the others are empty.

    If what is known first is indented, it is made to parse: who shows a traceback may want that.
    """
    text = [lines.get(number, "\n") for number in range(1, max(lines, default=0) + 1)]
    first = min(lines, default=1)
    if first > 1 and text[first - 1][:1].isspace():
        text[0] = "if True:\n"
    return text


def _find(code: CodeType, namespace: dict[str, Any] | None) -> Segment | None:
    first, last = _span(code)
    lines = linecache.getlines(code.co_filename, namespace)
    if len(lines) < first or not _made_of(code, lines):
        return None
    return (1, lines) if code.co_name == "<module>" else (first, lines[first - 1 : last])


def _span(code: CodeType) -> tuple[int, int]:
    """The numbers of its first and last line."""
    numbers = {code.co_firstlineno, *_line_numbers(code)}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            numbers.update(_span(constant))
    return min(numbers), max(numbers)


def _line_numbers(code: CodeType) -> Iterator[int]:
    if hasattr(code, "co_positions"):
        yield from (end for _, end, _, _ in code.co_positions() if end)
    else:
        import dis

        yield from (line for _, line in dis.findlinestarts(code))


def _made_of(code: CodeType, lines: list[str]) -> bool:
    """Whether these lines of its file are those that it was made from."""
    if code.co_filename in _ANY_TEXT:
        return code in _codes_in(code.co_filename, lines)
    try:
        status = os.stat(code.co_filename)
    except (OSError, ValueError):
        return True  # no file: they were noted for it
    changed = max(status.st_mtime, status.st_ctime)  # an older file may have taken its place
    return changed < started(_IMPORTED) or code in _codes_in(code.co_filename, lines)


def _codes_in(file: str, lines: list[str]) -> list[CodeType]:
    """All code objects that the text of a file compiles to."""
    known = _compiled.get(file)
    if known is None or known[0] is not lines:
        try:
            found = [compile("".join(lines), file, "exec", dont_inherit=True)]
        except (SyntaxError, ValueError):
            found = []
        known = _compiled[file] = lines, [code for whole in found for code in codes_in(whole)]
    return known[1]


def codes_in(code: CodeType) -> list[CodeType]:
    """A code object, and all that are within it."""
    found = [code]
    for each in found:  # grows while it is walked
        found += [constant for constant in each.co_consts if isinstance(constant, CodeType)]
    return found


def started(unknown: float) -> float:
    """When this process started, or was forked, as Unix time; or `unknown`, if nobody tells."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.time() - since_boot + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return unknown


_IMPORTED = time.time()


def show_in_linecache(file: str, segment: Segment) -> None:
    """Let whoever prints a traceback here find the lines that came; but hide no file of the user's.

    What is at that path over there means nothing to who sent the code.
    """
    if not alarm.enabled and linecache.getlines(file) and file not in _shown:
        return
    first, lines = segment
    shown, new = _shown.setdefault(file, {}), dict(enumerate(lines, first))
    if file not in linecache.cache or not new.items() <= shown.items():
        shown.update(new)
        put_into_linecache(file, shown)


def put_into_linecache(file: str, lines: dict[int, str]) -> None:
    """Let `linecache` have these lines of a file, whatever is on the disk."""
    text = padded(lines)
    linecache.cache[file] = (sum(map(len, text)), None, text, file)
