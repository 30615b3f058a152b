"""What holds for one host: its own fields, then ssh_config, then ssh's defaults."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import ConnectError
from ..hosts import Host
from .applying import Options, get
from .checkers import jumps
from .config import FAMILIES, Config
from .keywords import REFUSED
from .patterns import matches
from .tokens import MEANS_SOMETHING, OF_PATHS, OF_PROXY, Tokens
from .trouble import WayError
from .words import split

_DEFAULT_KEYS = tuple(
    f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk")
)
_USER_FILES = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
_GLOBAL_FILES = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
_STRICTNESS = {"no": "no", "accept-new": "accept-new"}
_METHODS = ("publickey", "keyboard-interactive", "password")
_SWITCHES = {
    "publickey": "pubkeyauthentication",
    "password": "passwordauthentication",
    "keyboard-interactive": "kbdinteractiveauthentication",
}
_TOKEN, _OF_KEYS = re.compile("%(.)"), "fHIKt"  # known once a host has shown its key


@dataclass(frozen=True, slots=True)
class Algorithms:
    """What ssh_config says of algorithms, as it says it; None for what it does not mention.

    Args:
        ciphers: Ciphers.
        macs: MACs.
        kex: KexAlgorithms.
        host_keys: HostKeyAlgorithms.
        smallest_rsa: The fewest bits that an RSA key may have, a host's or ours.
        authorities: CASignatureAlgorithms.
    """

    ciphers: str | None = None
    macs: str | None = None
    kex: str | None = None
    host_keys: str | None = None
    smallest_rsa: int = 1024
    authorities: str | None = None


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
        batch: Whether nobody is to be asked for anything.
        key_name: The name that known_hosts files have it under.
        bare_name: The same, without a port: what a host certificate calls it.
        known_hosts: The files of host keys; what is new goes into the first.
        revoked: The file of RevokedHostKeys, or None.
        known_command: The words of KnownHostsCommand, if there is one; in them, a NUL and a letter
            stand for what is not known yet.
        localhost_unchecked: Whether any host key will do when it is this computer.
        writable: How many of these files are the user's: the first so many.
        strict: "yes", "accept-new" or "no".
        hashed: Whether a name that is written to known_hosts is hashed.
        jumps: The hops that ssh_config names, in order.
        command: The ProxyCommand to reach it by.
        passed: Whether that hands a connection over, instead of being one.
        connect_timeout: Seconds to wait for TCP, or None.
        attempts: How often to try to connect, a second apart.
        bind: The address of this computer to connect from, or None.
        interface: The network interface of this computer to connect from, or None.
        tcp_alive: Whether the kernels ask one another whether they are there.
        rekeying: How many bytes, and seconds, may go by until keys are agreed on anew; 0: as usual.
        algorithms: Which of them may be used.
        compressed: Whether to have everything compressed.
        environment: The variables to set over there, with their values.
        alive_interval: Seconds of silence after which the server is asked whether it is there; 0:
            never.
        alive_count: How many such questions may stay unanswered.
        methods: The ways to log in that may be tried, in order.
        prompts: How often a password, or a passphrase, may be asked for.
        certificates: The files of certificates for our keys.
        key_algorithms: What it says of the algorithms to sign with, or None.
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
    batch: bool
    key_name: str
    bare_name: str
    known_hosts: tuple[str, ...]
    writable: int
    strict: str
    hashed: bool
    jumps: tuple[Host, ...]
    command: str | None
    connect_timeout: float | None
    passed: bool = False
    attempts: int = 1
    bind: str | None = None
    interface: str | None = None
    tcp_alive: bool = True
    rekeying: tuple[int, int] = (0, 0)
    algorithms: Algorithms = Algorithms()
    compressed: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    alive_interval: int = 0
    alive_count: int = 3
    methods: tuple[str, ...] = _METHODS
    prompts: int = 3
    certificates: tuple[str, ...] = ()
    key_algorithms: str | None = None
    revoked: str | None = None
    known_command: tuple[str, ...] = ()
    localhost_unchecked: bool = False

    @property
    def aliased(self) -> bool:
        """Whether known_hosts files have it under its bare name alone."""
        return self.key_name == self.bare_name


def settle(host: Host, config: Config) -> Settings:
    """Return what holds for a host.

    Raises:
        WayError: ssh_config says something of it that makes no sense; or ssh would not take such a
            name, as it might mean something to a shell or in known_hosts.
    """
    try:
        if MEANS_SOMETHING.search(host.name):
            raise ValueError(f"no host has such a name as {host.name!r}")
        said = config.lookup(host.name, host.user, host.port)
        _check(said)
        return _settle(host, said, config.tokens(host.name, said))
    except Exception as error:
        raise WayError(
            ConnectError,
            f"ssh_config cannot be applied to it: {error}",
            "Compare with what `ssh -G` says of this host.",
        ) from error


def _check(said: Options) -> None:
    """Refuse what ssh_config says is not to be connected to."""
    for keyword in REFUSED:
        if keyword in said:
            raise ValueError(f"it refuses the connection: {get(said, keyword, '')}")
    if get(said, "connectionattempts", "1") == "0":
        raise ValueError("it says ConnectionAttempts 0, so nothing may be tried")


def _settle(host: Host, said: Options, tokens: Tokens) -> Settings:
    hops, command = _proxy(said, tokens)
    files, given = _identities(host, said, tokens)
    known, writable = _known_hosts(host, said, tokens)
    methods = _methods(said)
    return Settings(
        host=host,
        address=tokens.address,
        user=tokens.user,
        port=tokens.port,
        family=FAMILIES.get(get(said, "addressfamily", "any"), socket.AF_UNSPEC),
        identity_files=files,
        identities_given=given,
        identities_only=bool(host.identity_file) or _yes(said, "identitiesonly"),
        agent=_agent(said, tokens),
        batch=_yes(said, "batchmode"),
        key_name=_key_name(tokens.address, tokens.port, tokens.alias),
        bare_name=(tokens.alias or tokens.address).lower(),
        known_hosts=known,
        writable=writable,
        strict=_STRICTNESS.get(get(said, "stricthostkeychecking", "ask"), "yes"),
        hashed=_yes(said, "hashknownhosts"),
        jumps=hops,
        command=command,
        passed=_yes(said, "proxyusefdpass"),
        connect_timeout=_seconds(said, "connecttimeout") or None,
        attempts=int(get(said, "connectionattempts", "1")),
        bind=get(said, "bindaddress", "") or None,
        interface=get(said, "bindinterface", "") or None,
        tcp_alive=_yes(said, "tcpkeepalive", "yes"),
        rekeying=_rekeying(*said.get("rekeylimit", [])),
        algorithms=_algorithms(said),
        compressed=_yes(said, "compression"),
        environment=tuple(_environment(said, tokens.variables).items()),
        alive_interval=_seconds(said, "serveraliveinterval"),
        alive_count=int(get(said, "serveralivecountmax", "3")),
        methods=methods,
        prompts=int(get(said, "numberofpasswordprompts", "3")),
        certificates=tuple(_paths(said.get("certificatefile", []), tokens)),
        key_algorithms=get(said, "pubkeyacceptedalgorithms", "") or None,
        revoked=_revoked(said),
        known_command=tuple(_known_command(said, tokens)),
        localhost_unchecked=_yes(said, "nohostauthenticationforlocalhost") and not tokens.alias,
    )


def _yes(said: Options, keyword: str, default: str = "no") -> bool:
    return get(said, keyword, default) == "yes"


def _seconds(said: Options, keyword: str) -> int:
    value = get(said, keyword, "none")
    return 0 if value == "none" else int(value)


def _rekeying(size: str = "0", seconds: str = "0") -> tuple[int, int]:
    return int(size), int(seconds)


def _key_name(address: str, port: int, alias: str) -> str:
    if alias:
        return alias.lower()
    return address.lower() if port == 22 else f"[{address.lower()}]:{port}"


def _algorithms(said: Options) -> Algorithms:
    def named(keyword: str) -> str | None:
        return get(said, keyword, "") or None

    return Algorithms(
        ciphers=named("ciphers"),
        macs=named("macs"),
        kex=named("kexalgorithms"),
        host_keys=named("hostkeyalgorithms"),
        smallest_rsa=int(get(said, "requiredrsasize", "1024")),
        authorities=named("casignaturealgorithms"),
    )


def _methods(said: Options) -> tuple[str, ...]:
    wanted = get(said, "preferredauthentications", ",".join(_METHODS)).split(",")
    return tuple(
        method
        for method in wanted
        if method in _METHODS and get(said, _SWITCHES[method], "yes") != "no"
    )


def _environment(said: Options, variables: Mapping[str, str]) -> dict[str, str]:
    """What SendEnv passes on, and SetEnv sets in spite of it."""
    patterns = said.get("sendenv", [])
    sent = {
        name: value
        for name, value in variables.items()
        if any(matches(name, pattern) for pattern in patterns)
    }
    return sent | dict(one.split("=", 1) for one in reversed(said.get("setenv", [])))


def _identities(host: Host, said: Options, tokens: Tokens) -> tuple[tuple[str, ...], bool]:
    if host.identity_file:
        return (os.path.expanduser(host.identity_file),), True
    files = said.get("identityfile")
    return tuple(_paths(files or _DEFAULT_KEYS, tokens)), files is not None


def _known_hosts(host: Host, said: Options, tokens: Tokens) -> tuple[tuple[str, ...], int]:
    if host.known_hosts_file:
        return (os.path.expanduser(host.known_hosts_file),), 1
    ours = _paths(said.get("userknownhostsfile", _USER_FILES), tokens)
    system = said.get("globalknownhostsfile", _GLOBAL_FILES)
    return (*ours, *(path for path in system if path.lower() != "none")), len(ours)


def _known_command(said: Options, tokens: Tokens) -> Iterator[str]:
    text = get(said, "knownhostscommand", "none")
    for word in split(text) if text.lower() != "none" else []:
        later = _TOKEN.sub(lambda one: "\0" + one[1] if one[1] in _OF_KEYS else one[0], word)
        yield tokens.expand(later, OF_PATHS, variables=True)


def _revoked(said: Options) -> str | None:
    path = get(said, "revokedhostkeys", "none")
    return None if path.lower() == "none" else os.path.expanduser(path)


def _paths(paths: Iterable[str], tokens: Tokens) -> list[str]:
    return [_path(path, tokens) for path in paths if path.lower() != "none"]


def _path(path: str, tokens: Tokens) -> str:
    return tokens.expand(_at_home(path, tokens), OF_PATHS, variables=True)


def _at_home(path: str, tokens: Tokens) -> str:
    if path == "~" or path.startswith("~/"):
        return tokens.home + path[1:]
    other = os.path.expanduser(path)  # `~user`
    if other == path and path.startswith("~"):
        raise ValueError(f"{path!r}: there is no such user")
    return other


def _agent(said: Options, tokens: Tokens) -> str | None:
    named = get(said, "identityagent", "SSH_AUTH_SOCK")
    if named == "none":
        return None
    if named == "SSH_AUTH_SOCK" or (named.startswith("$") and not named.startswith("${")):
        return os.environ.get(named.lstrip("$")) or None
    return _path(named, tokens)


def _proxy(said: Options, tokens: Tokens) -> tuple[tuple[Host, ...], str | None]:
    """ProxyJump or ProxyCommand: only that which was said first is there."""
    jump = get(said, "proxyjump", "none")
    command = get(said, "proxycommand", "none")
    if jump.lower() != "none":
        return tuple(jumps(tokens.expand(jump, OF_PROXY))), None
    none = command.lower() == "none"
    return (), None if none else tokens.expand(command, OF_PROXY, for_shell=True)


def names(hosts: Iterable[object]) -> str:
    """Return hosts as the way that leads over them."""
    return " → ".join(["this computer", *map(str, hosts)])
