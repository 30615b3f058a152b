"""What the frames of hosts tell: events for the Pool, outcomes for the Futures."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from . import events
from .arriving import Arriving, NoRoomError
from .calls import Call
from .errors import BrokenSSHExecutor, FileTransferError, HostLost, HostMemoryError
from .hostlog import HostLog
from .hosts import Host
from .logs import handle_record, handle_warning
from .outcome import result_of, shown, worker_died
from .output import Output
from .remote import payload, wire
from .serving import Serving

_log = logging.getLogger("interstate")


class News(NamedTuple):
    """What frames that came together tell: for the Pool, and for the Futures."""

    happened: list[events.Event]
    outcomes: dict[int, Any]  # call -> an Outcome, or the exception that it ends with


class Answering(Protocol):
    """What goes the other way over a link."""

    def acknowledged(self, count: int) -> None: ...
    def send(self, frames: bytes) -> None: ...


class Arrivals:
    """Reads frames, and keeps on their calls what they bring.

    Args:
        calls: Those that have not ended, by number.
        hosts: By index.
        clocks: How far a host's clock is behind ours, seconds, by its index.
        output: Told of what calls print.
        done_with: Told that a host's call needs its blobs there no more.
        link: Returns the link to a host.
        run: Runs users' code where it may wait for other calls.
        serving: Answers what imports over there ask for.
    """

    def __init__(
        self,
        calls: Mapping[int, Call],
        hosts: Sequence[Host],
        clocks: Mapping[int, float],
        output: Output,
        done_with: Callable[[int, int], None],
        link: Callable[[int], Answering],
        run: Callable[[Callable[[], object]], None],
        serving: Serving,
    ) -> None:
        self._calls = calls
        self._hosts = hosts
        self._clocks = clocks
        self._output = output
        self._done_with = done_with
        self._link = link
        self._run = run
        self._serving = serving
        self._host_log = HostLog(run)

    def read(self, host: int, frames: list[wire.Frame]) -> News:
        """Take in the frames that came from a host.

        Raises:
            wire.ProtocolError: One is none that an agent sends.
            HostLost: The agent says that it failed.
        """
        news = News([], {})
        for kind, call, content in frames:
            handle = _FRAMES.get(kind)
            if handle is None:
                raise wire.ProtocolError(f"no agent sends a frame of kind {kind}")
            handle(self, host, call, content, news)
        return news

    def close(self) -> None:
        """Nothing arrives any more."""
        self._serving.close()
        self._output.close()
        self._host_log.close()

    def _entry(self, host: int, call: int) -> Call | None:
        """The call, if it has not ended, nor runs on another host by now."""
        entry = self._calls.get(call)
        return entry if entry is not None and entry.host == host else None

    def _ack(self, host: int, count: int, content: wire.Bytes, news: News) -> None:
        self._link(host).acknowledged(count)

    def _wanted(self, host: int, number: int, content: wire.Bytes, news: News) -> None:
        self._serving.ask(host, number, content, self._link(host).send)

    def _done(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        entry = self._entry(host, call)
        if entry is not None and entry.arriving is not None:
            self._done_with_large(host, call, content, entry, entry.arriving, news)
            return
        outcome = news.outcomes[call] = payload.parse_outcome(content)
        events.add_done(news.happened, host, call, outcome.seconds)

    def _done_with_large(
        self, host: int, call: int, content: wire.Bytes, entry: Call, arriving: Arriving, news: News
    ) -> None:
        seconds = 0.0
        try:
            outcome = payload.parse_outcome(content, arriving.taken())
            news.outcomes[call], seconds = outcome, outcome.seconds
        except NoRoomError as obstacle:
            what = f"{self._hosts[host]}: of the result of {entry.name}, {obstacle}"
            news.outcomes[call] = FileTransferError(what, self._hosts[host])
        events.add_done(news.happened, host, call, seconds)

    def _large(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        entry = self._entry(host, call)
        if entry is not None:
            entry.arriving = Arriving(content)

    def _part(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        entry = self._entry(host, call)
        if entry is not None and entry.arriving is not None:
            entry.arriving.add(content)

    def _packed_part(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        entry = self._entry(host, call)
        if entry is not None and entry.arriving is not None:
            entry.arriving.add_packed(content)

    def _printed(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        stream, data = content[0], bytes(content[1:])
        entry = self._entry(host, call)
        if entry is not None:
            entry.future.add_printed(stream, data)
        elif call < wire.NO_CALL:  # a child or a thread that its call has left behind
            self._host_log.add(host, self._hosts[host], stream, data)
            return
        self._output.printed(self._hosts[host], (host, call), stream, data)

    def _logged(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        record, where = bytes(content), self._hosts[host]
        number = self._note_told(host, call)
        self._run(lambda: handle_record(record, where, number))

    def _warned(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        warning, where = bytes(content), self._hosts[host]
        self._note_told(host, call)
        self._run(lambda: handle_warning(warning, where))

    def _note_told(self, host: int, call: int) -> int | None:
        """Users' code is told of something that a call did; its number, if it is one."""
        entry = self._entry(host, call)
        if entry is not None:
            entry.told = True
        return call if 0 < call < wire.NO_CALL else None

    def _started(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        entry = self._entry(host, call)
        if entry is not None:
            (at,) = wire.SECONDS.unpack(content)
            entry.future.started_at = at + self._clocks[host]
            entry.answer()
            news.happened.append(events.Started(host, call))

    def _stopped(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        entry = self._entry(host, call)
        if entry is not None:
            entry.stopped = bytes(content)

    def _returned(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        entry = self._entry(host, call)
        if entry is not None:
            if entry.blobs:
                self._done_with(host, call)
            back = events.Revoked(host, call) if entry.unwanted else events.Returned(host, [call])
            news.happened.append(back)

    def _refused(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        entry = self._entry(host, call)
        if entry is not None:
            where, of_a_file = self._hosts[host], content[:1] == wire.ABOUT_A_FILE
            kind = FileTransferError if of_a_file else HostMemoryError
            why = bytes(content[of_a_file:]).decode(errors="replace")
            entry.refused = True
            news.outcomes[call] = kind(f"{where}: {entry.name} cannot run: {why}", where)
            events.add_done(news.happened, host, call, 0.0)

    def _died(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        how = json.loads(bytes(content))
        where = self._hosts[host]
        if not call:
            error = worker_died(how, "the initializer", where)
            news.happened.append(events.Broken(_broken_by(where, error)))
            return
        entry = self._entry(host, call)
        if entry is None:
            return  # it was given up before
        news.outcomes[call] = worker_died(how, entry.name, where, entry.future.attempts)
        if entry.stopped:
            events.add_done(news.happened, host, call, 0.0)
        else:
            news.happened.append(events.Died(host, call))

    def _broke(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        where = self._hosts[host]
        _, error = result_of(payload.parse_outcome(content), "the initializer", where)
        _log.critical("the initializer failed on %s", where, exc_info=error)
        news.happened.append(events.Broken(_broken_by(where, error)))

    def _agent_failed(self, host: int, call: int, content: wire.Bytes, news: News) -> None:
        text = bytes(content).decode(errors="replace")
        where = self._hosts[host]
        raise HostLost(f"{where}: the agent failed:\n{text}", where, "the agent failed")


_FRAMES: dict[int, Callable[[Arrivals, int, int, wire.Bytes, News], None]] = {
    wire.ACK: Arrivals._ack,
    wire.WANT: Arrivals._wanted,
    wire.DONE: Arrivals._done,
    wire.PRINTED: Arrivals._printed,
    wire.LOGGED: Arrivals._logged,
    wire.WARNED: Arrivals._warned,
    wire.STARTED: Arrivals._started,
    wire.STOPPED: Arrivals._stopped,
    wire.DIED: Arrivals._died,
    wire.RETURNED: Arrivals._returned,
    wire.BROKEN: Arrivals._broke,
    wire.FAILED: Arrivals._agent_failed,
    wire.REFUSED: Arrivals._refused,
    wire.LARGE: Arrivals._large,
    wire.PART: Arrivals._part,
    wire.PACKED: Arrivals._packed_part,
}


def _broken_by(host: Host, error: BaseException) -> BrokenSSHExecutor:
    problem = BrokenSSHExecutor(f"{host}: the initializer failed: {shown(error)}")
    problem.__cause__ = error
    return problem
