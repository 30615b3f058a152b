"""Each distinct content is one Blob, as long as anybody has it, and one number after that."""

from __future__ import annotations

import gc
import os
import threading

import pytest

from interstate import blobs as ours
from interstate.blobs import Blob, Blobs

SIZES = [1000, 3_000_000]  # the first is digested at once, the second on a thread of its own


@pytest.mark.parametrize("size", SIZES)
def test_equal_contents_are_one_blob(size: int) -> None:
    blobs, content = Blobs(), os.urandom(size)
    first = blobs.take(memoryview(content))
    assert first.content is content
    assert blobs.take(memoryview(content)) is first
    assert blobs.take(memoryview(bytearray(content))) is first
    other = blobs.take(memoryview(content[1:] + b"x"))
    assert other.number != first.number
    assert other.content == content[1:] + b"x"


@pytest.mark.parametrize("size", SIZES)
def test_what_may_change_is_copied(size: int) -> None:
    blobs, array = Blobs(), bytearray(size)
    first = blobs.take(memoryview(array))
    array[0] = 1
    second = blobs.take(memoryview(array))
    assert (first.content[0], second.content[0]) == (0, 1)
    assert first.number != second.number


def test_a_part_of_bytes_is_not_the_whole() -> None:
    blobs, content = Blobs(), os.urandom(3000)
    whole = blobs.take(memoryview(content))
    part = blobs.take(memoryview(memoryview(content)[:1000]))
    assert (len(whole.content), part.content) == (3000, content[:1000])


@pytest.mark.parametrize("size", SIZES)
def test_a_content_keeps_its_number_when_nobody_has_it_for_a_while(size: int) -> None:
    blobs, content = Blobs(), os.urandom(size)
    number = blobs.take(memoryview(bytearray(content))).number
    blobs.take(memoryview(bytes(size)))  # it waits until the first is digested
    gc.collect()
    assert blobs.take(memoryview(content)).number == number


def test_many_threads_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, content = Blobs(), os.urandom(2_000_000)
    found: list[Blob] = []
    barrier = threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        found.append(blobs.take(memoryview(bytearray(content))))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({blob.number for blob in found}) == 1


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "_REMEMBERED", 50)
    blobs = Blobs()
    for size in range(1, 500):
        blobs.take(memoryview(bytes(size)))
    gc.collect()
    assert len(blobs._numbers) <= 50
    assert len(blobs._sizes) <= 50
    assert len(blobs._alive) <= 1
