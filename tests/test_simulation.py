"""Nothing is lost, and nothing runs twice, whatever fails when: by simulation, see `simulation`."""

from __future__ import annotations

import sys

import pytest

from .simulation import World

RUNS = 35_000  # with three Pythons, more than 100,000 in all
CHUNKS = 35


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_call_ends_once_and_runs_no_more_often_than_it_may(chunk: int) -> None:
    """The seeds of each Python are its own; `python -m tests.simulation SEED` runs one again."""
    first = sys.version_info.minor * 1_000_000 + chunk * (RUNS // CHUNKS)
    for seed in range(first, first + RUNS // CHUNKS):
        try:
            World(seed).run()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


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
