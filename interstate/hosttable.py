"""The hosts of an executor and what they are doing, as a table that can be printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from .engine import Engine
from .hosts import Host


class HostStatus(NamedTuple):
    """What is known of a host.

    Attributes:
        host: The Host.
        state: "connecting"; "up"; "away": its connection is lost, and calls go on there until it
            is back; "lost": it is being connected to anew; "leaving": it is not given calls any
            more; "down": it was given up.
        workers: How many calls it runs at a time; 0 until that is known.
        calls: How many calls are there now, running or waiting.
        error: Why it was lost last; None if it never was.
    """

    host: Host
    state: str
    workers: int
    calls: int
    error: Exception | None


class HostTable(Sequence[HostStatus]):
    """A live view: whoever looks sees what is so at that moment; `print` it for a table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _rows(self) -> list[HostStatus]:
        pool = self._engine.pool
        here, errors = {state.index: state for state in pool.hosts()}, pool.errors
        rows = []
        for index, host in enumerate(self._engine.fleet.hosts):
            state, error = here.get(index), errors.get(index)
            if state is not None:
                rows.append(
                    HostStatus(host, pool.state(state), state.workers, len(state.running), error)
                )
            elif error is not None:  # else it was removed
                rows.append(HostStatus(host, "down", 0, 0, error))
        return rows

    def __iter__(self) -> Iterator[HostStatus]:
        return iter(self._rows())

    @overload
    def __getitem__(self, index: int) -> HostStatus: ...
    @overload
    def __getitem__(self, index: slice) -> list[HostStatus]: ...
    def __getitem__(self, index: int | slice) -> HostStatus | list[HostStatus]:
        return self._rows()[index]

    def __len__(self) -> int:
        return len(self._rows())

    def __repr__(self) -> str:
        """The table."""
        rows = [("host", "state", "workers", "calls", "")]
        for row in self._rows():
            error = str(row.error).splitlines()[0] if row.error and row.state != "up" else ""
            rows.append((str(row.host), row.state, str(row.workers), str(row.calls), error))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True))
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)
