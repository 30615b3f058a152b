"""The command line: `python -m interstate`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from interstate.__main__ import main

REPOSITORY = Path(__file__).parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "interstate", *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_the_demo_searches_a_number_on_four_hosts() -> None:
    done = run("demo")
    assert (done.returncode, done.stderr) == (0, "")
    first, *found, last = done.stdout.splitlines()
    assert first == "Searching the factors of 435347905438541 on 4 SSH hosts on this machine:"
    pairs = [re.findall(r"\[(\S+)\] \d+ = (\d+) \* \d+", line)[0] for line in found]
    assert len({label for label, _ in pairs}) == 4, "each host finds some, and says so"
    factors = sorted(int(factor) for _, factor in pairs)
    assert factors == [1, 2269, 3823, 5861, 8563, 8674387, 13298609, 19429447]
    assert re.fullmatch(
        r"Factors found: 16\. It ran on 4 hosts \(\S+@127\.0\.0\.1, ports \d+, \d+, \d+, \d+\) "
        r"and took \d+\.\d s, connecting included\.",
        last,
    )


def test_the_demo_takes_a_number_and_how_many_hosts(capfd: pytest.CaptureFixture[str]) -> None:
    main(["demo", "36", "--hosts", "2"])
    assert "Factors found: 9. It ran on 2 hosts" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["demo", "0"], "must be a positive integer, not '0'"),
        (["demo", "ten"], "must be a positive integer, not 'ten'"),
        (["demo", "--hosts", "0"], "must be a positive integer, not '0'"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
