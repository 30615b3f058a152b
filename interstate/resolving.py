"""Installs packages for another Python into a folder here, by uv or by pip."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from .platforms import Platform

# pip holds markers such as `python_version < "3.11"` against the Python that it runs on
_PIP = """
import json, runpy, sys
from pip._vendor.packaging import markers
environment = json.loads(sys.argv.pop(1))
markers.default_environment = lambda: dict(environment)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_ENVIRONMENT = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_REQUIRE_VIRTUALENV": "0",  # that guards what is installed here
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_USER": "0",
}
_PLACE = re.compile(r"(?:[\w.-]+\s*(?:\[[^]]*\])?\s*@\s*)?((?:\w+\+)?\w+:[^\s;#?]+)")
_ARCHIVE = (".whl", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz")
_SECRET = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_MOST = 2000  # characters of what they say that are passed on


class NoPackagesError(Exception):
    """The packages cannot be had; the message says why."""


class Wanted(NamedTuple):
    """What is to be installed.

    Attributes:
        requirements: As pip takes them.
        platform: What they are to run on.
        constraints: A file of requirements that hold for those that are installed.
    """

    requirements: tuple[str, ...]
    platform: Platform
    constraints: Path | None = None


class Installer:
    """Runs pip or uv, any number at the same time, until it is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the other two
        self._running: set[subprocess.Popen[str]] = set()
        self._closed = False

    def install(self, wanted: Wanted, target: Path) -> None:
        """Put packages, and what they need, into an empty folder.

        Args:
            wanted: Which, and for what platform.
            target: The folder; others are made beside it.

        Raises:
            NoPackagesError: They cannot be had, or neither pip nor uv is here, or this was closed.
            OSError: What is needed to run them cannot be written.
        """
        platform = wanted.platform
        if platform.obstacle:
            raise NoPackagesError(platform.obstacle)
        check_built([*filter(is_to_be_built, wanted.requirements)])
        uv = find_uv() if platform.uv_name else None
        if uv is not None:
            self._run_uv(uv, wanted, target)
        elif has_pip():
            self._run_pip(wanted, target)
        else:
            raise NoPackagesError(
                "packages are chosen here, by pip or uv, and neither is there: run "
                f"`{sys.executable} -m ensurepip`, or install uv"
            )

    def close(self) -> None:
        """End what runs; nothing can be installed any more."""
        with self._lock:
            self._closed = True
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _run_pip(self, wanted: Wanted, target: Path) -> None:
        """Choose wheels, then install them: only so does pip mind which Pythons they are for."""
        wheels, log = target.with_name("wheels"), target.with_name("pip.log")
        wheels.mkdir()
        status, said = self._run(pip_command("download", wanted, wheels, log))
        if status:
            reason = _pips_reason(said)
            lacking = _without_wheels(reason, log)
            if lacking:
                reason = f"no wheel of {lacking} fits; pip says: {reason}"
            raise NoPackagesError(reason)
        found = sorted(path.name for path in wheels.iterdir())
        if not found:
            return  # by their markers, that platform needs none
        check_built([name for name in found if not name.endswith(".whl")])
        names = (name.split("-", 2) for name in found)
        chosen = wanted._replace(requirements=tuple(f"{name}=={v}" for name, v, _ in names))
        status, said = self._run(pip_command("install", chosen, target, log))
        if status:
            raise NoPackagesError(_pips_reason(said))

    def _run_uv(self, uv: str, wanted: Wanted, target: Path) -> None:
        status, said = self._run(uv_command(uv, wanted, target))
        if status:
            raise NoPackagesError(_last(said) or f"uv ended with status {status}")

    def _run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a program; return its exit status and what it wrote to its stderr."""
        with self._lock:
            if self._closed:
                raise NoPackagesError("the executor was shut down meanwhile")
            process = subprocess.Popen(  # noqa: S603  # pip or uv, with checked arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env={**os.environ, **_ENVIRONMENT},
                start_new_session=True,
            )
            self._running.add(process)
        try:
            _, said = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        if self._closed:
            raise NoPackagesError("the executor was shut down meanwhile")
        return process.returncode, _COLOR.sub("", said)


def find_uv() -> str | None:
    """The path of uv, if it is here."""
    return shutil.which("uv")


def has_pip() -> bool:
    """Whether this Python has pip."""
    return importlib.util.find_spec("pip") is not None


def place_of(requirement: str) -> str:
    """The path of a requirement that is one, or its URL; "" where it is had by its name."""
    url = _PLACE.match(requirement)
    if url is not None:
        scheme, _, rest = url[1].partition(":")
        local = unquote(re.sub("^//(localhost)?(?=/)", "", rest))
        return local if scheme == "file" else url[1]
    path = re.sub(r"\[[^]]*\]$", "", requirement)
    looks_like_it = os.sep in path or path.startswith(".") or path.endswith(_ARCHIVE)
    return path if looks_like_it and os.path.exists(path) else ""


def is_to_be_built(requirement: str) -> bool:
    """Whether a requirement is a folder, a repository, or an archive other than a wheel."""
    place = place_of(requirement)
    if "://" in place and not place.endswith(_ARCHIVE):
        return "+" in place.partition(":")[0]
    return bool(place) and not place.endswith(".whl")


def check_built(to_be_built: Sequence[str]) -> None:
    """Raise NoPackagesError if there are any."""
    if to_be_built:
        raise NoPackagesError(
            f"{shown(to_be_built)} is no wheel, and nothing is built: make one, as by `pip wheel`"
        )


def shown(requirements: Sequence[str]) -> str:
    """Requirements in words, without the passwords of URLs."""
    return _SECRET.sub("…", ", ".join(requirements))


def pip_command(action: str, wanted: Wanted, folder: Path, log: Path) -> list[str]:
    """What has pip choose wheels for another platform, or install the chosen ones.

    Args:
        action: "download", into `folder`; or "install" there, from the folder "wheels" beside it.
        wanted: What; the chosen ones are named with their versions, since pip would note the path
            of a file that it is given, which is another each time.
        folder: Where to put it.
        log: A file that all is told in.
    """
    platform = wanted.platform
    tags = [word for tag in platform.tags for word in ("--platform", tag)]
    how = {
        "download": ["--dest", str(folder), *_constrained(wanted)],
        "install": [
            *("--target", str(folder), "--no-compile", "--no-warn-conflicts"),
            *("--no-deps", "--no-index", "--ignore-requires-python"),
            *("--find-links", str(folder.with_name("wheels"))),
        ],
    }[action]
    return [
        *(sys.executable, "-P", "-c", _PIP, json.dumps(platform.markers), action, *how, *tags),
        *("--implementation", "cp", "--python-version", ".".join(map(str, platform.python))),
        *("--abi", platform.abi, "--only-binary", ":all:", "--progress-bar", "off"),
        *("--log", str(log), "--", *wanted.requirements),
    ]


def uv_command(uv: str, wanted: Wanted, target: Path) -> list[str]:
    """What has uv install for another platform."""
    platform = wanted.platform
    return [
        *(uv, "pip", "install", "--target", str(target), "--python", sys.executable),
        *("--python-platform", platform.uv_name or "", "--only-binary", ":all:", "--quiet"),
        *("--python-version", ".".join(map(str, platform.python)), "--color", "never"),
        *(*_constrained(wanted), "--", *wanted.requirements),
    ]


def _constrained(wanted: Wanted) -> list[str]:
    return ["--constraint", str(wanted.constraints)] if wanted.constraints else []


def _pips_reason(said: str) -> str:
    """The lines in which pip says what went wrong, else the last ones."""
    errors = [line[7:] for line in said.splitlines() if line.startswith("ERROR: ")]
    return _last("\n".join(errors)) or _last(said) or "pip ended without a word"


def _last(said: str) -> str:
    return said.strip()[-_MOST:]


def _without_wheels(reason: str, log: Path) -> str:
    """Which package that pip found none of is there, but not for that platform; or ""."""
    match = re.search(r"No matching distribution found for (([A-Za-z0-9._-]+).*)", reason)
    if match is None:
        return ""
    name = re.sub(r"[-_.]+", "[-_.]+", match[2])
    unfit = re.compile(
        rf"Skipping link: (?:none of the wheel's tags|No sources permitted).*[/ ]{name}-\d",
        re.IGNORECASE,
    )
    with contextlib.suppress(OSError), log.open(errors="replace") as lines:
        if any(map(unfit.search, lines)):
            return match[1]
    return ""
