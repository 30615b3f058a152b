"""The Pool's promises, by simulation: virtual time, seeded faults, no I/O."""

from __future__ import annotations

import random
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interstate import pool
from interstate.errors import BrokenSSHExecutor, ConnectError, HostError, HostLost
from interstate.hosts import Host


def error(host: int) -> HostError:
    return ConnectError(f"h{host}: not there", Host(f"h{host}"))


def sent(commands: list[pool.Command]) -> dict[int, list[int]]:
    return {c.host: c.calls for c in commands if isinstance(c, pool.Send)}


def submit(*calls: int, host: int | None = None) -> list[pool.Event]:
    return [pool.Submitted(call, host) for call in calls]


def test_calls_wait_until_a_host_is_up() -> None:
    p = pool.Pool(1)
    assert p.handle(submit(1, 2, 3), 0.0) == []
    assert sent(p.handle([pool.Up(0, 2)], 1.0)) == {0: [1, 2]}
    assert repr(p) == "<Pool: 1 waiting; 0: 2/2>"


def test_hosts_take_turns_and_no_call_queues_while_a_worker_is_free() -> None:
    p = pool.Pool(3)
    p.handle([pool.Up(host, 2) for host in range(3)], 0.0)
    assert sent(p.handle(submit(*range(8)), 0.0)) == {0: [0, 3], 1: [1, 4], 2: [2, 5]}
    commands = p.handle([pool.Done(1, 1, 5.0)], 5.0)
    assert commands == [pool.Settle(1), pool.Send(1, [6])]


def test_short_calls_are_sent_ahead_and_long_ones_are_not() -> None:
    assert pool.depth(2, None, 0.1) == 2
    assert pool.depth(2, 10.0, 0.1) == 2
    assert pool.depth(2, 0.001, 0.05) >= 2 + 2 * 50
    assert pool.depth(1, 0.0, float("inf")) == 1 + pool.DEEPEST


def test_what_queues_on_a_host_grows_with_quick_calls_and_begins_anew_when_it_idles() -> None:
    p = pool.Pool(2)
    p.handle([pool.Up(0, 1), pool.Up(1, 1)], 0.0)
    p.handle(submit(0, host=0), 0.0)
    p.handle([pool.Done(0, 0, 1e-6)], 0.001)
    assert sent(p.handle(submit(*range(1, 20)), 1.0)) == {0: [1], 1: [2]}
    assert sent(p.handle([pool.Done(0, 1, 1e-6)], 1.001)) == {0: [3, 4]}
    assert sent(p.handle([pool.Done(0, 3, 1e-6), pool.Done(0, 4, 1e-6)], 1.002)) == {
        0: [5, 6, 7, 8]
    }


def test_what_came_back_from_a_busy_host_runs_on_a_free_one() -> None:
    p = pool.Pool(2)
    p.handle([pool.Up(0, 1), *submit(*range(10))], 0.0)
    assert sent(p.handle([pool.Done(0, 0, 1e-6)], 0.0)) == {0: [1, 2]}
    assert sent(p.handle([pool.Done(0, call, 1e-6) for call in (1, 2)], 0.0)) == {0: [3, 4, 5, 6]}
    assert sent(p.handle([pool.Done(0, call, 1e-6) for call in (3, 4, 5)], 0.0)) == {0: [7, 8, 9]}
    assert p.handle([pool.Returned(0, call) for call in (9, 8, 7)], 1.0) == []
    assert sent(p.handle([pool.Up(1, 2)], 1.0)) == {1: [7, 8]}
    assert sent(p.handle([pool.Done(0, 6, 1.0)], 1.0)) == {0: [9]}


def test_what_came_back_and_may_run_on_one_host_only_waits_for_it() -> None:
    p = pool.Pool(2)
    p.handle([pool.Up(0, 1), pool.Up(1, 1), *submit(1, 2, 3, host=0)], 0.0)
    p.handle([pool.Done(0, 1, 1e-6)], 0.0)
    assert p.handle([pool.Returned(0, 3)], 1.0) == []
    assert p.handle([pool.Done(0, 2, 1.0)], 2.0) == [pool.Settle(2), pool.Send(0, [3])]


def test_a_call_for_one_host_goes_there_and_nowhere_else() -> None:
    p = pool.Pool(2)
    p.handle([pool.Up(0, 1), pool.Up(1, 1)], 0.0)
    assert sent(p.handle(submit(1, 2, 3, host=1), 0.0)) == {1: [1]}
    assert sent(p.handle(submit(4), 0.0)) == {0: [4]}
    assert sent(p.handle([pool.Done(1, 1, 9.0)], 9.0)) == {1: [2]}
    commands = p.handle([pool.Down(1, error(1))], 10.0)
    assert {c.call for c in commands if isinstance(c, pool.Fail)} == {2, 3}
    (late,) = p.handle(submit(5, host=1), 11.0)
    assert isinstance(late, pool.Fail)
    assert late.error is error(1) or "h1" in str(late.error)


def test_a_lost_host_fails_only_its_running_calls() -> None:
    p = pool.Pool(2)
    p.handle([pool.Up(0, 1), *submit(1, 2, 3)], 0.0)
    lost = HostLost("gone", Host("h0"))
    commands = p.handle([pool.Down(0, lost)], 1.0)
    assert commands == [pool.Fail(1, lost)]
    assert sent(p.handle([pool.Up(1, 2)], 2.0)) == {1: [2, 3]}


def test_when_the_only_host_is_lost_its_own_error_is_told() -> None:
    p = pool.Pool(1)
    p.handle(submit(1, 2), 0.0)
    why = error(0)
    assert p.handle([pool.Down(0, why)], 1.0) == [pool.Fail(1, why), pool.Fail(2, why)]
    assert p.lost is why
    assert p.handle(submit(3), 2.0) == [pool.Fail(3, why)]


def test_when_all_hosts_are_lost_each_is_named() -> None:
    p = pool.Pool(2)
    p.handle(submit(1), 0.0)
    assert p.handle([pool.Down(0, error(0))], 1.0) == []
    (fail,) = p.handle([pool.Down(1, error(1))], 2.0)
    assert isinstance(fail, pool.Fail)
    assert isinstance(fail.error, BrokenSSHExecutor)
    assert "h0" in str(fail.error)
    assert "h1" in str(fail.error)
    assert set(fail.error.errors) == {"h0", "h1"}


def test_a_cancelled_call_is_not_sent_and_its_place_goes_to_the_next() -> None:
    p = pool.Pool(1)
    p.handle(submit(1, 2), 0.0)
    assert p.handle([pool.Cancelled(1)], 0.0) == [pool.Drop(1)]
    assert sent(p.handle([pool.Up(0, 1)], 0.0)) == {0: [2]}
    p.handle(submit(3), 0.0)
    assert sent(p.handle([pool.Cancelled(2, 0)], 0.0)) == {0: [3]}
    assert p.handle([pool.Cancelled(99)], 0.0) == []


def test_closing_waits_for_calls_and_then_closes_each_host_once() -> None:
    p = pool.Pool(2)
    p.handle([pool.Up(0, 1), *submit(1, 2)], 0.0)
    assert p.handle([pool.Closing()], 0.0) == []
    assert p.handle([pool.Done(0, 1, 1.0)], 1.0) == [
        pool.Settle(1),
        pool.Send(0, [2]),
        pool.Close(1),
    ]
    assert p.handle([pool.Done(0, 2, 1.0)], 2.0) == [pool.Settle(2), pool.Close(0)]
    assert not p.finished
    p.handle([pool.Down(0, error(0)), pool.Down(1, error(1))], 3.0)
    assert p.finished


def test_closing_can_cancel_what_waits() -> None:
    p = pool.Pool(1)
    p.handle([pool.Up(0, 1), *submit(1, 2, 3)], 0.0)
    commands = p.handle([pool.Closing(cancel=True)], 0.0)
    assert commands == [pool.Drop(2), pool.Drop(3)]


def test_a_broken_pool_fails_everything_and_closes_the_hosts() -> None:
    p = pool.Pool(2)
    p.handle([pool.Up(0, 1), *submit(1, 2)], 0.0)
    why = BrokenSSHExecutor("the initializer failed")
    commands = p.handle([pool.Broken(why)], 0.0)
    assert {c.call for c in commands if isinstance(c, pool.Fail)} == {1, 2}
    assert {c.host for c in commands if isinstance(c, pool.Close)} == {0, 1}
    assert p.handle([pool.Done(0, 1, 1.0)], 1.0) == []


# ---------------------------------------------------------------------------- simulation


class World:
    """Hosts that run calls in virtual time, lose their links, come up late or never."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = self.random.randint(1, 6)
        self.pool = pool.Pool(self.count)
        self.now = 0.0
        self.workers = dict.fromkeys(range(self.count), 0)
        self.alive = set(range(self.count))
        self.up: set[int] = set()
        self.sent: dict[int, list[int]] = {host: [] for host in range(self.count)}
        self.submitted: dict[int, int | None] = {}
        self.starts: Counter[int] = Counter()
        self.ends: Counter[int] = Counter()
        self.cancelled: set[int] = set()

    def handle(self, *events: pool.Event) -> None:
        for command in self.pool.handle(events, self.now):
            if isinstance(command, pool.Send):
                assert command.host in self.up, "sent to a host that is not up"
                for call in command.calls:
                    wanted = self.submitted[call]
                    assert wanted in (None, command.host), "sent to another host than asked"
                    self.starts[call] += 1
                self.sent[command.host] += command.calls
            elif isinstance(command, pool.Settle | pool.Fail | pool.Drop):
                self.ends[command.call] += 1
            elif isinstance(command, pool.Close):
                self.lose(command.host)

    def lose(self, host: int) -> None:
        if host in self.alive:
            self.alive.discard(host)
            self.up.discard(host)
            self.sent[host] = []
            self.handle(pool.Down(host, error(host)))

    def step(self) -> None:
        self.now += self.random.expovariate(1000)
        action = self.random.random()
        if action < 0.35:
            call = len(self.submitted)
            pinned = self.random.random() < 0.3
            self.submitted[call] = self.random.randrange(self.count) if pinned else None
            self.handle(pool.Submitted(call, self.submitted[call]))
        elif action < 0.45 and (connecting := sorted(self.alive - self.up)):
            host = self.random.choice(connecting)
            self.up.add(host)
            self.workers[host] = self.random.randint(1, 4)
            self.handle(pool.Up(host, self.workers[host]))
        elif action < 0.47 and self.alive:
            self.lose(self.random.choice(sorted(self.alive)))
        elif action < 0.52 and self.submitted:
            call = self.random.randrange(len(self.submitted))
            if not self.starts[call]:
                self.handle(pool.Cancelled(call))
        elif action < 0.6 and (full := [h for h in sorted(self.up) if self.sent[h]]):
            self.give_back(self.random.choice(full))
        else:
            self.finish_one()

    def give_back(self, host: int) -> None:
        queued = self.sent[host][self.workers[host] :]
        self.sent[host] = self.sent[host][: self.workers[host]]
        for call in queued:
            self.starts[call] -= 1
        self.handle(*(pool.Returned(host, call) for call in reversed(queued)))

    def finish_one(self) -> None:
        busy = [host for host in sorted(self.up) if self.sent[host]]
        if busy:
            host = self.random.choice(busy)
            running = self.sent[host][: self.workers[host]]
            call = self.random.choice(running)
            self.sent[host].remove(call)
            self.handle(pool.Done(host, call, self.random.choice([1e-6, 0.01, 5.0])))

    def drain(self) -> None:
        self.handle(pool.Closing())
        while any(self.sent[host] for host in self.up):
            self.finish_one()
        for host in sorted(self.alive):
            self.lose(host)


@given(st.integers(0, 2**32))
def test_every_call_ends_exactly_once_whatever_happens(seed: int) -> None:
    world = World(seed)
    for _ in range(world.random.randint(1, 200)):
        world.step()
    world.drain()
    assert world.pool.finished
    assert world.ends == Counter(dict.fromkeys(world.submitted, 1)), seed
    assert max(world.starts.values(), default=0) <= 1, f"a call started twice; seed {seed}"


@pytest.mark.parametrize("hosts", [10, 10_000])
def test_many_hosts_get_equal_shares(hosts: int) -> None:
    p = pool.Pool(hosts)
    p.handle([pool.Up(host, 2) for host in range(hosts)], 0.0)
    shares = sent(p.handle(submit(*range(2 * hosts)), 0.0))
    assert {len(calls) for calls in shares.values()} == {2}
    assert len(shares) == hosts


@pytest.mark.parametrize("hosts", [1, 50])
def test_the_work_for_a_call_does_not_depend_on_how_many_wait(hosts: int) -> None:
    """Measured in steps of the Pool, which are the same each time, and not in seconds."""

    def steps(waiting: int) -> int:
        p = pool.Pool(hosts)
        p.handle([*(pool.Up(host, 1) for host in range(hosts)), *submit(*range(waiting))], 0.0)
        taken = 0

        def count(*_: object) -> None:
            nonlocal taken
            taken += 1

        sys.setprofile(count)
        try:
            for call in range(100):
                p.handle([pool.Done(call % hosts, call, 100.0)], float(call))
        finally:
            sys.setprofile(None)
        return taken

    assert steps(200) == steps(20_000)
