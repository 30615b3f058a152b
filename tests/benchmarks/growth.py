"""What must not grow: a call's cost with what waits and with the hosts; memory with calls made."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

from interstate.events import Event, Send, Submitted, Up, add_done
from interstate.pool import Pool

from . import child, fresh
from .place import PATIENCE, Place
from .report import Line, Row, at_most
from .turns import compare

_TURNS = 3
_FEW, _MANY = 1_000, 100_000
_CALLS = 20_000  # measured at a time
_FEW_HOSTS, _MANY_HOSTS = 10, 10_000
_HOSTS_TURNS, _ALL = 2, 1_000_000
_BATCH = 100  # answers that arrive together


def cost_by_waiting(place: Place) -> Row:
    """Microseconds a call when 100,000 are submitted at once, beside 1,000 at a time."""
    peer = f"{_FEW:,} waiting, not {_MANY:,}"
    with place.executor() as executor:
        found = compare(
            _TURNS,
            lambda: [_cost(executor, _MANY, 1)],
            {peer: lambda: [_cost(executor, _FEW, _CALLS // _FEW)]},
        )
    return Row([found.line("µs a call", peer, at_most(2), scale=1e6)])


def _cost(executor: Executor, calls: int, times: int) -> float:
    gc.collect()
    start = time.perf_counter()
    for _ in range(times):
        for future in [executor.submit(abs, -1) for _ in range(calls)]:
            future.result(PATIENCE)
    return (time.perf_counter() - start) / (calls * times)


def pool_by_waiting(place: Place) -> Row:
    """The pure Pool: a call's cost with 100,000 waiting, beside 1,000."""
    return _pool_row(
        _TURNS,
        lambda: _pool_cost(hosts=1, waiting=_MANY, more=_CALLS),
        f"{_FEW:,} waiting, not {_MANY:,}",
        lambda: _pool_cost(hosts=1, waiting=_FEW, more=_CALLS),
    )


def pool_by_hosts(place: Place) -> Row:
    """The pure Pool: a call's cost with 10,000 hosts and 1,000,000 calls, beside 10 hosts."""
    return _pool_row(
        _HOSTS_TURNS,
        lambda: _pool_cost(hosts=_MANY_HOSTS, waiting=_ALL),
        f"{_FEW_HOSTS} hosts, not {_MANY_HOSTS:,}",
        lambda: _pool_cost(hosts=_FEW_HOSTS, waiting=_ALL),
    )


def _pool_row(turns: int, ours: Callable[[], float], name: str, other: Callable[[], float]) -> Row:
    found = compare(turns, lambda: [ours()], {name: lambda: [other()]})
    return Row([found.line("µs a call", name, at_most(2), scale=1e6)])


def _pool_cost(hosts: int, waiting: int, more: int = 0) -> float:
    """Seconds that the Pool takes for a call's Submitted and Done.

    So many are submitted at once; then answers come in, and with them new calls, as many `more`.
    """
    pool, spent, now = Pool(hosts), 0.0, 0.0
    running: deque[tuple[int, int]] = deque()  # as host and call
    events: list[Event] = [Up(host, 2) for host in range(hosts)]
    events.append(Submitted([*range(waiting)]))
    submitted, missing = waiting, waiting + more
    gc.collect()
    while True:
        start = time.perf_counter()
        commands = pool.handle(events, now)
        spent += time.perf_counter() - start
        for command in commands:
            if isinstance(command, Send):
                running.extend((command.host, call) for call in command.calls)
        if not missing:
            return spent / submitted
        answered = [running.popleft() for _ in range(min(_BATCH, len(running)))]
        missing -= len(answered)
        new = range(submitted, min(submitted + len(answered), waiting + more))
        submitted += len(new)
        now += 1e-4 * len(answered)
        start = time.perf_counter()
        events = [Submitted([*new])] if new else []
        for host, call in answered:
            add_done(events, host, call, 1e-5)
        spent += time.perf_counter() - start


def memory(place: Place) -> Row:
    """This process's resident memory after 100,000 calls, beside after 1,000."""
    used = child.run(fresh.memory, place.described_host)
    grown = Line(
        used["MB after"],
        "MB",
        peer=f"after {_FEW:,} calls, not {_MANY:,}",
        theirs=used["MB before"],
        ratio=used["MB after"] / used["MB before"],
        asked=at_most(1.05),
    )
    return Row(
        [grown],
        {
            "objects of the garbage collector": _before_and_after(used, "objects"),
            "blocks of Python's allocator": _before_and_after(used, "blocks"),
            f"after {_MANY:,} more, submitted at once": f"{used['MB at once']:.1f} MB, "
            f"{used['blocks at once']:,.0f} blocks",
        },
    )


def _before_and_after(used: child.Figures, what: str) -> str:
    return f"{used[f'{what} before']:,.0f}, then {used[f'{what} after']:,.0f}"
