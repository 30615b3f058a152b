"""What becomes, while they run, of the things that calls print; the Futures keep them anyhow."""

from __future__ import annotations

import codecs
import logging
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from .hosts import Host

_log = logging.getLogger("interstate")


class Output:
    """Told of everything that calls print.  This one does nothing with it."""

    def printed(self, host: Host, call: int, stream: int, data: bytes) -> None:
        """A call wrote to its standard output (stream 1) or error (2)."""

    def ended(self, call: int) -> None:
        """A call prints nothing any more."""


class Told(Output):
    """Hands what is printed to the user's callable, as it comes.

    Args:
        tell: Called with the Host, "stdout" or "stderr", and the text.
    """

    def __init__(self, tell: Callable[[Host, str, str], object]) -> None:
        self._tell = tell
        self._decoders: dict[int, dict[int, codecs.IncrementalDecoder]] = {}

    def printed(self, host: Host, call: int, stream: int, data: bytes) -> None:
        decoders = self._decoders.setdefault(call, {})
        if stream not in decoders:
            decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoders[stream].decode(data)
        if text:
            try:
                self._tell(host, "stdout" if stream == 1 else "stderr", text)
            except Exception:  # theirs; the calls go on
                _log.exception("exception in the output callable")

    def ended(self, call: int) -> None:
        self._decoders.pop(call, None)


def plain() -> Output:
    """Shows what one call prints, as it comes."""
    return Told(lambda host, stream, text: _write(stream, text))


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
        for stream in (1, 2):
            host, rest = self._rests.pop((call, stream), (None, b""))
            if host is not None:
                self._show(host, stream, [rest])

    def _show(self, host: Host, stream: int, lines: list[bytes]) -> None:
        label = f"[{host}] " if self._labelled else ""
        text = "".join(f"{label}{line.decode(errors='replace')}\n" for line in lines)
        with self._lock:
            _write("stdout" if stream == 1 else "stderr", text)


def _write(stream: str, text: str) -> None:
    """Write to what is sys.stdout or sys.stderr now, and flush it."""
    file: TextIO | None = getattr(sys, stream)
    if file is None:
        return
    try:
        encoding = file.encoding or "utf-8"
        file.write(text.encode(encoding, "replace").decode(encoding))
        file.flush()
    except (OSError, ValueError):  # closed: what is printed is on the Futures still
        _log.debug("cannot show what was printed", exc_info=True)
