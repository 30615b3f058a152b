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

    Args:
        errand: "door": the agent's socket; "errand": what to tell it; "channel": the descriptors
            to hand over; "patience": how long it may take to answer, seconds; "gone": what to say
            if there is no such agent.
    """
    try:
        way = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        way.settimeout(errand["patience"])
        if _hand_over(way, errand):
            _let_go_of_the_channel()
            way.settimeout(None)
            way.recv(1)
        else:
            os.write(1, errand["gone"])
    finally:
        os._exit(0)


def _let_go_of_the_channel() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _hand_over(way: socket.socket, errand: dict[str, Any]) -> bool:
    """Whether the agent has the channel.  One that does not answer is ended: nobody else can."""
    agent = 0
    try:
        way.connect(errand["door"])
        credentials = way.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, user, _ = _CREDENTIALS.unpack(credentials)
        if user != os.geteuid():
            return False  # whoever that is, it has taken the name of an agent that is gone
        agent = pid
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, errand["channel"])]
        way.sendmsg([errand["errand"]], rights if errand["channel"] else [])
        return bool(way.recv(1))
    except socket.timeout:
        if agent:
            os.kill(agent, 9)
    except OSError:
        pass  # nobody is behind that door
    return False
