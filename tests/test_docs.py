"""What README.md and docs/ show is true: their Python blocks run, and print what they say.

The names of computers in them (node-1, head-node, …) are in an ssh_config that leads to loopback
hosts, and `me` is whoever runs the tests.  A `text` block after a Python block is what that prints,
in any order of its lines; `…` stands for anything.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser, SkipParser
from sybil.typing import Parser

from interstate import loopback

PATIENCE = 60.0  # seconds: nothing takes that long
REPOSITORY = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(str(p.relative_to(REPOSITORY)) for p in REPOSITORY.glob("docs/*.md"))]
NAMES = [
    "my-remote-computer",
    "head-node second-gate",
    "node-1 node-01.cluster inner-node",
    "node-2 node-02.cluster",
    "node-3 node-03.cluster",
]


class Printed:
    """Runs Python blocks, and compares what they print with the text blocks that follow them."""

    def __init__(self) -> None:
        self._evaluate = PythonEvaluator()
        self._printed: list[str] = []

    def run(self, example: Example) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self._evaluate(example)
        self._printed = printed.getvalue().splitlines()

    def compare(self, example: Example) -> str | None:
        left = list(self._printed)
        for line in example.parsed.splitlines():
            pattern = ".*".join(map(re.escape, line.split("…")))
            found = next((text for text in left if re.fullmatch(pattern, text)), None)
            if found is None:
                return f"not printed: {line!r}; printed was: {self._printed}"
            left.remove(found)
        return f"not shown: {left}" if left else None


def document(page: str, user: str, directory: Path) -> Document:
    """A page as it is, but for the user's name; lines keep their numbers."""
    path = directory / page.replace("/", "-")
    path.write_text(re.sub(r"\bme@", f"{user}@", (REPOSITORY / page).read_text()))
    printed = Printed()
    parsers: list[Parser] = [
        CodeBlockParser("python", printed.run),
        CodeBlockParser("text", printed.compare),
        SkipParser(),
    ]
    return Sybil(parsers=parsers).parse(path)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The name and the home directory of a user whose ssh_config knows the documents' computers."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("HOME", str(home))  # of the hosts, too: they keep packages there
        hosts = stack.enter_context(loopback.hosts(len(NAMES)))
        sections = [
            f"Host {names}\n  HostName {host.name}\n  Port {host.port}\n  User {host.user}\n"
            f"  IdentityFile {host.identity_file}\n  UserKnownHostsFile {host.known_hosts_file}\n"
            for names, host in zip(NAMES, hosts, strict=True)
        ]
        jump = "Host inner-node\n  ProxyJump head-node\n"
        (home / ".ssh" / "config").write_text("\n".join([jump, *sections]))
        yield str(hosts[0].user), home


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_is_true(
    page: str, user: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, home = user
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("interstate.ssh.config.home", lambda: str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.chdir(tmp_path)
    for wait in ("future._HEARING", "engine._REVOKING"):  # so long that it is a user's, never ours
        monkeypatch.setattr(f"interstate.{wait}", PATIENCE)
    shown = document(page, name, tmp_path)
    shown.namespace["__name__"] = "__main__"
    for example in shown.examples():
        example.evaluate()


LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_a_pages_links_lead_to_files(page: str) -> None:
    path = REPOSITORY / page
    missing = [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()]
    assert not missing
