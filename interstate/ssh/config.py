"""Reading ssh_config: files, Include, and what paramiko's parser would take wrongly."""

from __future__ import annotations

import glob
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko

from .source import USER_CONFIG, ConfigSource, UserConfig

_Criterion = dict[str, Any]

_DEEPEST = 16  # as ssh: READCONF_MAX_DEPTH
_KEYWORD = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*?)\s*$")
_CRITERIA = {"all", "canonical", "exec", "final", "host", "localuser", "originalhost", "user"}
_LONE = {"all", "canonical", "final"}  # criteria that take no value
_EXEC_SECONDS = 10.0  # a command that takes longer is an error
_NEVER = "originalhost interstate-matches-nothing"


class Config:
    """The ssh_config files that hold for one executor.

    Args:
        source: A path: that file alone.  USER_CONFIG: the user's and the system's.  None: none.

    Raises:
        OSError: The file at the path that was given cannot be read.
        ValueError: A file is malformed.
    """

    def __init__(self, source: ConfigSource = USER_CONFIG) -> None:
        self._texts = list(_texts(source))
        self._parsed: dict[tuple[str | None, int | None], paramiko.SSHConfig] = {}
        self._for(None, None)

    def lookup(self, name: str, user: str | None, port: int | None) -> dict[str, str | list[str]]:
        """Return what the files say of a host, by lower-case keyword, first obtained first.

        Args:
            name: The host as its user named it.
            user: The user that was given with it; it goes before the files' and `Match` sees it.
            port: The port that was given with it; likewise.
        """
        return dict(self._for(user, port).lookup(name))

    def _for(self, user: str | None, port: int | None) -> paramiko.SSHConfig:
        parsed = self._parsed.get((user, port))
        if parsed is None:
            parsed = self._parsed[user, port] = self._parse(user, port)
        return parsed

    def _parse(self, user: str | None, port: int | None) -> paramiko.SSHConfig:
        parsed = _SSHConfig()
        given = [f"User {user}"] * bool(user) + [f"Port {port}"] * bool(port)
        for path, lines in [(Path(), given), *self._texts]:
            try:
                parsed.parse(iter(lines))
            except (paramiko.SSHException, ValueError) as error:
                raise ValueError(f"ssh_config {path}: {error}") from error
        return parsed


class _SSHConfig(paramiko.SSHConfig):
    """Two things that paramiko does badly are done otherwise.

    Tokens are left to `settings`: paramiko looks our own name up in DNS for each of them.
    `Match exec` would run by way of invoke, which reads our stdin and leaves its pipes open.
    """

    def __init__(self) -> None:
        super().__init__()
        self.TOKENS_BY_CONFIG_KEY = {
            "hostname": ["%h"],
            "match-exec": ["%d", "%h", "%L", "%n", "%p", "%r", "%u"],
        }

    def _does_match(
        self, criteria: list[_Criterion], name: str, canonical: bool, final: bool, options: Any
    ) -> bool:
        others = [one for one in criteria if one["type"] != "exec"]
        inside: Any = super()
        if others and not inside._does_match(others, name, canonical, final, options):
            return False
        return bool(criteria) and all(
            self._succeeds(name, options, one["param"]) != one["negate"]
            for one in criteria
            if one["type"] == "exec"
        )

    def _succeeds(self, name: str, options: Any, command: str) -> bool:
        inside: Any = self
        line = inside._tokenize(options, name, "match-exec", command)
        done = subprocess.run(  # noqa: S602  # ssh_config has it that a shell reads it
            line,
            shell=True,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=_EXEC_SECONDS,
        )
        return done.returncode == 0


def _texts(source: ConfigSource) -> Iterator[tuple[Path, list[str]]]:
    ours, system = Path("~/.ssh").expanduser(), Path("/etc/ssh")
    if isinstance(source, UserConfig):
        for path in (ours / "config", system / "ssh_config"):
            if path.is_file() and os.access(path, os.R_OK):
                yield path, list(_lines(path, path.parent, "Host *", 0))
    elif source is not None:
        path = Path(source).expanduser()
        yield path, list(_lines(path, ours, "Host *", 0))


def _lines(path: Path, folder: Path, header: str, depth: int) -> Iterator[str]:
    """The lines of a file, those that it includes in their places.

    `header` is the Host or Match line that holds; it is said again after an Include, which may
    have ended in a block of its own.
    """
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        found = _KEYWORD.match(line)
        keyword = found[1].lower() if found else ""
        if found and keyword == "include":
            yield from _included(found[2], folder, header, depth + 1)
            yield header
            continue
        if keyword == "match" and found:
            line = f"Match {_understood(found[2])}"
        if keyword in ("host", "match"):
            header = line
        yield line


def _included(patterns: str, folder: Path, header: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(f"ssh_config: Include is nested more than {_DEEPEST} deep: {patterns}")
    for pattern in shlex.split(patterns):
        for found in sorted(glob.glob(str(folder / os.path.expanduser(pattern)))):
            if os.path.isfile(found):
                yield from _lines(Path(found), folder, header, depth)


def _understood(criteria: str) -> str:
    """The criteria of a Match line, without those that paramiko would take as always met."""
    kept: list[str] = []
    words = iter(shlex.split(criteria))
    for word in words:
        name = word.lstrip("!").lower()
        value = [] if name in _LONE else [next(words, "")]
        if name in _CRITERIA:
            kept += [word.lower(), *value]
        elif not word.startswith("!"):
            return _NEVER
    return shlex.join(kept) or "all"
