"""Nothing is lost, and nothing runs twice, whatever fails when: by simulation, see `simulation`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .simulation import World

PARTS, AT_ONCE, SHARE = 5, 2, 3_500  # runs: 35,000, and with three Pythons more than 100,000
REPOSITORY = Path(__file__).parents[1]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_call_ends_once_and_runs_no_more_often_than_it_may(part: int) -> None:
    """The seeds of each Python are its own; `python -m tests.simulation SEED` runs one again."""
    seed = sys.version_info.minor * 1_000_000 + part * AT_ONCE * SHARE
    firsts = [seed + share * SHARE for share in range(AT_ONCE)]
    commands = [
        [sys.executable, "-m", "tests.simulation", str(first), str(SHARE)] for first in firsts
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
