"""The Pool's promises where hosts come back and calls may be tried again, by simulation."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from interstate import events, pool

from .test_pool import World

PATIENCE = 60.0  # seconds that lost hosts are waited for


class Returning(World):
    """As that, but hosts that were lost come back, and calls may be tried again."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.pool = pool.Pool(self.count, PATIENCE, self.quorum)
        self.retries: dict[int, int] = {}
        self.lost: Counter[int] = Counter()  # how often calls were lost with a host

    def handle(self, *happened: events.Event) -> None:
        super().handle(*map(self.with_retries, happened))

    def with_retries(self, event: events.Event) -> events.Event:
        if not isinstance(event, events.Submitted):
            return event
        event = event._replace(retries=self.random.choice([0, 1, 3]))
        self.retries.update(dict.fromkeys(event.calls, event.retries))
        return event

    def perform(self, command: events.Command) -> None:
        if isinstance(command, events.Send):
            then, workers = self.sent[command.host] + command.calls, self.workers[command.host]
            assert not any(self.lost[call] for call in then[workers:]), "a lost call queues"
            if any(self.lost[call] for call in then):
                assert len(then) <= max(workers, len(self.sent[command.host])), "behind a lost call"
        elif isinstance(command, events.Open):
            self.alive.add(command.host)
        super().perform(command)

    def lose(self, host: int) -> None:
        if host in self.alive:
            self.lost.update(self.sent[host])
        super().lose(host)

    def step(self) -> None:
        if self.random.random() < 0.02:
            self.now += self.random.uniform(0, PATIENCE / 2)
        if self.pool.wake is not None and self.now >= self.pool.wake:
            self.handle(events.Tick())
        elif self.pool._wanted and self.random.random() < 0.04:  # above all what was lost
            call = max(sorted(self.pool._wanted), key=self.lost.__getitem__)
            self.handle(events.Cancelled(call))
        else:
            super().step()
        self.check()

    def check(self) -> None:
        waiting = {self.submitted[call] for call in self.pool._wanted}
        for host in sorted(self.up) if not self.pool._holding else ():
            if len(self.sent[host]) < self.workers[host]:
                assert not waiting & {None, host}, "a worker has nothing to do while calls wait"
        assert self.pool._retries._losses.keys() <= self.pool._retries._left.keys()
        assert not self.pool._retries._left.keys() & self.ends.keys()

    def drain(self) -> None:
        """Come to an end: whoever is asked for something does it, and no more hosts are lost."""
        self.handle(events.Closing(self.random.random() < 0.3))
        while not self.pool.finished:
            connecting, asked = sorted(self.alive - self.up), sorted(self.up & self.recalls.keys())
            if asked:
                self.give_back(asked[0])
            elif any(self.sent[host] for host in self.up):
                self.finish_some()
            elif connecting:
                self.bring_up(connecting[0])
            else:
                assert self.pool.wake is not None, "nothing happens any more"
                self.now = max(self.now, self.pool.wake)
                self.handle(events.Tick())
            self.check()

    def bring_up(self, host: int) -> None:
        self.up.add(host)
        self.enough = self.enough or len(self.up) >= self.quorum
        self.workers[host] = 2
        self.handle(events.Up(host, 2))


@given(st.integers(0, 2**32))
def test_every_call_ends_and_is_tried_no_more_often_than_it_may(seed: int) -> None:
    world = Returning(seed)
    for _ in range(world.random.randint(1, 200)):
        world.step()
    world.drain()
    assert world.ends == Counter(dict.fromkeys(world.submitted, 1)), seed
    for call, starts in world.starts.items():
        assert starts <= 1 + world.retries[call], f"call {call} ran too often; seed {seed}"
    assert len(world.pool._retries) == 0
