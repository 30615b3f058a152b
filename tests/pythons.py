"""The Pythons on this machine that can be a host's, by their version.

They are looked for among pyenv's and on PATH.  INTERSTATE_TEST_PYTHONS names further folders with
a `python3.X` in them, as PATH does; those come first.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

HOSTS = ("3.9", "3.10", "3.11", "3.12", "3.13")
_ASK = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])"
_PATIENCE = 60.0


@functools.cache
def find(version: str) -> str | None:
    """Return the path of an interpreter of a version, as in "3.9"; None if there is none."""
    return next((path for path in _candidates(version) if _is(path, version)), None)


def why_not(version: str) -> str:
    """Say that there is none."""
    return f"no Python {version} on this machine: pyenv install {version}"


def _candidates(version: str) -> list[str]:
    name = f"python{version}"
    given = os.environ.get("INTERSTATE_TEST_PYTHONS")
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    pyenv = sorted(root.glob(f"versions/{version}.*/bin/{name}"))
    found = [shutil.which(name, path=given), *pyenv, shutil.which(name)]
    return [str(path) for path in found if path]


def _is(path: str, version: str) -> bool:
    try:
        said = subprocess.run(
            [path, "-c", _ASK], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.stdout.split()[-1:] == [version]
