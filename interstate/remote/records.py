"""What calls log: each record that the loggers at home take is sent there, with all that it has.

Levels and handlers are those of home.  Handlers of the job's own are asked too, but for those that
print what is sent anyway.
"""

from __future__ import annotations

import logging
import os
import sys

from . import pickling, wire
from .failure import dump_exception
from .lean import pickle
from .standin import shown, stand_for
from .state import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DISABLED = "\0"  # in a table of levels: what `logging.disable` was given; "" is the root's

_own_call_handlers = logging.Logger.callHandlers
_get_message = logging.LogRecord.getMessage


class Records:
    """Sends records on, and keeps the loggers' levels.

    Args:
        emit: Takes a record as bytes.
    """

    def __init__(self, emit: Callable[[bytes], None]) -> None:
        self._emit = emit
        self._owner = os.getpid()
        self._levels: dict[str, int] = {"": logging.WARNING, DISABLED: 0}

    def install(self) -> None:
        """Be asked whenever a logger calls its handlers."""
        handle: Any = lambda logger, record: self._handle(logger, record)  # noqa: E731
        logging.Logger.callHandlers = handle  # type: ignore[method-assign]

    def set_levels(self, levels: dict[str, int]) -> None:
        """Let the loggers have the levels of those at home."""
        for name in self._levels.keys() - levels.keys():
            logging.getLogger(name).setLevel(logging.NOTSET)
        for name, level in levels.items():
            if name == DISABLED:
                logging.disable(level)
            else:
                logging.getLogger(name or None).setLevel(level)
        self._levels = levels

    def _handle(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        if os.getpid() != self._owner:  # a child that the call forked: it prints, as all it does
            _own_call_handlers(logger, record)
            return
        sent = record.levelno >= self._level_at_home(record.name)
        if sent:
            self._send(record)
        _call_handlers(logger, record, printing=not sent)

    def _send(self, record: logging.LogRecord) -> None:
        try:
            self._emit(dump_record(record))
        except Exception:  # an object that is logged: as logging's own handlers do
            logging.Handler().handleError(record)

    def _level_at_home(self, name: str) -> int:
        while name and name not in self._levels:
            name = name.rpartition(".")[0]
        return self._levels[name]


def _call_handlers(logger: logging.Logger, record: logging.LogRecord, printing: bool) -> None:
    """Call the handlers that there are; those that print only if asked."""
    at: logging.Logger | None = logger
    while at is not None:
        for handler in at.handlers:
            if record.levelno >= handler.level and (printing or not _prints(handler)):
                handler.handle(record)
        at = at.parent if at.propagate else None


def _prints(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    return stream is not None and stream in (
        *(sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__),
    )


def dump_record(record: logging.LogRecord) -> bytes:
    """Return a record as bytes: (plain attributes, pickles of others, its exception or None)."""
    attributes = dict(vars(record))
    if not is_plain((record.msg, record.args)) or type(record).getMessage is not _get_message:
        attributes["msg"], attributes["args"] = record.getMessage(), None
    info = attributes.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else None
    plain = {name: value for name, value in attributes.items() if is_plain(value)}
    others = {name: _dumped(attributes[name]) for name in attributes.keys() - plain.keys()}
    failure = dump_exception(error) if isinstance(error, BaseException) else None
    return pickle.dumps((plain, others, failure), wire.PICKLE)


def _dumped(value: Any) -> bytes:
    try:
        return pickling.dumps(value)
    except Exception as obstacle:
        return pickling.dumps(stand_for(value, shown(obstacle)))
