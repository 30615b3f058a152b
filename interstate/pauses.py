"""How long to wait between attempts.  Pure, but for chance."""

from __future__ import annotations

import random
from collections.abc import Iterator


def pauses(first: float, longest: float) -> Iterator[float]:
    """Yield seconds to wait between attempts, for ever: growing, and never the same.

    Args:
        first: At most so long is the first, seconds.
        longest: And so long each, however many there are.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  # spreads a crowd, hides nothing
        pause = min(2 * pause, longest)
