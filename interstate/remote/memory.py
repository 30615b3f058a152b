"""Whether the kernel has killed a process for want of memory, by what it tells of that.

Its log names each victim, but is seldom ours to read.  Our cgroup counts its own, and the host all:
one more, when a process has just been killed, is evidence too.  Parsing is apart from reading.
What cannot be read is no evidence, and no error.
"""

from __future__ import annotations

import os
import time

from .lean import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    Verdict = tuple[Optional[bool], str]  # whether it was for want of memory; what happened, then

SOON = 10.0  # seconds in which a process ends that the kernel has killed, be it ever so large
_RECORD = 8192  # bytes: no record of the kernel's log is longer
_RECORDS = 1 << 15  # at most in one go: the log may grow faster than it is read
_ALL_PROCESSES = "pid:[4026531836]"  # the namespace in which processes have the log's numbers

BY_KERNEL = "was killed by the kernel for want of memory"
NEARBY = (
    "was ended by SIGKILL (the kernel's memory killer was at work on that host at the time: "
    "likely out of memory)"
)
NOT_BY_KERNEL = (
    "was ended by SIGKILL (killed by hand, or by a program that watches over that host; "
    "not by the kernel for want of memory)"
)
UNKNOWN = "was ended by SIGKILL (likely out of memory, or killed by hand)"


class Evidence:
    """What the kernel has logged and counted since this was made.

    Args:
        root: What the paths of files begin with.
    """

    def __init__(self, root: str = "") -> None:
        self._group: list[str] = []
        with suppress(OSError, ValueError, IndexError):
            here = _read(f"{root}/proc/self/cgroup"), _read(f"{root}/proc/self/mountinfo")
            self._group = [root + directory for directory in groups(*here)]
        counts = [f"{self._group[0]}/{name}" for name in _COUNTS] if self._group else []
        self._in_group = _Count(counts)
        self._on_host = _Count([f"{root}/proc/vmstat"])
        self._log = _open_log(root)
        self._victims: dict[int, bool] = {}  # by pid: whether the whole host was out of memory
        self._looked = time.monotonic()

    def born(self, pid: int) -> None:
        """A process has begun: what was said of another of its number is not about it."""
        if time.monotonic() - self._looked >= SOON:
            self._look()
        self._victims.pop(pid, None)

    def about(self, pid: int) -> Verdict:
        """Why a process ended that somebody else than we has killed: to be asked at once."""
        self._look()
        if pid in self._victims:
            return True, BY_KERNEL + self._where(self._victims.pop(pid))
        if self._in_group.risen_lately:
            return True, BY_KERNEL + self._where(False)
        if self._on_host.risen_lately:
            return True, NEARBY
        return None, NOT_BY_KERNEL if self._in_group.known or self._on_host.known else UNKNOWN

    def close(self) -> None:
        """Close what is open, in a child that has nothing to do with it."""
        if self._log is not None:
            os.close(self._log)

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._in_group.look()
        self._on_host.look()
        for record in self._records():
            self._victims.update(victim(record))

    def _records(self) -> list[bytes]:
        """What was logged since we read last."""
        records: list[bytes] = []
        for _ in range(_RECORDS if self._log is not None else 0):
            try:
                records.append(os.read(self._log, _RECORD))  # type: ignore[arg-type]
            except BrokenPipeError:  # the next ones were overwritten before they were read
                continue
            except OSError:  # that is all
                break
            if not records[-1]:
                break
        return records

    def _where(self, whole_host: bool) -> str:
        if whole_host:
            return " (there was none left on that host)"
        limit = self._limit()
        return f" (the limit of its cgroup is {shown(limit)})" if limit < _all_memory() else ""

    def _limit(self) -> float:
        """Bytes that our cgroup may use; those around it may allow less."""
        limits = [float("inf")]
        for directory in self._group:
            for name, of in _LIMITS:
                with suppress(OSError, ValueError, IndexError):
                    limits.append(of(_read(f"{directory}/{name}")))
        return min(limits)


class _Count:
    """How many processes the kernel has killed for want of memory, as one of these files says."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = paths
        self._last = self._read()
        self._risen = float("-inf")  # when it was first seen to be more, by the monotonic clock

    @property
    def known(self) -> bool:
        return self._last is not None

    @property
    def risen_lately(self) -> bool:
        return time.monotonic() - self._risen < SOON

    def look(self) -> None:
        count = self._read()
        if count is not None and self._last is not None and count > self._last:
            self._risen = time.monotonic()
        self._last = count

    def _read(self) -> int | None:
        for path in self._paths:
            with suppress(OSError, ValueError, IndexError):
                return value(_read(path), "oom_kill")
        return None


# ----------------------------------------------------------------------------- parsing


def groups(cgroups: str, mounts: str) -> list[str]:
    """The directories of our memory cgroup and of those around it, as far as we see them.

    Args:
        cgroups: The content of `/proc/self/cgroup`.
        mounts: Of `/proc/self/mountinfo`.
    """
    first, second = _path(cgroups, "memory"), _path(cgroups, "")
    kind, path = ("cgroup2", second) if first is None else ("cgroup", first)
    for line in mounts.splitlines():
        where, _, what = line.partition(" - ")
        root, place = where.split(" ")[3:5]
        type_, _, options = what.split(" ")[:3]
        if path is None or type_ != kind or (first and "memory" not in options.split(",")):
            continue
        if f"{path}/".startswith(f"{root.rstrip('/')}/") and ".." not in path:
            return _upwards(place, path[len(root.rstrip("/")) :])
    return []


def _path(cgroups: str, controller: str) -> str | None:
    """The cgroup that we are in as for a controller; those of the second kind name none."""
    for line in cgroups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return None


def _upwards(place: str, path: str) -> list[str]:
    """A directory, and those above it, up to one."""
    names = path.strip("/").split("/") if path.strip("/") else []
    return ["/".join([place, *names[:count]]) for count in range(len(names), -1, -1)]


def value(content: str, name: str) -> int:
    """The number behind a name that begins a line.

    Raises:
        ValueError: There is none.
    """
    for line in content.splitlines():
        found, _, number = line.partition(" ")
        if found == name:
            return int(number)
    raise ValueError(f"there is no {name}")


def victim(record: bytes) -> dict[int, bool]:
    """The process that the kernel killed for want of memory, as a record of its log says.

    Returns:
        Its pid, and whether the whole host was out of memory; nothing for any other record.
    """
    header, _, message = record.partition(b"\n")[0].partition(b";")
    number = header.partition(b",")[0]
    if not number.isdigit() or int(number) >= 8:  # not the kernel's: others may write there too
        return {}
    if message.startswith(b"oom-kill:"):
        pid = message.rpartition(b",pid=")[2].partition(b",")[0]
    else:
        pid = message.partition(b"Killed process ")[2].partition(b" ")[0]
    whole_host = message.startswith((b"oom-kill:constraint=CONSTRAINT_NONE", b"Out of memory"))
    return {int(pid): whole_host} if pid.isdigit() else {}


def shown(size: float) -> str:
    """A number of bytes for people: 2 GiB."""
    unit, name = (1 << 30, "GiB") if size >= 1 << 30 else (1 << 20, "MiB")
    return f"{size / unit:.4g} {name}"


_COUNTS = ("memory.events", "memory.oom_control")  # the second kind of cgroup, and the first
_LIMITS = (
    ("memory.max", float),
    ("memory.stat", lambda content: float(value(content, "hierarchical_memory_limit"))),
)

# ----------------------------------------------------------------------------- reading


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _open_log(root: str) -> int | None:
    """Open the kernel's log at its end; None if it is not for us, or has other numbers than we."""
    with suppress(OSError):
        if os.readlink(f"{root}/proc/self/ns/pid") != _ALL_PROCESSES:
            return None
        log = os.open(f"{root}/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(log, 0, os.SEEK_END)
        return log
    return None


def _all_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
