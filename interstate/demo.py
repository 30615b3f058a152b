"""What `interstate demo` runs: one job, cut into slices over SSH hosts on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from . import loopback
from .execution import execute
from .remote.environ import Environ

NUMBER = 435347905438541  # 2269 * 3823 * 5861 * 8563: every quarter of the search finds some


def run(number: int, count: int) -> None:
    """Search the factors of a number on hosts on this machine, and show it.

    Args:
        number: The number; at least 1.
        count: How many hosts.
    """
    print(f"Searching the factors of {number} on {count} SSH hosts on this machine:")
    with loopback.hosts(count) as hosts:
        began = time.monotonic()
        shares = execute(_searching(number), hosts=hosts, ssh_config=None)
        seconds = time.monotonic() - began
        ports = ", ".join(str(host.port) for host in hosts)
    factors = sum(map(len, shares))
    print(
        f"Factors found: {factors}. It ran on {count} hosts ({hosts[0].user}@{hosts[0].name}, "
        f"ports {ports}) and took {seconds:.1f} s, connecting included."
    )


def _searching(number: int) -> Callable[[Environ], list[int]]:
    """The job.  What it needs of here, `number` and `largest`, travels along with it."""
    largest = math.isqrt(number)  # of two factors that make the number, one is no larger

    def process_factors(environ: Environ) -> list[int]:
        found: set[int] = set()
        for candidate in environ.range(1, largest + 1):
            if number % candidate == 0:
                print(f"{number} = {candidate} * {number // candidate}")
                found.update((candidate, number // candidate))
        return sorted(found)

    return process_factors
