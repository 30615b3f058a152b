"""Running users' code that may never end, on a thread that may need to go on."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_TICK = 0.1  # seconds; one in which the computer stands still is one tick however long it is
_LAST = 1.0  # seconds that what is told to end may take


class _TookTooLong(BaseException):  # no Exception: users' code catches these
    """Ends what takes too long."""


def ended_within(seconds: float, work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises.

    It runs on a thread of its own.  If it takes too long, it is ended, which Python code is in any
    loop; code in C goes on until it returns.

    Raises:
        TimeoutError: It took too long.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(work())
        except BaseException as error:  # handed on
            raised.append(error)

    thread = threading.Thread(target=run, name="interstate rebuilding", daemon=True)
    thread.start()
    for _ in range(math.ceil(seconds / _TICK)):
        thread.join(_TICK)
        if not thread.is_alive():
            break
    else:
        _end(thread)
        raise TimeoutError(f"its own code takes longer than {seconds:g} s")
    for error in raised:
        raise error
    return returned[0]


def _end(thread: threading.Thread) -> None:
    import ctypes  # when it is needed: few ever do

    identity = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_TookTooLong))
    thread.join(_LAST)
