"""Nothing is lost, and nothing runs twice, whatever fails when: by simulation, see `simulation`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .simulation import World

RUNS = 35_000  # with three Pythons, more than 100,000 in all
AT_ONCE = 2
REPOSITORY = Path(__file__).parents[1]


def test_every_call_ends_once_and_runs_no_more_often_than_it_may() -> None:
    """The seeds of each Python are its own; `python -m tests.simulation SEED` runs one again."""
    share = RUNS // AT_ONCE
    firsts = [sys.version_info.minor * 1_000_000 + part * share for part in range(AT_ONCE)]
    commands = [
        [sys.executable, "-m", "tests.simulation", str(first), str(share)] for first in firsts
    ]
    running = [
        subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    said = [process.communicate()[1] for process in running]
    assert said == [""] * AT_ONCE
    assert [process.returncode for process in running] == [0] * AT_ONCE


def test_a_seed_makes_the_same_run_again() -> None:
    first, second = World(7), World(7)
    first.run()
    second.run()
    assert (first.how, first.clock.now) == (second.how, second.clock.now)


def test_the_runs_are_not_all_alike() -> None:
    ends: set[str] = set()
    for seed in range(200):
        world = World(seed)
        world.run()
        ends |= set(world.how.values())
    assert ends == {"returned", "stopped", "died", "failed", "cancelled"}
