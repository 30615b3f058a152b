"""Makes the picture in docs/check.md: `python -m tests.check_picture docs/_static/check.svg`.

Hosts of all kinds are looked at, and what is found is drawn as a terminal would show it.  What
differs from one machine to the next, addresses, paths, fingerprints and numbers, is replaced.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from interstate import boot, checking, checkscreen
from interstate.found import Check, Computer, HostKey, Line, Problem, Python
from interstate.hosts import Host
from interstate.ssh import SSH

from .check_hosts import NODES, check_hosts
from .sshd import Keys

HOSTS = [
    "lab-1",
    "lab-2",
    "lab-3",
    "inner-node",
    "newcomer",
    "old-1",
    *NODES,
    "stranger",
    "mispelt",
]
WIDTH = 104  # characters
_TIMEOUT = 60.0  # seconds
_FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_GB = 10**9
_FACTS = [  # CPUs, memory in GB, how much of it can be had, load; ms, MB/s from there and to there
    (16, 63, 58, 0.31, 0.42, 112, 109),
    (8, 31, 24.2, 1.07, 0.40, 111, 110),
    (64, 252, 9.8, 71.22, 0.55, 98, 104),
    (32, 126, 119, 2.5, 1.32, 93, 87),
    (4, 7.6, 5.1, 0.02, 18.4, 11.6, 4.7),
]
_REPLACED = [
    (r"\[127[.\d]+\]:\d+", "10.0.0.7"),
    (r"127[.\d]+ port \d+", "10.0.0.7 port 22"),
    (r"-p \d+ 127[.\d]+", "-p 22 10.0.0.7"),
    (r"/\S*/nothing(, /dev/null)?", "~/.ssh/known_hosts"),
    (r"(AAAAC3NzaC1lZDI1NTE5AAAAI)[\w+/]+", r"\1…"),
    (r"/\S*/client_key", "~/.ssh/id_ed25519"),
    (r"/\S*/(python\d\.\d+)", r"/usr/bin/\1"),
]


def draw(checks: Sequence[Check]) -> str:
    """Return a picture, in SVG, of what a terminal shows of checks in the end."""
    console = Console(
        file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, highlight=False
    )
    table = checkscreen.Table([check.host for check in checks], True, console)
    table.checks.update(enumerate(_tidied(checks)))
    console.print(table.all())
    svg = console.export_svg(title="interstate check", unique_id="check")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # they come from elsewhere
    return svg.replace("Fira Code, monospace", _FONTS)


def look(hosts: Sequence[str], config: str) -> list[Check]:
    """Return what is found out of hosts, in their order."""
    ways, start = SSH(ssh_config=config), boot.prepare()
    looked = checking.look_at([Host(name) for name in hosts], ways, start, _TIMEOUT)
    with contextlib.closing(looked) as checks:
        found = dict(checks)
    return [found[index] for index in sorted(found)]


def _tidied(checks: Sequence[Check]) -> list[Check]:
    facts = iter(_FACTS)
    return [_with(check, next(facts) if check.good else _FACTS[0]) for check in checks]


def _with(check: Check, facts: tuple[float, ...]) -> Check:
    cpus, total, free, load, *speeds = facts
    fields: dict[str, Any] = {"problem": check.problem and Problem(*map(_tidy, check.problem))}
    if (key := check.host_key) is not None:
        fields["host_key"] = HostKey(key.type, _fingerprint(str(check.host)), key.standing)
    if (login := check.login) is not None:
        fields["login"] = login._replace(user="me", key=_tidy(login.key))
    if (python := check.python) is not None:
        fields["python"] = Python(
            python.version, _tidy(python.executable), "cpython", python.matches
        )
    if check.computer is not None:
        sizes = int(cpus), int(total * _GB), int(free * _GB)
        fields["computer"] = Computer(str(check.host), "Linux", "x86_64", "glibc", *sizes, load)
        fields["line"] = Line(*speeds)
    return check._replace(**fields)


def _tidy(text: str) -> str:
    for pattern, instead in _REPLACED:
        text = re.sub(pattern, instead, text)
    return re.sub(r"SHA256:[\w+/]+", _fingerprint("stranger"), text)


def _fingerprint(host: str) -> str:
    digest = hashlib.sha256(host.encode()).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def main() -> None:
    """Make it."""
    with tempfile.TemporaryDirectory() as folder:
        directories = {name: Path(folder, name) for name in ("keys", "hosts")}
        for directory in directories.values():
            directory.mkdir()
        with check_hosts(directories["hosts"], Keys.generate(directories["keys"])) as hosts:
            missing = set(HOSTS) - set(hosts.names)
            if missing:
                sys.exit(f"not on this machine: the Pythons of {', '.join(sorted(missing))}")
            Path(sys.argv[1]).write_text(draw(look(HOSTS, hosts.config)))


if __name__ == "__main__":
    main()
