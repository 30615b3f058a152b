"""Users of a computer of their own: each with a login shell, a home and rules that a test says.

    with Accounts(tmp_path, keys, [Account("fish", "/usr/bin/fish")]) as accounts:
        execute(job, host=accounts.host("fish"))

A real server serves them, in a mount namespace where /etc/passwd has them, beside those that are
there.  They all have the uid of whoever runs the tests, so no rights are needed but to make that
namespace; outside of it nothing is changed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from interstate.hosts import Host

from .sshd import Keys, Sshd

PATH = f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin"
_ENTER = """\
#!/bin/sh
mount --make-rprivate / && mount --bind {passwd} /etc/passwd && mount --bind {shells} /etc/shells ||
  exit 71
exec "$@"
"""
_WORLD = """\
#!/bin/sh
change() {{
mount --make-rprivate / || return 1
{changes}
}}
change || {{ echo "{no_world}"; exit 71; }}
{login}
"""
NO_WORLD = "this world cannot be made here"  # what such a login prints, where that is so
LOGIN = 'exec {shell} -c "$SSH_ORIGINAL_COMMAND"'


@dataclass(frozen=True)
class Account:
    """One user.

    Attributes:
        name: To log in by.
        shell: The path of the login shell.
        files: What is in the home directory, by name.
        home: Its path, where that is to be another than is made; it is not made then.
        rules: Lines of sshd_config for this user.
        path: What PATH is at the login.
        world: What a shell script does to the computer, as this user sees it: it may mount, and
            ends by what says whether all went well.  It starts the login shell, in place of sshd.
        login: How that is done; {shell} is the login shell.
    """

    name: str
    shell: str = "/bin/sh"
    files: Mapping[str, str] = field(default_factory=dict)
    home: str = ""
    rules: Sequence[str] = ()
    path: str = PATH
    world: str = ""
    login: str = LOGIN


def why_not() -> str:
    """Why there can be no such users on this machine; "" if there can be."""
    command = [*namespace(), "mount", "--make-rprivate", "/"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"no mount namespace may be made here: {error}"
    return f"no mount namespace may be made here: {done.stderr}" if done.returncode else ""


def namespace() -> list[str]:
    """What runs a command in a mount namespace, where it may mount and is who we are."""
    unshare = shutil.which("unshare") or "unshare"
    return [unshare, *(["--map-current-user", "--keep-caps"] if os.getuid() else []), "--mount"]


class Homes:
    """What a server in its mount namespace needs to have accounts.

    Args:
        directory: An empty one.
        accounts: The users.

    Attributes:
        within: What the server is to be run by.
    """

    def __init__(self, directory: Path, accounts: Iterable[Account]) -> None:
        self._directory = directory
        self._accounts = {account.name: account for account in accounts}
        for account in self._accounts.values():
            self._make_home(account)
        files = {name: directory / name for name in ("passwd", "shells")}
        files["passwd"].write_text(Path("/etc/passwd").read_text() + self._lines())
        shells = {account.shell for account in self._accounts.values()}
        files["shells"].write_text("".join(f"{shell}\n" for shell in sorted(shells)))
        quoted = {name: shlex.quote(str(path)) for name, path in files.items()}
        self.within = [*namespace(), self._script("enter", _ENTER.format(**quoted))]

    def home(self, name: str) -> Path:
        """The home directory of a user."""
        return Path(self._accounts[name].home or self._directory / "homes" / name)

    def matches(self) -> list[str]:
        """What sshd_config has to say of each."""
        return [self._match(account) for account in self._accounts.values()]

    def _make_home(self, account: Account) -> None:
        if account.home:
            return
        home = self.home(account.name)
        home.mkdir(parents=True)
        for name, text in account.files.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text)

    def _lines(self) -> str:
        ids = f"{os.getuid()}:{os.getgid()}"
        return "".join(
            f"{account.name}:x:{ids}::{self.home(account.name)}:{account.shell}\n"
            for account in self._accounts.values()
        )

    def _match(self, account: Account) -> str:
        lines = [f"Match User {account.name}", f'SetEnv "PATH={account.path}"', *account.rules]
        if account.world:
            login = account.login.format(shell=account.shell)
            script = _WORLD.format(changes=account.world, no_world=NO_WORLD, login=login)
            command = [*namespace(), self._script(f"world-{account.name}", script)]
            lines.append(f"ForceCommand {shlex.join(command)}")
        return "\n  ".join(lines)

    def _script(self, name: str, text: str) -> str:
        path = self._directory / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)


class Accounts(Sshd):
    """A real sshd with these users; see `Sshd`.

    Args:
        directory: An empty directory.
        keys: Its host key, and the client key that it lets in.
        accounts: The users.

    Attributes:
        homes: Where they live.
    """

    def __init__(self, directory: Path, keys: Keys, accounts: Sequence[Account]) -> None:
        self.homes = Homes(directory, accounts)
        within, matches = self.homes.within, self.homes.matches()
        super().__init__(directory, keys, within=within, matches=matches)

    def of(self, name: str) -> Host:
        """The Host of one of the users."""
        return replace(self.host(), user=name)
