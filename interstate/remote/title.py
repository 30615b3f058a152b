"""What `ps` shows for this process, so that an administrator sees what it is and whose."""

from __future__ import annotations


def set_title(title: str) -> None:
    """Show `title` in place of this process's arguments, where Linux lets us.

    The arguments are overwritten in place, so the title is cut to the room that they had.
    """
    try:
        with open("/proc/self/stat", "rb") as stat:
            after_name = stat.read().rpartition(b")")[2].split()
        start, end = map(int, after_name[45:47])  # arg_start and arg_end of proc_pid_stat(5)
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(title.encode()[: end - start - 1].ljust(end - start, b"\0"))
    except (OSError, ValueError):
        pass  # no such /proc: the arguments that we were started with say it too
