"""Projects of a user's, written for a test: importable here while it lasts, and nowhere else."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from interstate import Host
from interstate.remote import wire
from interstate.serving import Serving

PATIENCE = 60.0  # seconds: nothing takes that long


class Tree:
    """A folder with modules.

    Args:
        root: The folder.
        patch: Undoes what a test does to this process.
    """

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._patch = patch
        self._before = set(sys.modules)

    def write(self, files: dict[str, str]) -> None:
        """Write files, by their paths below the root."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def importable(self, folder: str = "") -> None:
        """Put the root, or a folder below it, on `sys.path`."""
        self._patch.syspath_prepend(str(self.root / folder))

    def load(self, name: str) -> Any:
        return importlib.import_module(name)

    def forget(self) -> None:
        """Have none of its modules imported any more."""
        for name in set(sys.modules) - self._before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(str(self.root)) or _is_namespace_in(sys.modules[name], self.root):
                del sys.modules[name]

    def run(self, *command: str, host: Host, python: str = "") -> str:
        """Run a script of it as a user does, with a host's facts as arguments; what it prints."""
        environment = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
        facts = [str(host), str(host.identity_file), str(host.known_hosts_file), python]
        done = subprocess.run(
            [sys.executable, *command, *facts],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not done.returncode, done.stderr
        return done.stdout


def _is_namespace_in(module: ModuleType, root: Path) -> bool:
    path = getattr(module, "__path__", ())
    return any(str(entry).startswith(str(root)) for entry in getattr(path, "_path", path))


# What a script begins with that `Tree.run` runs.
PREAMBLE = """
import sys
import interstate
from interstate.hosts import Host, expand

def hosts():
    url, key, known, python = sys.argv[-4:]
    plain = expand(url)[0]
    return [Host(plain.name, plain.user, plain.port, key, known)]

def executor(**options):
    return interstate.SSHExecutor(hosts(), python=sys.argv[-1] or None, **options)
"""


@contextmanager
def questions(patch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Collect what hosts ask for while a with-block lasts: the WANTs."""
    asked: list[bytes] = []
    ask = Serving.ask

    def note(self: Serving, host: int, number: int, content: wire.Bytes, reply: Any) -> None:
        asked.append(bytes(content[16:]))
        ask(self, host, number, content, reply)

    with patch.context() as within:
        within.setattr(Serving, "ask", note)
        yield asked
