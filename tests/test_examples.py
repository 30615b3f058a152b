"""The scripts of examples/, run as their users run them: on loopback hosts, and on a real sshd."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .sshd import Sshd

pytestmark = pytest.mark.once

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = sorted(path.stem for path in (REPOSITORY / "examples").glob("*.py"))


def run(script: str, *arguments: str) -> list[str]:
    """Run an example to its good end, and return the lines that it printed."""
    command = [sys.executable, "-W", "error", str(REPOSITORY / "examples" / f"{script}.py")]
    done = subprocess.run(
        [*command, *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def way(sshd: Sshd, request: pytest.FixtureRequest) -> list[str]:
    """The options for an sshd's hosts, directly or over a hop; see `ways`."""
    aliases = {"head": sshd.addresses[0], "one": sshd.addresses[1], "two": sshd.addresses[2]}
    config = sshd.config_file(aliases)
    return ["--ssh-config", str(config), *request.param]


ways = pytest.mark.parametrize(
    "way", [[], ["--via", "ssh://head"]], ids=["direct", "hop"], indirect=True
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_tells_of_its_options(script: str) -> None:
    assert {"--host", "--via", "--ssh-config"} <= set(" ".join(run(script, "--help")).split())


def test_one_job_prints_here_what_it_prints_there() -> None:
    assert run("one_job", "--steps", "3", "--pause", "0.01") == ["0", "1", "2"]


@ways
def test_one_job_runs_on_a_real_sshd(way: list[str]) -> None:
    printed = run("one_job", "--steps", "3", "--pause", "0.01", "--host", "ssh://one", *way)
    assert printed == ["0", "1", "2"]


def test_factors_are_searched_on_four_hosts() -> None:
    *found, last = run("factors", "1001")
    assert {line.partition("] ")[2] for line in found} == {
        "1001 = 1 * 1001",
        "1001 = 7 * 143",
        "1001 = 11 * 91",
        "1001 = 13 * 77",
    }
    assert last == "1001 has 8 factors: 1 7 11 13 77 91 143 1001"


@ways
def test_factors_are_searched_on_a_real_sshd(way: list[str]) -> None:
    *found, last = run("factors", "1001", "--host", "ssh://one", "--host", "ssh://two", *way)
    assert sorted(found) == [
        "[one] 1001 = 1 * 1001",
        "[one] 1001 = 11 * 91",
        "[one] 1001 = 13 * 77",
        "[one] 1001 = 7 * 143",
    ]
    assert last == "1001 has 8 factors: 1 7 11 13 77 91 143 1001"


def test_a_host_behind_a_jump_host_is_reached() -> None:
    first, second, last = run("behind_a_jump_host")
    assert first.startswith("Python 3.")
    assert second.startswith("reached at 127.0.0.1, port ")
    assert last.startswith("the job ran on ")


@ways
def test_a_host_behind_a_jump_host_is_reached_on_a_real_sshd(way: list[str], sshd: Sshd) -> None:
    before = len(sshd.log)
    _, second, _ = run("behind_a_jump_host", "--host", "ssh://one", *way)
    assert second.startswith(f"reached at {sshd.addresses[1]}, port {sshd.port}, from ")
    over_the_hop = f" on {sshd.addresses[0]} port {sshd.port} " in sshd.log[before:]
    assert over_the_hop == ("--via" in way)


def test_futures_bring_results_and_errors_home() -> None:
    first, second, third = run("futures", "--calls", "10")
    assert first.startswith("pi is about 3.1")
    assert second.startswith("ValueError on ")
    assert third == "before that, it printed: about to fail, seed 7"


@ways
def test_futures_bring_results_and_errors_home_from_a_real_sshd(way: list[str]) -> None:
    printed = run("futures", "--calls", "10", "--host", "ssh://one", *way)
    assert printed == [
        printed[0],
        "ValueError on one: no darts are left",
        "before that, it printed: about to fail, seed 7",
    ]
