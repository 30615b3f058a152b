"""Starts the processes of `child`, and gathers what they say; a new one after each loss."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

from . import shapes
from .compare import LOST, Judged
from .situations import CWD, REPOSITORY, Place

_FIRST = 120.0  # seconds until a child says something
_NEXT = 40.0  # seconds until it says more


class Child:
    """The child process of one situation.

    Args:
        place: Where the files are.
        host: The fields of a Host, for who needs one.
        python: What runs it.
    """

    def __init__(
        self,
        runner: str,
        situation: str,
        place: Place,
        host: Sequence[Any] | None = None,
        python: str = sys.executable,
    ) -> None:
        code = [place.script] if situation == "main" else ["-m", "tests.fidelity.child"]
        directory = str(place.here.parent)
        self._command = [python, "-P", *code, runner, situation, directory, json.dumps(host)]
        self._here = place.here
        self._left = list(shapes.titles())
        self._found: dict[str, Judged] = {}
        self._ends = contextlib.ExitStack()

    def __enter__(self) -> Child:
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    def results(self) -> dict[str, Judged]:
        """Return what comes back for each shape."""
        while self._left:
            with self._ends:
                for name, word, differences in self._lines():
                    self._left.remove(name)
                    self._found[name] = Judged(word, differences)
                if self._left and not self._ended_by_a_loss():
                    self._found[self._left.pop(0)] = Judged(LOST, [self._why()])
            if self._left:
                self._start()
        return self._found

    def _start(self) -> None:
        self._errors = errors = tempfile.TemporaryFile()  # noqa: SIM115  # for as long as it runs
        self._ends.enter_context(errors)
        self._process = subprocess.Popen(
            self._command + self._left,
            cwd=self._here,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((CWD, str(REPOSITORY)))},
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self._said = 0
        self._ends.callback(self._end)

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def _ended_by_a_loss(self) -> bool:
        last = next(reversed(self._found.values()), None)
        return self._said > 0 and last is not None and last.word == LOST

    def _why(self) -> str:
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace").strip()
        return f"its process said no more: {text[-1000:]}"

    def _lines(self) -> Iterator[Any]:
        """What the process says, until it ends, or is silent for too long."""
        assert self._process.stdout is not None
        rest = b""
        while data := self._read():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._said += 1
                yield json.loads(line)
        if not self._left:
            with contextlib.suppress(subprocess.TimeoutExpired):  # then it is killed
                self._process.wait(_NEXT)

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + (_NEXT if self._said else _FIRST)
        left = max(deadline - time.monotonic(), 0.0)
        if not select.select([self._process.stdout], [], [], left)[0]:
            return b""
        return os.read(self._process.stdout.fileno(), 1 << 16)
