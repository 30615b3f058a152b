"""What all tests share: SSH hosts of two kinds, and a check that each test cleans up after itself.

The kinds are a real sshd and the loopback hosts of `interstate.loopback`; a test that asks for
`host` runs once with each.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from interstate.hosts import Host
from interstate.pytest_plugin import interstate_hosts  # noqa: F401 - as if it were installed

from . import processes
from .gates import Gate
from .kinds import KINDS
from .servers import refused_port as a_refused_port
from .sshd import Keys, Sshd, loopback_addresses

_PATIENCE = 60.0  # seconds that threads, processes and files may take to end after their test
_PR_SET_CHILD_SUBREAPER = 36

# How long an example takes says how busy this computer is, as a rule.
settings.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("busy")


def pytest_configure() -> None:
    """Become the parent of every orphan below us, so that a test cannot lose a process.

    Whatever was started by way of an sshd or a loopback host, and outlives it, comes to us.
    """
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER) failed")


@pytest.fixture(autouse=True)
def nobody_at_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who runs the tests is asked for a password."""
    monkeypatch.setattr("interstate.ssh.terminal._is_in_front", lambda: False)
    monkeypatch.delenv("SSH_ASKPASS", raising=False)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A client key and a host key, for any sshd of this session."""
    return Keys.generate(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sshd]:
    """One real sshd for the session, at 16 addresses, with generous limits."""
    directory = tmp_path_factory.mktemp("sshd")
    with Sshd(directory, keys, listen=loopback_addresses(16)) as sshd:
        yield sshd


@pytest.fixture(scope="session")
def real_host(sshd: Sshd) -> Host:
    """A host that is a real sshd."""
    return sshd.host()


@pytest.fixture(scope="session")
def loopback_hosts(interstate_hosts: list[Host]) -> list[Host]:  # noqa: F811 - pytest's way
    """Two hosts of `interstate.loopback`, as a user's tests would have them."""
    return interstate_hosts


@pytest.fixture(scope="session")
def loopback_host(loopback_hosts: list[Host]) -> Host:
    """A host of `interstate.loopback`."""
    return loopback_hosts[0]


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, real_host: Host, loopback_host: Host) -> Host:
    """A host: the test runs once with a real sshd and once with a loopback host."""
    return {"sshd": real_host, "loopback": loopback_host}[request.param]


@pytest.fixture
def unhurried_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents have time to end, and to say all before, however busy this computer is."""
    monkeypatch.setattr("interstate.fleet._FAREWELL", _PATIENCE)


@pytest.fixture(scope="session")
def refused_port() -> Iterator[int]:
    """A port that refuses, at all addresses of 127.0.0.0/8."""
    with a_refused_port() as port:
        yield port


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gate for calls on this computer, closed; whoever waits there still goes on at the end."""
    gate = Gate(tmp_path)
    yield gate
    gate.open()


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a process or a file descriptor, and name it.

    Fixtures of a wider scope are set up before this one, so what they hold is not counted.
    """
    threads, running, files = set(threading.enumerate()), _processes(), _descriptors()
    yield
    left = [*_left_threads(threads), *_left_processes(running), *_left_files(files)]
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


def _processes() -> set[int]:
    return set(processes.descendants(os.getpid()))


def _descriptors() -> dict[str, str]:
    """What each open file descriptor refers to."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        path = Path("/proc/self/fd", fd)
        if path.is_symlink():  # not the one that the listing itself took
            found[fd] = os.readlink(path)
    return found


def _left_threads(before: set[threading.Thread]) -> list[str]:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and (new := set(threading.enumerate()) - before):
        with contextlib.suppress(RuntimeError):  # one that is just about to start
            new.pop().join(max(deadline - time.monotonic(), 0.0))
    return [f"thread {thread}, {_where(thread)}" for thread in set(threading.enumerate()) - before]


def _where(thread: threading.Thread) -> str:
    """What a thread is at: its innermost frames, the outer first."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return "ended since"
    stack = traceback.extract_stack(frame)[-8:]
    return " > ".join(f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in stack)


def _left_processes(before: set[int]) -> list[str]:
    new = _processes() - before
    left = processes.wait_gone(new, _PATIENCE) if new else []
    described = [f"process {processes.describe(pid)}" for pid in left]
    processes.kill(left)
    return described


def _left_files(before: dict[str, str]) -> list[str]:
    """What is open still: a thread that was there before may be about to close what it had."""
    deadline = time.monotonic() + _PATIENCE
    while (new := _descriptors().items() - before.items()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [f"file {fd}: {what}" for fd, what in sorted(new)]
