"""Each cell of the fidelity table (see `fidelity`): an exception comes back as the page says."""

from __future__ import annotations

import linecache
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from interstate import Host

from .fidelity import compare, describe, page, shapes
from .fidelity.__main__ import Judgements, judge_ours
from .fidelity.describe import Description
from .fidelity.situations import SITUATIONS, Place


@pytest.fixture(scope="module")
def judged(loopback_host: Host) -> Iterator[Judgements]:
    """What came back in each cell, all of them run at once."""
    linecache.cache.pop("<string>", None)  # since 3.13 the text of `python -c`, as xdist's is
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        place.write()
        yield judge_ours(place, loopback_host)


@pytest.fixture(scope="module")
def promised() -> page.Table:
    """Our table, as the page has it."""
    return page.parse(page.PAGE.read_text())[0][page.OURS]


def test_the_page_has_every_shape_and_is_as_it_is_made(promised: page.Table) -> None:
    text = page.PAGE.read_text()
    assert list(promised) == list(shapes.titles())
    assert page.render(*page.parse(text)) == text


@pytest.mark.parametrize("shape", shapes.titles())
def test_an_exception_comes_back_as_the_page_says(
    shape: str, judged: Judgements, promised: page.Table
) -> None:
    came = {situation: judged[situation][shape] for situation in SITUATIONS}
    differences = {situation: found.differences for situation, found in came.items()}
    assert {situation: found.word for situation, found in came.items()} == promised[shape], (
        differences
    )


def test_nothing_is_lost_and_nothing_comes_back_otherwise_than_is_said(
    promised: page.Table,
) -> None:
    others = {
        (shape, situation): word
        for shape, words in promised.items()
        for situation, word in words.items()
        if word not in compare.GOOD
    }
    assert not others


# ------------------------------------------------------------------------- the comparison


def raised() -> Description:
    """What stands for an exception that has a bit of all."""

    def fail() -> None:
        error = KeyError("it")
        error.add_note("a note")
        error.code = 3  # type: ignore[attr-defined]
        raise error from ValueError("first")

    return describe.catch(fail)


ANOTHER_FRAME = ["/file.py", 1, "function", "    line()\n"]


@pytest.mark.parametrize(
    ("part", "came", "word"),
    [
        ("class", "builtins.LookupError", compare.ANOTHER),
        ("args", {"type": "builtins.tuple", "items": []}, compare.ATTRIBUTES),
        ("text", "it", compare.ATTRIBUTES),
        ("attributes", {}, compare.ATTRIBUTES),
        ("attributes", {"code": "3", "more": "1"}, compare.ATTRIBUTES),
        ("notes", "None", compare.CHAIN),
        ("cause", "None", compare.CHAIN),
        ("suppress_context", False, compare.CHAIN),
        ("frames", [], compare.NO_TRACEBACK),
        ("frames", [ANOTHER_FRAME], compare.LINES),
    ],
)
def test_the_comparison_sees_what_differs(part: str, came: object, word: str) -> None:
    whole = raised()
    assert compare.judge(whole, whole, strict=False).word == compare.EQUAL
    assert compare.judge(whole, {**whole, part: came}, strict=False).word == word


def test_the_comparison_sees_what_differs_deeper_down() -> None:
    whole = raised()
    altered = {**whole, "cause": {**whole["cause"], "text": "second"}}
    assert compare.judge(whole, altered, strict=False).word == compare.ATTRIBUTES


def test_the_comparison_wants_to_know_where_it_was_and_which_files_are_not_here() -> None:
    whole = raised()
    where = ["<me@node-1, worker 7, Python 3.12.1>", 1, "me@node-1", ""]
    [(file, *rest)] = whole["frames"]
    there = {**whole, "frames": [where, [f"{file} (remote)", *rest]]}
    here = {**whole, "frames": [where, [file, *rest]]}
    assert compare.judge(whole, whole).word == compare.LINES
    assert compare.judge(whole, here).word == compare.EQUAL
    assert compare.judge(whole, there).word == compare.LINES
    assert compare.judge(whole, there, foreign=[file]).word == compare.EQUAL
    assert compare.judge(whole, here, foreign=[file]).word == compare.LINES


def test_what_was_left_out_must_be_told_of() -> None:
    lock = {"type": "_thread.lock", "repr": "<a lock>"}
    whole = {**raised(), "attributes": {"lock": lock, "code": "3"}}
    without = {**whole, "attributes": {"code": "3"}}
    notes = whole["notes"]
    told = {**without, "notes": {**notes, "items": [*notes["items"], "left out: 'lock'"]}}
    for came, word in ((told, compare.WITHOUT), (without, compare.ATTRIBUTES)):
        judged = compare.judge(whole, came, left_out=["attributes.lock"], strict=False)
        assert judged.word == word
    assert compare.judge(whole, told, strict=False).word not in compare.GOOD
