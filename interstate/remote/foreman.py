"""Which of the calls that are here runs on which worker, and which must stop.

It reads no descriptor and starts no process: that is the agent's, who calls it.

    take -> waiting -> a worker's inbox, the first of its calls runs -> answered, or returned
"""

from __future__ import annotations

import time

from . import wire
from .lean import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .slot import Call, Slot

MOMENT = 0.02  # seconds: a call that takes longer is announced, and holds no other behind it
_MOST_STILLBORN = 5  # workers one after the other that end before they take a call
PATIENCE = 0.5  # seconds: when every worker is busy for longer, what waits here is given back


class Foreman:
    """The calls that are here, and the slots of the workers.

    Args:
        say: Sends a frame to where the calls come from.
        fork: Returns the slot of a new worker, or None where there can be no more.
        listen: Told of slots whose state decides which of their descriptors are listened to.
        hear: Takes in what a worker has said.

    Attributes:
        slots: Of all workers.
        broken: Whether no call is given out any more, since the initializer failed.
        next_tick: When `tick` should be called, by the monotonic clock.
    """

    def __init__(
        self,
        say: Callable[..., None],
        fork: Callable[[], Slot | None],
        listen: Callable[[Slot], None],
        hear: Callable[[Slot], None],
    ) -> None:
        self.slots: dict[Slot, None] = {}
        self.broken = False
        self.next_tick: float | None = None
        self._say = say
        self._fork = fork
        self._listen = listen
        self._hear = hear
        self._workers = 0
        self._grace = 0.0
        self._stillborn = 0
        self._idle: dict[Slot, None] = {}  # who was busy last is first to be so again: it is warm
        self._waiting: deque[Call] = deque()
        self._limits: dict[int, float] = {}  # of calls that may run only so long, seconds

    def configure(self, workers: int, grace: float) -> None:
        """Set how many workers there may be, and how long a call may take to stop, seconds."""
        self._workers, self._grace = workers, grace

    @property
    def may_fork(self) -> bool:
        return len(self.slots) < self._workers

    @property
    def all_idle(self) -> bool:
        return len(self._idle) == len(self.slots)

    # ----------------------------------------------------------------- from where calls come

    def take(self, call: Call) -> None:
        self._waiting.append(call)

    def limit(self, number: int, content: wire.Bytes) -> None:
        """The call of that number, which comes next, may run only so long."""
        (self._limits[number],) = wire.SECONDS.unpack(content)

    def forget(self, number: int) -> None:
        """The call of that number will not run."""
        self._limits.pop(number, None)

    def recall(self, _: int, content: wire.Bytes) -> None:
        """Return what is asked for; take it out of the inboxes where not enough waits here."""
        (limit,) = wire.COUNT.unpack(content)
        if len(self._waiting) < limit:
            for slot in self.slots:
                self._take_back(slot)
        self._give_back(limit)

    def revoke(self, number: int, _: wire.Bytes = b"") -> None:
        """Return that call, or say that it runs."""
        slot = self._slot_of(number)
        if slot is not None:
            self._single_out(slot)
        for call in self._waiting:
            if call.id == number:
                self._waiting.remove(call)
                self._return(call)
                return

    def stop(self, number: int, _: wire.Bytes = b"") -> None:
        """Stop that call, or return it if it has not started."""
        self.revoke(number)
        slot = self._slot_of(number)
        if slot is not None:
            self._stop(slot, number, wire.ASKED)

    # ---------------------------------------------------------------------- from the workers

    def ready(self, slot: Slot) -> None:
        """Its initializer has returned."""
        slot.starting = False
        self._listen(slot)
        self._idle[slot] = None
        self.assign()

    def done(self, slot: Slot, number: int, content: wire.Bytes) -> None:
        """It has answered its first call."""
        announced, self._stillborn = slot.announced, 0
        slot.finish(number)
        self._limits.pop(number, None)
        if announced:
            self._listen(slot)
        self._say(wire.encode(wire.DONE, number, content))
        if slot.stop_due is not None:  # what else the call has started must stop as well
            slot.dismiss()
            slot.kill()
            return
        if slot.used_up:
            slot.dismiss()
            return
        self._fill(slot)
        if slot.calls:
            self._tick_soon()
        else:
            self._idle[slot] = None
            self._take_back_for_idle()

    def died(self, slot: Slot, how: bytes) -> None:
        """Its worker has ended, and all that it said is known; `assign` comes next."""
        self.slots.pop(slot, None)
        self._idle.pop(slot, None)
        back = slot.take_back()
        self._waiting.extendleft(reversed(back))
        lost = [call.id for call in slot.calls]
        if back and not slot.answered and not lost:
            self._note_stillborn(how)
        if slot.starting:
            lost, self.broken = [0], True  # it was in the initializer
        for number in lost:
            self._limits.pop(number, None)
            self._say(wire.encode(wire.DIED, number, how))

    def _note_stillborn(self, how: bytes) -> None:
        """A worker ended before it took a call: others will do so too, and for ever."""
        self._stillborn += 1
        if self._stillborn == _MOST_STILLBORN:
            raise RuntimeError(f"workers end before they take a call: {how.decode()}")

    # -------------------------------------------------------------------------------- calls

    def assign(self) -> None:
        """Give out what waits: one call to each idle worker, then a few behind short ones."""
        if self._waiting and not self.broken:
            self._fork_for_waiting()
        while self._waiting and self._idle:
            self._give(self._idle.popitem()[0])
        if self._waiting:
            for slot in self.slots:
                self._fill(slot)
        if self._waiting:
            self._tick_soon()

    def tick(self) -> None:
        """Look for calls that run for longer than a moment, or than they may."""
        now = time.monotonic()
        for slot in list(self.slots):
            if slot.calls and not slot.announced and now - slot.since >= MOMENT:
                self._announce(slot)
            if slot.calls and slot.stop_due is None and now >= self._limit_of(slot):
                self._stop(slot, slot.calls[0].id, wire.AT_LIMIT)
            if slot.stop_due is not None and now >= slot.stop_due:
                slot.kill()
        self.assign()
        if self._waiting and all(slot.busy_since(now - PATIENCE) for slot in self.slots):
            self._give_back(len(self._waiting))
        self._plan_tick(now)

    def _plan_tick(self, now: float) -> None:
        """Go on while calls may turn out to be long, and for what is due later."""
        unsure = any(slot.calls and not slot.announced for slot in self.slots)
        due = [now + MOMENT] if unsure or self._waiting else []
        for slot in self.slots:
            if slot.stop_due is not None:
                due.append(max(slot.stop_due, now + MOMENT))
            elif slot.calls and self._limits:
                due.append(self._limit_of(slot))
        soonest = min(due, default=float("inf"))
        self.next_tick = soonest if soonest < float("inf") else None

    def _tick_soon(self) -> None:
        soon = time.monotonic() + MOMENT
        if self.next_tick is None or self.next_tick > soon:
            self.next_tick = soon

    def _limit_of(self, slot: Slot) -> float:
        """Until when the call that runs may do so."""
        return slot.since + self._limits.get(slot.calls[0].id, float("inf"))

    def _fork_for_waiting(self) -> None:
        """Fork a worker for each call that has none, as long as there may be more."""
        wanted = len(self._waiting) - len(self._idle)
        wanted -= sum(slot.starting for slot in self.slots)
        for _ in range(min(wanted, self._workers - len(self.slots))):
            slot = self._fork()
            if slot is None:
                self._workers = len(self.slots)  # the host lets us have no more
                return
            self.slots[slot] = None
            if not slot.starting:
                self._idle[slot] = None
            self._listen(slot)

    def _fill(self, slot: Slot) -> None:
        while self._waiting and slot.has_room() and self._give(slot):
            pass

    def _give(self, slot: Slot) -> bool:
        """Put the next call into a worker's inbox; False when it takes none now."""
        given = slot.give(self._waiting[0])
        if given:
            self._waiting.popleft()
            self._tick_soon()
        return given

    def _take_back(self, slot: Slot) -> None:
        """Have what the worker has not begun wait here again."""
        self._waiting.extendleft(reversed(slot.take_back()))
        if not slot.calls and slot.usable:
            self._idle[slot] = None

    def _take_back_for_idle(self) -> None:
        """A worker is free while calls wait behind others': let it have them."""
        for slot in self.slots:
            if len(slot.calls) > 1:
                self._waiting.extendleft(reversed(slot.take_back()))
                self.assign()
                return

    def _give_back(self, limit: int) -> None:
        """Return what waits, the newest first, to whom it came from: another host may be free."""
        for _ in range(min(limit, len(self._waiting))):
            self._return(self._waiting.pop())

    def _return(self, call: Call) -> None:
        self._limits.pop(call.id, None)
        self._say(wire.encode(wire.RETURNED, call.id))

    def _announce(self, slot: Slot) -> None:
        """Say that a call runs, free what waits behind it, and listen to its pipes."""
        self._take_back(slot)
        if slot.calls and not slot.announced:  # or it was answered, and that is not read yet
            slot.announced = True
            self._listen(slot)
            started = time.time() - (time.monotonic() - slot.since)
            self._say(wire.encode(wire.STARTED, slot.calls[0].id, wire.SECONDS.pack(started)))

    def _single_out(self, slot: Slot) -> None:
        """See to it that a worker has the call that it runs now, and no other."""
        self._announce(slot)
        self._hear(slot)
        if slot.calls:  # it may be another one, and have got others behind it
            self._announce(slot)

    def _slot_of(self, number: int) -> Slot | None:
        """The slot that has a call."""
        for slot in self.slots:
            if any(call.id == number for call in slot.calls):
                return slot
        return None

    def _stop(self, slot: Slot, number: int, why: bytes) -> None:
        """Interrupt a call that runs; it has a while to end by itself."""
        self._single_out(slot)
        if not slot.calls or slot.calls[0].id != number or slot.stop_due is not None:
            return
        self._say(wire.encode(wire.STOPPED, number, why))
        slot.stop_due = time.monotonic() + self._grace
        slot.interrupt()
        self.next_tick = min(self.next_tick or float("inf"), slot.stop_due)
