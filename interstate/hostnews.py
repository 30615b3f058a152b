"""Tells what becomes of hosts: in the log, in one record for all that it happens to at a time.

A hop that is lost takes all hosts behind it along, and they are back together; a switch that is off
makes many fail for one reason.  So what happens is kept for a moment, and told of all of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .errors import HostError
from .hosts import Host
from .messages import Away, Back, Down, Message, Up
from .progress import Progress
from .summary import by_reason, line, named

_MOMENT = 0.3  # seconds in which what happens counts as happening at the same time
_LONGEST = 3.0  # seconds for which those that are back are kept while others are still away
_CONNECTING = 5.0  # seconds for which those that fail are kept while others are being connected to
_AFTER = "; calls that may have begun there fail, unless they may be tried again"

_log = logging.getLogger("interstate")


@dataclass
class _Happened:
    """What is yet to be told, by host."""

    failed: dict[int, HostError] = field(default_factory=dict)
    lost: dict[int, HostError] = field(default_factory=dict)
    away: dict[int, str] = field(default_factory=dict)
    back: set[int] = field(default_factory=set)


class HostNews:
    """What is yet to be told.  Any thread may note something; the engine's thread has it told.

    Args:
        hosts: All hosts, by index; there may be more by and by.
        way: Returns how a host is reached, in words.
        progress: Told how many hosts are up, and how many could not be connected to.
        run: Runs what may run the handlers of users' loggers, which may take long.

    Attributes:
        due: When `tell` should be called, by the monotonic clock; infinite: not yet.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        way: Callable[[Host], str],
        progress: Progress,
        run: Callable[[Callable[[], object]], None],
    ) -> None:
        self._hosts = hosts
        self._way = way
        self._progress = progress
        self._run = run
        self._lock = threading.Lock()  # guards all of what follows
        self._up: set[int] = set()  # hosts that are up, or away
        self._connected: dict[int, bool] = {}  # whether a host could be connected to, at first
        self._left = 0  # hosts that were left before that was known
        self._happened = _Happened()
        self._away: set[int] = set()  # hosts that are not back yet
        self._back_by = 0.0  # when those that are back are told of in any case
        self.due = float("inf")

    def begin(self) -> None:
        """All hosts are being connected to."""
        with self._lock:
            self._count()

    def note(self, host: int, message: Message) -> None:
        """Note what a link tells of its host."""
        with self._lock:
            if isinstance(message, Up):
                self._note_up(host)
            elif isinstance(message, Away):
                self._happened.away[host] = message.why
                self._happened.back.discard(host)
                self._away.add(host)
                self._tell_in(_MOMENT)
            elif isinstance(message, Back):
                self._note_back(host)
            elif isinstance(message, Down):
                self._note_down(host, message)

    def tell(self, now: float) -> None:
        """Have it logged what has happened, if its moment is over."""
        if now < self.due:
            return
        with self._lock:
            happened, self._happened = self._happened, _Happened()
            self.due = float("inf")
            if self._away and happened.back and now < self._back_by:
                self._happened.back, happened.back = happened.back, set()
                self.due = self._back_by
        if happened == _Happened():
            return
        try:
            self._run(lambda: self._write(happened))
        except RuntimeError:  # at the interpreter's end no thread can be had
            self._write(happened)

    def end(self) -> None:
        """Have it logged what is yet to be told; nothing will happen any more."""
        self._progress.step_aside()
        self.tell(float("inf"))

    # ------------------------------------------------------------------- under the lock

    def _note_up(self, host: int) -> None:
        if host in self._away:
            self._note_back(host)
        self._up.add(host)
        if host not in self._connected:
            self._connected[host] = True
            self._count()

    def _note_back(self, host: int) -> None:
        if not self._happened.back:
            self._back_by = time.monotonic() + _LONGEST
        self._happened.back.add(host)
        self._away.discard(host)
        self._tell_in(_LONGEST if self._away else _MOMENT)

    def _note_down(self, host: int, down: Down) -> None:
        self._away.discard(host)
        was_up, known = host in self._up, host in self._connected
        self._up.discard(host)
        if down.asked:
            self._leave(known)
        elif was_up:
            self._happened.lost[host] = down.error
            self._happened.away.pop(host, None)
            self._happened.back.discard(host)
            self._tell_in(_MOMENT)
        elif not known:  # else it was lost, and is tried again
            self._connected[host] = False
            if len(self._hosts) > 1:  # what becomes of a lone one is told by what its calls raise
                self._happened.failed[host] = down.error
            self._count()

    def _leave(self, known: bool) -> None:
        self._left += not known
        if not self._to_come():
            self._progress.step_aside()

    def _count(self) -> None:
        """It is known of one host more whether it could be connected to."""
        up, to_come = sum(self._connected.values()), self._to_come()
        failed = len(self._connected) - up
        if len(self._hosts) > 1:
            self._progress.connecting(up, failed, up + failed + to_come)
        if self._happened.failed:
            self._tell_in(_CONNECTING if to_come else _MOMENT)

    def _to_come(self) -> int:
        """Of how many hosts that is not known yet."""
        return len(self._hosts) - self._left - len(self._connected)

    def _tell_in(self, seconds: float) -> None:
        self.due = min(self.due, time.monotonic() + seconds)

    # --------------------------------------------------------------------- what is told

    def _write(self, happened: _Happened) -> None:
        self._progress.step_aside()
        for errors, after in ((happened.failed, ""), (happened.lost, _AFTER)):
            for reason, alike in by_reason(errors[host] for host in sorted(errors)).items():
                _log.warning("%s%s", line(reason, alike), after)
        self._write_away(happened.away)
        self._write_back(happened.back)

    def _write_away(self, away: Mapping[int, str]) -> None:
        for why in dict.fromkeys(away.values()):
            hosts = [self._hosts[host] for host in sorted(away) if away[host] == why]
            if len(hosts) == 1:
                _log.warning(
                    "%s: %s; its calls go on there, and we try to get back to it", hosts[0], why
                )
            else:
                _log.warning(
                    "%d hosts%s: %s: %s; their calls go on there, and we try to get back to them",
                    len(hosts), self._behind(hosts), why, named(hosts),
                )  # fmt: skip

    def _write_back(self, back: Iterable[int]) -> None:
        hosts = [self._hosts[host] for host in sorted(back)]
        if len(hosts) == 1:
            _log.info("%s: it is there again", hosts[0])
        elif hosts:
            _log.info(
                "%d hosts%s are there again: %s", len(hosts), self._behind(hosts), named(hosts)
            )

    def _behind(self, hosts: Sequence[Host]) -> str:
        """The way that hosts have in common, if there is anything on it."""
        ways = {self._way(host).rpartition(" → ")[0] for host in hosts}
        common = ways.pop()
        return f" behind {common.partition(' → ')[2]}" if not ways and " → " in common else ""
