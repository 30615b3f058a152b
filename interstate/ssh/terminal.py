"""The person at the terminal: asking them for something, and no longer when it is all over.

In a notebook it is asked as the notebook has it.  Where there is neither, the program that
SSH_ASKPASS names does it, as for ssh.
"""

from __future__ import annotations

import builtins
import contextlib
import getpass
import os
import selectors
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from typing import IO, cast

from .. import output
from ..printable import printable

_DEVICE = "/dev/tty"
_LONGEST = 1024  # bytes of an answer
_PATIENCE = 2.0  # seconds that `close` waits for the terminal to be as it was
_CLEAR = b"\r\x1b[K"
_USUAL = getpass.__name__  # where the standard library's own comes from

_changed = threading.Condition()  # guards the next, and what the Terminals have
_asking: Terminal | None = None  # one at a time, of all that this process has


class Terminal:
    """Its mutable state: whether it is closed, and what ends a question that is being asked."""

    def __init__(self) -> None:
        self._closed = False
        self._waking = -1

    def is_there(self) -> bool:
        """Return whether anybody can be asked."""
        return _notebook() or _askpass() is not None or _is_in_front()

    def ask(self, prompt: str, *, echo: bool = False) -> str | None:
        """Return what was typed, without the end of the line; None if nobody answered.

        Args:
            prompt: What to ask; control characters in it do nothing.
            echo: Whether what is typed may be seen.
        """
        prompt = printable(prompt)
        try:
            if _notebook():
                return builtins.input(prompt) if echo else getpass.getpass(prompt)
            with self._turn() as wakes:
                program = _askpass()
                if program:
                    return _run(program, prompt, wakes)
                return _on_device(prompt, echo, wakes)
        except (EOFError, OSError, RuntimeError):  # RuntimeError: a notebook without a person
            return None

    def say(self, text: str) -> bool:
        """Show something; return whether there is a terminal to show it on."""
        there = _notebook() or _is_in_front()
        if there:
            output.write("stderr", f"{printable(text)}\n")
        return there

    def close(self) -> None:
        """Ask nothing any more; end the question that is being asked, and wait for that."""
        with _changed:
            self._closed = True
            if _asking is self:
                os.write(self._waking, b"!")
            _changed.notify_all()
            _changed.wait_for(lambda: _asking is not self, _PATIENCE)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[int]:
        """Wait until no other is asking, and give a file that can be read once this is to end."""
        global _asking
        with _changed:
            _changed.wait_for(lambda: self._closed or _asking is None)
            if self._closed:
                raise EOFError
            wakes, self._waking = os.pipe()
            _asking = self
        try:
            yield wakes
        finally:
            with _changed:
                _asking = None
                os.close(self._waking)
                os.close(wakes)
                _changed.notify_all()


def _after_fork() -> None:
    """Nobody in the child is asking, nor will anybody wake it who waits."""
    global _changed, _asking
    _changed, _asking = threading.Condition(), None


os.register_at_fork(after_in_child=_after_fork)


def _run(program: str, prompt: str, wakes: int) -> str | None:
    with subprocess.Popen(  # noqa: S603  # the user's own environment names it
        [program, prompt], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        try:
            answer = _line(cast(IO[bytes], process.stdout).fileno(), wakes)
            process.wait(0 if answer is None else _PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    return answer if process.returncode == 0 else None


def _on_device(prompt: str, echo: bool, wakes: int) -> str | None:
    device = os.open(_DEVICE, os.O_RDWR | os.O_NOCTTY)
    try:
        with _echo(device, echo):
            last = prompt.rpartition("\n")[2].encode()
            output.erase()
            with output.above(lambda: _show(device, _CLEAR), lambda: _show(device, last)):
                _write(device, prompt.encode())
                return _line(device, wakes)
    finally:
        os.close(device)


def _notebook() -> bool:
    """Whether somebody else asks in place of getpass, as in a notebook, which has no terminal."""
    return getpass.getpass.__module__ != _USUAL


def _askpass() -> str | None:
    """The program to ask by, if that is to be done and there is one."""
    program = os.environ.get("SSH_ASKPASS")
    when = os.environ.get("SSH_ASKPASS_REQUIRE", "").lower()
    shown = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if not program or when == "never" or not (shown or when == "force"):
        return None
    return program if when in ("force", "prefer") or not _is_in_front() else None


def _is_in_front() -> bool:
    """Whether we have a terminal, and may read from it: in the background that would stop us."""
    try:
        device = os.open(_DEVICE, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(device) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(device)


@contextlib.contextmanager
def _echo(device: int, echo: bool) -> Iterator[None]:
    """Have what is typed not shown, and after that all as it was."""
    before = termios.tcgetattr(device)
    if not echo:
        changed = [*before]
        changed[3] &= ~termios.ECHO
        termios.tcsetattr(device, termios.TCSAFLUSH, changed)
    try:
        yield
    finally:
        if not echo:
            termios.tcsetattr(device, termios.TCSAFLUSH, before)
            _write(device, b"\n")


def _line(file: int, wakes: int) -> str | None:
    """Read a line; None if there is none, or this was woken before its end."""
    data = b""
    while b"\n" not in data and len(data) < _LONGEST:
        is_over = wakes in _readable(file, wakes)
        more = b"" if is_over else os.read(file, _LONGEST)
        if is_over or not (more or data):
            return None
        if not more:
            break
        data += more
    return data.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "surrogateescape")


def _readable(*files: int) -> list[int]:
    """Wait until there is something to read; return where.

    select cannot wait for files beyond the 1,023rd, and macOS cannot poll a terminal.
    """
    kind = selectors.PollSelector if sys.platform == "linux" else selectors.SelectSelector
    with kind() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        return [key.fd for key, _ in selector.select()]


def _show(device: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # it is gone, as who reads from it sees
        _write(device, data)


def _write(device: int, data: bytes) -> None:
    while data:
        data = data[os.write(device, data) :]
