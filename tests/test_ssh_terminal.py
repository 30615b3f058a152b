"""What is promised about the terminal that we ask on: it is as it was afterwards, come what may."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from interstate import output
from interstate.ssh.terminal import Terminal

from .sshd import Sshd

pytestmark = pytest.mark.once

PROMPT = b"Enter passphrase for key"
_BEGIN = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY)  # the terminal is ours now, as a shell would have it
"""
_ASK = """
import signal, threading
from interstate import output
from interstate.ssh.terminal import Terminal
terminal = Terminal()
"""
_BLOCK = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\n"  # so that none is missed


class Screen:
    """A program on a terminal of its own.

    Attributes:
        process: It.
        shown: What it has shown so far.
    """

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self._master = master
        self.process = process
        self.shown = b""

    def wait_for(self, text: bytes) -> None:
        give_up = time.monotonic() + 60
        while text not in self.shown:
            left = max(give_up - time.monotonic(), 0)
            assert select.select([self._master], [], [], left)[0], self.shown
            try:
                self.shown += os.read(self._master, 1000)
            except OSError as error:  # it has ended
                raise AssertionError(self.shown) from error

    def type(self, text: bytes) -> None:
        os.write(self._master, text)

    def shows_what_is_typed(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)


@contextlib.contextmanager
def started(tmp_path: Path, program: str, *args: str) -> Iterator[Screen]:
    path = tmp_path / "program.py"
    path.write_text(_BEGIN + program)
    master, terminal = os.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, str(path), *args],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        env=environment,
    ) as process:
        try:
            yield Screen(master, process)
        finally:
            process.kill()
            os.close(terminal)
            os.close(master)


EXECUTE = """
import interstate
from interstate import Host
try:
    print(interstate.execute(lambda: "done", hosts=HOSTS, ssh_config=None))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_a_question_and_leaves_the_terminal_as_it_was(
    sshd: Sshd, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    words = ["-q", "-t", "ecdsa", "-m", "PEM", "-N", "open sesame", "-f", str(locked)]
    subprocess.run(["ssh-keygen", *words], check=True)
    Path(f"{locked}.pub").unlink()  # so that nothing is known of the key without the passphrase
    hosts = [replace(host, identity_file=str(locked)) for host in sshd.hosts(3)]
    with started(tmp_path, EXECUTE.replace("HOSTS", repr(hosts))) as screen:
        screen.wait_for(PROMPT)
        assert not screen.shows_what_is_typed()
        screen.type(b"\x03")
        screen.wait_for(b"interrupted")
        screen.process.wait(60)
        assert screen.shows_what_is_typed()


def test_what_is_printed_meanwhile_stands_above_the_question(tmp_path: Path) -> None:
    program = """
def tell(*_):
    output.show("12 of 99 hosts are up", last=False)
    output.write("stdout", "printed by a call\\n")
signal.signal(signal.SIGUSR1, tell)
print("answer:", terminal.ask("A title\\nPassword: "))
output.show("99 of 99 hosts are up", last=True)
"""
    with started(tmp_path, _ASK + program) as screen:
        screen.wait_for(b"A title\r\nPassword: ")
        screen.process.send_signal(signal.SIGUSR1)
        screen.wait_for(b"\r\x1b[Kprinted by a call\r\nPassword: ")
        screen.type(b"open sesame\n")
        screen.wait_for(b"answer: open sesame\r\n99 of 99 hosts are up")
        assert screen.process.wait(60) == 0
    assert b"12 of 99" not in screen.shown
    assert screen.shown.count(b"open sesame") == 1


def test_what_may_be_seen_is_shown_as_it_is_typed(tmp_path: Path) -> None:
    program = 'print(repr(terminal.ask("Code: ", echo=True)), terminal.ask("And: "))'
    with started(tmp_path, _ASK + program) as screen:
        screen.wait_for(b"Code: ")
        assert screen.shows_what_is_typed()
        screen.type(b"123456\n")
        screen.wait_for(b"Code: 123456\r\nAnd: ")
        screen.type(b"\x04")  # the end of the input: no answer
        screen.wait_for(b"'123456' None")


def test_closing_ends_a_question(tmp_path: Path) -> None:
    program = """
signal.signal(signal.SIGUSR1, lambda *_: None)
asking = threading.Thread(target=lambda: print(terminal.ask("Password: "), flush=True))
asking.start()
signal.sigwait({signal.SIGUSR1})
terminal.close()
asking.join()
print(terminal.ask("Never asked: "), flush=True)
"""
    with started(tmp_path, _ASK + _BLOCK + program) as screen:
        screen.wait_for(b"Password: ")
        screen.process.send_signal(signal.SIGUSR1)
        screen.wait_for(b"None\r\nNone\r\n")
        assert screen.process.wait(60) == 0
        assert screen.shows_what_is_typed()
    assert b"Never" not in screen.shown


def test_two_that_ask_on_one_terminal_take_turns(tmp_path: Path) -> None:
    program = """
def ask(prompt):
    print("begun", prompt, flush=True)
    print(f"got {Terminal().ask(prompt)} for {prompt}\\n", end="", flush=True)
first = threading.Thread(target=ask, args=("First: ",))
second = threading.Thread(target=ask, args=("Second: ",))
signal.signal(signal.SIGUSR1, lambda *_: second.start())
first.start()
first.join()
second.join()
"""
    with started(tmp_path, _ASK + program) as screen:
        screen.wait_for(b"First: ")
        screen.process.send_signal(signal.SIGUSR1)
        screen.wait_for(b"begun Second: ")
        screen.type(b"one\n")
        screen.wait_for(b"got one for First: ")
        screen.wait_for(b"\nSecond: ")
        assert not screen.shows_what_is_typed()
        screen.type(b"two\n")
        screen.wait_for(b"got two for Second: ")
        assert screen.process.wait(60) == 0
        assert screen.shows_what_is_typed()


def test_closing_ends_the_wait_for_ones_turn(tmp_path: Path) -> None:
    program = """
first = threading.Thread(target=lambda: terminal.ask("First: "))
first.start()
waiting = Terminal()
second = threading.Thread(target=lambda: print(waiting.ask("Second: "), flush=True))
signal.sigwait({signal.SIGUSR1})
second.start()
waiting.close()
second.join()
terminal.close()
"""
    with started(tmp_path, _ASK + _BLOCK + program) as screen:
        screen.wait_for(b"First: ")
        screen.process.send_signal(signal.SIGUSR1)
        screen.wait_for(b"None")
        assert screen.process.wait(60) == 0
    assert b"Second: " not in screen.shown


def test_a_child_made_by_a_fork_meanwhile_asks_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = """
import os
asking = threading.Thread(target=lambda: terminal.ask("Password: "))
asking.start()
signal.sigwait({signal.SIGUSR1})
if os.fork() == 0:
    os.environ.update(SSH_ASKPASS="/bin/echo", SSH_ASKPASS_REQUIRE="force")
    print(Terminal().ask("I am the child"), flush=True)
    os._exit(0)
os.wait()
terminal.close()
"""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore::DeprecationWarning")  # of forks with threads
    with started(tmp_path, _ASK + _BLOCK + program) as screen:
        screen.wait_for(b"Password: ")
        screen.process.send_signal(signal.SIGUSR1)
        screen.wait_for(b"I am the child\r\n")
        assert screen.process.wait(60) == 0


class _File(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def test_what_goes_to_a_file_meanwhile_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    with output.above(lambda: calls.append("clear"), lambda: calls.append("again")):
        for terminal, becomes in (False, "half a li"), (True, "half a li\n"):
            file = _File(terminal)
            monkeypatch.setattr(sys, "stdout", file)
            output.write("stdout", "half a li")
            assert file.getvalue() == becomes
    assert calls == ["clear", "again"]


def test_a_question_is_not_shown_again_once_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is closed then, and the number may be another file's."""
    calls: list[str] = []
    begun, over = threading.Event(), threading.Event()

    def clear() -> None:
        begun.set()
        over.wait(0.2)  # it is over while this goes on, if nothing holds that up
        calls.append("cleared")

    monkeypatch.setattr(sys, "stdout", _File(True))
    writing = threading.Thread(target=output.write, args=("stdout", "printed\n"))
    with output.above(clear, lambda: calls.append("shown again")):
        writing.start()
        assert begun.wait(60)
    calls.append("over")
    over.set()
    writing.join()
    assert calls == ["cleared", "shown again", "over"]


# ------------------------------------------------------------------------------- SSH_ASKPASS


@pytest.fixture
def askpass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    """A function: has a program asked, given what it does."""

    def write(script: str) -> Terminal:
        path = tmp_path / "askpass"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("SSH_ASKPASS", str(path))
        monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
        return Terminal()

    return write


def test_closing_ends_a_program_of_which_something_is_left(
    tmp_path: Path, askpass: Callable[[str], Terminal]
) -> None:
    os.mkfifo(tmp_path / "there")
    terminal = askpass(f"sleep 600 &\necho $! > {tmp_path}/there\nexec sleep 600")
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(terminal.ask, "Password: ")
        left = int((tmp_path / "there").read_text())
        terminal.close()
        assert asking.result(60) is None
        began = time.monotonic()
        assert terminal.ask("Password: ") is None  # nor is any program started
        assert time.monotonic() < began + 60
    os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("echo open sesame; sleep 0.1", "open sesame"),
        ("printf 'open sesame'", "open sesame"),
        ("printf 'open sesame\\r\\nand more\\n'", "open sesame"),
        ("echo", ""),
        ("echo open sesame; exit 1", None),
        ("exit 0", None),
        ("yes '' | head -c 10000000 >&2; exit 3", None),
        ("exec tr '\\\\0' x < /dev/zero", None),
    ],
)
def test_what_a_program_says_is_the_answer_if_it_ends_well(
    askpass: Callable[[str], Terminal], script: str, answer: str | None
) -> None:
    assert askpass(f"{script} 2> /dev/null").ask("Password: ") == answer


def test_one_is_asked_however_many_files_are_open(askpass: Callable[[str], Terminal]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 1200:
        pytest.skip(f"no more than {hard} files may be open")
    terminal = askpass("echo open sesame")
    with contextlib.ExitStack() as at_the_end:
        at_the_end.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
        for _ in range(1030):
            at_the_end.enter_context(open(os.devnull))
        assert terminal.ask("Password: ") == "open sesame"


def test_in_the_background_nobody_is_asked(tmp_path: Path) -> None:
    program = """
import os
print("before:", terminal.is_there(), flush=True)
os.setpgid(0, 0) if os.getpgrp() != os.getpid() else None
if os.fork() == 0:
    os.setpgid(0, 0)  # as a shell does for a job that is started with &
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    print("there:", terminal.is_there(), flush=True)
    os._exit(0)
os.wait()
"""
    with started(tmp_path, _ASK + program) as screen:
        screen.wait_for(b"before: True")
        screen.wait_for(b"there: False")
        assert screen.process.wait(60) == 0
