"""Parses and compiles, in whatever threads.

CPython 3.11 and 3.12.0 to 3.12.2 keep count of how deep they are in a tree for all threads at once
(https://github.com/python/cpython/issues/106905), and fail when two of them are.
"""

from __future__ import annotations

import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

_ATTEMPTS = 100  # it takes another thread within the same microseconds to fail


def parse(text: str) -> ast.Module:
    """Return the tree of a text; raises SyntaxError or ValueError."""
    return _steadily(ast.parse, text)  # type: ignore[no-any-return]


def compile_tree(tree: ast.Module, file: str, flags: int = 0) -> CodeType:
    """Return the code of a tree; raises SyntaxError or ValueError."""
    return _steadily(compile, tree, file, "exec", flags, True)  # type: ignore[no-any-return]


def _steadily(make: Any, *args: Any) -> Any:
    for _ in range(_ATTEMPTS):
        try:
            return make(*args)
        except SystemError as error:
            if "recursion depth" not in str(error):
                raise
    return make(*args)
