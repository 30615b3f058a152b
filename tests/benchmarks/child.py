"""What is measured in a fresh process of its own: this module's main is that process.

python -m tests.benchmarks.child (first | memory) HOST-AS-JSON     prints its figures as JSON
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interstate import SSHExecutor
    from interstate.hosts import Host

_FEW, _BATCHES = 1000, 100
_LIMIT = 300.0  # seconds

Figures = dict[str, float]


def run(what: str, host: Host) -> Figures:
    """Start the process and return what it prints."""
    command = [sys.executable, "-m", __name__, what, json.dumps(asdict(host))]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_LIMIT).stdout
    figures: Figures = json.loads(printed)
    return figures


def first(host: str) -> Figures:
    """Seconds: to import interstate, and from the executor's construction to the first result."""
    begin = time.perf_counter()
    import interstate

    _ = interstate.SSHExecutor  # which brings paramiko in
    from interstate.hosts import Host

    imported = time.perf_counter()
    with interstate.SSHExecutor([Host(**json.loads(host))], ssh_config=None) as executor:
        executor.submit(os.getpid).result()
        answered = time.perf_counter()
    return {"import": imported - begin, "first": answered - imported}


def memory(host: str) -> Figures:
    """This process's memory after 1,000 calls, after 100,000, and after 100,000 more at once."""
    import interstate
    from interstate.hosts import Host

    with interstate.SSHExecutor([Host(**json.loads(host))], ssh_config=None) as executor:
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


if __name__ == "__main__":
    print(json.dumps({"first": first, "memory": memory}[sys.argv[1]](sys.argv[2])))
