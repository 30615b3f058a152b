"""Trees are made in any number of threads at once."""

from __future__ import annotations

import ast
import threading
from typing import Any

import pytest

from interstate.remote import trees

TEXT = "def f(a):\n    return [[[a + 1 for _ in range(3)] for _ in range(2)] for _ in range(1)]\n"


def test_a_failure_that_another_thread_has_caused_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left, parse = [2], ast.parse

    def failing(text: str) -> Any:
        if left[0]:
            left[0] -= 1
            raise SystemError("AST constructor recursion depth mismatch (before=63, after=57)")
        return parse(text)

    monkeypatch.setattr(ast, "parse", failing)
    assert isinstance(trees.parse(TEXT), ast.Module)
    assert left == [0]


def test_another_failure_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(text: str) -> Any:
        raise SystemError("of another kind")

    monkeypatch.setattr(ast, "parse", failing)
    with pytest.raises(SystemError, match="of another kind"):
        trees.parse(TEXT)


def test_threads_parse_and_compile_at_the_same_time() -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(300):
                trees.compile_tree(trees.parse(TEXT), "there.py")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
