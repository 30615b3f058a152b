"""How many files this process may have open: seen to before many connections are begun."""

from __future__ import annotations

import errno
import os

try:
    import resource
except ImportError:  # not on every system; nor is the limit
    resource = None  # type: ignore[assignment]

_SPARE = 16  # for what else this process opens meanwhile


def make_room(more: int) -> None:
    """See to it that so many more files can be open at once; raises the soft limit if need be.

    Raises:
        OSError: They cannot, not even with the hard limit.
    """
    if resource is None:
        return
    needed = _open_now() + more + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:
        raise _too_many(more, needed, soft if hard == resource.RLIM_INFINITY else hard) from error


def _open_now() -> int:
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:  # it may be that just this one cannot be opened
        return _SPARE


def _too_many(more: int, needed: int, allowed: int) -> OSError:
    return OSError(
        errno.EMFILE,
        f"connecting to these hosts takes {more} files that are open at once, so {needed} with "
        f"those that this process needs else, and it may have {allowed}. Allow it more: "
        f"`ulimit -n {needed}` in the shell that starts it, by root where that is refused. Or "
        "reach the hosts over a jump host (via=): those behind it share its connection and need "
        "no file each",
    )
