"""The Pool's promises, by simulation: virtual time, seeded faults, no I/O."""

from __future__ import annotations

import random
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interstate import events, pool, room
from interstate.errors import BrokenSSHExecutor, ConnectError, HostError, HostLost
from interstate.hosts import Host


def error(host: int) -> HostError:
    return ConnectError(f"h{host}: not there", Host(f"h{host}"))


def sent(commands: list[events.Command]) -> dict[int, list[int]]:
    return {c.host: c.calls for c in commands if isinstance(c, events.Send)}


def submit(*calls: int, host: int | None = None) -> list[events.Event]:
    return [events.Submitted([*calls], host)]


def done(host: int, *calls: int, seconds: float) -> events.Event:
    return events.Done(host, [*calls], [seconds] * len(calls))


def test_calls_wait_until_a_host_is_up() -> None:
    p = pool.Pool(1)
    assert p.handle(submit(1, 2, 3), 0.0) == []
    assert sent(p.handle([events.Up(0, 2)], 1.0)) == {0: [1, 2]}
    assert repr(p) == "<Pool: 1 waiting; 0: 2/2>"


def test_hosts_take_turns_and_no_call_queues_while_a_worker_is_free() -> None:
    p = pool.Pool(3)
    p.handle([events.Up(host, 2) for host in range(3)], 0.0)
    assert sent(p.handle(submit(*range(8)), 0.0)) == {0: [0, 1], 1: [2, 3], 2: [4, 5]}
    commands = p.handle([done(1, 3, seconds=5.0)], 5.0)
    assert commands == [events.Settle([3]), events.Send(1, [6])]


def test_few_calls_are_spread_over_many_hosts() -> None:
    p = pool.Pool(3)
    p.handle([events.Up(host, 8) for host in range(3)], 0.0)
    assert sent(p.handle(submit(1, 2, 3), 0.0)) == {0: [1], 1: [2], 2: [3]}
    assert sent(p.handle(submit(4), 0.0)) == {0: [4]}
    assert sent(p.handle(submit(5), 0.0)) == {1: [5]}


def test_short_calls_are_sent_ahead_and_long_ones_are_not() -> None:
    assert room.depth(2, None, 0.1) == 2
    assert room.depth(2, 10.0, 0.1) == room.depth(2, None, 1.0)
    assert room.depth(2, 0.001, 0.05) >= 2 + 2 * 50
    assert room.depth(1, 0.0, float("inf")) == 1 + room.DEEPEST


def test_what_queues_on_a_host_grows_with_quick_calls_and_begins_anew_when_it_idles() -> None:
    p = pool.Pool(1)
    p.handle([events.Up(0, 1), *submit(0)], 0.0)
    p.handle([done(0, 0, seconds=1e-6)], 0.001)
    assert sent(p.handle(submit(*range(1, 100)), 1.0)) == {0: [1]}
    first = sent(p.handle([done(0, 1, seconds=1e-6)], 1.001))[0]
    assert len(first) == 1 + room.GROWTH
    then = sent(p.handle([done(0, *first[:2], seconds=1e-6)], 1.002))[0]
    assert len(then) == 2 + 2 * room.GROWTH


def test_no_host_queues_more_than_its_share() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), events.Up(1, 1), *submit(*range(8))], 0.0)
    assert sent(p.handle([done(0, 0, seconds=1e-6)], 0.001)) == {0: [2, 3, 4]}
    assert sent(p.handle([done(1, 1, seconds=1e-6)], 0.001)) == {1: [5, 6, 7]}


def test_a_host_without_work_is_given_what_waits_on_another() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(*range(6))], 0.0)
    p.handle([done(0, 0, seconds=0.001)], 0.002)
    assert p.handle([events.Up(1, 2)], 0.003) == [events.Recall(0, 2)]
    assert sent(p.handle([events.Returned(0, [5, 4])], 0.004)) == {1: [4, 5]}


def test_a_host_is_not_asked_for_what_it_has_done_sooner() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(1, 2, 3)], 0.0)
    p.handle([done(0, 1, seconds=1e-6)], 0.1)
    assert p.handle([events.Up(1, 2)], 0.2) == []


def test_what_waits_behind_long_calls_is_asked_back_and_runs_elsewhere() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(*range(6))], 0.0)
    p.handle([done(0, 0, seconds=0.001)], 0.002)
    assert p.handle([events.Started(0, 1)], 0.1) == [events.Recall(0, 4)]
    assert p.handle([events.Returned(0, [5, 4, 3, 2])], 0.1) == []
    assert sent(p.handle([events.Up(1, 2)], 0.1)) == {1: [2, 3]}
    assert sent(p.handle([done(0, 1, seconds=0.1)], 0.2)) == {0: [4]}


def test_nothing_is_asked_back_where_calls_are_known_to_be_long() -> None:
    p = pool.Pool(1)
    p.handle([events.Up(0, 1), *submit(*range(6))], 0.0)
    assert sent(p.handle([done(0, 0, seconds=0.05)], 0.25)) == {0: [1, 2, 3, 4, 5]}
    assert p.handle([events.Started(0, 1)], 0.3) == []


def test_what_came_back_unasked_from_a_busy_host_runs_on_a_free_one() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(*range(9))], 0.0)
    assert sent(p.handle([done(0, 0, seconds=1e-6)], 0.0)) == {0: [*range(1, 9)]}
    assert p.handle([events.Returned(0, [8, 7, 6, 5, 4, 3, 2])], 1.0) == []
    assert sent(p.handle([events.Up(1, 2)], 1.0)) == {1: [2, 3]}
    assert sent(p.handle([done(0, 1, seconds=1.0)], 1.0)) == {0: [4]}


def test_what_came_back_and_may_run_on_one_host_only_waits_for_it() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), events.Up(1, 1), *submit(1, 2, 3, host=0)], 0.0)
    p.handle([done(0, 1, seconds=1e-6)], 0.0)
    assert p.handle([events.Returned(0, [3])], 1.0) == []
    assert p.handle([done(0, 2, seconds=1.0)], 2.0) == [events.Settle([2]), events.Send(0, [3])]


def test_a_call_for_one_host_goes_there_and_nowhere_else() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), events.Up(1, 1)], 0.0)
    assert sent(p.handle(submit(1, 2, 3, host=1), 0.0)) == {1: [1]}
    assert sent(p.handle(submit(4), 0.0)) == {0: [4]}
    assert sent(p.handle([done(1, 1, seconds=9.0)], 9.0)) == {1: [2]}
    commands = p.handle([events.Down(1, error(1))], 10.0)
    assert {call for c in commands if isinstance(c, events.Fail) for call in c.calls} == {2, 3}
    (late,) = p.handle(submit(5, host=1), 11.0)
    assert isinstance(late, events.Fail)
    assert late.error is error(1) or "h1" in str(late.error)


def test_a_lost_host_fails_only_its_running_calls() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(1, 2, 3)], 0.0)
    lost = HostLost("gone", Host("h0"))
    commands = p.handle([events.Down(0, lost)], 1.0)
    assert commands == [events.Fail([1], lost)]
    assert sent(p.handle([events.Up(1, 2)], 2.0)) == {1: [2, 3]}


def test_calls_wait_for_a_host_that_connects_when_all_that_were_up_are_lost() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(0, 1, 2)], 0.0)
    p.handle([done(0, 0, seconds=1e-6)], 0.0)
    p.handle([done(0, 1, seconds=1e-6)], 0.0)  # it has room for more calls than there are
    p.handle([events.Down(0, error(0))], 0.0)
    assert p.handle(submit(3, 4), 0.0) == []
    assert sent(p.handle([events.Up(1, 1)], 0.0)) == {1: [3]}


def test_when_the_only_host_is_lost_its_own_error_is_told() -> None:
    p = pool.Pool(1)
    p.handle(submit(1, 2), 0.0)
    why = error(0)
    assert p.handle([events.Down(0, why)], 1.0) == [events.Fail([1, 2], why)]
    assert p.lost is why
    assert p.handle(submit(3), 2.0) == [events.Fail([3], why)]


def test_when_all_hosts_are_lost_each_is_named() -> None:
    p = pool.Pool(2)
    p.handle(submit(1), 0.0)
    assert p.handle([events.Down(0, error(0))], 1.0) == []
    (fail,) = p.handle([events.Down(1, error(1))], 2.0)
    assert isinstance(fail, events.Fail)
    assert isinstance(fail.error, BrokenSSHExecutor)
    assert str(fail.error).endswith("2 hosts: not there: h[0-1]")
    assert set(fail.error.errors) == {"h0", "h1"}


def test_a_cancelled_call_is_not_sent_and_its_place_goes_to_the_next() -> None:
    p = pool.Pool(1)
    p.handle(submit(1, 2), 0.0)
    assert p.handle([events.Cancelled(1)], 0.0) == [events.Drop([1])]
    assert sent(p.handle([events.Up(0, 1)], 0.0)) == {0: [2]}
    p.handle(submit(3), 0.0)
    assert sent(p.handle([events.Unsent(0, [2])], 0.0)) == {0: [3]}
    assert p.handle([events.Cancelled(99)], 0.0) == []


def test_closing_waits_for_calls_and_then_closes_each_host_once() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(1, 2)], 0.0)
    assert p.handle([events.Closing()], 0.0) == []
    assert p.handle([done(0, 1, seconds=1.0)], 1.0) == [
        events.Settle([1]),
        events.Send(0, [2]),
        events.Close(1),
    ]
    assert p.handle([done(0, 2, seconds=1.0)], 2.0) == [events.Settle([2]), events.Close(0)]
    assert not p.finished
    p.handle([events.Down(0, error(0)), events.Down(1, error(1))], 3.0)
    assert p.finished


def test_closing_can_cancel_what_waits() -> None:
    p = pool.Pool(1)
    p.handle([events.Up(0, 1), *submit(1, 2, 3)], 0.0)
    commands = p.handle([events.Closing(cancel=True)], 0.0)
    assert commands == [events.Drop([2, 3])]


def test_closing_can_cancel_what_was_sent_and_has_not_started() -> None:
    p = pool.Pool(1)
    p.handle([events.Up(0, 1), *submit(*range(9))], 0.0)
    p.handle([done(0, 0, seconds=1e-6)], 0.001)
    assert p.handle([events.Closing(cancel=True)], 0.002) == [events.Recall(0, 7)]
    assert p.handle([events.Returned(0, [8, 7])], 0.003) == [events.Drop([8, 7])]


def test_an_idle_host_is_kept_while_another_may_return_calls() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(*range(4))], 0.0)
    p.handle([done(0, 0, seconds=0.001)], 0.002)
    assert p.handle([events.Up(1, 1), events.Closing()], 0.002) == [events.Recall(0, 1)]
    assert sent(p.handle([events.Returned(0, [3])], 0.003)) == {1: [3]}
    assert p.handle([done(0, 1, seconds=1e-6)], 0.004) == [events.Settle([1])]
    assert p.handle([done(1, 3, seconds=1e-6)], 0.004) == [events.Settle([3]), events.Close(1)]
    assert p.handle([done(0, 2, seconds=1e-6)], 0.004) == [events.Settle([2]), events.Close(0)]


def test_a_broken_pool_fails_everything_and_closes_the_hosts() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), *submit(1, 2)], 0.0)
    why = BrokenSSHExecutor("the initializer failed")
    commands = p.handle([events.Broken(why)], 0.0)
    assert {call for c in commands if isinstance(c, events.Fail) for call in c.calls} == {1, 2}
    assert {c.host for c in commands if isinstance(c, events.Close)} == {0, 1}
    assert p.handle([done(0, 1, seconds=1.0)], 1.0) == []


# ---------------------------------------------------------------------------- simulation


class World:
    """Hosts that run calls in virtual time, lose their links, come up late or never."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = self.random.randint(1, 6)
        self.quorum = self.random.choice([1, 1, self.random.randint(1, self.count)])
        self.enough = False  # ever, up at the same time
        self.pool = pool.Pool(self.count, quorum=self.quorum)
        self.now = 0.0
        self.workers = dict.fromkeys(range(self.count), 0)
        self.alive = set(range(self.count))
        self.up: set[int] = set()
        self.sent: dict[int, list[int]] = {host: [] for host in range(self.count)}
        self.submitted: dict[int, int | None] = {}
        self.starts: Counter[int] = Counter()
        self.ends: Counter[int] = Counter()
        self.recalls: dict[int, int] = {}  # host -> how many calls it was asked for

    def handle(self, *happened: events.Event) -> None:
        for command in self.pool.handle(happened, self.now):
            self.perform(command)

    def perform(self, command: events.Command) -> None:
        if isinstance(command, events.Send):
            assert command.host in self.up, "sent to a host that is not up"
            assert self.enough, "sent before as many hosts were up as must be"
            for call in command.calls:
                wanted = self.submitted[call]
                assert wanted in (None, command.host), "sent to another host than asked"
                self.starts[call] += 1
            self.sent[command.host] += command.calls
            if self.random.random() < 0.1:
                self.unsend(command.host, command.calls)
        elif isinstance(command, events.Settle | events.Fail | events.Drop):
            self.ends.update(command.calls)
        elif isinstance(command, events.Recall):
            self.recalls[command.host] = command.limit
        elif isinstance(command, events.Close):
            self.lose(command.host)

    def unsend(self, host: int, calls: list[int]) -> None:
        """Some were cancelled by their Futures before they could be sent."""
        gone = self.random.sample(calls, self.random.randint(1, len(calls)))
        self.sent[host] = [call for call in self.sent[host] if call not in gone]
        self.ends.update(gone)
        self.handle(events.Unsent(host, gone))

    def lose(self, host: int) -> None:
        if host in self.alive:
            self.alive.discard(host)
            self.up.discard(host)
            self.sent[host] = []
            self.handle(events.Down(host, error(host)))

    def step(self) -> None:
        self.now += self.random.expovariate(1000)
        action = self.random.random()
        if action < 0.35:
            call = len(self.submitted)
            pinned = self.random.random() < 0.3
            calls = [*range(call, call + self.random.randint(1, 20))]
            host = self.random.randrange(self.count) if pinned else None
            self.submitted.update(dict.fromkeys(calls, host))
            self.handle(events.Submitted(calls, host))
        elif action < 0.45 and (connecting := sorted(self.alive - self.up)):
            host = self.random.choice(connecting)
            self.up.add(host)
            self.enough = self.enough or len(self.up) >= self.quorum
            self.workers[host] = self.random.randint(1, 4)
            self.handle(events.Up(host, self.workers[host]))
        elif action < 0.47 and self.alive:
            self.lose(self.random.choice(sorted(self.alive)))
        elif action < 0.52 and self.submitted:
            call = self.random.randrange(len(self.submitted))
            if not self.starts[call]:
                self.handle(events.Cancelled(call))
        elif action < 0.6 and (full := [h for h in sorted(self.up) if self.sent[h]]):
            self.give_back(self.random.choice(full))
        else:
            self.finish_some()

    def give_back(self, host: int) -> None:
        """Return what was asked for, or, for once, all that has not started."""
        limit = self.recalls.pop(host, len(self.sent[host]))
        queued = self.sent[host][self.workers[host] :][-limit:] if limit else []
        self.sent[host] = self.sent[host][: len(self.sent[host]) - len(queued)]
        for call in queued:
            self.starts[call] -= 1
        self.handle(events.Returned(host, queued[::-1]))

    def finish_some(self) -> None:
        busy = [host for host in sorted(self.up) if self.sent[host]]
        if busy:
            host = self.random.choice(busy)
            running = self.sent[host][: self.workers[host]]
            if self.random.random() < 0.2:
                self.handle(events.Started(host, self.random.choice(running)))
            calls = self.random.sample(running, self.random.randint(1, len(running)))
            self.sent[host] = [call for call in self.sent[host] if call not in calls]
            self.handle(done(host, *calls, seconds=self.random.choice([1e-6, 0.01, 5.0])))

    def drain(self) -> None:
        self.handle(events.Closing(self.random.random() < 0.3))
        for host in sorted(self.up & self.recalls.keys()):
            if host in self.up:
                self.give_back(host)
        while any(self.sent[host] for host in self.up):
            self.finish_some()
        for host in sorted(self.alive):
            self.lose(host)


@given(st.integers(0, 2**32))
def test_every_call_ends_exactly_once_whatever_happens(seed: int) -> None:
    world = World(seed)
    for _ in range(world.random.randint(1, 200)):
        world.step()
        if not world.enough and len(world.alive) < world.quorum:
            assert world.ends.keys() == world.submitted.keys(), "nobody is worth waiting for"
    world.drain()
    assert world.pool.finished
    assert world.ends == Counter(dict.fromkeys(world.submitted, 1)), seed
    assert max(world.starts.values(), default=0) <= 1, f"a call started twice; seed {seed}"


@pytest.mark.parametrize("hosts", [10, 10_000])
def test_many_hosts_get_equal_shares(hosts: int) -> None:
    p = pool.Pool(hosts)
    p.handle([events.Up(host, 2) for host in range(hosts)], 0.0)
    shares = sent(p.handle(submit(*range(2 * hosts)), 0.0))
    assert {len(calls) for calls in shares.values()} == {2}
    assert len(shares) == hosts


@pytest.mark.parametrize("hosts", [1, 50])
def test_the_work_for_a_call_does_not_depend_on_how_many_wait(hosts: int) -> None:
    """Measured in steps of the Pool, which are the same each time, and not in seconds."""

    def steps(waiting: int) -> int:
        p = pool.Pool(hosts)
        p.handle([*(events.Up(host, 1) for host in range(hosts)), *submit(*range(waiting))], 0.0)
        taken = 0

        def count(*_: object) -> None:
            nonlocal taken
            taken += 1

        sys.setprofile(count)
        try:
            for call in range(100):
                p.handle([done(call % hosts, call, seconds=100.0)], float(call))
        finally:
            sys.setprofile(None)
        return taken

    assert steps(200) == steps(20_000)


def test_a_round_trip_that_becomes_longer_is_learnt() -> None:
    host = room.HostState(0, up=True, workers=1, depth=1)
    for call in range(50):
        now = float(call)
        host.send([call], now)
        away = 0.001 if call < 20 else 0.05
        host.learn(host.remove([call]), [0.0001], now + away, more=True)
        assert host.round_trip == pytest.approx(0.0009 if call < 24 else 0.0499, abs=0.0001) or (
            20 <= call < 20 + 2 * room.PROBES
        )


def test_what_waited_behind_others_says_nothing_of_the_way() -> None:
    host = room.HostState(0, up=True, workers=1, depth=100)
    host.send([0], 0.0)
    host.learn(host.remove([0]), [0.01], 0.012, more=True)
    before = host.round_trip
    for call in range(1, 100):
        host.send([call], 1.0)
    for call in range(1, 100):
        host.learn(host.remove([call]), [0.01], 1.0 + 0.01 * call + 0.002, more=True)
    assert host.round_trip == pytest.approx(before)


def test_a_call_that_comes_back_late_is_not_sent_to_a_host_that_is_being_closed() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1), events.Up(1, 1), *submit(*range(9))], 0.0)
    p.handle([done(0, 0, seconds=1e-3), done(1, 1, seconds=1e-3), events.Closing()], 0.001)
    mine, commands = sorted(p._hosts[0].running), list[events.Command]()
    while running := p._hosts[1].running:
        commands = p.handle([done(1, *running, seconds=1e-3)], 0.002)
    assert events.Recall(0, 1) in commands
    assert events.Close(1) in p.handle([done(0, *mine[:-1], seconds=1e-3)], 0.003)
    assert sent(p.handle([events.Returned(0, mine[-1:])], 0.003)) == {0: mine[-1:]}


def test_nothing_is_sent_to_a_host_that_goes_down_at_the_same_time() -> None:
    p = pool.Pool(2)
    p.handle([events.Up(0, 1)], 0.0)
    lost = error(0)
    assert p.handle([*submit(1, host=0), events.Down(0, lost)], 1.0) == [events.Fail([1], lost)]


def test_the_first_reason_to_be_broken_stays() -> None:
    p = pool.Pool(1)
    first, second = BrokenSSHExecutor("first"), BrokenSSHExecutor("second")
    p.handle([events.Broken(first), events.Broken(second)], 0.0)
    assert p.broken is first


def test_a_host_that_stays_lost_is_tried_for_ever_while_another_is_there() -> None:
    p = pool.Pool(2, 60.0)
    p.handle([events.Up(0, 1), events.Up(1, 1)], 0.0)
    now, opened = 100.0, 0
    commands = p.handle([events.Down(1, error(1))], now)
    for _ in range(3000):
        opened += commands.count(events.Open(1))
        if events.Open(1) in commands:
            commands = p.handle([events.Down(1, error(1))], now)
        else:
            assert p.wake is not None
            assert p.wake - now <= 60.0
            now = p.wake
            commands = p.handle([events.Tick()], now)
    assert opened >= 1400
    assert sent(p.handle(submit(1), now)) == {0: [1]}
    assert p.lost is None


# -------------------------------------------------------------------- so many hosts, or none


def fails(commands: list[events.Command]) -> dict[int, Exception]:
    return {call: c.error for c in commands if isinstance(c, events.Fail) for call in c.calls}


def test_no_call_is_sent_before_so_many_hosts_are_up() -> None:
    p = pool.Pool(4, quorum=3)
    p.handle(submit(1, 2, 3, 4), 0.0)
    p.handle(submit(5, host=0), 0.0)
    assert p.handle([events.Up(0, 2)], 1.0) == []
    assert p.handle([events.Up(1, 1)], 1.0) == []
    assert sent(p.handle([events.Up(2, 1)], 2.0)) == {0: [5, 1], 1: [2], 2: [3]}
    assert sent(p.handle([events.Up(3, 1)], 2.0)) == {3: [4]}


def test_a_host_that_is_away_counts_as_up() -> None:
    p = pool.Pool(2, quorum=2)
    p.handle([*submit(1), events.Up(0, 1), events.Away(0)], 0.0)
    assert sent(p.handle([events.Up(1, 1)], 1.0)) == {1: [1]}


def test_calls_fail_when_too_many_hosts_have_failed_and_are_told_of_them() -> None:
    p = pool.Pool(4, quorum=3)
    p.handle([*submit(1, 2), *submit(3, host=0), events.Up(0, 1)], 0.0)
    assert p.handle([events.Down(1, error(1))], 1.0) == []
    failed = fails(p.handle([events.Down(2, error(2))], 1.0))
    assert set(failed) == {1, 2, 3}
    assert isinstance(failed[1], BrokenSSHExecutor)
    assert str(failed[1]) == (
        "fewer than min_hosts=3 hosts can be up:\n  2 hosts: not there: h[1-2]"
    )
    assert set(failed[1].errors) == {"h1", "h2"}
    assert fails(p.handle(submit(4), 2.0)) == {4: p.lost}
    assert p.handle([events.Up(3, 1)], 3.0) == []


def test_once_so_many_were_up_fewer_will_do() -> None:
    p = pool.Pool(2, quorum=2)
    p.handle([events.Up(0, 1), events.Up(1, 1)], 0.0)
    p.handle([events.Down(1, error(1))], 1.0)
    assert sent(p.handle(submit(1, 2), 2.0)) == {0: [1]}


def test_so_many_hosts_are_not_waited_for_beyond_the_patience_for_lost_ones() -> None:
    p = pool.Pool(3, 60.0, quorum=3)
    p.handle([*submit(1), events.Up(0, 1), events.Up(1, 1)], 0.0)
    now, failed = 10.0, fails(p.handle([events.Down(0, HostLost("h0: gone"))], 10.0))
    while not failed:
        assert p.wake is not None
        now = max(now, p.wake)
        assert now <= 70.0
        commands = p.handle([events.Tick()], now)
        failed = fails(commands)
        if events.Open(0) in commands:
            p.handle([events.Down(0, HostLost("h0: gone"))], now)
    assert isinstance(failed[1], BrokenSSHExecutor)
    assert now == 70.0


def test_only_hosts_that_are_lost_are_blamed_that_there_are_not_enough() -> None:
    p = pool.Pool(3, 60.0, quorum=3)
    p.handle([events.Up(0, 1), events.Up(1, 1), events.Down(0, error(0))], 0.0)
    p.handle([events.Tick()], 0.0)
    p.handle([events.Up(0, 1), events.Down(2, error(2))], 1.0)
    assert isinstance(p.lost, BrokenSSHExecutor)
    assert set(p.lost.errors) == {"h2"}
    assert str(p.lost.__cause__) == str(error(2))


def test_hosts_that_are_leaving_do_not_count_as_up() -> None:
    p = pool.Pool(3, quorum=2)
    p.handle([*submit(1), events.Up(0, 1), events.Removed(0, error(0), False)], 0.0)
    assert sent(p.handle([events.Up(1, 1)], 1.0)) == {}
    assert set(sent(p.handle([events.Up(2, 1)], 2.0))) <= {1, 2}


def test_when_hosts_are_removed_others_may_be_added() -> None:
    p = pool.Pool(2, quorum=2)
    p.handle([*submit(1), events.Up(0, 1), events.Removed(1, error(1), True)], 0.0)
    assert p.handle([events.Down(1, error(1))], 0.0) == []
    p.handle([events.Added(2)], 1.0)
    assert len(sent(p.handle([events.Up(2, 1)], 2.0))) == 1


def test_hosts_that_are_added_may_make_them_enough_again() -> None:
    p = pool.Pool(2, quorum=2)
    p.handle([events.Up(0, 1), events.Down(1, error(1))], 0.0)
    assert set(fails(p.handle(submit(1), 1.0))) == {1}
    p.handle([events.Added(2)], 2.0)
    assert p.handle(submit(2), 2.0) == []
    assert sent(p.handle([events.Up(2, 1)], 3.0)) in ({0: [2]}, {2: [2]})


def test_a_pool_that_waits_for_hosts_can_be_closed() -> None:
    p = pool.Pool(2, quorum=2)
    p.handle([*submit(1), events.Up(0, 1)], 0.0)
    assert p.handle([events.Closing()], 1.0) == []
    commands = p.handle([events.Down(1, error(1))], 2.0)
    assert set(fails(commands)) == {1}
    assert events.Close(0) in commands
    p.handle([events.Down(0, error(0))], 3.0)
    assert p.finished


# ------------------------------------------------------------- calls that were lost with a host


def with_calls_ahead(hosts: int) -> pool.Pool:
    """A pool with calls 1 to 8 on host 0, which has one worker."""
    p = pool.Pool(hosts, 60.0)
    p.handle([events.Up(0, 1), events.Submitted([0], None, 3)], 0.0)
    p.handle([events.Submitted([*range(1, 9)], None, 3)], 0.0)
    assert sent(p.handle([done(0, 0, seconds=1e-6)], 0.001)) == {0: [*range(1, 9)]}
    return p


def test_calls_that_were_lost_together_are_tried_again_on_different_hosts() -> None:
    p = with_calls_ahead(3)
    p.handle([events.Down(0, error(0))], 1.0)
    then = sent(p.handle([events.Up(1, 2), events.Up(2, 2)], 1.0))
    assert [len(calls) for calls in then.values()] == [2, 2]
    p.handle([events.Down(1, error(1))], 2.0)
    last = sent(p.handle([done(2, *then[2], seconds=1e-6), events.Up(0, 2)], 2.0))
    assert [len(set(then[1]) & set(calls)) for calls in last.values()] == [1, 1]


def done_one_by_one(p: pool.Pool, host: int, calls: list[int], count: int) -> list[int]:
    """Have so many calls done that come alone to a host; return them."""
    alone: list[int] = []
    while len(alone) < count:
        (call,) = calls
        alone.append(call)
        calls = sent(p.handle([done(host, call, seconds=1e-6)], 1.001))[host]
    assert len(calls) > 1  # others queue again
    return alone


def test_calls_that_were_lost_with_a_host_queue_on_none_nor_do_others_behind_them() -> None:
    p = with_calls_ahead(2)
    p.handle([events.Down(0, error(0)), events.Submitted([*range(10, 20)], None, 3)], 1.0)
    calls = sent(p.handle([events.Up(1, 1)], 1.0))[1]
    assert {*done_one_by_one(p, 1, calls, 8)} == {*range(1, 9)}


def test_calls_for_one_host_that_were_lost_with_it_queue_there_no_more() -> None:
    p = pool.Pool(1, 60.0)
    p.handle([events.Up(0, 1), events.Submitted([*range(9)], 0, 3)], 0.0)
    assert len(sent(p.handle([done(0, 0, seconds=1e-6)], 0.001))[0]) == 8
    p.handle([events.Down(0, error(0)), *submit(*range(10, 20))], 1.0)
    calls = sent(p.handle([events.Up(0, 1)], 1.0))[0]
    assert {*done_one_by_one(p, 0, calls, 8)} == {*range(1, 9)}


def test_calls_that_come_back_before_those_that_were_lost_take_none_of_them_into_a_queue() -> None:
    p = pool.Pool(2, 60.0)
    p.handle([events.Up(0, 1), events.Up(1, 1), events.Submitted([*range(16)], None, 3)], 0.0)
    p.handle([done(host, host, seconds=1e-6) for host in (0, 1)], 0.001)
    lost, (first, *others) = {*p._hosts[0].running}, sorted(p._hosts[1].running)
    assert len(lost) > 1
    commands = p.handle([events.Down(0, error(0)), events.Started(1, first)], 1.0)
    assert events.Recall(1, len(others)) in commands
    back = [events.Returned(1, others[::-1]), done(1, first, seconds=1e-6)]
    assert sent(p.handle(back, 1.0)) == {1: others}
    (call,) = sent(p.handle([done(1, *others, seconds=1e-6)], 1.001))[1]
    assert call in lost


def test_calls_for_one_host_are_not_taken_into_a_queue_by_others_before_them() -> None:
    p = pool.Pool(1, 60.0)
    p.handle([events.Up(0, 1), events.Submitted([*range(9)], 0, 3)], 0.0)
    p.handle([done(0, 0, seconds=1e-6)], 0.001)
    lost, never_sent = [*range(1, 6)], [6, 7, 8]
    p.handle([events.Down(0, error(0), never_sent)], 1.0)
    p.handle([events.Cancelled(call) for call in (1, 3, 5)], 1.0)
    calls = sent(p.handle([events.Up(0, 1)], 1.0))[0]
    while not {*calls} & {*never_sent}:
        (call,) = calls
        assert call in lost
        calls = sent(p.handle([done(0, call, seconds=1e-6)], 1.001))[0]
    assert p._hosts[0].running == {*never_sent}


def test_a_call_that_was_lost_and_is_then_cancelled_keeps_no_other_from_queueing() -> None:
    p = with_calls_ahead(2)
    p.handle([events.Down(0, error(0)), events.Submitted([*range(10, 20)], None, 3)], 1.0)
    p.handle([events.Cancelled(call) for call in range(1, 9)], 1.0)
    (call,) = sent(p.handle([events.Up(1, 1)], 1.0))[1]
    assert len(sent(p.handle([done(1, call, seconds=1e-6)], 1.001))[1]) > 1


@given(st.integers(2, 5), st.integers(1, 4), st.integers(0, 59), st.integers(0, 2**32))
def test_a_call_that_takes_its_host_down_each_time_takes_few_others_with_it(
    count: int, workers: int, killer: int, seed: int
) -> None:
    """Every other call is quick, and one of those that run is done at a time."""
    chance = random.Random(seed)
    retries = 4
    p = pool.Pool(count, 60.0)
    lying: dict[int, list[int]] = {host: [] for host in range(count)}
    failed: set[int] = set()
    ended: set[int] = set()
    taken_down: list[int] = []  # how many calls lay there, each time
    now = 0.0

    def handle(*happened: events.Event) -> None:
        for command in p.handle(happened, now):
            if isinstance(command, events.Send):
                lying[command.host] += command.calls
            elif isinstance(command, events.Fail):
                failed.update(command.calls)
            elif isinstance(command, events.Settle):
                ended.update(command.calls)

    handle(*(events.Up(host, workers) for host in range(count)))
    handle(events.Submitted([*range(60)], None, retries))
    while len(failed) + len(ended) < 60:
        now += 0.001
        host = chance.choice([host for host in lying if lying[host]])
        call = chance.choice(lying[host][:workers])
        if call != killer:
            lying[host].remove(call)
            handle(done(host, call, seconds=1e-6))
        else:
            taken_down.append(len(lying[host]))
            lying[host] = []
            handle(events.Down(host, error(host)))
            handle(events.Up(host, workers))
    assert len(taken_down) == 1 + retries
    assert max(taken_down[1:]) <= workers
    assert killer in failed
    assert len(failed) <= workers
