"""A process of its own in which one situation is run; it says what comes back, line by line.

    python -m tests.fidelity.child RUNNER SITUATION DIRECTORY HOST [SHAPE …]

It ends when a call is lost, as nobody knows what works after that.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from .compare import LOST
from .runners import RUNNERS
from .running import Run
from .situations import Place

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run what the arguments say."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # end with who started it
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what others print is no answer
    runner, situation, directory, host, *only = sys.argv[1:]
    place = Place(Path(directory))
    where = json.loads(host)
    if where is not None:
        import interstate

        where = interstate.Host(*where)
    with place.entered(), RUNNERS[runner](place, where) as running:
        for name, judged in Run(running, place, situation, only).results():
            print(json.dumps([name, *judged]), file=answers, flush=True)
            if judged.word == LOST and runner != "ours":
                os._exit(0)


if __name__ == "__main__":
    main()
