"""What the shapes import: a function in another file that does the raising."""

from __future__ import annotations

from typing import NoReturn


def refuse(error: BaseException) -> NoReturn:
    """Raise it from here, so that its traceback goes through two files."""
    raise error
