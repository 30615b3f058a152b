"""Tracebacks made anew: real ones, of frames that look as those elsewhere did.

Each frame is one of code compiled for it: with the name, the file and the exact position, so that
everything that shows tracebacks shows them.  Where the file here has other lines than ran there,
or none, the frame's file gets a name of its own, under which `linecache` has those that ran.
"""

from __future__ import annotations

import ast
import copy
import linecache
import sys
from types import CodeType, TracebackType

from . import trees
from .frames import Frame
from .lean import suppress
from .sources import padded, put_into_linecache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .frames import Lines

_MOST_STUBS = 4096
_MOST_FILES = 512  # that linecache has lines of on our account
_HAS_POSITIONS = sys.version_info >= (3, 11)
_FIRST = compile("0", "", "exec").co_firstlineno
_UNKNOWN = -1 if _HAS_POSITIONS else 0  # in place of a column
_LOAD = ast.Load()
_NOTHING = "nothing has this name"
_stubs: dict[tuple[Frame, str], tuple[CodeType, int]] = {}
_files: dict[str, dict[int, str]] = {}  # name -> number -> line, of those in linecache


class _Loader:
    """Knows the source of a stub, for those who ask the loader."""

    def __init__(self, file: str) -> None:
        self._file = file

    def get_source(self, name: str) -> str:
        return "".join(padded(_files.get(self._file, {})))


def traceback_of(frames: Sequence[Frame], lines: Lines) -> TracebackType | None:
    """Return a traceback of such frames, the outermost first; None if there are none.

    Args:
        lines: What ran there, as far as it is known.
    """
    files = {frame.file for frame in frames}
    names = {file: name_here(file, lines.get(file, {})) for file in files}
    return chain(frames, names, lines)


def chain(frames: Sequence[Frame], names: dict[str, str], lines: Lines) -> TracebackType | None:
    """Return a traceback of such frames, whose files have other names here."""
    made: dict[Frame, Any] = {}
    tb = None
    for frame in reversed(frames):
        if frame not in made:
            code, instruction = _stub(frame, names.get(frame.file, frame.file), lines)
            made[frame] = _frame_of(code, frame.module), instruction
        stub, instruction = made[frame]
        tb = TracebackType(tb, stub, instruction, frame.line)
    return tb


# --------------------------------------------------------------------------------- stubs


def _frame_of(code: CodeType, module: str) -> Any:
    """A frame object of a stub."""
    namespace: dict[str, Any] = {"__name__": module}
    if code.co_filename in _files:
        namespace["__loader__"] = _Loader(code.co_filename)
    try:
        exec(code, namespace)  # noqa: S102  # it fails at once
    except NameError as stop:
        tb: Any = stop.__traceback__
        return tb.tb_next.tb_frame
    raise AssertionError("a stub ran on")


def _stub(frame: Frame, file: str, lines: Lines) -> tuple[CodeType, int]:
    """Code that has an instruction at that position, of the kind that was there; and where it is.

    Who shows tracebacks may look for the expression that an instruction was made from.
    """
    stub = _stubs.get((frame, file))
    if stub is None:
        if len(_stubs) >= _MOST_STUBS:
            _stubs.clear()
        stub = _stubs[frame, file] = _make_stub(frame, file, lines.get(frame.file, {}))
    return stub


def _make_stub(frame: Frame, file: str, lines: dict[int, str]) -> tuple[CodeType, int]:
    position = frame.line, frame.end_line, frame.column, frame.end_column
    if not _HAS_POSITIONS:
        return _compiled(frame, file, _raise(frame.line, frame.line, 0, 0)), 0
    if None in position:
        code = _compiled(frame, file, _raise(frame.line, frame.line, _UNKNOWN, _UNKNOWN))
        return code, _instruction_at(code, (frame.line, frame.line, None, None)) or 0
    for node in _expressions_that_end_at(position, lines):
        with suppress(SyntaxError, ValueError):  # such as one that may stand in functions only
            code = _compiled(frame, file, node)
            found = _instruction_at(code, position)
            if found is not None:
                return code, found
    code = _compiled(frame, file, _raise(*position))
    return code, _instruction_at(code, position) or 0


def _compiled(frame: Frame, file: str, what: ast.expr | ast.Raise) -> CodeType:
    """Code that fails before it comes to an expression, or to a raise, where that is."""
    first = min(frame.first, frame.line)
    stop = ast.Expr(ast.Name(_NOTHING, ast.Load()))
    last: Any = what
    if isinstance(what, ast.expr):
        last = ast.Assign([ast.Name(_NOTHING, ast.Store())], what)
    for node in (*ast.walk(stop), last, *getattr(last, "targets", ())):
        if node is not what:
            _place(node, frame.line, frame.line, _UNKNOWN, _UNKNOWN)
    body = [stop, last, copy.deepcopy(stop)]  # the end of the code is made from its last statement
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, (ast.stmt, ast.expr, ast.keyword, ast.arg)):
            node.lineno += _FIRST - first
            node.end_lineno = (node.end_lineno or node.lineno) + _FIRST - first
    names: Any = {"co_name": frame.name, "co_firstlineno": first}
    if _HAS_POSITIONS:
        names["co_qualname"] = frame.qualname
    return trees.compile_tree(ast.Module(body, []), file).replace(**names)


def _instruction_at(code: CodeType, position: Any) -> int | None:
    """The offset of the last instruction that is made from there, but for what only caches."""
    offsets = [
        2 * index
        for index, at in enumerate(code.co_positions())
        if at == position and code.co_code[2 * index] != 0
    ]
    return offsets[-1] if offsets else None


def _expressions_that_end_at(position: Any, lines: dict[int, str]) -> Iterator[ast.expr]:
    """The expressions of a source that end there, those first that begin there too."""
    try:
        tree = trees.parse("".join(padded(lines)))
    except (SyntaxError, ValueError, RecursionError):
        return
    line, end_line, column, end_column = position
    ending: list[Any] = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.expr)
        and (node.end_lineno, node.end_col_offset) == (end_line, end_column)
        and isinstance(getattr(node, "ctx", _LOAD), ast.Load)
    ]
    ending.sort(key=lambda node: (node.lineno, node.col_offset) != (line, column))
    yield from (copy.deepcopy(node) for node in ending)


def _raise(line: int, end_line: int, column: int, end_column: int) -> ast.Raise:
    statement = ast.Raise(None, None)
    _place(statement, line, end_line, column, end_column)
    return statement


def _place(node: Any, line: int, end_line: int, column: int, end_column: int) -> None:
    node.lineno, node.end_lineno, node.col_offset = line, end_line, column
    node.end_col_offset = end_column


# --------------------------------------------------------------------------------- files


def name_here(file: str, lines: dict[int, str]) -> str:
    """The name to give to a file of another computer: its own where that means the same here."""
    if not file.startswith("<"):
        linecache.checkcache(file)
    here = linecache.getlines(file)
    if not lines:
        return f"{file} (remote)" if here else file
    if all(here[number - 1 : number] == [line] for number, line in lines.items()):
        return file
    number = 1
    while True:
        name = f"{file} (remote{f' {number}' if number > 1 else ''})"
        known = _files.get(name, {})
        if all(known.get(at, line) == line for at, line in lines.items()):
            show(name, lines)
            return name
        number += 1


def show(name: str, more: dict[int, str]) -> None:
    """Let `linecache` know lines of a file that is not here."""
    known = _files.setdefault(name, {})
    known.update(more)
    put_into_linecache(name, known)
    while len(_files) > _MOST_FILES:
        oldest = next(iter(_files))
        del _files[oldest]
        linecache.cache.pop(oldest, None)
