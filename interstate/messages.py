"""What a link tells of its host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import boot
from .errors import HostError
from .remote import wire


class Up(NamedTuple):
    """The agent has said HELLO, and calls are to import from these folders over there."""

    hello: boot.Hello
    path: Sequence[str] = ()


class Arrived(NamedTuple):
    """Frames came in."""

    frames: list[wire.Frame]


class Away(NamedTuple):
    """The connection is lost, for this reason; another one is being opened."""

    why: str


class Back(NamedTuple):
    """The agent has another connection, and nothing is lost."""


class Down(NamedTuple):
    """It is over, and nothing will come any more; of some calls nothing was sent."""

    error: HostError
    unsent: Sequence[int] = ()
    asked: bool = False  # the link was closed


Message = Up | Arrived | Away | Back | Down
Deliver = Callable[[int, Message], None]
