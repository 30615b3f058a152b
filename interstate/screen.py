"""What a terminal would show of what is printed, as whole lines, where others print there too.

A line may be written over: `\\r` goes back to its beginning, and `\\x1b[A` to the line above it, as
progress bars do.  Of such a line its present state is shown now and then, and its last.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

LONGEST = 1 << 16  # characters of a line that has no end: then what there is of it is shown
PAUSE = 1.0  # seconds from one state of a line that is being written over to the next
_HIGHEST = 64  # lines that one may go back up
_CUT = 32  # characters: no control sequence that we know is longer

_CONTROL = re.compile(r"(\n|\r|\x1b(?:\[[0-?]*[ -/]*[@-~]?|[^\[\]\r\n]))")
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*)?\Z")
_UP = re.compile(r"\x1b\[(\d{0,4})A")


class Screen:
    """Takes in what one call writes to one stream; tells which lines to show.

    Colours stay, but do not reach beyond their line.  Whatever else moves the cursor, or erases
    something, is left out.

    Args:
        clock: The time, seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""  # a control sequence whose rest has not come
        self._rows = [_Row()]  # those that may still change
        self._at = 0  # the one that is being written
        self._next = float("-inf")  # when a state may be shown again

    @property
    def is_clear(self) -> bool:
        """Whether nothing waits for its rest, so that a new one would do as well."""
        pending, _ = self._decoder.getstate()
        return not (pending or self._begun or len(self._rows) > 1) and self._rows[0].is_new

    def write(self, data: bytes) -> list[str]:
        """Take in what was written; return the lines to show."""
        shown: list[str] = []
        text = self._whole(data)
        if len(self._rows) == 1 and "\r" not in text and "\x1b" not in text:
            self._write_plain(text, shown)
        elif self._write_controlled(text, shown) and self._clock() >= self._next:
            self._show_states(shown)
        return shown

    def finish(self) -> list[str]:
        """Return what there is yet to show: nothing more comes."""
        shown: list[str] = []
        self._add(self._decoder.decode(b"", final=True), shown)
        shown += filter(None, self._unshown(self._rows))
        self._rows, self._at, self._begun = [_Row()], 0, ""
        return shown

    def _write_plain(self, text: str, shown: list[str]) -> None:
        first, *lines = text.split("\n")
        self._add(first, shown)
        if lines:
            self._down(shown)
            *whole, begun = lines
            shown += whole
            self._add(begun, shown)

    def _write_controlled(self, text: str, shown: list[str]) -> bool:
        """Do as its control sequences say; return whether a line is to be written over."""
        goes_on = False
        for index, piece in enumerate(_CONTROL.split(text)):
            if index % 2 == 0:
                self._add(piece, shown)
            elif piece == "\n":
                self._down(shown)
            elif piece == "\r":
                goes_on = self._rows[self._at].returned = True
            elif piece[-1] == "m":  # a colour
                self._add(piece, shown)
            elif up := _UP.fullmatch(piece):
                goes_on = True
                self._up(int(up[1] or 1))
        return goes_on

    def _whole(self, data: bytes) -> str:
        """What was written, as text, without a control sequence that is cut."""
        text = self._begun + self._decoder.decode(data)
        begun = text.find("\x1b", max(0, len(text) - _CUT))
        while begun >= 0 and not _BEGUN.match(text, begun):
            begun = text.find("\x1b", begun + 1)
        self._begun = text[begun:] if begun >= 0 else ""
        return text[:begun] if begun >= 0 else text

    def _add(self, text: str, shown: list[str]) -> None:
        row = self._rows[self._at]
        if text and row.add(text) > LONGEST:
            shown.append(_ended(row.take()))

    def _down(self, shown: list[str]) -> None:
        """Go to the line below; if there is none, those that are there change no more."""
        self._at += 1
        if self._at < len(self._rows):
            self._rows[self._at].returned = True
        else:
            shown += self._unshown(self._rows)
            self._rows, self._at = [_Row()], 0

    def _up(self, count: int) -> None:
        missing = min(count - self._at, _HIGHEST - len(self._rows))
        self._rows[:0] = [_Row("") for _ in range(missing)]
        self._at = max(0, self._at + max(0, missing) - count)
        self._rows[self._at].returned = True

    def _show_states(self, shown: list[str]) -> None:
        states = list(filter(None, self._unshown(row for row in self._rows if row.goes_on)))
        if states:
            self._next = self._clock() + PAUSE
            shown += states

    @staticmethod
    def _unshown(rows: Iterable[_Row]) -> Iterator[str]:
        return (_ended(text) for row in rows if (text := row.unshown()) is not None)


class _Row:
    """A line.

    Attributes:
        shown: What was shown of it last, if anything was.
        returned: Whether what comes next is written over what is there.
    """

    __slots__ = ("_pieces", "_size", "_written_over", "returned", "shown")

    def __init__(self, shown: str | None = None) -> None:
        self.shown = shown
        self.returned = False
        self._pieces: list[str] = []
        self._size = 0
        self._written_over = False

    @property
    def is_new(self) -> bool:
        return not (self._pieces or self.returned) and self.shown is None

    @property
    def goes_on(self) -> bool:
        """Whether it is one that is written over."""
        return self.returned or self._written_over

    def unshown(self) -> str | None:
        """Return what is in it now, unless that was shown, or all of it was wiped out."""
        text = "".join(self._pieces)
        if self._written_over:
            text = text.rstrip()
        if text == self.shown or (self._written_over and not text):
            return None
        self.shown = text
        return text

    def add(self, text: str) -> int:
        """Add to it, or write over it; return how long it is."""
        if self.returned:
            self.returned, self._written_over = False, True
            self._pieces, self._size = [], 0
        self._pieces.append(text)
        self._size += len(text)
        return self._size

    def take(self) -> str:
        """Return what there is; what comes next is the rest."""
        text, self.shown = "".join(self._pieces), ""
        self._pieces, self._size = [], 0
        return text


def _ended(text: str) -> str:
    """A line whose colours end with it."""
    if "\x1b[" in text and not text.endswith(("\x1b[m", "\x1b[0m")):
        return f"{text}\x1b[0m"
    return text
