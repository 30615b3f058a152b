"""Two dozen hosts of all kinds, good and bad, for `interstate check` to look at.

    with check_hosts(directory, keys) as hosts:
        subprocess.run(["interstate", "check", *hosts.names, "-F", hosts.config])

They are one real sshd at several addresses, with rules of its own for each, another sshd, and ports
that are no sshd's.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import pythons
from .servers import port_with, refused_port, until_closed
from .sshd import Keys, Sshd, loopback_addresses

NOWHERE = "255.255.255.255"  # the kernel says of it, without a try, that it is unreachable
NODES = [f"node-{n:03d}" for n in range(3, 9)]
OURS = f"{sys.version_info[0]}.{sys.version_info[1]}"
OTHERS = [version for version in ("3.9", "3.11", "3.12", "3.13") if version != OURS]

GOOD = ["lab-1", *(f"lab-{n}" for n, _ in enumerate(OTHERS, 2)), "inner-node", "noisy", "newcomer"]
BAD = {  # the host's alias: the kind of what is wrong, and what is said of it
    "old-1": ("BootError", "is 3.8.", "name it: --python PATH"),
    "bare": ("BootError", "no Python was found there", "name it: --python PATH"),
    "stranger": ("HostKeyError", "its host key is not known", "Compare that fingerprint"),
    "renewed": ("HostKeyError", "its host key is not the known one", "ssh-keygen -R"),
    "locked": ("AuthenticationError", "could not log in", "name the right key"),
    "closed": ("BootError", "This account is currently not available", "such as nologin"),
    **dict.fromkeys(NODES, ("ConnectError", "Connection refused", "Is sshd running there")),
    "mispelt": ("ConnectError", "cannot be resolved", "Check the spelling"),
    "far-away": ("ConnectError", "Network is unreachable", "is the network up"),
    "silent": ("ConnectError", "gave no answer within 4 s", "give it more time"),
    "web-1": ("ConnectError", "HTTP/1.0 400 Bad Request", "Is the port right?"),
    "antique": ("ConnectError", "cipher", "Ciphers in sshd_config"),
    "walled-in": ("ConnectError", "forbids forwarding", "AllowTcpForwarding"),
    "cut-off": ("ConnectError", "its hop node-003 cannot be used", "Is sshd running there"),
}
PATIENCE = "4"  # seconds that each may take, for --timeout

_ONLY = r"""#!/bin/sh
# plays a computer that has no other Python than one of this version: others are not looked for
eval "$(printf '%s' "$SSH_ORIGINAL_COMMAND" |
    sed "s/ '$1'/ KEPT/; s/ '[23][.0-9]*'//g; s/ ''//; s/ KEPT/ '$1'/")"
"""
_NOISE = "sleep 0.3\necho 'Welcome to \N{SNOWMAN} noisy!'\necho 'mail for you' >&2\n"


@dataclass(frozen=True)
class CheckHosts:
    """What there is.

    Attributes:
        config: The path of the ssh_config that knows them.
        good: Their aliases; without those whose Python is not on this machine.
        bad: Theirs, likewise.
        sshd: The sshd of most of them.
        gate: The alias of a hop that will do; a good host, too.
    """

    config: str
    good: list[str]
    bad: list[str]
    sshd: Sshd
    gate: str = "head-node"

    @property
    def names(self) -> list[str]:
        """All of them, good and bad."""
        return [*self.good, *self.bad]


@contextlib.contextmanager
def check_hosts(directory: Path, keys: Keys) -> Iterator[CheckHosts]:
    """Serve them.

    Args:
        directory: An empty directory for their files.
        keys: The client's key that lets in, and the host key that is known.
    """
    folders = {name: directory / name for name in ("one", "two", "others")}
    for folder in folders.values():
        folder.mkdir()
    others = Keys.generate(folders["others"])
    wanted = _pythons()
    aliases = ["lab-1", "head-node", "noisy", "bare", "closed", "gate", *wanted]
    address = dict(zip(aliases, loopback_addresses(len(aliases)), strict=True))
    blocks = _blocks(folders["one"], address, wanted)
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        sshd = enter(Sshd(folders["one"], keys, listen=list(address.values()), matches=blocks))
        (sshd.home / ".bashrc").write_text(f'if [ "$NOISY" ]; then\n{_NOISE}fi\n')
        antique = enter(
            Sshd(folders["two"], keys, options=["Ciphers chacha20-poly1305@openssh.com"])
        )
        silent, web = enter(port_with(until_closed)), enter(port_with(not_ssh))
        said: dict[str, Mapping[str, object]] = {
            **{alias: {"HostName": at} for alias, at in address.items()},
            **_bad_ways(directory, sshd, others, enter(refused_port())),
            "silent": {"HostName": "127.0.0.1", "Port": silent},
            "web-1": {"HostName": "127.0.0.1", "Port": web},
            "antique": {"HostName": antique.addresses[0], "Port": antique.port},
        }
        config = directory / "config"
        config.write_text("\n".join(section(sshd, name, lines) for name, lines in said.items()))
        yield CheckHosts(
            str(config),
            [name for name in GOOD if name in said],
            [name for name in BAD if name in said],
            sshd,
        )


def section(sshd: Sshd, name: str, said: Mapping[str, object]) -> str:
    """A section of ssh_config: a host that this sshd would let in, but for what is said."""
    usual = {
        "HostName": sshd.addresses[0],
        "Port": sshd.port,
        "User": sshd.user,
        "IdentityFile": sshd.key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": sshd.known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
    }
    lines = (f"  {keyword} {value}" for keyword, value in {**usual, **said}.items())
    return "\n".join([f"Host {name}", *lines, ""])


def not_ssh(client: socket.socket) -> None:
    """Say what an HTTP server would."""
    client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    until_closed(client)


def _pythons() -> dict[str, str]:
    """The aliases of hosts that have one Python only, and which, as far as they are here."""
    versions = {f"lab-{n}": version for n, version in enumerate(OTHERS, 2)}
    versions["old-1"] = "3.8"
    return {name: version for name, version in versions.items() if pythons.find(version)}


def _blocks(folder: Path, address: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """What sshd_config says of who comes by an address."""
    only = folder / "only"
    only.write_text(_ONLY)
    only.chmod(0o755)
    rules = {
        "noisy": [
            "SetEnv NOISY=1",
            f"ForceCommand exec bash -c '. {folder}/home/.bashrc; eval \"$SSH_ORIGINAL_COMMAND\"'",
        ],
        "bare": [f"ForceCommand exec {only} none"],
        "closed": ["ForceCommand exec /usr/sbin/nologin"],
        "gate": ["AllowTcpForwarding no"],
    }
    for name, version in wanted.items():
        found = os.path.dirname(str(pythons.find(version)))
        rules[name] = [
            f'SetEnv "PATH={found}:/usr/bin:/bin"',
            f"ForceCommand exec {only} {version}",
        ]
    return [
        line
        for name, lines in rules.items()
        for line in (f"Match LocalAddress {address[name]}", *lines)
    ]


def _bad_ways(
    directory: Path, sshd: Sshd, others: Keys, closed: int
) -> dict[str, Mapping[str, object]]:
    """What is wrong on our side, or on the way."""
    nothing, changed = directory / "nothing", directory / "changed"
    nothing.touch()
    other = others.host.with_suffix(".pub").read_text()
    changed.write_text(f"[{sshd.addresses[0]}]:{sshd.port} {other}")
    refused = {"HostName": "127.0.0.1", "Port": closed}
    return {
        "inner-node": {"ProxyJump": "head-node"},
        "newcomer": {
            "UserKnownHostsFile": directory / "new",
            "StrictHostKeyChecking": "accept-new",
        },
        "stranger": {"UserKnownHostsFile": nothing},
        "renewed": {"UserKnownHostsFile": changed},
        "locked": {"IdentityFile": others.client},
        **dict.fromkeys(NODES, refused),
        "mispelt": {"HostName": "mispelt.invalid"},
        "far-away": {"HostName": NOWHERE},
        "walled-in": {"ProxyJump": "gate"},
        "cut-off": {"ProxyJump": "node-003"},
    }
