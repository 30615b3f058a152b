"""SSH hosts on this machine, for trying Interstate out and for tests of what is built on it.

They are real SSH, served by a process of their own on loopback addresses, and need no sshd, no
account and no configuration.  This file starts and ends that process; the process itself is:

    server.py      the ports, the keys, and the order in which all ends
    connection.py  one client's connection: who may log in, and what may be asked for
    bridge.py      bytes between a channel and a command, or a channel and a socket
    commands.py    the commands that run, and their ends
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from ..errors import InterstateError
from ..hosts import Host

__all__ = ["hosts"]

_START_TIMEOUT = 60.0  # a machine that runs a hundred tests at once is slow, not broken
_END_TIMEOUT = 30.0  # it gives its commands a second, then ends them; this machine may be busy


def hosts(count: int = 1) -> AbstractContextManager[list[Host]]:
    """Serve SSH hosts on this machine for as long as a with-statement lasts.

    Each host has its own port on 127.0.0.1 and its own new host key; one new client key, which
    nothing else is protected by, opens them all.  A host runs commands as the current user and
    forwards connections to loopback addresses, so that each can be the way (`via=`) to the others::

        with interstate.loopback.hosts(4) as hosts:
            interstate.execute(job, hosts=hosts[1:], via=hosts[0])

    When the with-statement ends, or this process does, so do the hosts and what they run.

    Args:
        count: How many hosts.

    Returns:
        A context manager that gives a list of `count` Hosts.  Each carries its key file and its
        known_hosts file, so that any SSH client can use it without further configuration.

    Raises:
        ValueError: `count` is less than 1.
        InterstateError: The hosts could not be started; the message says why.  It is raised when
            the with-statement begins.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    return _serving(count)


@contextmanager
def _serving(count: int) -> Iterator[list[Host]]:
    directory = Path(tempfile.mkdtemp(prefix="interstate-loopback-"))  # mode 0700
    try:
        with (directory / "log").open("wb") as log:
            process = _start(directory, count, log.fileno())
        try:
            yield _read_hosts(process, directory)
        finally:
            _end(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _start(directory: Path, count: int, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - ourselves, and our own arguments
        [sys.executable, "-P", "-m", __name__, str(directory), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
        start_new_session=True,  # Ctrl-C in our terminal is for us, not for the hosts
    )


def _import_path() -> list[str]:
    """Where this process imports from, so that the hosts run the same Interstate."""
    path = [os.path.abspath(entry) for entry in sys.path]  # "" means the working directory
    home = str(Path(__file__).resolve().parents[2])
    return path if home in path else [*path, home]


def _read_hosts(process: subprocess.Popen[bytes], directory: Path) -> list[Host]:
    stdout = cast(IO[bytes], process.stdout)
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        line = stdout.readline() if selector.select(_START_TIMEOUT) else b""
    if not line:
        raise InterstateError(_why_not_started(process, directory))
    served = json.loads(line)
    key, known_hosts = str(directory / "key"), str(directory / "known_hosts")
    return [Host("127.0.0.1", served["user"], port, key, known_hosts) for port in served["ports"]]


def _why_not_started(process: subprocess.Popen[bytes], directory: Path) -> str:
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    status = process.poll()
    happened = (
        f"no answer within {_START_TIMEOUT:g} s" if status is None else f"exit status {status}"
    )
    log = (directory / "log").read_text(errors="replace").strip() or "it printed nothing"
    return f"the loopback hosts could not be started ({happened}): {log}"


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        # Say it, as well as close: a process that was forked from this one may hold the pipe open.
        process.communicate(b"end", _END_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
