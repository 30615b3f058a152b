"""Gives back the memory that a call held when it ran out of it: it is needed to tell of that."""

from __future__ import annotations

from .lean import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def let_go_for_want_of_memory(error: BaseException) -> None:
    """Do `let_go` for an error that a MemoryError led to, and for those between them."""
    chain = {id(error): error}
    for link in _growing(chain):
        for other in (link.__cause__, link.__context__):
            if other is not None:
                chain.setdefault(id(other), other)
    if any(isinstance(link, MemoryError) for link in chain.values()):
        for link in chain.values():
            let_go(link)


def let_go(error: BaseException) -> None:
    """Forget what the call had when it failed: the memory may be needed to tell of it."""
    tb = error.__traceback__
    while tb is not None:
        with suppress(RuntimeError):  # it is still running: one of our own
            tb.tb_frame.clear()
        tb = tb.tb_next


def _growing(chain: dict[int, BaseException]) -> Iterator[BaseException]:
    """The values of a dict that grows meanwhile."""
    done = 0
    while done < len(chain):
        links = list(chain.values())[done:]
        done += len(links)
        yield from links
