"""What is promised about host keys, with `ssh` as the judge: it accepts, and notes, what we do.

Each row is what known_hosts has, what ssh_config says, and by which of its keys the server is to
be asked.  Both connect, and neither logs in: how they are turned away tells whether the host key
was good enough.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from interstate.errors import AuthenticationError, HostError, HostKeyError
from interstate.hosts import Host
from interstate.ssh import SSH

from .sshd import Keys, Sshd, loopback_addresses

pytestmark = pytest.mark.once

KINDS = {"ed25519": (), "rsa": ("-b", "2048"), "e256": (), "e384": (), "e521": ()}
NEW = "StrictHostKeyChecking accept-new"
NO = "StrictHostKeyChecking no"
HASHED = "HashKnownHosts yes"
CERTIFICATES = {  # what the CA says of each host key
    "ed25519": ("-n", "127.0.1.1,elsewhere,our-cluster"),
    "rsa": ("-n", "elsewhere"),
    "e256": ("-n", "127.0.1.1", "-V", "20200101:20210101"),
    "e384": ("-n", "127.0.1.1", "-V", "21200101:21210101"),
    "e521": ("-n", "127.0.*"),
}
MORE_CERTIFICATES = {
    "ed25519": (),
    "rsa": ("-n", "127.0.1.2", "-V", "always:forever"),
    "e256": ("-n", "127.0.1.2", "-O", "critical:strange=1"),
}


@dataclass(frozen=True)
class Row:
    """One case.

    Args:
        known: Lines of known_hosts; None: there is no such file.
        options: Lines of ssh_config.
        files: Other files, by name, with their lines.
        server: Which one.
        stricter: Why we refuse it whatever ssh does, if that is so.
    """

    known: str | None
    options: tuple[str, ...] = ()
    files: Mapping[str, str] | None = None
    server: str = "plain"
    stricter: str = ""


def row(known: str | None, *options: str, **more: object) -> Row:
    return Row(known, options, **more)  # type: ignore[arg-type]


def asked_for(kind: str) -> str:
    names = {
        "ed25519": ("ssh-ed25519",),
        "rsa": ("rsa-sha2-512",),
        **{f"e{bits}": (f"ecdsa-sha2-nistp{bits}",) for bits in (256, 384, 521)},
    }[kind]
    return "HostKeyAlgorithms " + ",".join(
        [f"{one}-cert-v01@openssh.com" for one in names] + [*names]
    )


STRICT = {
    "unknown": row(""),
    "unknown, yes": row("", "StrictHostKeyChecking yes"),
    "unknown, ask": row("", "StrictHostKeyChecking ask"),
    "unknown, accept-new": row("", NEW),
    "unknown, no": row("", NO),
    "unknown, off": row("", "StrictHostKeyChecking off"),
    "no file": row(None),
    "no file, accept-new": row(None, NEW),
    "known": row("{name} {ed25519}\n"),
    "known, without an end": row("{name} {ed25519}"),
    "known, with CRLF": row("{name} {ed25519}\r\n"),
    "known, indented": row("  \t{name}\t {ed25519} me@here\n"),
    "known, in upper case": row("[127.0.1.1]:{port},TARGET {ed25519}\n"),
    "parted by no blank": row("{name}\v{ed25519}\n"),
    "after no blank": row("\N{NO-BREAK SPACE}{name} {other}\n", NEW),
    "with something in its key": row("{name} {ed25519}\vx\n"),
    "commented": row("# {name} {ed25519}\n"),
    "rubbish": row("rubbish\n\na b\n{name} ssh-ed25519\n{name} x y z\n{name} {ed25519}\n"),
    "another type than it says": row("{name} ssh-rsa {ed25519:key}\n"),
    "a key of an unknown type": row("{name} new-type AAAACG5ldy10eXBlAAAA\n", NEW),
    "another": row("{name} {other}\n"),
    "another, accept-new": row("{name} {other}\n", NEW),
    "another, no": row("{name} {other}\n", NO, stricter="it would leave out passwords only"),
    "another of another type, ask": row("{name} {other rsa}\n"),
    "another of another type, accept-new": row("{name} {other rsa}\n", NEW),
    "two": row("{name} {other}\n{name} {ed25519}\n"),
}
NAMES = {
    "without its port": row("127.0.1.1 {ed25519}\n"),
    "without its port, accept-new": row("127.0.1.1 {ed25519}\n", NEW),
    "without its port, another": row("127.0.1.1 {other}\n"),
    "without its port, another, accept-new": row("127.0.1.1 {other}\n", NEW),
    "without its port, another with it": row("127.0.1.1 {ed25519}\n{name} {other}\n"),
    "with another port": row("[127.0.1.1]:1 {ed25519}\n"),
    "in brackets": row("[127.0.1.1] {ed25519}\n"),
    "wildcards": row("[127.0.*]:{port} {ed25519}\n"),
    "a question mark": row("[127.0.1.?]:{port} {ed25519}\n"),
    "everything": row("* {ed25519}\n"),
    "not this": row("!{name},* {ed25519}\n"),
    "not another": row("!elsewhere,* {ed25519}\n"),
    "not alone": row("!elsewhere {ed25519}\n"),
    "a list": row("elsewhere,{name} {ed25519}\n"),
    "an empty list": row(",, {ed25519}\n"),
    "a hash": row("{hashed} {ed25519}\n"),
    "a hash, another": row("{hashed} {other}\n", NEW),
    "a hash that is none": row("|1|a|b {ed25519}\n|1|YQ==\n|2|YQ==|YQ== {ed25519}\n"),
    "to be hashed": row("", NEW, HASHED),
    "to be hashed, no file": row(None, NO, HASHED),
    "an alias": row("our-cluster {ed25519}\n", "HostKeyAlias Our-Cluster"),
    "an alias with a port": row("[our-cluster]:{port} {ed25519}\n", "HostKeyAlias our-cluster"),
    "an alias, known without": row("{name} {ed25519}\n", "HostKeyAlias our-cluster"),
    "an alias, known by address": row("127.0.1.1 {ed25519}\n", "HostKeyAlias our-cluster"),
    "an alias, accept-new": row("", "HostKeyAlias our-cluster", NEW),
    "an alias, hashed": row("", "HostKeyAlias our-cluster", NEW, HASHED),
    "an alias of wildcards": row("", "HostKeyAlias our-*", NEW),
}
FILES = {
    "the second": row(
        "", "UserKnownHostsFile {known} {folder}/b", files={"b": "{name} {ed25519}\n"}
    ),
    "into the first": row("", "UserKnownHostsFile {known} {folder}/b", NEW, files={"b": "\n"}),
    "the first differs": row(
        "{name} {other}\n",
        "UserKnownHostsFile {known} {folder}/b",
        files={"b": "{name} {ed25519}\n"},
    ),
    "the system's": row("", "GlobalKnownHostsFile {folder}/b", files={"b": "{name} {ed25519}\n"}),
    "the system's differs": row(
        "", "GlobalKnownHostsFile {folder}/b", NEW, files={"b": "{name} {other}\n"}
    ),
    "the system's revokes": row(
        "{name} {ed25519}\n",
        "GlobalKnownHostsFile {folder}/b",
        files={"b": "@revoked * {ed25519}\n"},
    ),
    "none": row("{name} {ed25519}\n", "UserKnownHostsFile none"),
    "none, accept-new": row("", "UserKnownHostsFile none", NEW),
    "none, no": row("", "UserKnownHostsFile none", NO),
    "none, the system's": row(
        "",
        "UserKnownHostsFile none",
        "GlobalKnownHostsFile {folder}/b",
        files={"b": "{name} {ed25519}\n"},
    ),
    "/dev/null": row("", "UserKnownHostsFile /dev/null"),
    "/dev/null, no": row("", "UserKnownHostsFile /dev/null", NO),
    "a folder": row("", "UserKnownHostsFile {folder}", NO),
    "in no folder": row("", "UserKnownHostsFile /dev/null/not/there", NEW),
    "localhost": row("{name} {other}\n", "NoHostAuthenticationForLocalhost yes"),
    "localhost, unknown": row("", "NoHostAuthenticationForLocalhost yes", NEW),
    "localhost, an alias": row("", "NoHostAuthenticationForLocalhost yes", "HostKeyAlias a"),
    "by DNS": row("", "VerifyHostKeyDNS yes"),
    "by DNS, another": row("{name} {other}\n", "VerifyHostKeyDNS yes", NEW),
    "by address": row("{name} {ed25519}\n", "CheckHostIP yes"),
}
TYPES = {
    "by its rsa key": row("{name} {rsa}\n"),
    "by its ecdsa key": row("{name} {e256}\n"),
    "by its other ecdsa key": row("{name} {e521}\n"),
    "by its rsa key, hashed": row("{hashed} {rsa}\n"),
    "by its rsa key, without its port": row("127.0.1.1 {rsa}\n"),
    "by its rsa key, of all": row("* {rsa}\n"),
    "by its rsa key, accept-new": row("{name} {rsa}\n", NEW),
    "its rsa key, when told to": row(
        "{name} {rsa}\n", "HostKeyAlgorithms ssh-ed25519,rsa-sha2-512"
    ),
    "its rsa key, when it is put first": row("{name} {rsa}\n", "HostKeyAlgorithms ^ssh-ed25519"),
    "its rsa key, when some are left out": row("{name} {rsa}\n", "HostKeyAlgorithms -*cert*"),
    "its rsa key, when it is left out": row("{name} {rsa}\n", "HostKeyAlgorithms -rsa*"),
    "its rsa key, when some are added": row("{name} {rsa}\n", "HostKeyAlgorithms +ssh-ed25519"),
    "its rsa key, only": row("", "HostKeyAlgorithms rsa-sha2-256", NEW),
}
MARKED = {
    "revoked": row("{name} {ed25519}\n@revoked {name} {ed25519}\n"),
    "revoked, accept-new": row("@revoked {name} {ed25519}\n", NEW),
    "revoked, no": row("@revoked * {ed25519}\n", NO, stricter="it would leave out passwords only"),
    "revoked elsewhere": row("{name} {ed25519}\n@revoked elsewhere {ed25519}\n"),
    "revoked, hashed": row("@revoked {hashed} {ed25519}\n", NEW),
    "revoked without its port": row(
        "@revoked 127.0.1.1 {ed25519}\n", NEW, stricter="a port makes a key no better"
    ),
    "another is revoked": row("{name} {ed25519}\n@revoked * {other}\n"),
    "another is revoked, new": row("@revoked * {other}\n", NEW),
    "an unknown marker": row("@trusted {name} {ed25519}\n"),
    "two markers": row("@revoked @cert-authority {name} {ed25519}\n", NEW),
    "a CA's key as its own": row("@cert-authority {name} {ed25519}\n"),
    "a certificate is known": row("{name} {certificate}\n", NEW),
    "a certificate is known too": row("{name} {certificate}\n{name} {ed25519}\n"),
    "a certificate is revoked": row("{name} {ed25519}\n@revoked * {certificate}\n"),
}
CA = "@cert-authority {name} {ca}\n"
CERTIFIED = {
    "a certificate": row(CA),
    "a certificate, unknown CA": row("@cert-authority {name} {other}\n"),
    "a certificate, unknown CA, accept-new": row("@cert-authority {name} {other}\n", NEW),
    "a certificate, its key known": row("{name} {ed25519}\n"),
    "a certificate, its rsa key known": row("{name} {rsa}\n"),
    "a certificate, another key known": row("{name} {other}\n", NEW),
    "a certificate, and another key known": row(CA + "{name} {other}\n"),
    "a certificate, its port is not named": row("@cert-authority 127.0.1.1 {ca}\n"),
    "a certificate, of all": row("@cert-authority * {ca}\n"),
    "a certificate, not here": row("@cert-authority *,!{name} {ca}\n"),
    "a certificate, hashed": row("@cert-authority {hashed} {ca}\n"),
    "a certificate, alias": row("@cert-authority our-cluster {ca}\n", "HostKeyAlias our-cluster"),
    "a certificate, alias not in it": row("@cert-authority * {ca}\n", "HostKeyAlias other"),
    "a certificate, CA as a plain key": row("{name} {ca}\n"),
    "a certificate, CA revoked": row(CA + "@revoked * {ca}\n"),
    "a certificate, CA revoked, its key known": row("@revoked * {ca}\n{name} {ed25519}\n"),
    "a certificate, key revoked": row(CA + "@revoked * {ed25519}\n"),
    "a certificate, another revoked": row(CA + "@revoked * {other}\n"),
    "a certificate, not asked for": row(CA, "HostKeyAlgorithms ssh-ed25519"),
    "a certificate, only": row(CA, "HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com"),
    "a certificate, its key is not asked for": row(
        "", "HostKeyAlgorithms *cert*", NEW, stricter="HostKeyAlgorithms says that it will not do"
    ),
    "a certificate, rsa key known": row(CA + "{name} {rsa}\n"),
    "a certificate, itself revoked": row(CA + "@revoked * {certificate}\n"),
    "a certificate, itself known": row("{name} {certificate}\n", NEW),
    "a certificate, its CA is one": row("@cert-authority * {certificate}\n"),
    "a certificate, named without its port, another with it": row(
        "@cert-authority 127.0.1.1 {ca}\n{name} {other}\n"
    ),
    "a certificate, CA of no use": row(CA, "CASignatureAlgorithms rsa-sha2-512"),
    "wrong principal": row(CA, asked_for("rsa")),
    "wrong principal, accept-new": row(CA, asked_for("rsa"), NEW),
    "wrong principal, key known": row(CA + "{name} {rsa}\n", asked_for("rsa")),
    "expired": row(CA, asked_for("e256")),
    "expired, accept-new": row(CA, asked_for("e256"), NEW),
    "not yet": row(CA, asked_for("e384")),
    "a pattern as principal": row(CA, asked_for("e521"), stricter="newer versions may take it"),
}
CERTIFIED_TOO = {
    "no principals": row(CA, asked_for("ed25519")),
    "forever": row(CA, asked_for("rsa")),
    "critical options": row(CA, asked_for("e256")),
}
TOLD = {  # by a command
    "told": row("", "KnownHostsCommand /bin/cat {folder}/b", files={"b": "{name} {ed25519}\n"}),
    "told, none": row("", "KnownHostsCommand none"),
    "told by words in quotes": row("", "KnownHostsCommand /bin/echo \"%H\" '{ed25519}'"),
    "told by tokens": row("", "KnownHostsCommand /bin/echo %H %t %K"),
    "told by more tokens": row("", "KnownHostsCommand /bin/echo [%h]:%p,%n,%%%I%f %t %K"),
    "told its fingerprint": row("", "KnownHostsCommand /usr/bin/test %f != NONE -o %I = ORDER"),
    "told nothing": row("", "KnownHostsCommand /bin/true"),
    "told nothing, accept-new": row("", "KnownHostsCommand /bin/true", NEW),
    "told another": row("", "KnownHostsCommand /bin/echo %H {other}", NEW),
    "told another, known": row("{name} {ed25519}\n", "KnownHostsCommand /bin/echo %H {other}"),
    "told without its port": row("", "KnownHostsCommand /bin/echo 127.0.1.1 {ed25519}"),
    "told of its rsa key": row("", "KnownHostsCommand /bin/echo %H {rsa}"),
    "told that it is revoked": row(
        "{name} {ed25519}\n", "KnownHostsCommand /bin/echo @revoked * {ed25519}"
    ),
    "told by what fails": row("{name} {ed25519}\n", "KnownHostsCommand /bin/false"),
    "told by what is not there": row("{name} {ed25519}\n", "KnownHostsCommand /no/such/command"),
    "told by a relative path": row("{name} {ed25519}\n", "KnownHostsCommand true"),
}
TOLD_CA = {
    "told of its CA": row("", "KnownHostsCommand /bin/echo @cert-authority * {ca}"),
    "told of the key of its certificate": row("", "KnownHostsCommand /bin/echo %H %t %K"),
}
REVOKED = {
    "revoked by a file": row(
        "{name} {ed25519}\n", "RevokedHostKeys {folder}/r", files={"r": "{ed25519}\n"}
    ),
    "revoked by a file, new": row(
        "", NEW, "RevokedHostKeys {folder}/r", files={"r": "{ed25519} me\n"}
    ),
    "revoked by a file, no": row(
        "", NO, "RevokedHostKeys {folder}/r", files={"r": "# x\n\n{ed25519}\n"}
    ),
    "not revoked by a file": row(
        "{name} {ed25519}\n", "RevokedHostKeys {folder}/r", files={"r": "{other}\n"}
    ),
    "an empty file": row("{name} {ed25519}\n", "RevokedHostKeys {folder}/r", files={"r": ""}),
    "a broken file": row(
        "{name} {ed25519}\n", "RevokedHostKeys {folder}/r", files={"r": "rubbish\n"}
    ),
    "no such file": row("{name} {ed25519}\n", "RevokedHostKeys {folder}/r"),
    "revoked by a file, as a certificate": row(
        "{name} {ed25519}\n", "RevokedHostKeys {folder}/r", files={"r": "{certificate}\n"}
    ),
    "revoked by none": row("{name} {ed25519}\n", "RevokedHostKeys none"),
}
REVOKED_CA = {
    "CA revoked by a file": row(CA, "RevokedHostKeys {folder}/r", files={"r": "{ca}\n"}),
    "itself revoked by a file": row(
        CA, "RevokedHostKeys {folder}/r", files={"r": "{certificate}\n"}
    ),
    "its key revoked by a file": row(CA, "RevokedHostKeys {folder}/r", files={"r": "{ed25519}\n"}),
}
KRLS = {  # what the specification for `ssh-keygen -k` has
    "key": ("plain", "{ed25519}\n"),
    "sha1": ("plain", "sha1: {ed25519}\n"),
    "sha256": ("plain", "sha256: {ed25519}\n"),
    "other": ("plain", "{other}\n"),
    "serial": ("certified", "serial: 7\n"),
    "serial range": ("certified", "serial: 5-9\n"),
    "serials": ("certified", "serial: 1\nserial: 3\nserial: 7\nserial: 40\n"),
    "other serials": ("certified", "serial: 1-6\nserial: 8-9\nserial: 300\n"),
    "id": ("certified", "id: host\n"),
    "other id": ("certified", "id: other\n"),
    "certified key": ("certified", "{ed25519}\n"),
    "certified sha256": ("certified", "sha256: {ed25519}\n"),
    "its CA": ("certified", "{ca}\n"),
}


def table() -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for server, groups in {
        "plain": (STRICT, NAMES, FILES, TYPES, MARKED, TOLD, REVOKED),
        "certified": (CERTIFIED, TOLD_CA, REVOKED_CA),
        "certified too": (CERTIFIED_TOO,),
    }.items():
        for group in groups:
            for name, one in group.items():
                where = server if one.server == "plain" else one.server
                rows[name] = Row(one.known, one.options, one.files, where, one.stricter)
    for name, (server, _) in KRLS.items():
        known = CA if server == "certified" else "{name} {ed25519}\n"
        rows[f"a KRL: {name}"] = Row(known, (f"RevokedHostKeys {{krl:{name}}}",), None, server)
    return rows


TABLE = table()


class World:
    """The servers, their keys, and what stands in rows for them."""

    def __init__(self, folder: Path, servers: Mapping[str, Sshd], keys: Mapping[str, Path]) -> None:
        self.folder = folder
        self.servers = servers
        self._texts = {name: public(path) for name, path in keys.items()}
        self._texts["certificate"] = public(folder / "one" / "ed25519-cert")
        self._keys = keys
        for name, (_, specification) in KRLS.items():
            self._make_krl(name, specification)

    def _make_krl(self, name: str, specification: str) -> None:
        path = self.folder / f"krl-{name.replace(' ', '-')}"
        self._texts[f"krl:{name}"] = str(path)
        wanted = path.with_suffix(".txt")
        wanted.write_text(self.filled(specification, "plain"))
        run("ssh-keygen", "-q", "-k", "-f", path, "-s", f"{self._keys['ca']}.pub", wanted)

    def filled(self, text: str, server: str, folder: Path | None = None) -> str:
        sshd = self.servers[server]
        address = sshd.addresses[0]
        for name, value in {
            **self._texts,
            "name": f"[{address}]:{sshd.port}",
            "127.0.1.1": address,
            "port": str(sshd.port),
            "ed25519:key": self._texts["ed25519"].split()[1],
            "hashed": self.hashed(f"[{address}]:{sshd.port}") if "{hashed}" in text else "",
            "folder": str(folder),
            "known": f"{folder}/known_hosts",
        }.items():
            text = text.replace(f"{{{name}}}", value)
        return text.replace("127.0.1.1", address)

    def hashed(self, name: str) -> str:
        path = self.folder / f"hashed-{abs(hash(name))}"
        if not path.exists():
            path.write_text(f"{name} {self._texts['ed25519']}\n")
            run("ssh-keygen", "-q", "-H", "-f", path)
        return path.read_text().split()[0]

    def put(self, folder: Path, one: Row) -> Path:
        """Write a row's files; return the ssh_config."""
        folder.mkdir(parents=True)
        for name, text in {"known_hosts": one.known, **(one.files or {})}.items():
            if text is not None:
                (folder / name).write_bytes(self.filled(text, one.server, folder).encode())
        sshd = self.servers[one.server]
        lines = [
            f"HostName {sshd.addresses[0]}",
            f"Port {sshd.port}",
            *one.options,
            "UserKnownHostsFile {known}",
            "GlobalKnownHostsFile none",
            "PreferredAuthentications none",
            "KexAlgorithms ecdh-sha2-nistp256",
            "BatchMode yes",
            "",
        ]
        path = folder / "config"
        path.write_text(self.filled("\n".join(lines), one.server, folder))
        return path


def run(*command: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=check,
        stdin=subprocess.DEVNULL,
    )


def public(path: Path) -> str:
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


def make_key(path: Path, kind: str, *more: str) -> Path:
    bits = ("-t", "ecdsa", "-b", kind[1:]) if kind.startswith("e") and kind[1:].isdigit() else ()
    run("ssh-keygen", "-q", *(bits or ("-t", kind)), *more, "-N", "", "-f", path)
    return path


def certified(
    folder: Path, keys: Mapping[str, Path], terms: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """Have the CA sign copies of keys; return lines of sshd_config."""
    folder.mkdir()
    lines = []
    for kind, terms_of_it in terms.items():
        path = folder / f"{kind}.pub"
        path.write_text(Path(f"{keys[kind]}.pub").read_text())
        run("ssh-keygen", "-q", "-s", keys["ca"], "-h", "-I", "host", "-z", "7", *terms_of_it, path)
        lines += [f"HostKey {keys[kind]}", f"HostCertificate {folder / kind}-cert.pub"]
    return lines


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("as_ssh")
    paths = {kind: make_key(folder / kind, kind, *more) for kind, more in KINDS.items()}
    paths |= {name: make_key(folder / name, "ed25519") for name in ("ca", "other")}
    paths["other rsa"] = make_key(folder / "other_rsa", "rsa", "-b", "2048")
    plain = [f"HostKey {paths[kind]}" for kind in KINDS]
    options = {
        "plain": plain,
        "certified": certified(folder / "one", paths, CERTIFICATES),
        "certified too": certified(folder / "two", paths, MORE_CERTIFICATES),
    }
    own = Keys(keys.client, paths["ed25519"])
    sshds = {}
    for number, (name, lines) in enumerate(options.items()):
        (folder / f"sshd{number}").mkdir()
        where = loopback_addresses(number // 2 + 1)[-1:]
        sshds[name] = Sshd(folder / f"sshd{number}", own, listen=where, options=lines)
    with sshds["plain"], sshds["certified"], sshds["certified too"]:
        yield World(folder, sshds, paths)


@contextlib.contextmanager
def theirs(config: Path) -> Iterator[Callable[[], str]]:
    """Start ssh; given is a function that returns how it has ended."""
    with subprocess.Popen(
        ["ssh", "-F", str(config), "target", "true"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        def ended() -> str:
            said = process.communicate(timeout=60)[1]
            if "Host key verification failed" in said:
                return "refused"
            return "accepted" if "Permission denied (publickey)" in said else said

        yield ended


def ours(config: Path) -> tuple[str, str]:
    """How we end."""
    ssh = SSH(ssh_config=config)
    try:
        ssh.open(Host("target"), "true", time.monotonic() + 120)
    except HostKeyError as error:
        return "refused", str(error)
    except AuthenticationError as error:
        return "accepted", str(error)
    except HostError as error:
        return str(error), str(error)
    finally:
        ssh.close()
    return "logged in", ""


def noted(folder: Path, one: Row, world: World) -> object:
    """What is in known_hosts: names hashed are looked up."""
    path = folder / "known_hosts"
    if not path.exists():
        return None
    text = path.read_text()
    if HASHED not in one.options:
        return text
    sshd = world.servers[one.server]
    names = [f"[{sshd.addresses[0]}]:{sshd.port}", "our-cluster"]
    found = [run("ssh-keygen", "-F", name, "-f", path, check=False).stdout for name in names]
    return [[line.split()[1:] for line in one.splitlines()[1:]] for one in found], len(text)


@pytest.mark.parametrize("name", TABLE)
def test_what_ssh_accepts_is_what_we_accept(world: World, name: str) -> None:
    one = TABLE[name]
    number = list(TABLE).index(name)
    their_folder, our_folder = (world.folder / whose / str(number) for whose in ("ssh", "ours"))
    with theirs(world.put(their_folder, one)) as ended:
        outcome, message = ours(world.put(our_folder, one))
        said = ended()
    if one.stricter:
        assert outcome == "refused", message
        return
    if "no matching host key type found" in said:
        assert "host key" in message
        assert outcome not in ("accepted", "refused")
    elif "KnownHostsCommand failed" in said:
        assert outcome == "refused", message
    else:
        assert outcome == said, message
    assert noted(our_folder, one, world) == noted(their_folder, one, world)
