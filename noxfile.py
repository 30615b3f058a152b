"""What is checked, and how: `nox` runs it all but the benchmarks, `nox -l` lists it.

An interpreter that is not here is skipped, with a warning.
"""

from __future__ import annotations

import shutil
import subprocess

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = ["lint", "docs", "tests"]
nox.options.error_on_missing_interpreters = False

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)


def _is_here(version: str) -> bool:
    """Whether such a Python runs; what is found by its name may be a mere shim of pyenv's."""
    path = shutil.which(f"python{version}")
    if path is None:
        return False
    return not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode  # noqa: S603


NEWEST = next(filter(_is_here, reversed(PYTHONS)), "")


def _install(session: nox.Session, *groups: str) -> None:
    session.install(".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, four at a time, since most of them wait; what follows `--` goes to pytest.

    Those marked `once` are run on the newest Python alone, unless something follows.
    """
    _install(session, "test")
    which = [] if session.posargs or session.python == NEWEST else ["-m", "not once"]
    session.run("pytest", "-n", "4", "--dist", "loadfile", *which, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style, the format and the types."""
    _install(session, "lint", "test", "bench")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html."""
    _install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speeds beside the peers'; what follows `--` goes to the benchmarks."""
    _install(session, "bench", "test")
    peers = _peers(session)
    session.run("python", "-m", "tests.benchmarks", "--peers", peers, *session.posargs)


def _peers(session: nox.Session) -> str:
    """The Python of an environment with the peers, the same Python as ours; kept between runs.

    A peer that cannot be installed is missing there, and the rows say so.
    """
    ask = "import platform; print(platform.python_version())"
    version = str(session.run("python", "-c", ask, silent=True)).strip()
    home = session.cache_dir.resolve() / f"bench-peers-{version}"
    session.run("python", "-m", "venv", str(home), silent=True)
    python = str(home / "bin" / "python")
    for package in nox.project.dependency_groups(PROJECT, "bench-peers"):
        session.run(
            *(python, "-m", "pip", "install", "-q", package), external=True, success_codes=[0, 1]
        )
    return python


@nox.session
def fidelity(session: nox.Session) -> None:
    """Make docs/fidelity.md anew, the peers' tables too, which takes half an hour."""
    _install(session, "test")
    session.run("python", "-m", "tests.fidelity", "--peers", _peers(session))


@nox.session(python=PYTHONS)
def contract(session: nox.Session) -> None:
    """Make docs/versions_matrix.md anew: each Python makes the section of what it sends."""
    _install(session, "test")
    session.run("python", "-m", "tests.contract")


@nox.session
def soak(session: nox.Session) -> None:
    """Run calls at full rate with random faults; what follows `--` goes to it."""
    _install(session, "test")
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Tell which lines the tests do not reach; what runs in other processes is not seen."""
    _install(session, "test")
    session.run("coverage", "run", "--source=interstate", "-m", "pytest", *session.posargs)
    session.run("coverage", "report", "--show-missing", "--skip-covered")
