"""What must not grow: a call's cost with what waits and with the hosts; memory with calls made."""

from __future__ import annotations

import gc
import time
from concurrent.futures import Executor

from interstate.events import Event, Send, Submitted, Up, add_done
from interstate.pool import Pool

from . import child
from .place import PATIENCE, Place, Turns, in_turns, median, ratio
from .report import Row, at_most

_TURNS = 3
_FEW, _MANY = 1_000, 100_000
_HOSTS = 100
_CALLS = 20_000  # measured at a time
_BATCH = 100  # answers that arrive together


def cost_by_waiting(place: Place) -> Row:
    """Microseconds a call when 100,000 are submitted at once, beside 1,000 at a time."""
    with place.executor() as executor:
        many, few = in_turns(
            _TURNS,
            lambda: [_cost(executor, _MANY, 1)],
            lambda: [_cost(executor, _FEW, _CALLS // _FEW)],
        )
    return Row(
        ours=median(many) * 1e6,
        peer=median(few) * 1e6,
        unit="µs a call",
        peer_name=f"{_FEW:,} waiting, not {_MANY:,}",
        ratio=ratio(many, few),
        asked=at_most(2),
    )


def _cost(executor: Executor, calls: int, times: int) -> float:
    gc.collect()
    start = time.perf_counter()
    for _ in range(times):
        for future in [executor.submit(abs, -1) for _ in range(calls)]:
            future.result(PATIENCE)
    return (time.perf_counter() - start) / (calls * times)


def pool_by_waiting(place: Place) -> Row:
    """The pure Pool: a call's cost with 100,000 waiting, beside 1,000."""
    many, few = in_turns(_TURNS, lambda: [_pool_cost(1, _MANY)], lambda: [_pool_cost(1, _FEW)])
    return _pool_row(many, few, f"{_FEW:,} waiting, not {_MANY:,}")


def pool_by_hosts(place: Place) -> Row:
    """The pure Pool: a call's cost with 100 hosts, beside one."""
    many, one = in_turns(_TURNS, lambda: [_pool_cost(_HOSTS, _FEW)], lambda: [_pool_cost(1, _FEW)])
    return _pool_row(many, one, f"1 host, not {_HOSTS}")


def _pool_row(ours: Turns, peer: Turns, peer_name: str) -> Row:
    return Row(
        ours=median(ours) * 1e6,
        peer=median(peer) * 1e6,
        unit="µs a call",
        peer_name=peer_name,
        ratio=ratio(ours, peer),
        asked=at_most(2),
    )


def _pool_cost(hosts: int, waiting: int) -> float:
    """Seconds that the Pool takes for a call's Submitted and Done, while so many wait."""
    pool = Pool(hosts)
    sent = _sent(pool, [Up(host, 2) for host in range(hosts)], 0.0)
    sent += _sent(pool, [Submitted([*range(waiting)])], 0.0)
    submitted, done, now, spent = waiting, 0, 0.0, 0.0
    while done < _CALLS:
        answered, sent = sent[:_BATCH], sent[_BATCH:]
        done += len(answered)
        now += 1e-4 * len(answered)
        start = time.perf_counter()
        events: list[Event] = []
        for host, call in answered:
            add_done(events, host, call, 1e-5)
        events.append(Submitted([*range(submitted, submitted + len(answered))]))
        submitted += len(answered)
        commands = pool.handle(events, now)
        spent += time.perf_counter() - start
        sent += [(c.host, call) for c in commands if isinstance(c, Send) for call in c.calls]
    return spent / done


def _sent(pool: Pool, events: list[Event], now: float) -> list[tuple[int, int]]:
    commands = pool.handle(events, now)
    return [(c.host, call) for c in commands if isinstance(c, Send) for call in c.calls]


def memory(place: Place) -> Row:
    """This process's resident memory after 100,000 calls, beside after 1,000."""
    used = child.run("memory", place.host)
    return Row(
        ours=used["MB after"],
        peer=used["MB before"],
        unit="MB",
        peer_name=f"after {_FEW:,} calls, not {_MANY:,}",
        ratio=used["MB after"] / used["MB before"],
        asked=at_most(1.05),
        more={
            "objects of the garbage collector": _before_and_after(used, "objects"),
            "blocks of Python's allocator": _before_and_after(used, "blocks"),
            f"after {_MANY:,} more, submitted at once": f"{used['MB at once']:.1f} MB, "
            f"{used['blocks at once']:,.0f} blocks",
        },
    )


def _before_and_after(used: child.Figures, what: str) -> str:
    return f"{used[f'{what} before']:,.0f}, then {used[f'{what} after']:,.0f}"
