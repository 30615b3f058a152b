"""Commands of ssh_config that are run to their end: in time, and all that they start with them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

_GRACE = 0.5  # seconds that a command may take to end which we may not kill, as one of sudo's


def run(
    command: Sequence[str], seconds: float, *, heard: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """Run a command, which has nothing to read; one that takes too long is killed.

    It has a session of its own, so that what it starts can be ended with it.

    Args:
        command: Its words.
        seconds: How long it may take.
        heard: Whether what it writes is wanted; else only its complaints are seen, where ours are.

    Raises:
        TimeoutError: It takes longer.
        OSError: It cannot be run.
    """
    pipe = subprocess.PIPE if heard else None
    process = subprocess.Popen(  # noqa: S603  # ssh_config has it run
        command,
        stdin=subprocess.DEVNULL,
        stdout=pipe or subprocess.DEVNULL,
        stderr=pipe,
        start_new_session=True,
    )
    try:
        written, complaints = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    finally:
        _end(process)
    return subprocess.CompletedProcess(
        command, process.returncode, written or b"", complaints or b""
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command that has not ended, and what it has started."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        except (ProcessLookupError, PermissionError):  # another user's, as by sudo
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
    for pipe in filter(None, (process.stdout, process.stderr)):
        pipe.close()
