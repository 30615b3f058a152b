"""What becomes, while they run, of the things that calls print; the Futures keep them anyhow."""

from __future__ import annotations

import codecs
import logging
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from .hosts import Host

_NAMES = {1: "stdout", 2: "stderr"}
_log = logging.getLogger("interstate")


Call = tuple[int, int]  # a host's number and a call's: whose output it is


class Output:
    """Told of everything that calls print.  This one does nothing with it."""

    def printed(self, host: Host, call: Call, stream: int, data: bytes) -> None:
        """A call wrote to its standard output (stream 1) or error (2)."""

    def ended(self, call: Call) -> None:
        """A call prints nothing any more."""


class Plain(Output):
    """Shows what one call prints, as it comes."""

    def __init__(self) -> None:
        self._decoders = {stream: _decoder() for stream in _NAMES}

    def printed(self, host: Host, call: Call, stream: int, data: bytes) -> None:
        _write(_NAMES[stream], self._decoders[stream].decode(data))


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
        self._decoders: dict[tuple[Call, int], codecs.IncrementalDecoder] = {}

    def printed(self, host: Host, call: Call, stream: int, data: bytes) -> None:
        decoder = self._decoders.setdefault((call, stream), _decoder())
        text = decoder.decode(data)
        if text:
            self._run(lambda: self._tell(host, _NAMES[stream], text))

    def ended(self, call: Call) -> None:
        for stream in _NAMES:
            self._decoders.pop((call, stream), None)


class Lines(Output):
    """Shows what many calls print, in whole lines, so that none is torn.

    Args:
        labelled: Whether each line begins with its host.
    """

    def __init__(self, labelled: bool) -> None:
        self._labelled = labelled
        self._lock = threading.Lock()
        self._begun: dict[tuple[Call, int], tuple[Host, list[bytes]]] = {}

    def printed(self, host: Host, call: Call, stream: int, data: bytes) -> None:
        _, pieces = self._begun.setdefault((call, stream), (host, []))
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            self._show(host, stream, b"".join((*pieces, whole)).split(b"\n"))
            pieces.clear()
        if rest:
            pieces.append(rest)

    def ended(self, call: Call) -> None:
        for stream in _NAMES:
            host, pieces = self._begun.pop((call, stream), (None, []))
            if host is not None and pieces:
                self._show(host, stream, [b"".join(pieces)])

    def _show(self, host: Host, stream: int, lines: list[bytes]) -> None:
        label = f"[{host}] " if self._labelled else ""
        text = "".join(f"{label}{line.decode(errors='replace')}\n" for line in lines)
        with self._lock:
            _write(_NAMES[stream], text)


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")


def _write(stream: str, text: str) -> None:
    """Write to what is sys.stdout or sys.stderr now, and flush it."""
    file: TextIO | None = getattr(sys, stream)
    if file is None or not text:
        return
    try:
        encoding = getattr(file, "encoding", None) or "utf-8"
        file.write(text.encode(encoding, "replace").decode(encoding))
        if hasattr(file, "flush"):
            file.flush()
    except Exception:  # the user's file, closed or odd: what is printed is on the Futures still
        _log.debug("cannot show what was printed", exc_info=True)
