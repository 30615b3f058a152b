"""The agent's process, from its first to its last moment."""

from __future__ import annotations

import contextlib
import os
import resource
import sys


def main() -> None:
    """Be the agent on the standard input and output that we were started with."""
    sys.modules["__main__"].__dict__.clear()
    source, sink = os.dup(0), os.dup(1)
    _point_standard_streams_nowhere()
    from . import agent, worker

    _, most = worker.FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # six descriptors for each worker add up
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    agent.Agent(source, sink).run()


def _point_standard_streams_nowhere() -> None:
    """Nothing but frames may reach the wire, whatever else of this process prints."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
