"""The standard library's socket, signal, pickle and RLock, without what Python wraps around them.

Importing the wrappers would take an agent as long as its Python takes to start.  What is inside is
the same in every CPython; where it is not, the wrappers serve as well.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing is what takes longest of all
if TYPE_CHECKING:
    import pickle as pickle
    import signal as signal
    import socket as socket
    from threading import RLock as RLock
else:
    try:
        import _pickle as pickle
        import _signal as signal
        import _socket as socket
        from _thread import RLock
    except ImportError:
        import pickle
        import signal
        import socket
        from threading import RLock

__all__ = ["RLock", "pickle", "signal", "socket"]
