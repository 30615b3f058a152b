"""The benchmarks' own arithmetic; nothing here measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from .benchmarks.capturing import with_and_without
from .benchmarks.peer import Peer, PeerError
from .benchmarks.place import Place
from .benchmarks.report import Line, Row, as_markdown, at_least, at_most, put_into
from .benchmarks.turns import compare
from .benchmarks.uneven import greedy

pytestmark = pytest.mark.once


def test_a_ratio_is_the_median_of_the_turns_ratios() -> None:
    ours, theirs = iter([1.0, 2.0, 30.0]), iter([1.0, 1.0, 10.0])
    found = compare(3, lambda: [next(ours)], {"a peer": lambda: [next(theirs)]})
    line = found.line("ms", "a peer", at_most(2))
    assert (line.ours, line.theirs, line.ratio, line.reached) == (2.0, 1.0, 2.0, "yes")


def test_a_peer_that_fails_fails_its_line_alone() -> None:
    def fail() -> list[float]:
        raise PeerError("it cannot run here")

    found = compare(2, lambda: [3.0], {"bad": fail, "good": lambda: [1.0]})
    good, bad = found.line("s", "good", at_least(4)), found.line("s", "bad", at_least(4))
    assert (good.ratio, good.reached) == (3.0, "NO")
    assert (bad.reached, bad.failed) == ("failed", "PeerError: it cannot run here")


def test_a_peer_without_an_environment_says_so() -> None:
    with Peer("mitogen_ssh", None) as peer, pytest.raises(PeerError, match="--peers"):
        peer.ask("first")


def test_a_peer_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho No module named mitogen >&2\n")
    python.chmod(0o755)
    with Peer("mitogen_ssh", str(python)) as peer, pytest.raises(PeerError, match="No module"):
        peer.ask("first")


def test_the_copy_that_captures_nothing_runs_calls_and_sends_results(tmp_path: Path) -> None:
    with Place(tmp_path) as place, with_and_without(place) as peers:
        for peer in peers:
            assert peer.ask("rate", False, 10)[0] > 0
            assert peer.ask("result", 80_000, 1)[0] > 0


def test_a_figure_without_a_peer_is_judged_itself() -> None:
    assert Line(1.2, "arrays", asked=at_most(1.3)).reached == "yes"
    assert Line(1.4, "arrays", asked=at_most(1.3)).reached == "NO"
    assert Line(None, "arrays", asked=at_most(1.3), failed="why").reached == "failed"


def test_each_call_goes_to_whoever_is_free_first() -> None:
    assert greedy([3, 1, 1, 1, 2], 2) == 5


def test_figures_replace_those_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- figures -->\nold\n<!-- end of figures -->\nbelow\n")
    put_into(page, as_markdown({}, {"row": Row([Line(12.0, "ms")])}))
    text = page.read_text()
    assert "| row | 12 |" in text
    assert "old" not in text
    assert text.startswith("above\n<!-- figures -->\n")
    assert text.endswith("<!-- end of figures -->\nbelow\n")
