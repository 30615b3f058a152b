"""What holds for one host: its own fields, then ssh_config, then ssh's defaults."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import shlex
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConnectError
from ..hosts import Host
from .config import Config
from .trouble import WayError

_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_USER_FILES = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_GLOBAL_FILES = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_STRICTNESS = {"no": "no", "off": "no", "accept-new": "accept-new"}

_MEANS_SOMETHING = re.compile(r"[\s'\"`$\\;&<>|(){}]|^-")

Said = Mapping[str, str | list[str] | None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How one host is reached, and what it is trusted by and logged in to with.

    Args:
        host: The host that this holds for.
        address: The name or address to connect to.
        user: The user to log in as.
        port: The TCP port of its sshd.
        family: AF_INET or AF_INET6 when only that one may be used, else AF_UNSPEC.
        identity_files: The private keys to try, in order.
        identities_given: Whether somebody named these keys; else they are ssh's defaults.
        identities_only: Whether of an agent's keys only those are tried that are also files here.
        agent: The path of the ssh-agent's socket, or None for no agent.
        passwords: Whether a password may be asked for.
        key_name: The name that known_hosts files have it under.
        known_hosts: The files of host keys; what is new goes into the first.
        writable: How many of these files are the user's: the first so many.
        strict: "yes", "accept-new" or "no".
        hashed: Whether a name that is written to known_hosts is hashed.
        jumps: The hops that ssh_config names, in order.
        command: The ProxyCommand to reach it by.
        connect_timeout: Seconds to wait for TCP, or None.
    """

    host: Host
    address: str
    user: str
    port: int
    family: int
    identity_files: tuple[str, ...]
    identities_given: bool
    identities_only: bool
    agent: str | None
    passwords: bool
    key_name: str
    known_hosts: tuple[str, ...]
    writable: int
    strict: str
    hashed: bool
    jumps: tuple[Host, ...]
    command: str | None
    connect_timeout: float | None


def settle(host: Host, config: Config) -> Settings:
    """Return what holds for a host.

    Raises:
        WayError: ssh_config says something of it that makes no sense.
    """
    try:
        return _settle(host, config.lookup(host.name, host.user, host.port))
    except Exception as error:
        raise WayError(
            ConnectError,
            f"ssh_config cannot be applied to it: {error}",
            "Compare with what `ssh -G` says of this host.",
        ) from error


def _settle(host: Host, said: Said) -> Settings:
    address = str(said.get("hostname") or host.name)
    port = host.port or int(_one(said, "port", "22"))
    user = host.user or _one(said, "user", "") or getpass.getuser()
    expand = _expander(host.name, address, port, user, _one(said, "hostkeyalias", ""))
    jumps, command = _proxy(host, said, expand)
    files, given = _identities(host, said, expand)
    known, writable = _known_hosts(host, said, expand)
    timeout = _one(said, "connecttimeout", "none")
    return Settings(
        host=host,
        address=address,
        user=user,
        port=port,
        family=_FAMILIES.get(_one(said, "addressfamily", "any").lower(), socket.AF_UNSPEC),
        identity_files=files,
        identities_given=given,
        identities_only=bool(host.identity_file) or _yes(said, "identitiesonly"),
        agent=None if host.identity_file else _agent(said, expand),
        passwords=not _yes(said, "batchmode") and _yes(said, "passwordauthentication", "yes"),
        key_name=_key_name(address, port, _one(said, "hostkeyalias", "")),
        known_hosts=known,
        writable=writable,
        strict=_STRICTNESS.get(_one(said, "stricthostkeychecking", "ask").lower(), "yes"),
        hashed=_yes(said, "hashknownhosts"),
        jumps=jumps,
        command=command,
        connect_timeout=float(timeout) if timeout.isdigit() and int(timeout) else None,
    )


def _one(said: Said, keyword: str, default: str) -> str:
    value = said.get(keyword)
    return value if isinstance(value, str) else default


def _yes(said: Said, keyword: str, default: str = "no") -> bool:
    return _one(said, keyword, default).lower() in ("yes", "true")


def _key_name(address: str, port: int, alias: str) -> str:
    if alias:
        return alias.lower()
    return address.lower() if port == 22 else f"[{address.lower()}]:{port}"


def _identities(
    host: Host, said: Said, expand: Callable[[str], str]
) -> tuple[tuple[str, ...], bool]:
    if host.identity_file:
        return (os.path.expanduser(host.identity_file),), True
    files = said.get("identityfile")
    if isinstance(files, list):
        return tuple(expand(file) for file in files if file.lower() != "none"), True
    return tuple(expand(file) for file in _DEFAULT_KEYS), False


def _known_hosts(
    host: Host, said: Said, expand: Callable[[str], str]
) -> tuple[tuple[str, ...], int]:
    if host.known_hosts_file:
        return (os.path.expanduser(host.known_hosts_file),), 1
    ours = _paths(_one(said, "userknownhostsfile", _USER_FILES), expand)
    system = _paths(_one(said, "globalknownhostsfile", _GLOBAL_FILES), expand)
    return (*ours, *system), len(ours)


def _paths(text: str, expand: Callable[[str], str]) -> list[str]:
    return [expand(path) for path in shlex.split(text) if path.lower() != "none"]


def _agent(said: Said, expand: Callable[[str], str]) -> str | None:
    named = _one(said, "identityagent", "SSH_AUTH_SOCK")
    if named == "none":
        return None
    if named == "SSH_AUTH_SOCK" or (named.startswith("$") and not named.startswith("${")):
        return os.environ.get(named.lstrip("$")) or None
    return expand(named)


def _proxy(
    host: Host, said: Said, expand: Callable[[str], str]
) -> tuple[tuple[Host, ...], str | None]:
    """ProxyJump or ProxyCommand, whichever was said first."""
    for keyword in said:
        if keyword == "proxyjump":
            return _jumps(expand(_one(said, keyword, "none"))), None
        if keyword == "proxycommand":
            command = _one(said, keyword, "none")
            return (), None if command.lower() == "none" else _command(host, command, expand)
    return (), None


def _command(host: Host, command: str, expand: Callable[[str], str]) -> str:
    """A ProxyCommand; a shell will read it, so what it is given must mean nothing to a shell."""
    for given in (host.name, host.user or ""):
        if _MEANS_SOMETHING.search(given):
            raise ValueError(f"{given!r} cannot be handed to a ProxyCommand")
    return expand(command)


def _jumps(text: str) -> tuple[Host, ...]:
    if text.lower() == "none":
        return ()
    return tuple(Host.parse(hop.strip()) for hop in text.split(","))


def _expander(name: str, address: str, port: int, user: str, alias: str) -> Callable[[str], str]:
    """A function that expands `~`, `${VARIABLE}` and the `%` tokens of ssh_config."""
    here = socket.gethostname()
    values: dict[str, Callable[[], str]] = {
        "%": lambda: "%",
        "C": lambda: _connection_hash(here, address, port, user),
        "d": lambda: str(Path.home()),
        "h": lambda: address,
        "i": lambda: str(os.getuid()),
        "j": lambda: "",
        "k": lambda: alias or name,
        "L": lambda: here.partition(".")[0],
        "l": socket.getfqdn,
        "n": lambda: name,
        "p": lambda: str(port),
        "r": lambda: user,
        "u": getpass.getuser,
    }

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return os.environ.get(found[1], "")
        return values[found[2]]() if found[2] in values else found[0]

    def expand(text: str) -> str:
        return re.sub(r"\$\{(\w+)\}|%(.)", value, os.path.expanduser(text))

    return expand


def _connection_hash(here: str, address: str, port: int, user: str) -> str:
    text = f"{here}{address}{port}{user}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def names(hosts: Iterable[object]) -> str:
    """Return hosts as the way that leads over them."""
    return " → ".join(["this computer", *map(str, hosts)])
