"""How many connect at once: fewer where it goes badly, and nobody is lost for having waited.

Most of it is in virtual time: servers and firewalls that are simulated, and no waiting.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interstate.pauses import pauses
from interstate.ssh import deadline as deadline_module
from interstate.ssh import pacing
from interstate.ssh.deadline import Clock, Deadline
from interstate.ssh.pacing import Pacing
from interstate.ssh.places import Line, Places

from .waiting import until

PATIENCE = 60.0
RESENT = (0.0, 1.0, 3.0, 7.0, 15.0)  # when the kernel asks for a connection, again and again


class World:
    """Virtual time, and what is to happen in it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._order), act))

    def run(self) -> None:
        while self._due:
            self.now, _, act = heapq.heappop(self._due)
            act()


class Queue:
    """A Line in virtual time: who asks for a place is called when there is one."""

    def __init__(self, world: World, places: Places) -> None:
        self.world, self.places = world, places
        self._waiting: deque[Callable[[int], None]] = deque()
        self._look_at = float("inf")

    def enter(self, act: Callable[[int], None]) -> None:
        self._waiting.append(act)
        self._serve()

    def leave(self, ticket: int, well: bool | None) -> None:
        self.places.give_back(ticket, well)
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self.places.free_at(self.world.now) <= self.world.now:
            self._waiting.popleft()(self.places.take(self.world.now))
        free = self.places.free_at(self.world.now)
        if self._waiting and free < float("inf") and not self.world.now < self._look_at <= free:
            self._look_at = free
            self.world.at(free, self._serve)


class Server:
    """An sshd with MaxStartups 10:30:100, at which others log in as well."""

    def __init__(self, world: World, seconds: float, others: int, seed: int) -> None:
        self.world, self.seconds = world, seconds
        self.inside, self.most, self.turned_away = others, others, 0
        self._random = random.Random(seed)

    def come(self, answer: Callable[[bool], None]) -> None:
        chance = 0.0 if self.inside < 10 else 0.3 + 0.7 * (self.inside - 10) / 90
        if self._random.random() < chance:
            self.turned_away += 1
            self.world.at(self.world.now + 0.01, lambda: answer(False))
            return
        self.inside += 1
        self.most = max(self.most, self.inside)

        def let_in() -> None:
            self.inside -= 1
            answer(True)

        self.world.at(self.world.now + self.seconds, let_in)


def crowd_at(server: Server, world: World, hosts: int) -> list[float]:
    """When each of so many got in."""
    queue, got_in = Queue(world, pacing._at_server().places), list[float]()

    def connect(again: Iterator[float]) -> None:
        def begin(ticket: int) -> None:
            def answered(welcome: bool) -> None:
                queue.leave(ticket, welcome)
                if welcome:
                    got_in.append(world.now)
                else:
                    world.at(world.now + next(again), lambda: connect(again))

            server.come(answered)

        queue.enter(begin)

    for _ in range(hosts):
        connect(pauses(*pacing.PAUSES))
    world.run()
    return got_in


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 300), st.floats(0.01, 6.0), st.integers(0, 9), st.integers())
def test_an_sshd_that_is_slow_or_busy_with_others_lets_all_in_by_and_by(
    hosts: int, seconds: float, others: int, seed: int
) -> None:
    world = World()
    server = Server(world, seconds, others, seed)
    got_in = crowd_at(server, world, hosts)
    assert len(got_in) == hosts
    assert server.most <= others + 8
    if others < 3:
        assert server.turned_away == 0
    assert got_in[-1] < (seconds + 1) * (hosts + 4), "at worst one after the other, and a pause"


def firewalled(hosts: int, rate: float, burst: int, dead: int = 0) -> list[float | None]:
    """How long each of so many dialled behind a firewall; None: it got no answer.

    Args:
        hosts: How many there are behind it.
        rate: How many new connections a second it lets through.
        burst: How many at once.
        dead: How many more there are that never answer.
    """
    world, waits = World(), list[float | None]()
    queue = Queue(world, Pacing()._dialling.places)
    chance = random.Random(hosts)
    bucket = [float(burst), 0.0]  # connections that may pass, and when that was

    def passes() -> bool:
        bucket[0] = min(burst, bucket[0] + (world.now - bucket[1]) * rate)
        bucket[1] = world.now
        if bucket[0] < 1:
            return False
        bucket[0] -= 1
        return True

    def dial(answers: bool, left: float = 30.0, asked: int = 0) -> None:
        def begin(ticket: int) -> None:
            since, patience = world.now, min(left, pacing.patience(queue.places, asked))

            def ask(times: tuple[float, ...]) -> None:
                if passes() and answers:
                    waits.append(30.0 - left + world.now - since)
                    queue.leave(ticket, world.now - since < pacing._SLOW)
                elif times[1:] and times[1] < patience:
                    world.at(since + times[1], lambda: ask(times[1:]))
                else:
                    world.at(since + patience, give_up)

            def give_up() -> None:
                queue.leave(ticket, None)
                if left > patience:
                    dial(answers, left - patience, asked + 1)
                elif answers:
                    waits.append(None)

            world.at(since + chance.uniform(0, 0.02), lambda: ask(RESENT))

        queue.enter(begin)

    order = [True] * hosts + [False] * dead
    chance.shuffle(order)
    for answers in order:
        dial(answers)
    world.run()
    return waits


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 200), st.floats(4, 100), st.integers(5, 50), st.floats(0, 0.3))
def test_a_firewall_that_drops_what_asks_too_often_costs_time_and_no_host(
    hosts: int, rate: float, burst: int, dead: float
) -> None:
    waits = firewalled(hosts, rate, burst, int(dead * hosts))
    assert len(waits) == hosts
    assert None not in waits


def test_who_asks_too_often_asks_less() -> None:
    late = [wait for wait in firewalled(300, rate=10, burst=10) if wait is None or wait > 3.1]
    assert len(late) < 30, "most get through when they are asked for the second time"


def test_a_crowd_that_is_not_slowed_down_is_not_slow() -> None:
    assert max(wait or 99 for wait in firewalled(300, rate=1000, burst=300)) < 0.03
    places = Places(4, 8)
    for _ in range(30):
        places.give_back(places.take(0.0), True)
    assert places.limit == 8
    for _ in range(30):
        places.give_back(places.take(0.0), False)
    assert places.limit == 1
    places.give_back(places.take(0.0), None)
    assert places.limit == 1


def test_who_has_a_place_for_long_holds_it_no_more() -> None:
    places = Places(2, 2, young=1.0)
    places.take(0.0)
    second = places.take(0.5)
    assert [places.free_at(now) for now in (0.5, 0.9, 1.0, 1.4)] == [1.0, 1.0, 1.0, 1.4]
    places.take(1.0)
    assert places.free_at(1.0) == 1.5
    places.give_back(second, None)
    assert places.free_at(1.0) == 1.0


@pytest.mark.parametrize(
    ("left", "told"),
    [(0.5, 0.5), (0.42, 0.5), (2.0, 2.0), (1.92, 2.0), (30.0, 30.0), (0.01, 0.01)],
)
def test_the_time_that_was_asked_for_is_told_though_a_moment_of_it_has_passed(
    left: float, told: float
) -> None:
    assert Deadline(Clock(), left).seconds == told


# -------------------------------------------------------------------------------- in line


def waiting(line: Line, deadline: Deadline) -> tuple[threading.Thread, list[int | None]]:
    tickets: list[int | None] = []
    thread = threading.Thread(target=lambda: tickets.append(line.take(deadline)))
    thread.start()
    return thread, tickets


class Time:
    """The time by which deadlines are, which a test sets.

    Attributes:
        now: Seconds.
    """

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> Time:
    monkeypatch.setattr(deadline_module, "time", time := Time())
    return time


def test_the_time_in_a_line_that_moves_does_not_count(virtual: Time) -> None:
    line, clock = Line(Places(1, 1)), Clock()
    held = line.take(Deadline(clock, PATIENCE))
    deadline = Deadline(clock, 3.0)
    thread, tickets = waiting(line, deadline)
    for _ in range(4):  # 3.6 seconds in all: others have their turn
        assert held is not None
        until(lambda: line._changed._waiters)  # type: ignore[attr-defined]
        with line._changed:
            virtual.now += 0.9
            line.places.give_back(held, True)
            line._answered += 1
            held = line.places.take(time.monotonic())
            line._changed.notify()
    assert held is not None
    line.give_back(held, True)
    thread.join(PATIENCE)
    assert None not in tickets
    assert deadline.remaining() == pytest.approx(3.0)


def test_a_line_in_which_nobody_has_an_answer_is_left_in_time() -> None:
    line, clock = Line(Places(1, 1)), Clock()
    line.take(Deadline(clock, PATIENCE))
    before = time.monotonic()
    assert line.take(Deadline(clock, 0.1)) is None
    assert 0.09 < time.monotonic() - before < PATIENCE / 2


def test_a_place_that_was_turned_away_from_is_for_the_next_in_line() -> None:
    line, clock = Line(Places(2, 2)), Clock()
    tickets = [line.take(Deadline(clock, PATIENCE)) for _ in range(2)]
    threads = [waiting(line, Deadline(clock, PATIENCE)) for _ in range(3)]
    for ticket in tickets:
        assert ticket is not None
        line.give_back(ticket, False)  # one place is left, and three wait for it
    limit = time.monotonic() + PATIENCE / 2
    while any(thread.is_alive() for thread, _ in threads) and time.monotonic() < limit:
        for thread, got in threads:
            thread.join(0.05)
            if got and (ticket := got.pop()) is not None:
                line.give_back(ticket, None)
    assert not any(thread.is_alive() for thread, _ in threads)


def test_while_somebody_is_asked_no_time_is_lost_in_a_line_and_none_is_won(virtual: Time) -> None:
    line, clock = Line(Places(1, 1)), Clock()
    held = line.take(Deadline(clock, PATIENCE))
    assert held is not None
    deadline = Deadline(clock, 20.0)
    with clock.stopped():
        thread, tickets = waiting(line, deadline)
        until(lambda: line._changed._waiters)  # type: ignore[attr-defined]
        virtual.now += 200.0
        line.give_back(held, True)
        thread.join(PATIENCE)
    assert None not in tickets
    assert deadline.remaining() == pytest.approx(20.0)


def test_nobody_waits_in_a_line_that_is_closed() -> None:
    line, clock = Line(Places(1, 1)), Clock()
    line.take(Deadline(clock, PATIENCE))
    threads = [waiting(line, Deadline(clock, PATIENCE)) for _ in range(3)]
    line.close()
    for thread, tickets in threads:
        thread.join(PATIENCE)
        assert tickets == [None]
