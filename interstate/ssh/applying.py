"""What ssh_config says of one host: directives and a name in, options out.

Pure: what else it takes, commands to run and names to resolve, goes through a World.  As in ssh
there is a second pass when a name was made canonical, or `Match final` asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from .checkers import jumps, time
from .directives import Criterion, Directive
from .keywords import CHECKERS, MANY
from .patterns import matches, matches_list, matches_some, networks
from .tokens import OF_HOSTNAME, OF_PATHS, Tokens

Options = dict[str, list[str]]
"""Values by lower-case keyword; `hostname` is always there."""


_SETTLED = {  # after the first pass; the second changes none of them
    "canonicalizefallbacklocal": "yes",
    "canonicalizehostname": "no",
    "canonicalizemaxdots": "1",
}
_OF_INTERSTATE = {"command": "interstate", "sessiontype": "exec", "version": "Interstate"}
"""What these criteria see here, where ssh has its own command, session and version."""


class World(Protocol):
    """What a config may ask of this computer.

    Attributes:
        user: Our own user.
        user_id: Its number.
        home: Our home directory.
        here: This computer's name.
        variables: The environment.
    """

    user: str
    user_id: int
    home: str
    here: str
    variables: Mapping[str, str]

    def succeeds(self, command: str) -> bool:
        """Whether a shell command ends with 0."""

    def numeric(self, text: str, family: str) -> str | None:
        """Return the usual form of an IP address in any form, None if it is none."""

    def addresses(self) -> Sequence[IPv4Address | IPv6Address]:
        """Return this computer's addresses."""

    def resolve(self, name: str, family: str) -> str | None:
        """Return the name that a name is an alias of, "" when of none; None if it is unknown."""


def apply(
    directives: Sequence[Directive], name: str, user: str | None, port: int | None, world: World
) -> Options:
    """Return what holds for a host; what is said first holds.

    Args:
        directives: Of all files, in order.
        name: The host as its user named it.
        user: The user that was given with it.
        port: The port that was given with it.
        world: What else counts.

    Raises:
        ValueError: It makes no sense for this host.
    """
    said: Options = {}
    if user:
        said["user"] = [user]
    if port:
        said["port"] = [str(port)]
    first = _Pass(said, name, name, world, final=False)
    first.run(directives)
    address = first.tokens().expand(get(said, "hostname", "%h"), OF_HOSTNAME)
    canonical = _canonical(address, said, world)
    said["hostname"] = [canonical]
    for keyword, usual in _SETTLED.items():
        said.setdefault(keyword, [usual])
    if first.wants_final or get(said, "canonicalizehostname", "no") != "no":
        _Pass(said, canonical, name, world, final=True).run(directives)
    if "hostkeyalias" in said:
        said["hostkeyalias"] = [said["hostkeyalias"][0].lower()]
    return said


def tokens(name: str, address: str, said: Options, world: World) -> Tokens:
    """Return what the tokens stand for.

    Args:
        name: The host as its user named it.
        address: The name or address to connect to.
        said: What is said of it so far.
        world: What else counts.
    """
    hops = jumps(get(said, "proxyjump", "none"))
    return Tokens(
        name=name,
        address=address,
        port=int(get(said, "port", "22")),
        user=get(said, "user", world.user),
        alias=get(said, "hostkeyalias", ""),
        jump=hops[-1].name if hops else "",
        local_user=world.user,
        user_id=world.user_id,
        home=world.home,
        here=world.here,
        variables=world.variables,
    )


def get(said: Options, keyword: str, default: str) -> str:
    """Return the first word that is said after a keyword, or else a default."""
    return said[keyword][0] if said.get(keyword) else default


class _Pass:
    """One reading of all directives for one host.

    Attributes:
        wants_final: Whether another one is to follow.
    """

    def __init__(
        self, said: Options, host: str, original: str, world: World, *, final: bool
    ) -> None:
        self._said = said
        self._host = host
        self._original = original
        self._world = world
        self._final = final
        self.wants_final = False

    def run(self, directives: Sequence[Directive], *, never: bool = False) -> None:
        active = not never
        for directive in directives:
            if directive.keyword == "host":
                active = not never and matches_some(self._host, directive.values)
            elif directive.keyword == "match":
                active = self._meets(directive.criteria, never=never) and not never
            elif directive.keyword == "include":
                for file in directive.files:
                    self.run(file, never=not active)
            elif active:
                self._take(directive.keyword, directive.values)

    def _take(self, keyword: str, values: Sequence[str]) -> None:
        if CHECKERS[keyword] is time and list(values) == ["none"]:
            return  # as if it were not there
        if keyword == "sendenv":
            self._send(values)
        elif keyword in MANY:
            known = self._said.setdefault(keyword, [])
            known += [value for value in values if value not in known]
        elif keyword in ("proxycommand", "proxyjump"):
            if "proxycommand" not in self._said and not _jumps(self._said):
                self._said.setdefault(keyword, list(values))
        elif keyword == "rekeylimit":
            known = self._said.setdefault(keyword, list(values))
            known += values[len(known) :]  # how much and how long are said apart
        elif keyword == "setenv":
            first = {value.partition("=")[0]: value for value in reversed(values)}
            self._said.setdefault(keyword, [one for one in values if one in first.values()])
        else:
            self._said.setdefault(keyword, list(values))

    def _send(self, names: Sequence[str]) -> None:
        for name in names:
            known = self._said.setdefault("sendenv", [])
            if name.startswith("-"):
                known[:] = [one for one in known if not matches(one, name[1:])]
            elif name not in known:
                known.append(name)

    def tokens(self) -> Tokens:
        """What the tokens stand for so far."""
        return tokens(self._original, self._host, self._said, self._world)

    def _named(self) -> str:
        """The host as `Match host` sees it."""
        if self._final:
            return self._said["hostname"][0]
        said = get(self._said, "hostname", "%h")
        return self.tokens().expand(said, OF_HOSTNAME)

    def _meets(self, criteria: Sequence[Criterion], *, never: bool) -> bool:
        met = True
        for one in criteria:
            if one.name == "final":
                self.wants_final = True
            if one.name != "exec":
                met &= self._is(one) != one.negated
            elif met and not never:
                met = self._world.succeeds(self._command(one.value)) != one.negated
        return met

    def _command(self, text: str) -> str:
        tokens, named = self.tokens(), self._named()
        alias = tokens.alias or named  # there, as ssh has it
        return replace(tokens, address=named, alias=alias).expand(text, OF_PATHS, for_shell=True)

    def _is(self, one: Criterion) -> bool:
        if one.name in ("canonical", "final"):
            return self._final
        if one.name == "localnetwork":
            ours = self._world.addresses()
            return any(own in network for network in networks(one.value) for own in ours)
        if one.name in ("host", "originalhost"):
            return matches_list(self._seen(one.name).lower(), one.value, lower=True)
        return one.name == "all" or matches_list(self._seen(one.name), one.value)

    def _seen(self, criterion: str) -> str:
        """What a criterion's patterns are compared with."""
        if criterion == "host":
            return self._named()
        own = self._world.user
        return {
            **_OF_INTERSTATE,
            "originalhost": self._original,
            "tagged": get(self._said, "tag", ""),
            "user": get(self._said, "user", own),
            "localuser": own,
        }[criterion]


def _canonical(address: str, said: Options, world: World) -> str:
    """An address in its one form, a name with the domain that it turns out to be in."""
    family = get(said, "addressfamily", "any")
    numeric = world.numeric(address, family)
    if numeric is not None:
        return address if address.lower() == numeric else numeric
    if world.numeric(address, "any") is None:
        address = address.lower()
    when = get(said, "canonicalizehostname", "no")
    if when == "no" or (when != "always" and _is_proxied(said)):
        return address
    for full in _candidates(address, said):
        alias = world.resolve(full, family)
        if alias is not None:
            return _followed(full.removesuffix("."), alias, said)
    is_full = address.count(".") > _dots(said) and not address.endswith(".")
    if not is_full and get(said, "canonicalizefallbacklocal", "yes") == "no":
        raise ValueError(
            f"{address!r} is in none of its CanonicalDomains, and CanonicalizeFallbackLocal is no"
        )
    alias = world.resolve(address, family) if _rules(said) else None
    return _followed(address, alias or "", said)


def _is_proxied(said: Options) -> bool:
    return _jumps(said) or get(said, "proxycommand", "none").lower() != "none"


def _jumps(said: Options) -> bool:
    return get(said, "proxyjump", "none").lower() != "none"


def _dots(said: Options) -> int:
    return int(get(said, "canonicalizemaxdots", "1"))


def _candidates(address: str, said: Options) -> list[str]:
    if address.endswith("."):
        return [address]
    if address.count(".") > _dots(said):
        return []
    domains = said.get("canonicaldomains", ["none"])
    return [f"{address}.{domain}." for domain in domains if domain != "none"]


def _rules(said: Options) -> list[str]:
    """The rules of CanonicalizePermittedCNAMEs."""
    rules = said.get("canonicalizepermittedcnames", [])
    return ["*:*" if rule == "*" else rule for rule in rules if rule != "none"]


def _followed(name: str, alias: str, said: Options) -> str:
    """The name that it is an alias of, where a rule allows that."""
    for rule in _rules(said) if alias else []:
        sources, _, targets = rule.partition(":")
        if matches_list(name, sources) and matches_list(alias.lower(), targets):
            return alias
    return name
