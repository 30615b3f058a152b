"""Gives back the memory that a call held when it ran out of it: it is needed to tell of that."""

from __future__ import annotations

from .lean import suppress


def let_go_for_want_of_memory(error: BaseException) -> None:
    """Do `let_go` for an error that a MemoryError led to, and for those between them."""
    chain, known = [error], {id(error)}
    for link in chain:  # grows while it is walked
        for other in (link.__cause__, link.__context__):
            if other is not None and id(other) not in known:
                known.add(id(other))
                chain.append(other)
    if any(isinstance(link, MemoryError) for link in chain):
        for link in chain:
            let_go(link)


def let_go(error: BaseException) -> None:
    """Forget what the call had when it failed: the memory may be needed to tell of it."""
    tb = error.__traceback__
    while tb is not None:
        with suppress(RuntimeError):  # it is still running: one of our own
            tb.tb_frame.clear()
        tb = tb.tb_next
