"""An unkind network: a TCP proxy that delays, slows, freezes, cuts, refuses and counts.

with Proxy(host, tmp_path) as proxy:
    execute(job, host=proxy.host)      # goes to `host`, through the proxy
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from interstate.hosts import Host

# Bytes that are under way until a test has done something to it, at 4 MB a second, of which 16 MB
# may be in the proxy and the kernel already: that leaves seconds, however busy this computer is.
LARGE = 48_000_000

_T = TypeVar("_T")
_CHUNK = 64 << 10
_IN_FLIGHT = 256  # chunks under way in one direction; then the sender has to wait
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, no seconds; closing then sends a RST
_LATE = 0.02  # seconds that a sleep may have been too long, and are made up for
_TIMEOUT = 60.0


class Proxy:
    """A TCP port on this machine that leads to a host, to be used in a with-statement.

    Its methods may be called from any thread, and have taken effect when they return.

    Args:
        target: The host that it leads to.
        directory: Where its known_hosts file is written.

    Attributes:
        host: The target, by way of the proxy.
        delay: Seconds that each byte travels, one way.
        rate: Bytes a second that each direction of a connection takes; None: any number.
        sent: Bytes that the clients have sent so far.
        received: Bytes that the clients have received so far.
        accepted: How many connections there have been.
    """

    def __init__(self, target: Host, directory: Path) -> None:
        self.delay = 0.0
        self.rate: float | None = None
        self.sent = 0
        self.received = 0
        self.accepted = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._moving = asyncio.Event()
        self._moving.set()
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        port = self._listener.getsockname()[1]
        known_hosts = directory / f"known_hosts_of_proxy_{port}"
        known_hosts.write_text(f"[127.0.0.1]:{port} {_host_key(target)}\n")
        self.host = replace(target, name="127.0.0.1", port=port, known_hosts_file=str(known_hosts))

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, sock=self._listener))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT)
        self._loop.close()

    def freeze(self) -> None:
        """Let nothing through any more, in either direction, without a word to either side."""
        self._call(self._moving.clear)

    def thaw(self) -> None:
        """Let everything through again, from where it stood still."""
        self._call(self._moving.set)

    def cut(self, *, reset: bool = True) -> None:
        """End all connections now: with a reset, or, if not `reset`, with an orderly end."""
        self._do(self._cut(reset))

    def refuse(self, refusing: bool = True) -> None:
        """Reset each new connection at once, or, if not `refusing`, take them again."""
        self._refusing = refusing

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        self._connections[task] = [writer]
        try:
            if self._refusing:
                _reset(writer)
            else:
                await self._join(task, reader, writer)
        except* (OSError, asyncio.CancelledError):
            pass  # one of the two ends has gone, or cut() was called: so goes the other
        finally:
            for each in self._connections.pop(task):
                each.transport.abort()

    async def _join(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._target.name, self._target.port)
        self._connections[task].append(far_writer)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._carry(reader, far_writer, self._count_sent))
            both.create_task(self._carry(far_reader, writer, self._count_received))

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        count: Callable[[int], None],
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT)
        free = 0.0  # when the link has taken what came before
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver(under_way, writer))
            while True:
                data = await reader.read(_CHUNK)
                count(len(data))
                free = max(free, self._loop.time() - _LATE) + self._needs(data)
                await asyncio.sleep(free - self._loop.time())
                await under_way.put((max(free, self._loop.time()) + self.delay, data))
                if not data:
                    break

    async def _deliver(
        self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(due - self._loop.time(), 0.0))
            await self._moving.wait()
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    def _needs(self, data: bytes) -> float:
        """Seconds that the link is busy with it."""
        return len(data) / self.rate if self.rate else 0.0

    def _count_sent(self, size: int) -> None:
        self.sent += size

    def _count_received(self, size: int) -> None:
        self.received += size

    async def _cut(self, reset: bool) -> None:
        tasks = list(self._connections)
        for writers in self._connections.values():
            for writer in writers if reset else ():
                _reset(writer)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _end(self) -> None:
        self._server.close()
        await asyncio.sleep(0)  # who was accepted just now is served, and then cut like the others
        await self._cut(reset=True)

    def _do(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_TIMEOUT)

    def _call(self, function: Callable[[], object]) -> None:
        done: Future[object] = Future()
        self._loop.call_soon_threadsafe(lambda: done.set_result(function()))
        done.result(_TIMEOUT)


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def _host_key(host: Host) -> str:
    lines = Path(str(host.known_hosts_file)).read_text().splitlines()
    return next(
        key
        for name, key in (line.split(" ", 1) for line in lines)
        if name == f"[{host.name}]:{host.port}"
    )
