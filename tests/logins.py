"""Logins that are not simple, as data: what is odd about each, and what is promised of it.

`docs/logins.md` shows them; see `logins_page`.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .accounts import PATH, Account

WORKS, SAYS = "works", "says why"
NOT_READ = "—"  # that shell reads no such script, or cannot do that


class Login(NamedTuple):
    """One login, and what is promised of it.

    Attributes:
        about: What is odd about it.
        account: The user.
        outcome: WORKS, SAYS or, where a `File` cannot be kept, both.
        said: What the error says, among other things.
        facts: What a call sees over there: `cwd`, `home`, `umask` and the name of its `python`,
            as far as they are promised.
        late: Whether the error comes when `connect_timeout` is over.
    """

    about: str
    account: Account
    outcome: str = WORKS
    said: Sequence[str] = ()
    facts: Mapping[str, object] = {}
    late: bool = False

    def __str__(self) -> str:
        return self.account.name


# --------------------------------------------------------------------------- login shells

SHELLS = {  # and the script that is read whenever it runs a command
    "sh": ("/bin/sh", ""),
    "dash": ("/bin/dash", ""),
    "ash": ("", ""),  # BusyBox; see `with_ash`
    "bash": ("/bin/bash", ".bashrc"),
    "zsh": ("/bin/zsh", ".zshenv"),
    "fish": ("/usr/bin/fish", ".config/fish/config.fish"),
    "csh": ("/bin/csh", ".cshrc"),
    "tcsh": ("/bin/tcsh", ".tcshrc"),
}
READERS = tuple(name for name, (_, script) in SHELLS.items() if script)
_C_SHELLS = "csh", "tcsh"
_LONGEST_NAME = 31  # characters, as useradd has it


class Script(NamedTuple):
    """What a script at the login does: for each shell its lines, and what comes of it."""

    about: str
    lines: Mapping[str, str]
    outcomes: Mapping[str, str]
    said: Sequence[str] = ()
    facts: Mapping[str, object] = {}
    late: Sequence[str] = ()  # in which shells


def _all(lines: str, **others: str) -> dict[str, str]:
    """The same lines in each shell, but for some; `csh` is for tcsh, too."""
    c_shells = dict.fromkeys(_C_SHELLS, others.pop("csh")) if "csh" in others else {}
    return {**dict.fromkeys(READERS, lines), **c_shells, **others}


def _only(lines: Mapping[str, str], *shells: str) -> dict[str, str]:
    return {shell: lines[shell] for shell in shells}


def _works(**others: str) -> dict[str, str]:
    return {**dict.fromkeys(READERS, WORKS), **others}


_NO = dict.fromkeys(READERS, SAYS)
_NOT_RUN = "the login ended before any Python started", "`ssh HOST echo hello`"
_LATE = "no agent came up within", "`ssh HOST echo hello`", "connect_timeout"
_NO_INPUT = "a Python started, and got nothing to run", "~/.bashrc"
_SILENT = (*_NOT_RUN, "and it printed nothing")

SCRIPTS = [
    Script(
        "prints, to stdout and stderr",
        _all(
            'echo Welcome\necho "interstate-0123456789abcdef 3.99.1 /x"\n'
            "sh -c 'echo oops >&2'\nseq 20000\n"
        ),
        _works(),
    ),
    Script("prints without end", _all("yes\n"), _NO, ["the login prints without end", "\ny\ny"]),
    Script("takes a second", _all("sleep 1\n"), _works()),
    Script("changes the directory", _all("cd /usr\n"), _works(), facts={"cwd": "/usr"}),
    Script("`umask 077`", _all("umask 077\n"), _works(), facts={"umask": 0o077}),
    Script("`umask 777`", _all("umask 777\n"), _works(), facts={"umask": 0o077}),
    Script(
        "sets `errexit`, `nounset`, `noglob`, `noclobber`",
        _all(
            "set -efu -o noclobber -o pipefail\nexport SHELLOPTS\n",
            zsh="setopt errexit nounset noglob noclobber\n",
            csh="set noclobber noglob\n",
        ),
        _works(fish=NOT_READ),
    ),
    Script(
        "makes `python`, `python3` and `sh` aliases",
        _all(
            "alias python false\nalias python3 false\nalias sh false\n",
            bash="shopt -s expand_aliases\nalias python=false python3=false sh=false\n",
            zsh="alias python=false python3=false sh=false\n",
            fish="alias python false\nalias python3 false\nalias sh false\n",
        ),
        _works(),
    ),
    Script(
        "empties `PATH`",
        _all("export PATH=\n", csh='setenv PATH ""\n', fish="set -gx PATH\n"),
        _works(),
    ),
    Script(
        "unsets `HOME`",
        _all("unset HOME\n", csh="unsetenv HOME\n", fish="set -e HOME\n"),
        _works(),
        facts={"home": None},
    ),
    Script("has errors", _all('echo "unclosed\nif then fi (\n'), _works()),
    Script("reads a line", _all("read x\n", csh="set x=$<\n"), _works()),
    Script("reads all its input", _all("cat >/dev/null\n"), _NO, _LATE, late=READERS),
    Script(
        "has its input from `/dev/null`",
        _only(_all("exec </dev/null\n"), "bash", "zsh"),
        _only(_NO, "bash", "zsh"),
        _NO_INPUT,
    ),
    Script(
        "closes its input",
        _only(_all("exec <&-\n"), "bash", "zsh"),
        _only(_NO, "bash", "zsh"),
        _NO_INPUT,
    ),
    Script(
        "has its output go to `/dev/null`",
        _only(_all("exec >/dev/null\n"), "bash", "zsh"),
        _only(_NO, "bash", "zsh"),
        _SILENT,
    ),
    Script("ends by `exit`", _all("exit 3\n"), _works(bash=SAYS, zsh=SAYS), _SILENT),
    Script("`exec dash`", _all("exec /bin/dash\n"), _works()),
    Script("`exec bash`", _all("exec /bin/bash --norc\n"), _works()),
    Script("`exec zsh`", _all("exec /bin/zsh\n", zsh=""), _works(zsh=NOT_READ)),
    Script("`exec tcsh`", _all("exec /bin/tcsh\n", csh=""), _works(csh=NOT_READ, tcsh=NOT_READ)),
    Script("`exec csh`", _all("exec /bin/csh\n", csh=""), _works(csh=NOT_READ, tcsh=NOT_READ)),
    Script(
        "`exec fish`",  # which reads all there is before it runs any of it
        _all("exec /usr/bin/fish\n", fish=""),
        {**_NO, "fish": NOT_READ},
        _LATE,
        late=READERS,
    ),
]


def shells() -> list[Login]:
    """Each login shell, with no script, and with each of the scripts that it reads."""
    plain = [
        Login("no script", Account(shell, path), facts={"umask": 0o022})
        for shell, (path, _) in SHELLS.items()
    ]
    return plain + [_login(script, shell) for script in SCRIPTS for shell in _of(script)]


def _of(script: Script) -> list[str]:
    return [shell for shell, outcome in script.outcomes.items() if outcome != NOT_READ]


def _login(script: Script, shell: str) -> Login:
    path, file = SHELLS[shell]
    account = Account(_name(shell, script.about), path, {file: script.lines[shell]})
    outcome, late = script.outcomes[shell], shell in script.late
    return Login(script.about, account, outcome, script.said, script.facts, late)


def _name(*words: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower())
    return name[:_LONGEST_NAME].strip("-")


def with_ash(login: Login, busybox: str, directory: Path) -> Login:
    """The same login; where its shell is BusyBox's, with the path of that in place."""
    if login.account.shell:
        return login
    ash = directory / "ash"
    if not ash.is_symlink():
        ash.symlink_to(busybox)
    return login._replace(account=replace(login.account, shell=str(ash)))


# ------------------------------------------------------------------------------- accounts


def others() -> list[Login]:
    """Accounts where something else than our line is run."""
    return [
        Login(
            "`ForceCommand` with a command of its own",
            Account("forced", rules=["ForceCommand echo Only backups here; exit 3"]),
            SAYS,
            [*_NOT_RUN, "ForceCommand", "Only backups here"],
        ),
        Login(
            "`ForceCommand internal-sftp`",
            Account("sftp", rules=["ForceCommand internal-sftp"]),
            SAYS,
            [*_NOT_RUN, "ForceCommand", "sftp"],
        ),
        Login(
            "the login shell is `nologin`",
            Account("nologin", "/usr/sbin/nologin"),
            SAYS,
            [*_NOT_RUN, "nologin", "This account is currently not available."],
        ),
        Login("the login shell is `false`", Account("false", "/bin/false"), SAYS, _SILENT),
        Login(
            "the login shell is `rbash`, a restricted bash",
            Account("rbash", "/bin/rbash"),
            SAYS,
            [*_NOT_RUN, "exec: restricted"],
        ),
        Login(
            "the login shell does not exist",
            Account("no-shell", "/nowhere/sh"),
            SAYS,
            ["could not log in"],
        ),
        Login(
            "`ForceCommand`, that never answers",  # and ends with the connection
            Account("silent", rules=["ForceCommand exec cat >/dev/null"]),
            SAYS,
            [*_LATE, "and it printed nothing"],
            late=True,
        ),
        Login(
            "`ForceCommand`, that prints and then waits",
            Account("waiting", rules=["ForceCommand echo 'Press any key'; exec cat >/dev/null"]),
            SAYS,
            [*_LATE, "Press any key"],
            late=True,
        ),
        Login(
            "`ForceCommand yes`: it prints without end",
            Account("endless", rules=["ForceCommand yes"]),
            SAYS,
            ["the login prints without end", "\ny\ny"],
        ),
        Login(
            "`ForceCommand`, that prints what a terminal would obey",
            Account(
                "colourful", rules=[r"ForceCommand printf '\033[31mNo\007 \033]0;x\007entry\n'"]
            ),
            SAYS,
            [*_NOT_RUN, "[31mNo", "entry"],
        ),
    ]


# --------------------------------------------------------------------- homes and disks

_READ_ONLY = """\
for m in $(cut -d' ' -f2 /proc/mounts | sort -r); do
  mount -o remount,bind,ro "$m" 2>/dev/null
done
for d in / /tmp /var/tmp /dev/shm "$HOME"; do ! touch "$d/x" 2>/dev/null || return 1; done"""
_OVER_TMP = "mount --bind /tmp /tmp && mount -o remount,bind,{} /tmp"
_NO_TMP = """\
mount -t tmpfs none "$HOME" || return 1
for d in /*; do
  test "$d" != /tmp || continue
  if test -L "$d"; then cp -P "$d" "$HOME/"; continue; fi
  test -d "$d" || continue
  mkdir "$HOME$d" && mount --rbind "$d" "$HOME$d" || return 1
done
mkdir -p "$HOME/$HOME\""""
_BASE = os.path.realpath(sys.executable)  # it is where /tmp is not
_ALL_OF_IT = f"{WORKS}; a `File` {SAYS}"


def disks() -> list[Login]:
    """Homes, and places for temporary files, that are not as usual."""
    return [
        Login("the home directory is missing", Account("homeless", home="/nowhere/at/all")),
        Login(
            "the home directory cannot be written to",
            Account(
                "read-only-home",
                world='mount --bind "$HOME" "$HOME" && mount -o remount,bind,ro "$HOME"',
            ),
        ),
        Login(
            "`HOME` is unset",
            Account(
                "home-unset",
                world="true",
                login='exec env -u HOME {shell} -c "$SSH_ORIGINAL_COMMAND"',
            ),
            facts={"home": None},
        ),
        Login("`/tmp` is `noexec`", Account("noexec", world=_OVER_TMP.format("noexec"))),
        Login(
            "`/tmp` cannot be written to", Account("read-only-tmp", world=_OVER_TMP.format("ro"))
        ),
        Login(
            "there is no `/tmp`",
            Account(
                "no-tmp",
                world=_NO_TMP,
                path=f"{os.path.dirname(_BASE)}:/usr/local/bin:/usr/bin:/bin",
                login='exec /usr/sbin/chroot "$HOME" {shell} -c "$SSH_ORIGINAL_COMMAND"',
            ),
        ),
        Login(
            "nothing at all can be written to",
            Account("read-only", world=_READ_ONLY),
            _ALL_OF_IT,
            ["cannot be kept in /tmp: Read-only file system"],
        ),
    ]


# ------------------------------------------------------------------------------- Pythons

_HIDE = f"""\
mkdir -p "$HOME/snake" "$HOME/bin" && mount --bind {shlex.quote(sys.base_prefix)} "$HOME/snake" &&
  ln -s "$HOME/snake/bin/{os.path.basename(_BASE)}" "$HOME/bin/$NAME" || return 1
for d in /usr/bin /usr/local/bin /usr/local/*/bin /opt/*/bin /opt/*/*/bin; do
  for p in "$d"/python*; do
    test ! -f "$p" || mount --bind /dev/null "$p" || return 1
  done
done
"""
_BUSYBOX = """\
for applet in $("$busybox" --list); do ln -s "$busybox" "$HOME/bin/$applet" || return 1; done
PATH=$HOME/bin; export PATH
mount --bind "$busybox" "$(readlink -f /bin/sh)\""""


def pythons(busybox: str) -> list[Login]:
    """Computers where Python, or what else is needed, is not as usual.

    Args:
        busybox: The path of BusyBox.
    """
    tools = f"busybox={shlex.quote(busybox)}\n{_BUSYBOX}"
    return [
        Login(
            "the only Python is called `python`",
            Account("only-python", world=f"NAME=python\n{_HIDE}PATH=$HOME/bin:/usr/bin:/bin"),
            facts={"python": "python"},
        ),
        Login("`PATH` is empty", Account("no-path", path="")),
        Login(
            "`PATH` has BusyBox's tools and a Python, and `/bin/sh` is BusyBox's",
            Account("busybox", world=f"NAME=python3\n{_HIDE}{tools}"),
            facts={"python": "python3"},
        ),
        Login(
            "`/bin/sh` is bash, with `errexit`, `nounset` and `noglob` in `SHELLOPTS`",
            Account(
                "strict-bash",
                "/bin/bash",
                {".bashrc": "set -efu -o noclobber -o pipefail\nexport SHELLOPTS\n"},
                path=f"/nowhere:{PATH}",  # where the first attempt fails
                world='mount --bind "$(readlink -f /bin/bash)" "$(readlink -f /bin/sh)"',
            ),
        ),
    ]


# ------------------------------------------------------------------------------- servers

SERVERS = ("OpenSSH", "dropbear", "dropbear behind OpenSSH", "OpenSSH behind dropbear")
PROMISES = {
    "calls": "a call's result, output and exception",
    "keys": "clients' keys of both kinds, ed25519 and RSA",
    "large": "50 MB there and back, 16 MB by way of the hop",
    "terminate": "`terminate()` and Ctrl-C end what runs there",
    "cut": "the connection is cut: the call runs on, once, and its result arrives",
    "channels": "further channels of one connection",
    "many": "16 hosts at once, over one connection to the hop",
}
