"""Compression is where it is quicker, and nowhere else; whatever comes of it can be undone."""

from __future__ import annotations

import itertools
import os
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interstate.remote.packer import Packer, Unpacker

COMPRESSING = 0.001  # seconds that it takes in these tests, however busy this computer is
TEXT = b"to be compressed, or not to be " * 8000
NOISE = os.urandom(len(TEXT))
SLOW, FAST = 1e6, 1e9  # bytes a second


@pytest.fixture(autouse=True)
def _compressing_takes_as_long_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: COMPRESSING * next(clock))


def send(packer: Packer, pieces: list[bytes], rate: float) -> list[bool]:
    """Whether each piece was packed, over a way of so many bytes a second."""
    packed_ones = []
    for piece in pieces:
        packed = packer.packed(piece)
        size = len(piece if packed is None else packed)
        packer.written(size, size / rate)
        packed_ones.append(packed is not None)
    return packed_ones


def test_nothing_is_packed_before_it_is_known_how_fast_the_way_is() -> None:
    assert Packer().packed(TEXT) is None


def test_what_shrinks_is_packed_on_a_slow_way() -> None:
    assert send(Packer(), [TEXT] * 10, SLOW) == [False] + [True] * 9


def test_nothing_is_packed_on_a_fast_way() -> None:
    assert not any(send(Packer(), [TEXT] * 10, FAST))


def test_what_does_not_shrink_is_sent_as_it_is_and_seldom_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = []
    compress = zlib.compress

    def counted(data: bytes, level: int) -> bytes:
        tries.append(len(data))
        return compress(data, level)

    monkeypatch.setattr(zlib, "compress", counted)
    assert not any(send(Packer(), [NOISE] * 1000, SLOW))
    assert 5 < len(tries) < 25


def test_what_begins_to_shrink_is_found_out() -> None:
    packer = Packer()
    assert not any(send(packer, [NOISE] * 200, SLOW))
    packed = send(packer, [TEXT] * 200, SLOW)
    assert packed.index(True) <= 64
    assert all(packed[packed.index(True) :])


def test_a_way_that_becomes_fast_is_packed_for_no_more_and_one_that_becomes_slow_is() -> None:
    packer = Packer()
    send(packer, [TEXT] * 10, SLOW)
    packer.written(1 << 30, 1.0)
    assert packer.packed(TEXT) is None
    for _ in range(60):
        packer.written(1 << 18, 0.25)
    assert packer.packed(TEXT) is not None


def test_what_shrinks_too_little_for_its_time_is_not_packed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A piece of 100 bytes takes 10 s to be sent; compressing it takes 6 s, and halves it."""
    clock = iter([0.0, 6.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(zlib, "compress", lambda data, level: data[: len(data) // 2])
    slow = Packer()
    slow.written(100, 10.0)
    assert slow.packed(bytes(100)) is None


def test_what_shrinks_enough_for_its_time_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 4.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(zlib, "compress", lambda data, level: data[: len(data) // 2])
    slow = Packer()
    slow.written(100, 10.0)
    assert slow.packed(bytes(100)) == bytes(50)


@given(st.lists(st.binary(max_size=2000), max_size=6), st.integers(1, 50))
def test_packed_pieces_that_are_cut_anywhere_are_unpacked(pieces: list[bytes], step: int) -> None:
    stream = [zlib.compress(piece, 1) for piece in pieces]
    cuts = [packed[i : i + step] for packed in stream for i in range(0, len(packed), step)]
    unpacker = Unpacker()
    assert b"".join(map(unpacker.unpacked, cuts)) == b"".join(pieces)
