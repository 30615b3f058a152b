"""Async functions"""

import asyncio
import contextlib

from tests.contract.asking import returns

BASE = 10


async def add(x):
    await asyncio.sleep(0)
    return x + BASE


@returns(11)
def an_async_function():
    return asyncio.run(add(1))


@returns([10, 11, 12])
def several_at_once():
    async def main():
        return await asyncio.gather(*(add(i) for i in range(3)))

    return asyncio.run(main())


async def count(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


@returns([0, 1, 2])
def an_async_generator():
    async def main():
        found = []
        async for i in count(3):
            found.append(i)
        return found

    return asyncio.run(main())


@returns([[0, 2], {0: 10, 1: 11}, [10, 11]])
def async_comprehensions():
    async def main():
        evens = [i async for i in count(4) if i % 2 == 0]
        table = {i: await add(i) async for i in count(2)}
        return [evens, table, [await add(i) for i in range(2)]]

    return asyncio.run(main())


class Door:
    def __init__(self):
        self.found = []

    async def __aenter__(self):
        self.found.append("enter")
        return self

    async def __aexit__(self, *error):
        self.found.append("leave")

    async def through(self):
        self.found.append(await add(1))


@returns(["enter", 11, "leave"])
def async_with():
    async def main():
        async with Door() as door:
            await door.through()
        return door.found

    return asyncio.run(main())


@contextlib.asynccontextmanager
async def opened(found):
    found.append("open")
    yield found
    found.append("close")


@returns(["open", 15, "close"])
def an_async_context_manager():
    async def main():
        found = []
        async with opened(found) as it:
            it.append(await add(5))
        return found

    return asyncio.run(main())


def make_async(n):
    async def multiply(x):
        return x * n

    return multiply


triple = make_async(3)


@returns(12)
def an_async_closure():
    return asyncio.run(triple(4))


@returns("caught")
def an_exception_in_a_task():
    async def fail():
        raise LookupError

    async def main():
        try:
            await asyncio.gather(fail())
        except LookupError:
            return "caught"

    return asyncio.run(main())


@returns([("a", 11), ("b", 12)])
def a_queue():
    async def worker(queue, found):
        while True:
            name, value = await queue.get()
            if name is None:
                return
            found.append((name, await add(value)))

    async def main():
        queue, found = asyncio.Queue(), []
        for item in [("a", 1), ("b", 2), (None, 0)]:
            queue.put_nowait(item)
        await worker(queue, found)
        return found

    return asyncio.run(main())


class Chain:
    async def __aiter__(self):
        yield 1
        yield 2

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return "awaited"


@returns([[1, 2], "awaited"])
def awaitables_of_a_class():
    async def main():
        return [[i async for i in Chain()], await Chain()]

    return asyncio.run(main())
