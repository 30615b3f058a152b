"""Slices meet exactly and leave nothing out."""

from __future__ import annotations

import itertools
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interstate import Environ, slices


@given(st.integers(1, 50), st.integers(-(10**40), 10**40), st.integers(0, 10**40))
def test_ranges_of_any_size_are_shared_out_exactly(count: int, start: int, size: int) -> None:
    shares = [environ.range(start, start + size) for environ in slices(count)]
    assert shares[0].start == start
    assert shares[-1].stop == start + size
    assert all(a.stop == b.start for a, b in itertools.pairwise(shares))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 20), st.lists(st.integers()))
def test_sequences_are_shared_out_in_order(count: int, items: list[int]) -> None:
    assert [item for environ in slices(count) for item in environ.take(items)] == items


def test_the_fractions_of_neighbours_meet() -> None:
    environs = slices(999)
    assert environs[0]["start_slice"] == 0
    assert environs[-1]["end_slice"] == 1
    assert environs[332]["end_slice"] == environs[333]["start_slice"] == Fraction(1, 3)


def test_an_environ_is_a_mapping_and_travels() -> None:
    environ = Environ(1, 3, "me@a")
    assert dict(environ) == {
        "start_slice": Fraction(1, 3),
        "end_slice": Fraction(2, 3),
        "index": 1,
        "count": 3,
        "host": "me@a",
    }
    assert pickle.loads(pickle.dumps(environ)) == environ
    with pytest.raises(KeyError, match="nothing"):
        environ["nothing"]


@pytest.mark.parametrize("count", [0, -1])
def test_there_is_no_such_thing_as_no_slices(count: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        slices(count)


def test_an_index_outside_the_count_is_refused() -> None:
    with pytest.raises(ValueError, match="index 3"):
        Environ(3, 3)
