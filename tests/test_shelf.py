"""What is sent to a host and kept there: exactly what calls need, within a limit."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from interstate.blobs import Blob
from interstate.shelf import MOST, MOST_FILES, Shelf

LIMIT = 100


class OnDisk(Blob):
    """As a file's, of some size."""

    on_disk = True

    def __init__(self, number: int, size: int) -> None:
        super().__init__(number, b"")
        self._size = size

    @property
    def size(self) -> int:
        return self._size


SIZES = (0, 1, 30, 50, 60, 99, 100, 250)
POOL = [
    *(Blob(number, bytes(size)) for number, size in enumerate(SIZES)),
    *(OnDisk(number, size) for number, size in enumerate(SIZES, len(SIZES))),
]
some = st.lists(st.sampled_from(POOL), max_size=5)


class Host(RuleBasedStateMachine):
    """A host that does what it is told, and calls that begin and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.shelf = Shelf(LIMIT)
        self.there: dict[int, Blob] = {}
        self.calls: dict[int, list[Blob]] = {}
        self.number = 0

    @rule(blobs=some)
    def send_call(self, blobs: list[Blob]) -> None:
        self.number += 1
        missing = self.shelf.lend(self.number, blobs)
        expected = {blob.number for blob in blobs} - self.there.keys()
        assert sorted(blob.number for blob in missing) == sorted(expected)
        for number in self.shelf.make_room(missing):
            del self.there[number]
        self.there.update({blob.number: blob for blob in missing})
        self.calls[self.number] = blobs

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), refused=st.booleans())
    def end_call(self, data: st.DataObject, refused: bool) -> None:
        call = data.draw(st.sampled_from(sorted(self.calls)))
        for number in self.shelf.give_back(call, refused):
            del self.there[number]
        del self.calls[call]
        assert self.shelf.give_back(call) == []  # it has nothing any more

    @invariant()
    def what_calls_use_is_there(self) -> None:
        assert {blob.number for call in self.calls.values() for blob in call} <= self.there.keys()

    @invariant()
    def what_no_call_uses_stays_below_the_limit(self) -> None:
        used = {blob.number for call in self.calls.values() for blob in call}
        idle = [blob for number, blob in self.there.items() if number not in used]
        assert sum(blob.size for blob in idle if not blob.on_disk) <= LIMIT
        on_disk = [blob.size for blob in idle if blob.on_disk]
        assert sum(on_disk) <= 2 * LIMIT or len(on_disk) == 1


TestHost = Host.TestCase


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    shelf = Shelf(LIMIT)
    one, two, three = (Blob(number, bytes(50)) for number in (1, 2, 3))
    for blob in (one, two, one):
        shelf.lend(1, [blob])
        assert shelf.give_back(1) == []
    shelf.lend(1, [three])
    assert shelf.give_back(1) == [2]
    assert shelf.lend(1, [one, two, three]) == [two]


def test_a_blob_twice_in_a_call_is_sent_once_and_kept_until_its_end() -> None:
    shelf = Shelf(0)
    blob = Blob(1, b"content")
    assert shelf.lend(1, [blob, blob]) == [blob]
    assert shelf.lend(2, [blob]) == []
    assert shelf.give_back(2) == []
    assert shelf.give_back(1) == [1]


def test_no_more_than_so_many_stay_however_small_they_are() -> None:
    shelf = Shelf(LIMIT)
    for number in range(MOST):
        blob = Blob(number, b"")
        shelf.lend(number, [blob])
        assert shelf.give_back(number) == []
    for number in range(MOST, 3 * MOST):
        blob = Blob(number, b"")
        shelf.lend(number, [blob])
        assert shelf.give_back(number) == [number - MOST]


def test_what_a_call_was_refused_for_is_sent_anew() -> None:
    shelf = Shelf(LIMIT)
    blob = Blob(1, b"content")
    assert shelf.lend(1, [blob]) == [blob]
    assert shelf.lend(2, [blob]) == []
    assert shelf.give_back(1, refused=True) == []
    assert shelf.give_back(2, refused=True) == [1]
    assert shelf.lend(3, [blob]) == [blob]


# -------------------------------------------------------------------------------- files


def used(shelf: Shelf, *blobs: Blob) -> list[int]:
    """The numbers that are forgotten when a call has used these."""
    missing = shelf.lend(1, blobs)
    return [*shelf.make_room(missing), *shelf.give_back(1)]


def test_the_last_file_stays_however_large_until_another_comes() -> None:
    shelf = Shelf(LIMIT)
    large, small = OnDisk(1, 50 * LIMIT), OnDisk(2, 1)
    assert used(shelf, large) == []
    assert used(shelf, large) == []
    assert used(shelf, small) == [1]
    assert used(shelf, OnDisk(3, LIMIT), OnDisk(4, LIMIT - 1)) == []
    assert used(shelf, OnDisk(5, LIMIT)) == [2, 3]


def test_room_is_made_before_a_file_is_sent() -> None:
    shelf = Shelf(LIMIT)
    used(shelf, OnDisk(1, LIMIT), OnDisk(2, LIMIT))
    assert shelf.make_room(shelf.lend(7, [OnDisk(3, 1)])) == [1]
    assert shelf.make_room(shelf.lend(8, [OnDisk(2, LIMIT)])) == []  # it is there


def test_files_and_what_is_in_memory_have_limits_of_their_own() -> None:
    shelf = Shelf(LIMIT)
    assert used(shelf, OnDisk(1, 2 * LIMIT), Blob(2, bytes(LIMIT))) == []
    assert used(shelf, Blob(3, b"x")) == [2]
    for number in range(10, 9 + MOST_FILES):
        assert used(shelf, OnDisk(number, 0)) == []
    assert used(shelf, OnDisk(9, 0)) == [1]
