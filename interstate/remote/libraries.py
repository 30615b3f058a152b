"""Has this process, and what it forks, import from folders of packages that were put on this host.

The folders are the depot's (see depot.py).  Each is locked for as long as one of these processes
lives, so that nobody removes it.
"""

from __future__ import annotations

import fcntl
import os
import sys

from .lean import suppress


def use(folders: list[str]) -> None:
    """Import from these folders after the standard library, before what is installed here.

    Raises:
        OSError: One of them is not there any more.
    """
    for folder in folders:
        lock = os.open(f"{folder}.lock", os.O_RDONLY)  # which stays open
        with suppress(OSError):  # its file system cannot: then what was used today stays
            fcntl.flock(lock, fcntl.LOCK_SH)
        os.stat(folder)
    at = next((i for i, entry in enumerate(sys.path) if _is_of_site(entry)), len(sys.path))
    sys.path[at:at] = folders


def _is_of_site(entry: str) -> bool:
    return entry.endswith(("/site-packages", "/dist-packages"))
