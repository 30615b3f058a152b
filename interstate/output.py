"""What becomes, while they run, of the things that calls print; the Futures keep them anyhow."""

from __future__ import annotations

import codecs
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from .hosts import Host
from .screen import Screen

_NAMES = {1: "stdout", 2: "stderr"}
_ERASE = "\r\x1b[K"  # the line that the cursor is in
_lock = threading.RLock()  # guards the next two
_standing = False  # a line that `show` wrote is there, and the cursor in it
_question: tuple[Callable[[], object], Callable[[], object]] | None = None  # see `above`
_log = logging.getLogger("interstate")


Call = tuple[int, int]  # a host's number and a call's: whose output it is


class Output:
    """Told of everything that calls print.  This one does nothing with it."""

    def printed(self, host: Host, call: Call, stream: int, data: bytes) -> None:
        """A call wrote to its standard output (stream 1) or error (2)."""

    def ended(self, call: Call) -> None:
        """A call prints nothing any more."""

    def close(self) -> None:
        """Nobody prints anything any more."""


class Plain(Output):
    """Shows what one call prints, as it comes."""

    def __init__(self) -> None:
        self._decoders = {stream: _decoder() for stream in _NAMES}

    def printed(self, host: Host, call: Call, stream: int, data: bytes) -> None:
        write(_NAMES[stream], self._decoders[stream].decode(data))

    def ended(self, call: Call) -> None:
        for stream, decoder in self._decoders.items():
            write(_NAMES[stream], decoder.decode(b"", final=True))


class Told(Output):
    """Hands what is printed to the user's callable, as it comes.

    Args:
        tell: Called with the Host, "stdout" or "stderr", and the text.
        run: Runs users' code where it may wait for other calls.
    """

    def __init__(
        self,
        tell: Callable[[Host, str, str], object],
        run: Callable[[Callable[[], object]], None],
    ) -> None:
        self._tell = tell
        self._run = run
        self._run(_nothing)  # where a thread is needed: at the interpreter's end none can be had
        self._begun: dict[tuple[Call, int], tuple[Host, codecs.IncrementalDecoder]] = {}

    def printed(self, host: Host, call: Call, stream: int, data: bytes) -> None:
        _, decoder = self._begun.pop((call, stream), (host, None))
        decoder = decoder or _decoder()
        self._hand_over(host, stream, decoder.decode(data))
        if decoder.getstate()[0]:  # the beginning of a character
            self._begun[call, stream] = host, decoder

    def ended(self, call: Call) -> None:
        for stream in _NAMES:
            host, decoder = self._begun.pop((call, stream), (None, None))
            if host is not None and decoder is not None:
                self._hand_over(host, stream, decoder.decode(b"", final=True))

    def _hand_over(self, host: Host, stream: int, text: str) -> None:
        if text:
            self._run(lambda: self._tell(host, _NAMES[stream], text))


class Lines(Output):
    """Shows what many calls print, in whole lines, so that none is torn.

    Args:
        labelled: Whether each line begins with its host.
        clock: The time, seconds.
    """

    def __init__(self, labelled: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._labelled = labelled
        self._clock = clock
        self._lock = threading.Lock()  # held to show something
        self._screens: dict[tuple[Call, int], tuple[Host, Screen]] = {}  # of lines that are begun

    def printed(self, host: Host, call: Call, stream: int, data: bytes) -> None:
        _, screen = self._screens.pop((call, stream), (host, None))
        screen = screen or Screen(self._clock)
        self._show(host, stream, screen.write(data))
        if not screen.is_clear:
            self._screens[call, stream] = host, screen

    def ended(self, call: Call) -> None:
        for stream in _NAMES:
            host, screen = self._screens.pop((call, stream), (None, None))
            if host is not None and screen is not None:
                self._show(host, stream, screen.finish())

    def close(self) -> None:
        for call, _ in list(self._screens):  # what is printed while a worker runs no call
            self.ended(call)

    def _show(self, host: Host, stream: int, lines: list[str]) -> None:
        label = f"[{host}] " if self._labelled else ""
        text = "".join(f"{label}{line}\n" for line in lines)
        if text:
            with self._lock:
                write(_NAMES[stream], text)


def _nothing() -> None: ...


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")


def show(text: str, last: bool) -> bool:
    """Write a line to sys.stderr that stands in for the one before; return whether it could.

    What is no terminal gets a line each time.  There should be one such line at a time, and while a
    question stands there is none but the last.

    Args:
        text: The line.
        last: Whether it stays.
    """
    global _standing
    anew = _is_terminal("stderr")
    if _question is not None and not last:
        return anew
    with _lock:
        write("stderr", text if anew and not last else f"{text}\n")
        _standing = anew and not last
    return anew


def erase() -> None:
    """Take away the line that `show` has left, for something else is to be written."""
    global _standing
    if _standing:
        with _lock:
            standing, _standing = _standing, False
            if standing:  # still: somebody else may have been quicker
                write("stderr", _ERASE)


@contextlib.contextmanager
def above(clear: Callable[[], object], again: Callable[[], object]) -> Iterator[None]:
    """Write what is written meanwhile above a question that somebody has yet to answer.

    Args:
        clear: Takes the question away.
        again: Shows it anew.
    """
    global _question
    with _lock:
        _question = clear, again
    try:
        yield
    finally:
        with _lock:  # nobody shows it any more
            _question = None


def write(stream: str, text: str) -> None:
    """Write to what is sys.stdout or sys.stderr now, and flush it."""
    if text and _question is not None and _is_terminal(stream):
        _write_above(stream, text)
    else:
        _write(stream, text)


def _write_above(stream: str, text: str) -> None:
    with _lock:
        question = _question
        if question is None:  # it was answered meanwhile
            _write(stream, text)
            return
        clear, again = question
        clear()
        _write(stream, text if text.endswith("\n") else f"{text}\n")
        again()


def _is_terminal(stream: str) -> bool:
    try:
        return bool(getattr(sys, stream).isatty())
    except Exception:  # the user's file, closed or odd, or none
        return False


def _write(stream: str, text: str) -> None:
    file: TextIO | None = getattr(sys, stream)
    if file is None or not text:
        return
    erase()
    try:
        encoding = getattr(file, "encoding", None) or "utf-8"
        file.write(text.encode(encoding, "replace").decode(encoding))
        if hasattr(file, "flush"):
            file.flush()
    except Exception:  # the user's file, closed or odd: what is printed is on the Futures still
        _log.debug("cannot show what was printed", exc_info=True)
