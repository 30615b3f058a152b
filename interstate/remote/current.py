"""What a call can know of itself."""

from __future__ import annotations

from collections import namedtuple

from .culprit import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class CurrentCall(namedtuple("CurrentCall", "host name attempt")):
    """What a call knows of itself.

    Attributes:
        host: Where it runs, as text: its URL.
        name: What it is called: as its function is, or as `with_options(name=…)` says.
        attempt: How often it was begun, this time included.
    """

    __slots__ = ()


host = ""
python = ""  # the version of the one that calls come from
name = ""  # "": as the function
attempt = 1
function: Any = None  # that runs now


def current_call() -> CurrentCall | None:
    """Return the call that runs here; None where none does: on your own computer.

    The function may ask from any thread, as long as the call runs.
    """
    fn = function
    return None if fn is None else CurrentCall(host, name or name_of(fn), attempt)
