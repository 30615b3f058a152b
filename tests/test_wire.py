"""Frames, cut anywhere, arrive as they were sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interstate.remote import wire

PARTS = {wire.PART, wire.PACKED}
frames = st.tuples(
    st.sampled_from(sorted(wire.KINDS)),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=300),
)


def whole(frames: list[wire.Frame]) -> list[wire.Frame]:
    """The same, with the pieces of PARTs of one number put together."""
    joined: list[wire.Frame] = []
    for kind, number, content in frames:
        if kind in PARTS and joined and joined[-1][:2] == (kind, number):
            joined[-1] = (kind, number, bytes(joined[-1][2]) + bytes(content))
        else:
            joined.append((kind, number, bytes(content)))
    return joined


@given(st.lists(frames, max_size=8), st.data())
def test_frames_survive_any_cutting_of_the_stream(
    sent: list[wire.Frame], data: st.DataObject
) -> None:
    stream = b"".join(wire.encode(*frame) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    decoder = wire.Decoder()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += decoder.receive(stream[start:end])
    assert whole(received) == whole(sent)


def test_a_frame_comes_out_as_soon_as_its_last_byte_is_in() -> None:
    decoder = wire.Decoder()
    stream = wire.encode(wire.DONE, 7, b"payload")
    assert decoder.receive(stream[:-1]) == []
    assert decoder.receive(stream[-1:]) == [(wire.DONE, 7, b"payload")]


@given(st.binary(min_size=wire.HEADER.size, max_size=100))
def test_what_is_no_frame_is_refused(garbage: bytes) -> None:
    if garbage[0] in wire.KINDS:
        garbage = b"\xff" + garbage
    with pytest.raises(wire.ProtocolError, match="not a frame"):
        wire.Decoder().receive(garbage)


def test_the_headers_of_frames_above_4_gib_are_right() -> None:
    header = wire.HEADER.pack(wire.DONE, 1, 5 * 2**30)
    assert wire.Decoder().receive(header) == []


def test_a_part_comes_out_piece_by_piece_as_it_comes_in() -> None:
    decoder = wire.Decoder()
    stream = wire.encode(wire.PART, 7, b"one two three") + wire.encode(wire.DONE, 8, b"done")
    assert decoder.receive(stream[:20]) == [(wire.PART, 7, b"one")]
    assert decoder.receive(stream[20:25]) == [(wire.PART, 7, b" two ")]
    assert decoder.receive(stream[25:29]) == [(wire.PART, 7, b"thre")]
    assert decoder.receive(stream[29:]) == [(wire.PART, 7, b"e"), (wire.DONE, 8, b"done")]
