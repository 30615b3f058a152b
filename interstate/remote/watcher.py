"""Which descriptors the agent waits for, and what is to be done when they are ready.

The standard library's selectors do the same at three times the cost, and take a while to import.
"""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[], object]


class Watcher:
    """Descriptors and their handlers; it is not shared with children."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._handlers

    def watch(self, descriptor: int, handler: Handler, mask: int = select.EPOLLIN) -> None:
        """Have `handler` called when there is something to be read, or that mask says."""
        self._epoll.register(descriptor, mask)
        self._handlers[descriptor] = handler

    def forget(self, descriptor: int) -> None:
        """Watch it no more; to be said before it is closed."""
        self._epoll.unregister(descriptor)
        del self._handlers[descriptor]

    def handle(self, timeout: float | None) -> bool:
        """Wait, call the handlers of what is ready, and return whether anything was.

        Args:
            timeout: How long to wait, seconds; None: for as long as it takes.
        """
        ready = self._epoll.poll(-1 if timeout is None else timeout)
        for descriptor, _ in ready:
            handler = self._handlers.get(descriptor)
            if handler is not None:  # else one of those before it has closed it
                handler()
        return bool(ready)

    def close(self) -> None:
        self._epoll.close()
