"""The large parts of an outcome are put together from pieces, cut anywhere."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interstate.arriving import Arriving
from interstate.remote import payload


def described(parts: list[tuple[bytes, bool]]) -> bytes:
    return b"".join(payload.BUFFER.pack(len(content), readonly) for content, readonly in parts)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted(min(c, len(data)) for c in cuts)
    return [data[i:j] for i, j in zip([0, *at], [*at, len(data)], strict=True)]


parts = st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.booleans()), max_size=5)


@given(parts, st.lists(st.integers(0, 1500), max_size=8), st.booleans())
def test_pieces_become_the_parts_again(
    parts: list[tuple[bytes, bool]], cuts: list[int], packed: bool
) -> None:
    arriving = Arriving(described(parts))
    content = b"".join(content for content, _ in parts)
    for piece in cut(zlib.compress(content) if packed else content, cuts):
        arriving.add_packed(piece) if packed else arriving.add(memoryview(piece))
    taken = arriving.taken()
    assert [bytes(part) for part in taken] == [content for content, _ in parts]
    assert [memoryview(part).readonly for part in taken] == [readonly for _, readonly in parts]


def test_what_is_read_only_is_bytes() -> None:
    arriving = Arriving(described([(b"one", True), (b"two", False)]))
    arriving.add(b"onetwo")
    one, two = arriving.taken()
    assert type(one) is bytes
    two[0] = ord("T")
    assert bytes(two) == b"Two"


def test_more_than_was_announced_is_an_error() -> None:
    arriving = Arriving(described([(b"one", True)]))
    with pytest.raises(ValueError, match="more has come"):
        arriving.add(b"onet")


def test_less_than_was_announced_is_an_error() -> None:
    arriving = Arriving(described([(b"one", True), (b"two", True)]))
    arriving.add(b"onetw")
    with pytest.raises(ValueError, match="less has come"):
        arriving.taken()


def test_packed_and_plain_pieces_may_alternate() -> None:
    arriving = Arriving(described([(b"0123456789", True)]))
    arriving.add(b"012")
    arriving.add_packed(zlib.compress(b"345"))
    arriving.add(b"6")
    arriving.add_packed(zlib.compress(b"789"))
    assert arriving.taken() == [b"0123456789"]
