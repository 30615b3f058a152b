"""What is measured of a process that has done nothing before; runs in one of its own."""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .child import Figures

if TYPE_CHECKING:
    from interstate import SSHExecutor

_FEW, _BATCHES = 1000, 100


def first(host: dict[str, Any]) -> Figures:
    """Seconds: to import interstate, and from the executor's construction to the first result."""
    begin = time.perf_counter()
    import interstate

    _ = interstate.SSHExecutor, interstate.Host  # which brings paramiko in
    imported = time.perf_counter()
    with interstate.SSHExecutor([interstate.Host(**host)], ssh_config=None) as executor:
        executor.submit(os.getpid).result()
        answered = time.perf_counter()
    return {"import": imported - begin, "first": answered - imported}


def memory(host: dict[str, Any]) -> Figures:
    """This process's memory after 1,000 calls, after 100,000, and after 100,000 more at once."""
    import interstate

    with interstate.SSHExecutor([interstate.Host(**host)], ssh_config=None) as executor:
        _call(executor, _FEW)
        before = _used()
        for _ in range(_BATCHES - 1):
            _call(executor, _FEW)
        after = _used()
        _call(executor, _FEW * _BATCHES)
        at_once = _used()
    return {
        f"{name} {when}": value
        for when, used in (("before", before), ("after", after), ("at once", at_once))
        for name, value in used.items()
    }


def _call(executor: SSHExecutor, calls: int) -> None:
    for future in [executor.submit(abs, -1) for _ in range(calls)]:
        future.result()


def _used() -> Figures:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "MB": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "objects": float(len(gc.get_objects())),
        "blocks": float(sys.getallocatedblocks()),
    }
