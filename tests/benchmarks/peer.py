"""The near side of a peer: its process, and the lines of JSON that are exchanged with it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from typing import Any

PATIENCE = 120.0  # seconds that one question may take
_END = 20.0  # seconds that it may take to end


class PeerError(Exception):
    """A peer could not be started, or failed at what it was asked for."""


class Peer:
    """One peer's process, to be used in a with-statement; it is started when it is first asked.

    So a peer that cannot run here is found out by the row that asks it, where that can be said.

    Args:
        module: Which of `tests.benchmarks.peers` it is.
        python: The Python of the peers' environment; None: there is none.
    """

    def __init__(self, module: str, python: str | None) -> None:
        self._module = module
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._ends = contextlib.ExitStack()

    def __enter__(self) -> Peer:
        self._errors = self._ends.enter_context(tempfile.TemporaryFile())
        return self

    def __exit__(self, *error: Any) -> None:
        self._ends.close()

    def start(self) -> None:
        """Start it; the first figures are to be without that."""
        if self._python is None:
            raise PeerError("no environment with the peers: give --peers PYTHON")
        if self._process is None:
            command = [self._python, "-m", f"{__package__}.peers.{self._module}"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
            )
            self._ends.enter_context(self._process)
            self._ends.callback(_end, self._process)

    def ask(self, what: str, *args: Any) -> list[float]:
        """Ask for figures, and wait for them.

        Raises:
            PeerError: It says why not, has ended, or is silent.
        """
        self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        question = json.dumps({"what": what, "args": args}) + "\n"
        with contextlib.suppress(BrokenPipeError):  # the answer's end tells it
            self._process.stdin.write(question.encode())
            self._process.stdin.flush()
        answer = json.loads(self._read_line())
        if "error" in answer:
            raise PeerError(answer["error"])
        figures: list[float] = answer["figures"]
        return figures

    def _read_line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline, line = time.monotonic() + PATIENCE, b""
        while not line.endswith(b"\n"):
            left = max(deadline - time.monotonic(), 0.0)
            if not select.select([self._process.stdout], [], [], left)[0]:
                raise PeerError(f"no answer within {PATIENCE:g} s")
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            if not data:
                raise PeerError(f"ended: {self._last_error()}")
            line += data
        return line

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "without a word"


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        process.kill()
