"""Runs the benchmarks and prints what they found; see the package's docstring."""

from __future__ import annotations

import argparse
import contextlib
import gc
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import interstate

from . import (
    bulk,
    capturing,
    connecting,
    failures,
    fleet,
    foreign,
    growth,
    latency,
    links,
    once,
    rates,
    report,
    uneven,
)
from .place import Place

_LIMIT = 300.0  # seconds that a row may take, if _LIMITS has no other
_LIMITS = {"999-hosts": 600.0, "closure-once": 500.0}
_AGAIN = 10.0  # seconds after which what still waits then is interrupted, too

ROWS: dict[str, Callable[[Place], report.Row]] = {
    "first-result": latency.first_result,
    "connect-cost": connecting.connect_cost,
    "other-python": foreign.other_python,
    "packages-again": foreign.packages_again,
    "own-package": foreign.own_package,
    "one-call": latency.one_call,
    "no-op-rate": rates.no_op_rate,
    "map-rate": rates.map_rate,
    "capturing": capturing.capturing,
    "failing-calls": capturing.failing_calls,
    "cost-by-waiting": growth.cost_by_waiting,
    "pool-by-waiting": growth.pool_by_waiting,
    "pool-by-hosts": growth.pool_by_hosts,
    "memory": growth.memory,
    "hundred-hosts": fleet.hundred_hosts,
    "large-result": bulk.large_result,
    "large-argument": bulk.large_argument,
    "hop-result": bulk.hop_result,
    "hop-argument": bulk.hop_argument,
    "huge-result": bulk.huge_result,
    "closure-once": once.closure_once,
    "argument-once": once.argument_once,
    "slow-link": links.slow_link,
    "compression-slow": links.compression_slow,
    "compression-fast": links.compression_fast,
    "uneven-calls": uneven.uneven_calls,
    "worker-replaced": failures.worker_replaced,
    "lost-host": failures.lost_host,
    "killed-hosts": failures.killed_hosts,
    "frozen-network": failures.frozen_network,
    "999-hosts": fleet.all_hosts,
}


def main() -> int:
    """Measure the rows that are asked for; 1 when one could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=list(ROWS))
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, not a table")
    parser.add_argument("--into", metavar="FILE", help="put the figures into this page, too")
    parser.add_argument("--peers", metavar="PYTHON", help="a Python that has mitogen and Dask")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and with it what was started
    print(f"interstate is {interstate.__file__}", file=sys.stderr)
    where = report.machine(options.peers)
    with (
        tempfile.TemporaryDirectory() as directory,
        Place(Path(directory), options.peers) as place,
    ):
        rows = {name: _measure(name, place) for name in options.only or ROWS}
    show = report.as_markdown if options.markdown else report.as_table
    print((report.as_json if options.json else show)(where, rows))
    if options.into:
        report.put_into(Path(options.into), report.as_markdown(where, rows))
    return int(any(isinstance(row, report.Failed) for row in rows.values()))


def _measure(name: str, place: Place) -> report.Row | report.Failed:
    print(f"{name} …", file=sys.stderr, flush=True)
    gc.collect()
    began = time.monotonic()
    try:
        with _time_limit(_LIMITS.get(name, _LIMIT)):
            return ROWS[name](place)
    except (Exception, OutOfTime) as error:  # the other rows are worth having
        return report.Failed(f"{type(error).__name__}: {error}")
    finally:
        print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


class OutOfTime(KeyboardInterrupt):
    """A row takes too long: as after a Ctrl-C, executors end what runs."""


@contextlib.contextmanager
def _time_limit(limit: float) -> Iterator[None]:
    """Interrupt what hangs, and the clean-up after it when that hangs as well."""

    def interrupt(*_: Any) -> NoReturn:
        raise OutOfTime(f"not done within {limit:g} s")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.exit(main())
