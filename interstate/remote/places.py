"""Where files of calls lie over there.

It is settled before a worker is forked, so that all of them know it, whatever calls do to the
environment later.  Nothing is made there before the first file comes.
"""

from __future__ import annotations

import os

folder = ""  # of all of this agent's
owner = ""  # for whom the agent runs


def settle() -> None:
    """Choose where they will be, as `tempfile` does."""
    global folder
    names = [os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")]
    wanted = [*filter(None, names), "/tmp", "/var/tmp", "/usr/tmp"]  # noqa: S108  # in a folder of its own
    usable = (path for path in wanted if os.access(path, os.W_OK | os.X_OK))
    parent = os.path.abspath(next(usable, wanted[0]))
    folder = os.path.join(parent, f"interstate-{os.urandom(8).hex()}")


def path_of(number: int, name: bytes) -> str:
    """Where the file of some number and name is."""
    return os.path.join(folder, str(number), os.fsdecode(name))
