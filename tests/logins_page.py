"""docs/logins.md: what comes of logins that are not simple, and by which servers.

It is rewritten by

    python -m tests.logins_page
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .logins import (
    NOT_READ,
    PROMISES,
    SCRIPTS,
    SERVERS,
    SHELLS,
    WORKS,
    Login,
    disks,
    others,
    pythons,
)

PAGE = Path(__file__).parents[1] / "docs" / "logins.md"

_BEGIN = """\
# Logins and servers

Interstate has one line run at a login, the same for every login shell, and passes over whatever was
printed before. Not every account lets it. Each cell here is a test with a real server, in
`tests/test_logins.py` and `tests/test_servers.py`, whose users have these login shells, scripts and
homes. Where a shell or a server is not installed, or no mount namespace may be made, a cell's test
is skipped and says so.

| word | means |
| --- | --- |
| works | The host can be used as any other. |
| says why | It cannot. An error, mostly a `BootError`, says what came in place of an agent, and \
what to look at. |
| — | That shell reads no such script then, or cannot do that. |

This page is made by `python -m tests.logins_page`.
"""
_SHELLS = """\
## Login shells

What a script at the login does, and what comes of it. The script is the one that the shell reads
when it runs a command: `.bashrc`, `.zshenv`, `config.fish`, `.cshrc`, `.tcshrc`. `sh`, `dash` and
BusyBox's `ash` read none then.
"""
_AFTER_SHELLS = """\
A script that `exec`s another shell, ends early or reads its input is in the way of
`ssh HOST command`, `scp` and `rsync`, too. A shell that is run in place of our line reads that line
once more, ahead of all else that is sent; but fish reads all there is before it runs any of it. Let
such scripts do so only where somebody types:

```sh
case $- in *i*) exec fish ;; esac    # in .bashrc
```

Of a umask, what takes rights from the owner is not kept.
"""
_OTHERS = """\
## Accounts that run something else

The error has the last 20 lines of what was printed, without what would make a terminal do things.
A login that never answers ends by `connect_timeout`; of one that prints without end, a megabyte is
read.
"""
_DISKS = """\
## Homes and disks

What a call is given as `File` lies where `tempfile` would put it over there: in `TMPDIR`, `/tmp` or
`/var/tmp`. Everything else is in memory, as long as there is enough.
"""
_PYTHONS = """\
## Pythons and tools

A Python and `/bin/sh` are all that is needed; that may be any shell that POSIX knows.
"""
_SERVERS = """\
## Servers

dropbear is what routers, boards and small images have in place of OpenSSH. Jump hosts may have
either.

Two things about dropbear cannot be mended from here. It takes 24 KB of what is sent to it before
it has to say that it takes more, unless its `-W` says otherwise: over a line with a round trip of
50 ms, that is half a megabyte a second. And it drops connections while more than 5 from one address
are about to log in: so few go to it at a time, and those that are dropped come again.
"""


def render() -> str:
    """The page with the tables."""
    return "\n".join(
        [
            *(_BEGIN, _SHELLS, _table(("", *SHELLS), _shell_rows()), _AFTER_SHELLS),
            *(_OTHERS, _table(("account", ""), _rows(others()))),
            *(_DISKS, _table(("over there", ""), _rows(disks()))),
            *(_PYTHONS, _table(("over there", ""), _rows(pythons("")))),
            *(_SERVERS, _table(("", *SERVERS), _server_rows())),
        ]
    )


def _shell_rows() -> Iterable[Sequence[str]]:
    yield "has none", *(WORKS for _ in SHELLS)
    for script in SCRIPTS:
        yield script.about, *(script.outcomes.get(shell, NOT_READ) for shell in SHELLS)


def _rows(logins: Iterable[Login]) -> Iterable[Sequence[str]]:
    return ((login.about, login.outcome) for login in logins)


def _server_rows() -> Iterable[Sequence[str]]:
    return ((about, *(WORKS for _ in SERVERS)) for about in PROMISES.values())


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(render())
