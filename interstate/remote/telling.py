"""What goes from a worker to its home besides output: log records and warnings; and what it needs
to know for that.
"""

from __future__ import annotations

import marshal

from . import current, wire
from .hooks import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Optional

    from .records import Records

    Levels = Optional[dict[str, int]]  # by the names of loggers; None: nothing is to be sent
    About = tuple[Levels, str, int]  # what is said about a call: that, its name and attempt


def about(levels: bytes, name: str = "", attempt: int = 1) -> bytes:
    """Return what a worker is told about a call.

    Args:
        levels: Of the loggers, marshalled; or nothing.
        name: What the call is called; "": as its function is.
    """
    content: About = (marshal.loads(levels) if levels else None, name, attempt)  # noqa: S302  # ours
    return marshal.dumps(content, 2)


class Telling:
    """Sends what is to be told, once it is known that it should.

    Args:
        tell: Sends a frame of some kind, for the call that runs.
    """

    def __init__(self, tell: Callable[[int, bytes], None]) -> None:
        self._tell = tell
        self._about = b""
        self._levels: Levels = None
        self._records: Records | None = None
        self._begun = False

    def begin(self, about: bytes) -> None:
        """Take in what is said about the call that comes."""
        if about and about != self._about:
            self._about = about
            levels, current.name, current.attempt = marshal.loads(about)  # noqa: S302  # ours
            if levels is not None and not self._begun:
                self._begun = True
                when_imported("logging", self._tell_of_records)
                when_imported("warnings", self._tell_of_warnings)
            if levels is not None and levels != self._levels:
                self._levels = levels
                self._set_levels()

    def _set_levels(self) -> None:
        if self._records is not None and self._levels is not None:
            self._records.set_levels(self._levels)

    def _tell_of_records(self, _: ModuleType) -> None:
        from .records import Records

        self._records = Records(lambda content: self._tell(wire.LOGGED, content))
        self._records.install()
        self._set_levels()

    def _tell_of_warnings(self, _: ModuleType) -> None:
        from . import warned

        warned.install(lambda content: self._tell(wire.WARNED, content))
