"""The commands that run on loopback hosts: the one place that starts, reaps and kills them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


class Commands:
    """The running commands, each in a session and process group of its own.

    A command is one until `reap` has returned: until then its process id cannot name anything
    else, so killing its group cannot hit a stranger.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()  # serializes the two below
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def start(self, line: bytes, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a command as an sshd would: by a shell, in the home directory, without a terminal.

        Raises:
            OSError: It could not be started, or `end` has been called.
        """
        home = Path(environment["HOME"])
        with self._changed:
            if self._ended:
                raise OSError("the loopback hosts are ending")
            process = subprocess.Popen(  # noqa: S603 - to run what its user says is its task
                ["/bin/sh", "-c", line],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=home if home.is_dir() else "/",
                env=environment,
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def reap(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a command to end, and return its exit status as a shell would give it."""
        status = process.wait()
        with self._changed:
            self._running.discard(process)
            self._changed.notify_all()
        return status if status >= 0 else 128 - status

    def end(self, grace: float) -> None:
        """Start no more commands, and kill those that have not ended after `grace` seconds."""
        with self._changed:
            self._ended = True
            self._changed.wait_for(lambda: not self._running, grace)
            for process in self._running:
                _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
