"""Log records and warnings of calls, handled here as if they were made here.

Records go to the logger of their name, warnings to the filters, both on the thread for users'
callbacks.  What the loggers here take is told to the hosts with the calls.
"""

from __future__ import annotations

import logging
import marshal
import pickle
import threading
import warnings
from collections.abc import Collection
from typing import Any

from .hosts import Host
from .outcome import exception_of, rebuilt
from .remote import wire
from .remote.records import DISABLED
from .remote.stubs import name_here


class Logs:
    """Knows what each host was told of the levels of the loggers here.

    Args:
        wanted: Whether records and warnings are wanted at all.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._lock = threading.Lock()
        self._told: dict[int, dict[str, int]] = {}  # by host

    def frames_for(self, hosts: Collection[int]) -> dict[int, list[bytes]]:
        """Return what those hosts that need it are told before the calls that are sent now."""
        if not (self._wanted and hosts):
            return {}
        levels = _levels()
        with self._lock:
            ignorant = [host for host in hosts if self._told.get(host) != levels]
            self._told.update(dict.fromkeys(ignorant, levels))
        if not ignorant:
            return {}
        frame = wire.encode(wire.LEVELS, 0, marshal.dumps(levels, 2))
        return {host: [frame] for host in ignorant}

    def forget(self, host: int) -> None:
        """It has a new agent, which knows nothing."""
        with self._lock:
            self._told.pop(host, None)


def _levels() -> dict[str, int]:
    """The levels that are set on the loggers here, by their names."""
    manager = logging.root.manager
    levels = {
        name: logger.level
        for name, logger in list(manager.loggerDict.items())
        if isinstance(logger, logging.Logger) and logger.level
    }
    return {**levels, "": logging.root.level, DISABLED: manager.disable}


def handle_record(content: bytes, host: Host, call: int | None) -> None:
    """Let the logger here handle a record of a call."""
    record = rebuild_record(content, host, call)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def rebuild_record(content: bytes, host: Host, call: int | None) -> logging.LogRecord:
    """Return a record that was made over there, with what is known here: host, worker and call."""
    plain, others, failure = pickle.loads(content)  # noqa: S301  # from the user's host
    attributes = dict(plain)
    for name, pickled in others.items():
        try:
            attributes[name] = pickle.loads(pickled)  # noqa: S301
        except Exception as error:  # of a type that is not to be had here
            attributes[name] = f"<not here: {error!r}>"
    if failure is not None:
        raised = exception_of(failure, attributes["name"], host, exits=True)
        attributes["exc_info"] = type(raised), raised, raised.__traceback__
    record = logging.makeLogRecord(attributes)
    record.host, record.worker, record.call = host, record.process, call
    return record


_registries: dict[str, dict[Any, Any]] = {}  # file -> which of its warnings were shown


def handle_warning(content: bytes, host: Host) -> None:
    """Give a warning that a call gave, as if it were given here."""
    failure, file, number, line, module = pickle.loads(content)  # noqa: S301
    warning = rebuilt(failure)
    if not isinstance(warning, Warning):
        warning = UserWarning(str(warning))
    name = name_here(file, {number: line} if line else {})
    registry = _registries.setdefault(file, {})
    module = module or file.removesuffix(".py") or "<unknown>"  # as Python has it
    try:
        warnings.warn_explicit(warning, None, name, number, module, registry)
    except Warning as error:  # it is to be an error; the call, which it would end, has gone on
        warnings.showwarning(error, type(error), name, number)
