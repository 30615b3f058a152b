"""The ssh_config files that hold for one executor: where they are, what they ask of this computer.

files -> directives (directives.py) -> options for a host (applying.py) -> Settings (settings.py)
"""

from __future__ import annotations

import enum
import getpass
import glob
import grp
import math
import os
import pwd
import re
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Final, TypeVar

from . import interfaces
from .applying import Options, apply, tokens
from .commands import run
from .directives import Directive, Reader
from .tokens import Tokens

_LONGEST = 10.0  # seconds: a command or a look-up that takes longer is an error
_REST = 30.0  # seconds that it is not tried again then: each host needs it several times
_SYSTEM = "/etc/ssh"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TOKEN = re.compile("%[CdhijkLlnpru]")
_T = TypeVar("_T")
FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


class UserConfig(enum.Enum):
    USER_CONFIG = "the user's and the system's ssh_config"

    def __repr__(self) -> str:
        return self.name


USER_CONFIG: Final = UserConfig.USER_CONFIG
"""The user's `~/.ssh/config` and then `/etc/ssh/ssh_config`, as ssh reads them."""

ConfigSource = str | os.PathLike[str] | None | UserConfig


class Config:
    """What ssh_config says of hosts.

    Args:
        source: A path: that file alone.  USER_CONFIG: the user's and the system's.  None: none.

    Raises:
        OSError: The file at the path that was given cannot be read.
        ValueError: A file is malformed, or others may write to it.
    """

    def __init__(self, source: ConfigSource = USER_CONFIG) -> None:
        self._world = _Computer()
        self._directives = tuple(_read(source))

    def lookup(self, name: str, user: str | None, port: int | None) -> Options:
        """Return what the files say of a host, by lower-case keyword; what is said first holds.

        Args:
            name: The host as its user named it.
            user: The user that was given with it; it goes before the files' and `Match` sees it.
            port: The port that was given with it; likewise.

        Raises:
            ValueError: That makes no sense for this host.
        """
        return apply(self._directives, name, user, port, self._world)

    def tokens(self, name: str, said: Options) -> Tokens:
        """Return what the tokens stand for, once it is known what is said of a host."""
        return tokens(name, said["hostname"][0], said, self._world)


class _Computer:
    """The World of this computer; any number of threads may ask it.

    Its mutable state: what commands of `Match exec` have said; what is being asked, and until when
    it is not asked again as it took too long.
    """

    def __init__(self) -> None:
        self.user = _own_name()
        self.user_id = os.getuid()
        self.home = home()
        self.here = socket.gethostname()
        self.variables: Mapping[str, str] = os.environ
        self._ran: dict[str, bool] = {}
        self._asking: dict[str, threading.Lock] = {}
        self._resting: dict[str, float] = {}

    def succeeds(self, command: str) -> bool:
        def run() -> bool:
            if command not in self._ran:
                self._ran[command] = _succeeds(command)
            return self._ran[command]

        return self._in_time(f"the command {command!r}", run)

    def numeric(self, text: str, family: str) -> str | None:
        found = _look_up(text, family, socket.AI_NUMERICHOST)
        return socket.getnameinfo(found[0][4], socket.NI_NUMERICHOST)[0] if found else None

    def addresses(self) -> list[IPv4Address | IPv6Address]:
        return [own.address for own in interfaces.addresses()]

    def resolve(self, name: str, family: str) -> str | None:
        found = self._in_time(
            f"the look-up of {name!r}", lambda: _look_up_in_time(name, family, socket.AI_CANONNAME)
        )
        return next((alias for *_, alias, _ in found if alias), "") if found else None

    def _in_time(self, what: str, ask: Callable[[], _T]) -> _T:
        with self._asking.setdefault(what, threading.Lock()):
            if time.monotonic() >= self._resting.get(what, -math.inf):
                try:
                    return ask()
                except TimeoutError:
                    self._resting[what] = time.monotonic() + _REST
        raise ValueError(f"{what} takes longer than {_LONGEST:g} s")


def _succeeds(command: str) -> bool:
    code = run([os.environ.get("SHELL") or "/bin/sh", "-c", command], _LONGEST).returncode
    if code < 0:
        raise ValueError(f"the command {command!r} was ended by signal {-code}")
    return code == 0


def _look_up_in_time(name: str, family: str, flags: int) -> list[tuple[Any, ...]]:
    """Look a name up; the system's resolver knows no deadline, so it is left to itself then."""
    answers: list[list[tuple[Any, ...]]] = []
    asking = threading.Thread(
        target=lambda: answers.append(_look_up(name, family, flags)),
        name=f"look up {name}",
        daemon=True,
    )
    asking.start()
    asking.join(_LONGEST)
    if not answers:
        raise TimeoutError
    return answers[0]


def _look_up(name: str, family: str, flags: int) -> list[tuple[Any, ...]]:
    wanted = FAMILIES.get(family, socket.AF_UNSPEC)
    try:
        return list(socket.getaddrinfo(name, None, wanted, socket.SOCK_STREAM, flags=flags))
    except (OSError, UnicodeError):
        return []


def home() -> str:
    """Return our home directory: as ssh has it, that which the system knows, whatever HOME says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # as in some containers
        return os.path.expanduser("~")


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in some containers
        return getpass.getuser()


def _read(source: ConfigSource) -> Iterator[Directive]:
    ours, ignored = Path(home(), ".ssh"), list[str]()
    by_variable = Path("~/.ssh").expanduser()  # as ssh has it: what is included goes by HOME
    user = Reader(lambda pattern: _included(by_variable, pattern), ignored)
    system = Reader(lambda pattern: _included(Path(_SYSTEM), _anchored(pattern)), ignored)
    if isinstance(source, UserConfig):
        for reader, path in (user, ours / "config"), (system, Path(_SYSTEM, "ssh_config")):
            if path.is_file() and os.access(path, os.R_OK):
                if reader is user:
                    _check_own(path)
                yield from _file(reader, path)
    elif source is not None and os.fspath(source).lower() != "none":  # as ssh -F none
        yield from _file(user, Path(source).expanduser())


def _file(reader: Reader, path: Path) -> Iterator[Directive]:
    """A file's directives; as an Include's, so that its last Host does not reach the next file."""
    yield Directive("include", files=(reader.read(str(path), _text(path)),))


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="surrogateescape")  # a lone \r is a blank to ssh


def _anchored(pattern: str) -> str:
    if pattern.startswith("~"):
        raise ValueError(f"no path of a user's in a file of the system's, as {pattern!r} is")
    return pattern


def _included(folder: Path, pattern: str) -> Iterator[tuple[str, str]]:
    files = sorted(glob.glob(str(folder / os.path.expanduser(_with_variables(pattern)))))
    if not files and _TOKEN.search(pattern):
        raise ValueError(f"no tokens, which Include cannot have here, as in {pattern!r}")
    for found in files:
        path = Path(found)
        if path.is_file():
            _check_owner(path)
            yield found, _text(path)


def _with_variables(pattern: str) -> str:
    """A pattern of Include, whose variables are replaced as by ssh since 10."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise ValueError(f"variables that are set, not {found[0]}")
        return os.environ[found[1]]

    return _VARIABLE.sub(value, pattern)


def _check_own(path: Path) -> None:
    try:
        _check_owner(path)
    except ValueError as error:
        raise ValueError(f"ssh_config: expected {error}") from error


def _check_owner(path: Path) -> None:
    """Refuse a file that others can change, as ssh does: it can have commands run."""
    status = path.stat()
    others = status.st_mode & stat.S_IWOTH
    group = status.st_mode & stat.S_IWGRP and not _is_private(status.st_gid, status.st_uid)
    if status.st_uid not in (0, os.getuid()) or others or group:
        raise ValueError(
            f"a file of yours or root's that only you can write to, not {path}: see `ls -l`, "
            "then chmod go-w"
        )


def _is_private(group: int, owner: int) -> bool:
    """Whether a group has one member alone, as Debian's ssh finds out: the owner, or us."""
    try:
        name, members = pwd.getpwuid(owner).pw_name, grp.getgrgid(group).gr_mem
    except KeyError:
        return False
    users = [one.pw_uid for one in pwd.getpwall() if one.pw_gid == group]
    return bool(members or users) and {*members} <= {name} and {*users} <= {os.getuid()}
