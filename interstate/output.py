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


class Output:
    """Told of everything that calls print.  This one does nothing with it."""

    def printed(self, host: Host, call: int, stream: int, data: bytes) -> None:
        """A call wrote to its standard output (stream 1) or error (2)."""

    def ended(self, call: int) -> None:
        """A call prints nothing any more."""


class Plain(Output):
    """Shows what one call prints, as it comes."""

    def __init__(self) -> None:
        self._decoders = {stream: _decoder() for stream in (1, 2)}

    def printed(self, host: Host, call: int, stream: int, data: bytes) -> None:
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
        self._decoders: dict[tuple[int, int], codecs.IncrementalDecoder] = {}

    def printed(self, host: Host, call: int, stream: int, data: bytes) -> None:
        decoder = self._decoders.setdefault((call, stream), _decoder())
        text = decoder.decode(data)
        if text:
            self._run(lambda: self._tell(host, _NAMES[stream], text))

    def ended(self, call: int) -> None:
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
        self._rests: dict[tuple[int, int], tuple[Host, bytes]] = {}

    def printed(self, host: Host, call: int, stream: int, data: bytes) -> None:
        _, rest = self._rests.pop((call, stream), (host, b""))
        *lines, rest = (rest + data).split(b"\n")
        if rest:
            self._rests[call, stream] = host, rest
        if lines:
            self._show(host, stream, lines)

    def ended(self, call: int) -> None:
        for stream in _NAMES:
            host, rest = self._rests.pop((call, stream), (None, b""))
            if host is not None:
                self._show(host, stream, [rest])

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
        encoding = file.encoding or "utf-8"
        file.write(text.encode(encoding, "replace").decode(encoding))
        file.flush()
    except (OSError, ValueError):  # closed: what is printed is on the Futures still
        _log.debug("cannot show what was printed", exc_info=True)
