"""What is sent to a host and kept there: exactly what calls need, within a limit."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from interstate.blobs import Blob
from interstate.shelf import MOST, Shelf

LIMIT = 100
POOL = [Blob(number, bytes(size)) for number, size in enumerate((0, 1, 30, 50, 60, 99, 100, 250))]
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
        assert sum(len(blob.content) for blob in idle) <= LIMIT


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
