"""How well calls are spread: the Pool with a model of the agent, in virtual time, no I/O."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from interstate import events, pool
from interstate.remote.foreman import MOMENT, PATIENCE
from interstate.remote.slot import DEPTH

pytestmark = pytest.mark.once

OVERHEAD = 30e-6  # seconds between two calls of a worker


class Simulation:
    """Hosts that are up, and calls that take as long as is said, each way `delay` seconds off.

    Attributes:
        now: The virtual time, seconds.
        ended: When each call's outcome arrived here.
        started: How often each call was begun.
    """

    def __init__(
        self, hosts: int, workers: int, durations: Sequence[float], delay: float = 0.0
    ) -> None:
        self.now = 0.0
        self.durations = durations
        self.ended: dict[int, float] = {}
        self.started = [0] * len(durations)
        self.recalls = 0
        self._delay = delay
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._pool = pool.Pool(hosts)
        self._agents = [Agent(self, host, workers) for host in range(hosts)]
        self._handle([events.Up(host, workers) for host in range(hosts)])

    def run(self) -> float:
        """Submit all calls at once, and return how long they took."""
        self._handle([events.Submitted([*range(len(self.durations))])])
        while self._due:
            self.now, _, action = heapq.heappop(self._due)
            action()
        return max(self.ended.values())

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._order), action))

    def answer(self, event: events.Event) -> None:
        """An agent says something."""
        self.after(self._delay, lambda: self._handle([event]))

    def _handle(self, happened: list[events.Event]) -> None:
        for command in self._pool.handle(happened, self.now):
            if isinstance(command, events.Send):
                agent = self._agents[command.host]
                self.after(self._delay, partial(agent.take, command.calls))
            elif isinstance(command, events.Recall):
                agent = self._agents[command.host]
                self.after(self._delay, partial(agent.recall, command.limit))
                self.recalls += 1
            elif isinstance(command, events.Settle):
                self.ended.update(dict.fromkeys(command.calls, self.now))


class Worker:
    def __init__(self) -> None:
        self.calls: deque[int] = deque()  # the first of them runs
        self.since = 0.0
        self.announced = False


class Agent:
    """What `interstate.remote.agent` does with calls, by the same names."""

    def __init__(self, simulation: Simulation, host: int, workers: int) -> None:
        self.simulation = simulation
        self.host = host
        self.workers = [Worker() for _ in range(workers)]
        self.idle = list(self.workers)
        self.waiting: deque[int] = deque()
        self.ticking = False

    def take(self, calls: list[int]) -> None:
        self.waiting.extend(calls)
        self.assign()

    def assign(self) -> None:
        while self.waiting and self.idle:
            self.give(self.idle.pop())
        for worker in self.workers:
            self.fill(worker)
        if self.waiting:
            self.tick_soon()

    def fill(self, worker: Worker) -> None:
        while self.waiting and not worker.announced and len(worker.calls) < DEPTH:
            self.give(worker)

    def give(self, worker: Worker) -> None:
        worker.calls.append(self.waiting.popleft())
        if len(worker.calls) == 1:
            self.start(worker)
        self.tick_soon()

    def start(self, worker: Worker) -> None:
        worker.since, worker.announced = self.simulation.now, False
        call = worker.calls[0]
        self.simulation.started[call] += 1
        seconds = self.simulation.durations[call]
        self.simulation.after(seconds + OVERHEAD, lambda: self.done(worker))

    def done(self, worker: Worker) -> None:
        call = worker.calls.popleft()
        if worker.calls:
            self.start(worker)
        seconds = self.simulation.durations[call]
        self.simulation.answer(events.Done(self.host, [call], [seconds]))
        worker.announced = False
        self.fill(worker)
        if not worker.calls:
            self.idle.append(worker)
            behind = [other for other in self.workers if len(other.calls) > 1]
            if behind:
                self.take_back(behind[0])
                self.assign()
        elif len(worker.calls) == 1:
            worker.since = self.simulation.now

    def take_back(self, worker: Worker) -> None:
        while len(worker.calls) > 1:
            self.waiting.appendleft(worker.calls.pop())

    def tick_soon(self) -> None:
        if not self.ticking:
            self.ticking = True
            self.simulation.after(MOMENT, self.tick)

    def tick(self) -> None:
        now, self.ticking = self.simulation.now, False
        for worker in self.workers:
            if worker.calls and not worker.announced and now - worker.since >= MOMENT:
                self.take_back(worker)
                worker.announced = True
                self.simulation.answer(events.Started(self.host, worker.calls[0]))
        self.assign()
        if self.waiting and all(w.calls and w.since <= now - PATIENCE for w in self.workers):
            self.give_back(len(self.waiting))
        if self.waiting or any(w.calls and not w.announced for w in self.workers):
            self.tick_soon()

    def recall(self, count: int) -> None:
        if len(self.waiting) < count:
            for worker in self.workers:
                self.take_back(worker)
        self.give_back(count)
        self.assign()

    def give_back(self, count: int) -> None:
        newest = [self.waiting.pop() for _ in range(min(count, len(self.waiting)))]
        if newest:
            self.simulation.answer(events.Returned(self.host, newest))


def ideal(durations: Sequence[float], workers: int) -> float:
    """When the last call ends if each goes, in order, to whichever worker is free first."""
    free = [0.0] * workers
    for seconds in durations:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def uneven(seconds: float, calls: int, seed: int) -> list[float]:
    """1 % of them take 100 times longer."""
    chance = random.Random(seed)
    return [seconds * (100 if chance.random() < 0.01 else 1) for _ in range(calls)]


# ------------------------------------------------------------------------- the promises


def test_the_simulation_takes_as_long_as_its_calls() -> None:
    assert Simulation(1, 1, [1.0], 0.1).run() == pytest.approx(1.2, rel=0.001)
    assert Simulation(2, 3, [1.0] * 12, 0.001).run() == pytest.approx(2.004, rel=0.001)


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("seconds", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_uneven_calls_take_hardly_longer_than_in_one_queue(
    seconds: float, workers: int, seed: int
) -> None:
    durations = uneven(seconds, 8 * workers * 250, seed)
    simulation = Simulation(8, workers, durations, 0.00025)
    assert simulation.run() <= 1.1 * ideal(durations, 8 * workers)
    assert set(simulation.started) == {1}


@pytest.mark.parametrize("hosts", [1, 8])
@pytest.mark.parametrize(
    ("round_trip", "seconds", "calls", "share"),
    [
        (0.05, 0.001, 4_000, 0.9),
        (0.05, 0.01, 1_000, 0.95),
        (0.2, 0.001, 8_000, 0.8),
    ],
)
def test_a_long_way_costs_few_calls(
    hosts: int, round_trip: float, seconds: float, calls: int, share: float
) -> None:
    far = Simulation(hosts, 2, [seconds] * calls * hosts, round_trip / 2).run()
    near = Simulation(hosts, 2, [seconds] * calls * hosts, 0.00025).run()
    assert near / far >= share


@pytest.mark.parametrize("workers", [1, 2])
def test_what_waits_behind_a_long_call_is_done_elsewhere_long_before_it(workers: int) -> None:
    durations = [0.001] * 2_000
    durations[200 : 200 + workers] = [60.0] * workers
    simulation = Simulation(4, workers, durations, 0.0005)
    simulation.run()
    late = sorted(call for call, end in simulation.ended.items() if end > 2.0)
    assert late == [*range(200, 200 + workers)]
