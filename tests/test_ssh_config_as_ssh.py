"""What is promised about ssh_config, in full: what `ssh -G` says of a host is what we say of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from interstate.ssh.keywords import (
    ALIASES,
    BLOCKS,
    CHECKERS,
    HONOURED,
    IGNORED,
    OBSOLETE,
    REFUSED,
)

from .ssh_g import ENVIRONMENT, NOT_COMPARED, Case, compared, usual
from .ssh_made_up import invented

pytestmark = pytest.mark.once

PAGE = Path(__file__).parents[1] / "docs" / "ssh_config.md"
CORPUS = Path(__file__).with_name("ssh_configs.txt")
SEEDS = 300


def written() -> Iterator[Case]:
    """The cases of the corpus."""
    for part in CORPUS.read_bytes().decode().split("\n## ")[1:]:
        head, *files = part.split("\n### ")
        host, _, text = head.partition("\n")
        included = [file.partition("\n") for file in files]
        yield Case(host, text, tuple((name, text) for name, _, text in included))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What HOME says; it has a `.ssh`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("SSH_AUTH_SOCK", "NOT_SET"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def test_what_ssh_says_of_a_host_is_what_we_say(home: Path) -> None:
    cases = list(written())
    assert len(cases) > 150
    wrong = compared(home, cases)
    assert not wrong, "\n".join(wrong)


def test_what_ssh_says_of_made_up_configs_is_what_we_say(home: Path) -> None:
    wrong = compared(home, [invented(seed) for seed in range(SEEDS)])
    assert not wrong, "\n".join(wrong)


def test_every_option_that_ssh_shows_is_compared_or_it_is_said_why_not() -> None:
    assert all(NOT_COMPARED.values())
    assert {*NOT_COMPARED} <= {*IGNORED, "host", "ignoreunknown", "tag"}
    assert {*usual()} <= {*CHECKERS, "host"}


def test_we_know_every_keyword_that_ssh_knows(tmp_path: Path) -> None:
    program = Path(shutil.which("ssh") or "").read_bytes()
    words = {word.decode() for word in re.findall(rb"(?<=\0)[a-z][a-z0-9]{3,40}(?=\0)", program)}
    assert "batchmode" in words
    strange = sorted(words - {*CHECKERS, *ALIASES, *OBSOLETE, *BLOCKS, "include"})
    (tmp_path / "config").write_text("".join(f"{word} x\n" for word in strange))
    command = ["ssh", "-G", "-F", str(tmp_path / "config"), "node"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    bad = set(re.findall(r"Bad configuration option: (\S+)", told))
    assert {*strange} - bad == set()


def options(heading: str) -> list[str]:
    """The options in the table under a heading of the page."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return sorted(name.lower() for cell in cells for name in re.findall(r"`(\w+)`", cell))


def test_the_page_says_of_every_option_what_becomes_of_it() -> None:
    assert options("What counts") == sorted([*HONOURED, *BLOCKS, "include"])
    assert options("What is refused") == sorted(REFUSED)
    assert options("What makes no difference") == sorted(IGNORED)
