"""A new channel's process: it hands its input and output to an agent that has lost its own.

It runs in place of an agent, alone, on what a Python has that has just started.  Its input must not
be read any further: all that comes is for the agent.
"""

from __future__ import annotations

import os
import struct

try:
    import _socket as socket
except ImportError:
    import socket  # type: ignore[no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_CREDENTIALS = struct.Struct("3i")  # of SO_PEERCRED: process, user, group


def attach(errand: dict[str, Any]) -> NoReturn:
    """Hand over the channel, and stay until the agent has no more use for it; then exit.

    Where the agent prefers another channel to this one, nothing is said.

    Args:
        errand: "door": the agent's socket; "errand": what to tell it; "channel": the descriptors
            to hand over; "patience": how long it may take to answer, seconds; "gone": what to say
            if there is no such agent.
    """
    try:
        way = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        way.settimeout(errand["patience"])
        agent = _agent_behind(way, errand["door"])
        taken = _hand_over(way, agent, errand) if agent else None
        if taken:
            _let_go_of_the_channel()
            way.settimeout(None)
            way.recv(1)
        elif taken is None:
            os.write(1, errand["gone"])
    finally:
        os._exit(0)


def _let_go_of_the_channel() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _agent_behind(way: socket.socket, door: bytes) -> int:
    """Connect to an agent; return its process id, or 0 if it is gone."""
    try:
        way.connect(door)
    except ConnectionRefusedError:  # nobody is behind that door
        return 0
    credentials = way.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _ = _CREDENTIALS.unpack(credentials)
    return pid if user == os.geteuid() else 0  # else somebody has taken the name of who is gone


def _hand_over(way: socket.socket, agent: int, errand: dict[str, Any]) -> bool | None:
    """Whether the agent has the channel; None: it did not answer, so it is ended: nobody else can.

    Who is turned away learns no more: it may be that a later one was there before it, or that the
    agent has ended just now, as the next one will find.
    """
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, errand["channel"])]
    try:
        way.sendmsg([errand["errand"]], rights if errand["channel"] else [])
        return bool(way.recv(1))
    except socket.timeout:
        os.kill(agent, 9)
        return None
    except OSError:
        return False
