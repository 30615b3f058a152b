"""How a worker asks its agent for what an import wants; see answers.py for the other side."""

from __future__ import annotations

import array
import os

from . import served
from .alarm import uncounted
from .blob import mapped
from .lean import socket

_READ = 1 << 16  # bytes: more than an answer that comes as it is
_RIGHTS = socket.CMSG_SPACE(array.array("i").itemsize)


class Door:
    """Asks the agent, from any thread, and from what a call has forked."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door

    @uncounted
    def ask(self, *words: str) -> tuple[served.Head, memoryview]:
        """Wait for the answer to a question; return its head and its body.

        Raises:
            OSError: There is nobody to ask any more.
        """
        message = served.ASK + served.question(*words)
        if len(message) > served.LONGEST:
            raise OSError("its name is too long")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            rights = array.array("i", [theirs.fileno()])
            self._door.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            theirs.close()
            content, ancillary, _, _ = ours.recvmsg(_READ, _RIGHTS, socket.MSG_CMSG_CLOEXEC)
        finally:
            ours.close()
            theirs.close()
        if not content:
            raise OSError("the agent that answers imports has ended")
        for _, _, data in ancillary:
            return served.head_and_body(_mapped(*array.array("i", data)))
        return served.head_and_body(content)

    def forget(self, *words: str) -> None:
        """Have the agent ask anew, should anybody ask this again."""
        self._door.send(served.FORGET + served.question(*words))


def _mapped(descriptor: int) -> memoryview:
    try:
        return memoryview(mapped(descriptor, False))
    finally:
        os.close(descriptor)
