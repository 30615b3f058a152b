"""The agent's process, from its first to its last moment."""

from __future__ import annotations

import gc
import os
import resource
import sys

from .lean import suppress


def main() -> None:
    """Be the agent on the standard input and output that we were started with; then exit."""
    gc.disable()  # nothing of what is imported is garbage
    os.umask(os.umask(0o077) & 0o077)  # what nobody may open, not even its owner, is of no use
    sys.modules["__main__"].__dict__.clear()
    source, sink = os.dup(0), os.dup(1)
    _point_standard_streams_nowhere()
    from . import agent, worker

    gc.freeze()  # nor need it be looked at, and copied by that, in each worker
    gc.enable()
    worker.FILES = _raise_limit()
    status = 1
    try:
        agent.Agent(source, sink).run()
        status = 0
    finally:
        os._exit(status)  # there is nothing to tidy up, which would take Python longest of all


def _raise_limit() -> tuple[int, int]:
    """Let this process open more files: seven for each worker add up.  Returns what was allowed."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # then some workers may not start
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return allowed, most


def _point_standard_streams_nowhere() -> None:
    """Nothing but frames may reach the wire, whatever else of this process prints."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
