"""Measures in fresh processes of their own: this module's main is such a process.

python -m tests.benchmarks.child MODULE FUNCTION ARGUMENTS-AS-JSON     prints its figures as JSON

It imports nothing that a measure might want to import itself.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

Figures = dict[str, float]


class ChildError(Exception):
    """A process of its own failed; this is the last thing that it said."""


def run(measure: Callable[..., Figures], *args: Any, timeout: float = 300.0) -> Figures:
    """Call a function of a module in a new process, and return its figures.

    Args:
        args: What JSON can say.
        timeout: How long it may take, seconds.

    Raises:
        ChildError: It failed, or took too long.
    """
    command = [sys.executable, "-m", __name__, measure.__module__, measure.__name__]
    try:
        done = subprocess.run(
            [*command, json.dumps(args)], capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:  # which would quote all arguments
        raise ChildError(f"{measure.__name__} was not done within {timeout:g} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ChildError(said[-1])
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    function = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    print(json.dumps(function(*json.loads(sys.argv[3]))))
