"""Talks with the depot over there (remote/depot.py), which keeps packages on a host's disk."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

from . import boot
from .archives import LIMIT, Archive
from .shipment import packed_program

_PIECE = 1 << 15  # bytes that are sent at once: a slow line takes them in time
_READ = 1 << 16
_LOOKS = 8  # within its patience: a computer that stands still is not taken for a silent one
_LONGEST_LINE = 1 << 20  # bytes
_ANSWERS = {"alive": 1, "send": 1, "here": 2, "failed": 2, "cleaned": 5}  # how long they are


class DepotError(Exception):
    """Packages could not be put on a host, or not be removed; the message says why."""


class Cleaned(NamedTuple):
    """What was removed from a host.

    Attributes:
        folder: The cache's.
        size: Of what was removed, bytes.
        removed: What was in each set that was removed, in words.
        used: And in those that are in use.
    """

    folder: str
    size: int
    removed: list[str]
    used: list[str]


def keep(
    stream: boot.Stream,
    start: boot.Start,
    archive: Archive,
    patience: float,
    tell: Callable[[int], object] = lambda sent: None,
) -> str:
    """Have packages unpacked over there, unless they are there already.

    Args:
        stream: Of the line that starts agents.
        start: That line.
        archive: The packages.
        patience: For how long nothing may be heard, seconds.
        tell: Told how many bytes have been sent, as they are.

    Returns:
        The folder that they are in.

    Raises:
        DepotError: They cannot be kept there, or the connection was lost.
        boot.NoAgentError: No Python started.
        OSError: The archive cannot be read.
    """
    errand = {"do": "keep", "limit": LIMIT, "patience": patience, **archive._asdict()}
    with _Conversation(stream, start, errand, patience) as conversation:
        if (heard := conversation.hear("send", "here"))[0] == "send":
            conversation.send(archive.path, tell)
            heard = conversation.hear("here")
        return str(heard[1])


def clean(stream: boot.Stream, start: boot.Start, patience: float) -> Cleaned:
    """Have all packages removed over there that are not in use; raises as `keep` does."""
    with _Conversation(stream, start, {"do": "clean"}, patience) as conversation:
        return Cleaned(*conversation.hear("cleaned")[1:])


class _Conversation:
    """Lines from over there, and bytes to there; a stream that falls silent is closed."""

    def __init__(
        self, stream: boot.Stream, start: boot.Start, errand: dict[str, Any], patience: float
    ) -> None:
        self._stream = stream
        self._start = start
        self._errand = errand
        self._patience = patience
        self._said = b""
        self._signs = 0  # of life: how often something was heard, or taken
        self._silent = False
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._listen, name="interstate depot", daemon=True)

    def __enter__(self) -> _Conversation:
        self._watch.start()
        try:
            program = packed_program("depot", "serve", self._errand)
            self._said = boot.begin(self._stream, self._start, program)
        except BaseException as error:
            self._end()
            if isinstance(error, OSError) or self._silent:
                raise self._lost() from error
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def hear(self, *hoped_for: str) -> tuple[Any, ...]:
        """Wait for an answer; raises DepotError if it is none that we hope for."""
        while True:
            line, end, rest = self._said.partition(b"\n")
            if end:
                self._said = rest
                answer = _parse(line)
                if answer[0] == "failed":
                    raise DepotError(str(answer[1]))
                if answer[0] in hoped_for:
                    return answer
                if answer[0] != "alive":
                    raise DepotError(f"this is not what is to be said now: {answer[0]}")
                continue
            data = self._stream.read(_READ)
            if not data or len(self._said) > _LONGEST_LINE:
                raise self._lost()
            self._signs += 1
            self._said += data

    def send(self, path: str, tell: Callable[[int], object]) -> None:
        """Send a file; who does not want it says why, in what we hear next."""
        sent = 0
        tell(sent)
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                try:
                    self._stream.write(piece)
                except OSError:
                    return
                self._signs += 1
                sent += len(piece)
                tell(sent)

    def _listen(self) -> None:
        signs, silent = self._signs, 0
        while not self._over.wait(self._patience / _LOOKS):
            silent = silent + 1 if self._signs == signs else 0
            signs = self._signs
            if silent == _LOOKS:
                self._silent = True
                self._stream.close()  # whoever reads or writes sees the end
                return

    def _end(self) -> None:
        self._over.set()
        self._watch.join()
        self._stream.close()

    def _lost(self) -> DepotError:
        if self._silent:
            return DepotError(f"nothing was heard for {self._patience:g} s")
        last = self._said[-_READ:].decode(errors="replace").strip()
        return DepotError("the connection was lost" + (f"; the last was:\n{last}" if last else ""))


def _parse(line: bytes) -> tuple[Any, ...]:
    try:
        answer = ast.literal_eval(line.decode("ascii"))
        if isinstance(answer, tuple) and len(answer) == _ANSWERS.get(*answer[:1]):
            return answer
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass  # it is no answer
    raise DepotError(f"this is no answer: {line[:2000].decode(errors='replace')}")
