"""The standard library's socket, signal, pickle, …, without what Python wraps around them.

Importing the wrappers would take an agent as long as its Python takes to start.  What is inside is
the same in every CPython; where it is not, the wrappers serve as well.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing is what takes longest of all
if TYPE_CHECKING:
    import pickle as pickle
    import signal as signal
    import socket as socket
    from collections import deque as deque
    from threading import RLock as RLock
else:
    try:
        import _pickle as pickle
        import _signal as signal
        import _socket as socket
        from _collections import deque
        from _thread import RLock
    except ImportError:
        import pickle
        import signal
        import socket
        from collections import deque
        from threading import RLock

__all__ = ["RLock", "deque", "pickle", "signal", "socket", "suppress"]


class suppress:  # noqa: N801  # it stands in for contextlib's
    """Goes on after its with-block when one of these exceptions ended that."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)
