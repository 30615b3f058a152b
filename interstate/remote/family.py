"""The processes below us: all of them end with us, those too that have left their group.

An agent is the subreaper of what its calls start: whoever loses its parent becomes our child.
"""

from __future__ import annotations

import os
import time

from .lean import signal, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
_PAUSE = 0.002  # seconds


def adopt_orphans() -> None:
    """Become the parent of orphans below us, where Linux lets us."""
    with suppress(ImportError, AttributeError, OSError):
        import _ctypes  # without what Python wraps around it, which takes longer to import

        library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # this program itself
        prctl = _ctypes.dlsym(library, "prctl")
        _ctypes.call_function(prctl, (_SUBREAPER, 1, 0, 0, 0))


def descendants(pid: int) -> list[int]:
    """The children of a process, their children, and so on."""
    found = list(_children(pid))
    for child in found:  # grows while it is walked
        found += _children(child)
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(PermissionError, ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for(pids: Iterable[int], seconds: float) -> set[int]:
    """Wait until these children of ours have ended, so many seconds at most; return who has not."""
    deadline = time.monotonic() + seconds
    left = set(pids)
    while left and time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return set()
        left.discard(pid)
        if not pid:
            time.sleep(_PAUSE)
    return left


def end_all(seconds: float, spared: int = 0) -> None:
    """Kill all that is below us and see it end; what cannot be killed is not waited for longer.

    Args:
        spared: A child of ours that has none, and goes on.
    """
    deadline = time.monotonic() + seconds
    while _reap_all() and time.monotonic() < deadline:
        left = [pid for pid in descendants(os.getpid()) if pid != spared]
        if spared and not left:
            return
        kill(left)
        time.sleep(_PAUSE)


def _reap_all() -> bool:
    """Take note of the children that have ended; return whether others are left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):  # it has just ended
        for task in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
                yield from map(int, file.read().split())
