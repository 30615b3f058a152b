"""Warnings that calls give: each is sent home, where the filters are that count."""

from __future__ import annotations

import linecache
import os
import sys
import warnings

from . import wire
from .failure import dump_exception
from .lean import pickle
from .sources import lines_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def install(emit: Callable[[bytes], None]) -> None:
    """Send each warning, once for each place in the code.

    Args:
        emit: Takes a warning as bytes: (it, its file, line number, that line, its module).
    """
    owner, show = os.getpid(), warnings.showwarning

    def send(
        message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        if file is not None or os.getpid() != owner:
            show(message, category, filename, lineno, file, line)
            return
        module, text = _place(filename, lineno)
        warning = message if isinstance(message, Warning) else category(message)
        content = (dump_exception(warning), filename, lineno, line or text, module)
        emit(pickle.dumps(content, wire.PICKLE))

    warnings.showwarning = send
    warnings.simplefilter("default")


def _place(file: str, line: int) -> tuple[str, str]:
    """The module that a warning is about, and its line there."""
    frame = sys._getframe(2)
    while frame is not None and (frame.f_code.co_filename, frame.f_lineno) != (file, line):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return "", linecache.getline(file, line)
    first, lines = lines_of(frame.f_code, frame.f_globals) or (line, [""])
    return str(frame.f_globals.get("__name__", "")), lines[line - first]
