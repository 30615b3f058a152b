"""Everything that decides, in virtual time, with seeded faults: no I/O, no threads, no waiting.

What is real: the Pool, the Foreman, the Ledgers and Decoders of both ends.  What stands in: the
engine and a link (`Client`), an agent's process and its workers (`Agent`, `Slot`), and the network
between them (`Channel`), which delays, cuts anywhere, freezes, and loses what is on its way.

A run is made of one seed, and the same seed makes the same run.
"""

from __future__ import annotations

import heapq
import itertools
import random
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from interstate import events
from interstate.errors import HostError, HostLost, InterstateError
from interstate.hosts import Host
from interstate.pool import Pool
from interstate.remote import foreman, wire
from interstate.remote.foreman import Foreman
from interstate.remote.ledger import Ledger
from interstate.remote.slot import DEPTH

LONGEST = 100_000  # events in a run; more would be one that does not end
RECONNECT = 3.0  # seconds
SILENCE = 1.0  # seconds after which a channel counts as lost
GRACE = 0.5  # seconds


class Clock:
    """Virtual time, and what is due in it.  Stands in for the module `time` as well."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._order), action))

    def run(self, until: Callable[[], bool]) -> None:
        for _ in range(LONGEST):
            if until():
                return
            assert self._due, "nothing will happen any more"
            self.now, _, action = heapq.heappop(self._due)
            action()
        raise AssertionError("it does not end")


class Channel:
    """A connection: bytes either way, each after its delay, unless it is cut before."""

    def __init__(self, world: World, host: int) -> None:
        self.world, self.host = world, host
        self.open = True
        self.to_client: Callable[[bytes], None] = lambda data: None
        self.to_agent: Callable[[bytes], None] = lambda data: None
        self.on_close: list[Callable[[], None]] = []
        self._on_the_way: tuple[deque[tuple[float, bytes]], ...] = deque(), deque()

    def send(self, up: bool, data: bytes) -> None:
        """Send to the client (up) or to the agent; it may arrive in pieces."""
        if not self.open:
            return
        chance, clock = self.world.chance, self.world.clock
        cut = chance.randint(0, len(data)) if chance.random() < 0.1 else len(data)
        for piece in filter(None, (data[:cut], data[cut:])):
            delay = self.world.delay()
            self._on_the_way[up].append((clock.now + delay, piece))
            clock.after(delay, lambda: self._arrive(up))

    def _arrive(self, up: bool) -> None:
        """Hand over what is due, in order; nothing while the network stands still."""
        clock, on_the_way = self.world.clock, self._on_the_way[up]
        thaws = self.world.frozen.get(self.host, 0.0)
        if clock.now < thaws:
            clock.after(thaws - clock.now, lambda: self._arrive(up))
            return
        while self.open and on_the_way and on_the_way[0][0] <= clock.now:
            (self.to_client if up else self.to_agent)(on_the_way.popleft()[1])
        if self.open and on_the_way:
            clock.after(on_the_way[0][0] - clock.now, lambda: self._arrive(up))

    def close(self) -> None:
        """Lose it, and what is on its way; both ends see that, now or soon."""
        if self.open:
            self.open = False
            for action in self.on_close:
                self.world.clock.after(self.world.delay(), action)


class Call:
    """What a call does when it runs."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.number = number
        self.seconds = chance.choice([0.0001, 0.001, 0.01, 0.1, 1.0])
        self.retries = chance.choice([0, 0, 1, 3])
        self.kills_its_worker = chance.random() < 0.1
        self.ignores_interrupts = chance.random() < 0.3
        self.limit = chance.choice([None, None, None, 0.05, 0.5])


class Given:
    """A call in a worker's inbox."""

    def __init__(self, number: int) -> None:
        self.id = number


class Slot:
    """A worker and its slot, by the names of the real one."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.calls: deque[Given] = deque()
        self.since = 0.0
        self.announced = self.answered = self.starting = self.dead = self._dismissed = False
        self.stop_due: float | None = None
        self._taken: Given | None = None  # what the worker has read
        self._given = 0
        self._run = 0

    @property
    def usable(self) -> bool:
        return not self._dismissed and self.stop_due is None and self._given < self.agent.most

    @property
    def used_up(self) -> bool:
        return self._given >= self.agent.most and not self.calls

    def has_room(self) -> bool:
        return not self.announced and len(self.calls) < DEPTH and self.usable

    def busy_since(self, moment: float) -> bool:
        return bool(self.calls) and self.since <= moment

    def give(self, call: Given) -> bool:
        if self.dead:
            return False
        if not self.calls:
            self.since = self.agent.clock.now
        self.calls.append(call)
        self._given += 1
        if self._taken is None:
            self.agent.clock.after(self.agent.world.delay() / 100, self._take)
        return True

    def take_back(self) -> list[Given]:
        back = [call for call in self.calls if call is not self._taken]
        self.calls = deque(call for call in self.calls if call is self._taken)
        self._given -= len(back)
        return back

    def finish(self, number: int) -> None:
        assert self.calls[0].id == number
        self.calls.popleft()
        self.since = self.agent.clock.now
        self.announced, self.answered = False, True

    def interrupt(self) -> None:
        call = self.agent.world.calls[self.calls[0].id]
        if not call.ignores_interrupts and not self.dead:
            self._run += 1  # what it does no longer ends by itself
            self.agent.clock.after(0.001, partial(self._answer, self._run))

    def dismiss(self) -> None:
        self._dismissed = True
        if self._taken is None:
            self.kill()

    def kill(self) -> None:
        if not self.dead:
            self.dead = True
            self._run += 1
            self.agent.clock.after(0.001, lambda: self.agent.bury(self))

    def _take(self) -> None:
        if self.dead or self._taken is not None or not self.calls:
            return
        self._taken = self.calls[0]
        call = self.agent.world.started(self.agent, self._taken.id)
        self._run += 1
        end = self.kill if call.kills_its_worker else partial(self._answer, self._run)
        self.agent.clock.after(call.seconds, end)

    def _answer(self, run: int) -> None:
        if run != self._run or self.dead or self._taken is None:
            return
        number, self._taken = self._taken.id, None
        self.agent.world.completed.add(number)
        self.agent.done(self, number)
        if self.calls:
            self._take()


class Agent:
    """An agent's process: what `interstate.remote.agent` and `session` do, by the same names."""

    def __init__(self, world: World, host: int) -> None:
        self.world, self.host, self.clock = world, host, world.clock
        self.alive = True
        self.most = world.chance.choice([1, 3, 1000])
        self._foreman = Foreman(self._say, self._fork, self._ignore, self._ignore)  # type: ignore[arg-type]
        self._foreman.configure(world.workers, GRACE)
        self._ledger = Ledger()
        self._decoder = wire.Decoder()
        self._unsaid: list[bytes] = []
        self.received = 0
        self._channel: Channel | None = None
        self._lost = self.heard = self.clock.now
        self._handlers: dict[int, Callable[[int, wire.Bytes], None]] = {
            wire.CALL: lambda number, _: self._foreman.take(Given(number)),  # type: ignore[arg-type]
            wire.LIMIT: self._foreman.limit,
            wire.RECALL: self._foreman.recall,
            wire.REVOKE: self._foreman.revoke,
            wire.STOP: self._foreman.stop,
            wire.ACK: lambda count, _: self._ledger.arrived(count),
            wire.END: lambda *_: self.end(),
        }
        self._look()

    def attach(self, channel: Channel, arrived: int | None) -> None:
        """Go on with a channel; the client has so much of what was said, or it is the first."""
        if self._channel is not None:
            self._channel.to_agent = lambda data: None
            self._channel.close()
        self._channel, self.heard = channel, self.clock.now
        channel.to_agent = self.take
        channel.on_close.append(lambda: self._lose(channel))
        if arrived is not None:
            self._unsaid.insert(0, b"".join(self._ledger.take_back(arrived)))
            channel.send(True, wire.encode(wire.RESUMED, self.received))
        self._flush()

    def take(self, data: bytes) -> None:
        if not self.alive:
            return
        self.heard = self.clock.now
        self.received += len(data)
        for kind, number, content in self._decoder.receive(data):
            self._handlers[kind](number, content)
            if not self.alive:
                return
        self._foreman.assign()
        if self.world.chance.random() < 0.5:
            self._say(wire.encode(wire.ACK, self.received))
        self._turned()

    def done(self, slot: Slot, number: int) -> None:
        self._foreman.done(slot, number, b"")  # type: ignore[arg-type]
        self._turned()

    def bury(self, slot: Slot) -> None:
        if self.alive:
            self._foreman.died(slot, b"died")  # type: ignore[arg-type]
            self._foreman.assign()
            self._turned()

    def end(self) -> None:
        """Kill the workers, and go."""
        self.alive = False
        for slot in self._foreman.slots:
            slot.kill()
        if self._channel is not None:
            self._channel.close()
        self.world.agents.pop(self.host, None)

    def _say(self, *pieces: wire.Bytes) -> None:
        self._unsaid += map(bytes, pieces)

    def _turned(self) -> None:
        self._flush()
        tick = self._foreman.next_tick
        if tick is not None:
            self.clock.after(max(0.0, tick - self.clock.now), self._tick)

    def _tick(self) -> None:
        tick = self._foreman.next_tick
        if self.alive and tick is not None and self.clock.now >= tick:
            self._foreman.tick()
            self._turned()

    def _flush(self) -> None:
        if self._channel is not None and self._channel.open and self._unsaid:
            data = b"".join(self._unsaid)
            self._unsaid.clear()
            self._ledger.add((data,), len(data))
            self._channel.send(True, data)

    def _fork(self) -> Slot | None:
        return Slot(self)

    def _ignore(self, slot: Any) -> None: ...

    def _lose(self, channel: Channel) -> None:
        if channel is self._channel:
            self._channel, self._lost = None, self.clock.now

    def _look(self) -> None:
        """Go when nobody is heard of for too long."""
        if not self.alive:
            return
        since = self.heard + SILENCE if self._channel is not None else self._lost
        if self.clock.now >= since + RECONNECT:
            self.end()
        else:
            if self._channel is not None:
                self._say(wire.encode(wire.ACK, self.received))
                self._flush()
            self.clock.after(SILENCE / 3, self._look)


class Link:
    """A link: what `interstate.link` and `writer` do, by the same names."""

    def __init__(self, client: Client, host: int) -> None:
        self.client, self.world, self.host = client, client.world, host
        self._ledger = Ledger()
        self._decoder = wire.Decoder()
        self._received = 0
        self._channel: Channel | None = None
        self._over = self._up = self._closing = False
        self._away_until: float | None = None
        self._heard = 0.0
        self._unwritten: list[bytes] = []
        self.world.clock.after(self.world.delay(), self._connect)

    def send(self, data: bytes) -> None:
        if self._channel is not None and self._channel.open and self._up:
            self._ledger.add((data,), len(data))
            self._channel.send(False, data)
        else:
            self._unwritten.append(data)

    def close(self) -> None:
        self._closing = True
        if self._up and self._channel is not None:
            self.send(wire.encode(wire.END, 0, wire.COUNT.pack(9)))
            self.world.clock.after(0.7, lambda: self._end("closed"))
        else:
            self._end("closed while it was not connected")

    def _connect(self) -> None:
        if self._over:
            return
        if not self.world.reachable(self.host):
            self._end("not reachable")
            return
        agent = self.world.boot(self.host)
        self._channel = channel = Channel(self.world, self.host)
        channel.to_client = self._receive
        channel.on_close.append(lambda: self._lost(channel))
        agent.attach(channel, None)
        self._up, self._heard, self.agent = True, self.world.clock.now, agent
        self.client.post(events.Up(self.host, self.world.workers))
        self._look()

    def _receive(self, data: bytes) -> None:
        if self._over:
            return
        self._heard = self.world.clock.now
        self._received += len(data)
        for frame in self._decoder.receive(data):
            if frame[0] == wire.ACK:
                self._ledger.arrived(frame[1])
            else:
                self.client.frame(self.host, frame)
        if self.world.chance.random() < 0.3 and not self._closing:
            self.send(wire.encode(wire.ACK, self._received))

    def _look(self) -> None:
        """Whether the host is heard of; and let us be heard of."""
        if self._over:
            return
        if self._channel is not None and self._up:
            if self.world.clock.now - self._heard > SILENCE:
                self._channel.close()
            elif not self._closing:
                self.send(wire.encode(wire.ACK, self._received))
        self.world.clock.after(SILENCE / 3, self._look)

    def _lost(self, channel: Channel) -> None:
        if self._over or channel is not self._channel:
            return
        self._channel, self._up = None, False
        if self._closing or (not self.agent.alive and self.world.chance.random() < 0.5):
            self._end("its agent has ended")  # as an exit status says
            return
        self._away_until = self.world.clock.now + RECONNECT
        self.client.post(events.Away(self.host))
        self.world.clock.after(0.0, self._try_again)

    def _try_again(self) -> None:
        if self._over or self._up or self._away_until is None:
            return
        clock = self.world.clock
        if clock.now >= self._away_until:
            self._end("no way back in time")
        elif not self.world.reachable(self.host):
            clock.after(0.3, self._try_again)
        elif not self.agent.alive:
            self._end("its agent is gone")
        else:
            self._bring(Channel(self.world, self.host))

    def _bring(self, channel: Channel) -> None:
        """Bring the agent a channel; its answer may not come."""
        self._channel = channel
        head = bytearray()

        def answered(data: bytes) -> None:
            head.extend(data)
            if len(head) >= wire.HEADER.size and not self._up and not self._over:
                kind, count, _ = wire.HEADER.unpack_from(head)
                assert kind == wire.RESUMED
                self._resume(channel, count, bytes(head[wire.HEADER.size :]))

        channel.to_client = answered
        channel.on_close.append(lambda: self._not_answered(channel))
        agent, received = self.agent, self._received

        def bring() -> None:
            if channel.open and agent.alive:
                agent.attach(channel, received)

        self.world.clock.after(self.world.delay(), bring)
        self.world.clock.after(1.0, lambda: None if self._up else channel.close())

    def _not_answered(self, channel: Channel) -> None:
        if channel is self._channel and not self._up:
            self._channel = None
            self._try_again()

    def _resume(self, channel: Channel, count: int, more: bytes) -> None:
        again = b"".join(self._ledger.take_back(count))
        self._up, self._heard, self._away_until = True, self.world.clock.now, None
        channel.to_client = self._receive
        channel.on_close[-1] = lambda: self._lost(channel)
        if again:
            self.send(again)
        unwritten, self._unwritten = self._unwritten, []
        for data in unwritten:
            self.send(data)
        self.client.post(events.Back(self.host))
        if more:
            self._receive(more)

    def _end(self, why: str) -> None:
        if self._over:
            return
        self._over = True
        if self._channel is not None:
            self._channel.close()
        unsent = [
            number
            for data in self._unwritten
            for kind, number, _ in wire.Decoder().receive(data)
            if kind == wire.CALL
        ]
        self.client.post(events.Down(self.host, lost(self.host, why), unsent))


class Client:
    """The engine: what `interstate.engine` and `arrivals` do with events, frames and commands."""

    def __init__(self, world: World, hosts: int) -> None:
        self.world = world
        self.quorum = world.chance.choice([1, 1, hosts])
        self.pool = Pool(hosts, RECONNECT, self.quorum)
        self.up: set[int] = set()
        self.most_up = 0  # at the same time
        self.links: dict[int, Link] = {host: Link(self, host) for host in range(hosts)}
        self.host_of: dict[int, int] = {}  # where a call was sent to
        self.unwanted: set[int] = set()
        self.started: set[int] = set()
        self.stopped: set[int] = set()
        self.outcomes: dict[int, str] = {}

    def post(self, *happened: events.Event) -> None:
        for event in happened:
            if isinstance(event, events.Up):
                self.up.add(event.host)
                self.most_up = max(self.most_up, len(self.up))
            elif isinstance(event, events.Down | events.Removed):
                self.up.discard(event.host)
        commands = self.pool.handle(happened, self.world.clock.now)
        for command in commands:  # as the engine does: first this, then what is sent
            if isinstance(command, events.Again):
                self._run_again(command.calls)
        for command in commands:
            self._perform(command)
        if self.pool.wake is not None:
            wake = max(0.0, self.pool.wake - self.world.clock.now)
            self.world.clock.after(wake, self._tick)

    def _tick(self) -> None:
        if self.pool.wake is not None and self.world.clock.now >= self.pool.wake:
            self.post(events.Tick())

    def frame(self, host: int, frame: wire.Frame) -> None:
        kind, call, _ = frame
        if self.host_of.get(call) != host:
            return  # it has ended, or runs elsewhere by now
        if kind == wire.DONE:
            self.outcomes[call] = "stopped" if call in self.stopped else "returned"
            self.post(events.Done(host, [call], [self.world.calls[call].seconds]))
        elif kind == wire.DIED and call in self.stopped:
            self.outcomes[call] = "stopped"
            self.post(events.Done(host, [call], [0.0]))
        elif kind == wire.DIED:
            self.outcomes[call] = "died"
            self.post(events.Died(host, call))
        elif kind == wire.STARTED:
            self.started.add(call)
            self.post(events.Started(host, call))
        elif kind == wire.STOPPED:
            self.stopped.add(call)
        else:
            assert kind == wire.RETURNED
            unwanted = call in self.unwanted
            if not unwanted:
                del self.host_of[call]
            self.post(events.Revoked(host, call) if unwanted else events.Returned(host, [call]))

    def cancel(self, call: int) -> None:
        self._take_back(call, wire.REVOKE)

    def terminate(self, call: int) -> None:
        self._take_back(call, wire.STOP)

    def _take_back(self, call: int, kind: int) -> None:
        if call in self.world.ended:
            return
        if call not in self.host_of:
            self.post(events.Cancelled(call))
        elif kind == wire.STOP or call not in self.started:
            self.unwanted.add(call)
            self.links[self.host_of[call]].send(wire.encode(kind, call))

    def _run_again(self, calls: list[int]) -> None:
        for call in calls:
            self.host_of.pop(call, None)
            self.started.discard(call)
            self.stopped.discard(call)

    def _perform(self, command: events.Command) -> None:
        if isinstance(command, events.Send):
            self._send(command)
        elif isinstance(command, events.Settle):
            self._settle(command.calls)
        elif isinstance(command, events.Fail):
            self._end(command.calls, "failed", command.error)
        elif isinstance(command, events.Drop):
            self._end(command.calls, "cancelled")
        elif isinstance(command, events.Open):
            self.links[command.host] = Link(self, command.host)
        elif isinstance(command, events.Close):
            self.links[command.host].close()
        elif isinstance(command, events.Recall):
            count = wire.COUNT.pack(command.limit)
            self.links[command.host].send(wire.encode(wire.RECALL, 0, count))

    def _send(self, command: events.Send) -> None:
        assert self.most_up >= self.quorum, "sent before as many hosts were up as must be"
        for call in command.calls:
            assert call not in self.host_of, f"call {call} is on another host already"
            assert call not in self.world.ended
            if call in self.unwanted:  # its Future was cancelled meanwhile
                self._end([call], "cancelled")
                self.post(events.Unsent(command.host, [call]))
                continue
            self.host_of[call] = command.host
            frame, limit = wire.encode(wire.CALL, call), self.world.calls[call].limit
            if limit is not None:
                frame = wire.encode(wire.LIMIT, call, wire.SECONDS.pack(limit)) + frame
            self.links[command.host].send(frame)

    def _settle(self, calls: list[int]) -> None:
        for call in calls:
            if self.outcomes[call] == "returned":
                assert call in self.world.completed
            self._end([call], self.outcomes[call])

    def _end(self, calls: list[int], how: str, error: InterstateError | None = None) -> None:
        for call in calls:
            self.host_of.pop(call, None)
            self.world.ended[call] += 1
            self.world.how[call] = how


class World:
    """One run, from its seed to its end, and what must be true of it."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        self.clock = Clock()
        self.hosts = chance.randint(1, 3)
        self.workers = chance.randint(1, 3)
        self._delay = chance.choice([0.0001, 0.001, 0.05])
        self.frozen: dict[int, float] = {}
        self.unreachable: dict[int, float] = {}
        self.agents: dict[int, Agent] = {}
        self.calls: dict[int, Call] = {}
        self.starts: Counter[int] = Counter()
        self.completed: set[int] = set()
        self.submitted: set[int] = set()
        self.ended: Counter[int] = Counter()
        self.how: dict[int, str] = {}
        self.client = Client(self, self.hosts)

    def run(self) -> None:
        real = vars(foreman)["time"]
        vars(foreman)["time"] = self.clock
        try:
            self._plan()
            self.clock.run(lambda: self.client.pool.finished)
            self._check()
            self.clock.run(lambda: not self.agents)  # each goes, at the latest by itself
        finally:
            vars(foreman)["time"] = real

    def delay(self) -> float:
        return self._delay * self.chance.uniform(0.5, 1.5)

    def reachable(self, host: int) -> bool:
        now = self.clock.now
        return now >= self.unreachable.get(host, 0.0) and now >= self.frozen.get(host, 0.0)

    def boot(self, host: int) -> Agent:
        agent = self.agents[host] = Agent(self, host)
        return agent

    def started(self, agent: Agent, number: int) -> Call:
        """A worker begins to run a call."""
        call = self.calls[number]
        self.starts[number] += 1
        assert self.starts[number] <= 1 + call.retries, f"call {number} ran too often"
        return call

    def _plan(self) -> None:
        """Calls, faults, and the end, at times of their own."""
        chance, after = self.chance, self.clock.after
        for number in range(1, chance.randint(2, 25)):
            self.calls[number] = Call(number, chance)
            after(chance.uniform(0.0, 1.0), partial(self._submit, number))
        for _ in range(chance.randint(0, 6)):
            fault = chance.choice(self._FAULTS)
            after(chance.uniform(0.0, 3.0), partial(fault, self))
        cancel = chance.random() < 0.3
        after(chance.uniform(1.0, 4.0), lambda: self.client.post(events.Closing(cancel)))

    def _submit(self, number: int) -> None:
        if self.client.pool.closing:
            return  # nobody can submit any more
        self.submitted.add(number)
        retries = self.calls[number].retries
        host = self.chance.randrange(self.hosts) if self.chance.random() < 0.1 else None
        self.client.post(events.Submitted([number], host, retries))

    def _cut(self) -> None:
        for channel in self._channels():
            channel.close()

    def _cut_for_a_while(self) -> None:
        host = self.chance.randrange(self.hosts)
        self.unreachable[host] = self.clock.now + self.chance.uniform(0.1, 2 * RECONNECT)
        for channel in self._channels():
            if channel.host == host:
                channel.close()

    def _freeze(self) -> None:
        host = self.chance.randrange(self.hosts)
        self.frozen[host] = self.clock.now + self.chance.uniform(0.1, 2 * RECONNECT)

    def _kill_agent(self) -> None:
        for agent in list(self.agents.values())[:1]:
            agent.end()

    def _kill_worker(self) -> None:
        for agent in self.agents.values():
            for slot in list(agent._foreman.slots)[:1]:
                slot.kill()

    def _cancel(self) -> None:
        for number in self.chance.sample(sorted(self.calls), min(3, len(self.calls))):
            if number in self.submitted:
                self.client.cancel(number)

    def _terminate(self) -> None:
        for number in self.chance.sample(sorted(self.calls), 1):
            if number in self.submitted:
                self.client.terminate(number)

    def _remove(self) -> None:
        host, now = self.chance.randrange(self.hosts), self.chance.random() < 0.5
        self.client.post(events.Removed(host, lost(host, "removed"), now))

    def _add(self) -> None:
        if self.client.pool.closing:
            return
        host, self.hosts = self.hosts, self.hosts + 1
        self.client.post(events.Added(host))
        self.client.links[host] = Link(self.client, host)

    def _break(self) -> None:
        self.client.post(events.Broken(InterstateError("broken")), events.Closing())

    _FAULTS: ClassVar[list[Callable[[World], None]]] = [
        *(_cut, _cut, _cut_for_a_while, _freeze, _kill_agent, _kill_worker),
        *(_cancel, _terminate, _remove, _add, _break),
    ]

    def _channels(self) -> Iterator[Channel]:
        for link in self.client.links.values():
            if link._channel is not None:
                yield link._channel

    def _check(self) -> None:
        """Each call has ended, and once."""
        assert set(self.ended) == self.submitted, f"not ended: {self.submitted - set(self.ended)}"
        assert set(self.ended.values()) <= {1}, f"ended more than once: {self.ended}"
        for number, how in self.how.items():
            if how == "returned":
                assert number in self.completed
        assert not self.client.pool._wanted
        assert not len(self.client.pool._retries)


def lost(host: int, why: str) -> HostError:
    return HostLost(f"h{host}: {why}", Host(f"h{host}"))


def main(first: int, count: int = 1) -> None:
    """Run the seeds from the first on; say which one it was that failed."""
    for seed in range(first, first + count):
        try:
            World(seed).run()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
