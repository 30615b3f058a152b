"""A project of several modules that needs numpy runs on a host that has nothing, in one go.

The host is another computer's worth of sshd with a Python of another version, reached through a
hop.  The project is a folder with a script, as a newcomer has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import pythons
from .packages import wrapped
from .sshd import Keys, Sshd

PATIENCE = 300.0  # seconds: pip may have to fetch numpy
OTHERS = [v for v in reversed(pythons.HOSTS) if v != f"{sys.version_info[0]}.{sys.version_info[1]}"]

PROJECT = {
    "lab/__init__.py": "from .fitting import Fit, fit\n",
    "lab/fitting.py": """\
from dataclasses import dataclass

import numpy as np

from . import rates


@dataclass(frozen=True, slots=True)
class Fit:
    slope: float
    offset: float


def fit(x, y):
    a = np.vstack([x, np.ones(len(x))]).T
    slope, offset = np.linalg.lstsq(a, y, rcond=None)[0]
    return Fit(round(float(slope) * rates.factor(), 6), round(float(offset), 6))
""",
    "lab/rates.py": """\
from importlib.resources import files


def factor():
    return float(files("lab").joinpath("table.csv").read_text())
""",
    "lab/table.csv": "2.0\n",
    "helpers.py": "def label(n):\n    return f'<{n}>'\n",
    "points.txt": "1 2 3 4\n",
    "main.py": """\
import os
import sys
import tempfile

import numpy as np

import helpers
import interstate
from lab import Fit, fit


class Odd(Exception):
    pass


def analyse(n, points):
    from lab import rates  # imported over there only

    x = np.loadtxt(points)
    print("fitting in", "%d.%d" % sys.version_info[:2])
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.txt")
        with open(out, "w") as file:
            file.write(helpers.label(n))
        return fit(x, n * x + 1), rates.factor(), interstate.File(out)


def fail(n):
    raise Odd(n, np.float64(n))


if __name__ == "__main__":
    host, via, ssh_config, python = sys.argv[1:]
    options = {"ssh_config": ssh_config, "python": python, "packages": "auto"}
    with interstate.SSHExecutor(host, via, output="stream", **options) as executor:
        found, factor, out = executor.submit(analyse, 3, interstate.File("points.txt")).result()
        print(found == Fit(6.0, 1.0), factor, out.path.read_text())
        print(list(executor.map(lambda n: fit(np.arange(4), n * np.arange(4)).slope, [1, 2])))
        try:
            executor.submit(fail, 3).result()
        except Odd as error:
            print("raised", *error.args)
""",
}


@pytest.fixture
def config(tmp_path: Path, keys: Keys) -> Iterator[Path]:
    """An ssh_config with a bare host behind a head node, which are served while it lasts."""
    (tmp_path / "sshd").mkdir()
    with Sshd(tmp_path / "sshd", keys, listen=("127.0.0.1", "127.0.0.2")) as sshd:
        path = tmp_path / "ssh_config"
        path.write_text(
            "Host head-node\n  HostName 127.0.0.1\nHost inner-node\n  HostName 127.0.0.2\n"
            f"Host *\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.key}\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {sshd.known_hosts}\n"
        )
        yield path


@pytest.mark.parametrize("version", OTHERS[:1])
def test_a_project_with_numpy_runs_on_a_bare_host_behind_a_hop(
    version: str, tmp_path: Path, config: Path
) -> None:
    python = pythons.find(version)
    if python is None:
        pytest.skip(pythons.why_not(version))
    project = tmp_path / "project"
    for name, text in PROJECT.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    bare = tmp_path / "bare"
    subprocess.run([python, "-m", "venv", "--without-pip", str(bare)], check=True)
    there = tmp_path / "there"
    remote = wrapped(tmp_path / "python", str(bare / "bin/python"), XDG_CACHE_HOME=str(there))
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "here")}
    done = subprocess.run(
        [sys.executable, "main.py", "inner-node", "head-node", str(config), remote],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert not done.returncode, done.stderr
    assert done.stdout.splitlines() == [
        f"fitting in {version}",
        "True 2.0 <3>",
        "[2.0, 4.0]",
        "raised 3 3.0",
    ]
    assert [path.name for path in there.iterdir()] == ["interstate"], "and nothing else is left"
