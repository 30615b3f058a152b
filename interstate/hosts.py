"""Hosts as their users write them: URLs, `user@host`, ssh_config aliases, ranges."""

from __future__ import annotations

import ipaddress
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

_RANGE = re.compile(r"\[(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)\]")
_ADDRESS = re.compile(r"(?:(?P<user>.+)@)?(?P<name>\[[^\[\]]+\]|[^:\[\]@]+)(?::(?P<port>\d+))?")
_SECRET = re.compile(r"(://[^:/]*):.*@")
_MOST = 100_000  # hosts in a text
_NAME = re.compile(r"[\w.%:+~=^][\w.%:+~=^-]*")  # as an alias of ssh_config may be called


@dataclass(frozen=True, slots=True)
class Host:
    """A place to run, and how to reach it.

    What is None here is said by ssh_config, and where that is silent too, by ssh's own defaults.

    Args:
        name: A host name, an IP address, or an alias of ssh_config.
        user: The user to log in as.
        port: The TCP port of its sshd.
        identity_file: The path of the one private key to log in with.
        known_hosts_file: The path of the one file of host keys to trust.
    """

    name: str
    user: str | None = None
    port: int | None = None
    identity_file: str | None = None
    known_hosts_file: str | None = None

    @classmethod
    def parse(cls, text: str) -> Host:
        """Return the Host that a URL (`ssh://user@host:port`), `user@host` or alias names.

        Args:
            text: One host, no range.

        Raises:
            ValueError: It is not of that form; the message quotes it, unless it holds a password.
        """
        scheme, found, rest = text.partition("://")
        if found and scheme != "ssh":
            shown = _SECRET.sub(r"\1:***@", text)
            raise ValueError(f"host {shown!r}: the scheme must be ssh://, not {scheme}://")
        address = rest.removesuffix("/") if found else text
        if ":" in address.rpartition("@")[0]:
            raise ValueError(
                "a host's URL holds a password (the part between ':' and '@'): leave it out; "
                "log in with a key, or pass password=, a callable that is asked for it"
            )
        match = _ADDRESS.fullmatch(_bracketed(address))
        if match is None or _NAME.fullmatch(match["name"].strip("[]")) is None:
            raise ValueError(
                f"host {text!r}: expected ssh://user@host:port, user@host, host, "
                "or a range such as ssh://node-[000-998].cluster"
            )
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 1 <= port <= 65535:
            raise ValueError(f"host {text!r}: port {port} is not between 1 and 65535")
        user = unquote(match["user"]) if match["user"] else None
        return cls(_host_name(match["name"], text), user, port)

    @property
    def url(self) -> str:
        """The host as a URL that `Host.parse` takes."""
        return f"ssh://{self}"

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        name = f"[{self.name}]" if ":" in self.name else self.name
        port = f":{self.port}" if self.port else ""
        return f"{user}{name}{port}"


def expand(hosts: str | Host | Iterable[str | Host]) -> list[Host]:
    """Return the Hosts that `hosts` names, ranges written out, in the order given.

    A range `[000-998]` counts with the width of its first number; `[1-3,7]` joins several.  A host
    that is named twice is there twice.

    Args:
        hosts: A Host or a text, or an iterable of them.

    Raises:
        TypeError: Something in it is neither a Host nor a text.
        ValueError: A text is malformed, a range runs backwards, or there is no host at all.
    """
    given = [hosts] if isinstance(hosts, str | Host) else list(_checked_iterable(hosts))
    expanded = [host for one in given for host in _expand_one(one)]
    if not expanded:
        raise ValueError("no hosts: hosts must name at least one")
    return expanded


def _checked_iterable(hosts: Iterable[str | Host]) -> Iterable[str | Host]:
    if not isinstance(hosts, Iterable):
        raise TypeError(
            f"hosts must be a URL, a Host, or an iterable of them, not {type(hosts).__name__}: "
            f"{hosts!r}"
        )
    return hosts


def _expand_one(one: str | Host) -> Iterator[Host]:
    if isinstance(one, Host):
        yield one
    elif isinstance(one, str):
        texts = _RANGE.split(one)  # literal, range, literal, range, …, literal
        choices = [[text] if i % 2 == 0 else _count(text, one) for i, text in enumerate(texts)]
        _check_count(math.prod(map(len, choices)), one)
        for parts in itertools.product(*choices):
            yield Host.parse("".join(parts))
    else:
        raise TypeError(f"a host must be a URL or a Host, not {type(one).__name__}: {one!r}")


def _count(ranges: str, whole: str) -> list[str]:
    numbers = []
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        last = last or first
        if int(first) > int(last):
            raise ValueError(f"host {_name(whole)!r}: the range [{part}] runs backwards")
        _check_count(int(last) - int(first), whole)
        numbers += [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
    return numbers


def _check_count(count: int, whole: str) -> None:
    if count > _MOST:
        raise ValueError(f"host {_name(whole)!r}: these are more than {_MOST:,} hosts")


def _name(whole: str) -> str:
    return whole.rpartition("@")[2]  # without the user, and what might be a password


def _bracketed(address: str) -> str:
    """A bare IPv6 address, as ssh takes it, with the brackets that a URL wants."""
    user, at, name = address.rpartition("@")
    return f"{user}{at}[{name}]" if _is_ipv6(name) else address


def _host_name(name: str, text: str) -> str:
    if not name.startswith("["):
        return name
    if not _is_ipv6(name[1:-1]):
        raise ValueError(f"host {text!r}: {name} is neither an IPv6 address nor a range of numbers")
    return name[1:-1]


def _is_ipv6(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).version == 6
    except ValueError:
        return False
