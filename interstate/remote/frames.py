"""Tracebacks to plain data: where each frame was, and the lines that ran there."""

from __future__ import annotations

from collections import namedtuple

from .sources import lines_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any

    Lines = dict[str, dict[int, str]]  # file -> number -> line
    Position = tuple[Any, Any, Any, Any]  # line, end line, column, end column

MOST = 5000  # frames of one traceback; what is between its first and its last is left out
_BEFORE, _AFTER = 60, 15  # lines of a long function around the one that runs


class Frame(namedtuple("Frame", "file name qualname first line end_line column end_column module")):
    """Where a frame was.

    Attributes:
        file: Of its code, as the name and qualname are.
        first: The number of the first line of that code.
        line, end_line, column, end_column: The position, as `co_positions` has it.
        module: The name of the module that it ran in.
    """

    __slots__ = ()


def collect(tb: TracebackType | None, lines: Lines) -> list[tuple[Any, ...]]:
    """Return the Frames of a traceback as tuples, the outermost first; add their lines."""
    found: dict[Frame, tuple[Any, ...]] = {}  # equal ones are one object: they pickle small
    frames = []
    while tb is not None:
        code, namespace = tb.tb_frame.f_code, tb.tb_frame.f_globals
        frame = _frame(code, _position(tb), namespace)
        if frame not in found:
            found[frame] = tuple(frame)
            _add_lines(frame, code, namespace, lines)
        frames.append(found[frame])
        tb = tb.tb_next
    return frames if len(frames) <= MOST else frames[: MOST // 2] + frames[-MOST // 2 :]


def frame_at(code: CodeType, instruction: int, line: int) -> Frame:
    """Return the Frame of code that stands at some instruction."""
    return _frame(code, _position_of(code, instruction, line), {})


def _frame(code: CodeType, position: Position, namespace: dict[str, Any]) -> Frame:
    qualname = getattr(code, "co_qualname", code.co_name)
    module = namespace.get("__name__")
    return Frame(
        *(code.co_filename, code.co_name, qualname, code.co_firstlineno),
        *position,
        module if type(module) is str else "",
    )


def _position(tb: TracebackType) -> Position:
    return _position_of(tb.tb_frame.f_code, tb.tb_lasti, tb.tb_lineno)


def _position_of(code: CodeType, instruction: int, line: int | None) -> Position:
    if instruction >= 0 and hasattr(code, "co_positions"):
        for index, position in enumerate(code.co_positions()):
            if index == instruction // 2:
                return position if position[0] is not None else (line, *position[1:])
    return line, None, None, None


def _add_lines(frame: Frame, code: CodeType, namespace: dict[str, Any], lines: Lines) -> None:
    segment = lines_of(code, namespace)
    if segment is not None:
        first, text = segment
        low = max(first, frame.line - _BEFORE)
        high = max(frame.line, frame.end_line or 0) + _AFTER
        kept = text[low - first : high - first + 1]
        lines.setdefault(code.co_filename, {}).update(enumerate(kept, low))
