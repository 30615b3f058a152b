"""What is promised about keys: they are offered as ssh offers them, in the same order.

ssh itself is asked: it logs in beside us, by the same config, to a server that takes no key, so
that both offer all that they have.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from interstate.errors import AuthenticationError
from interstate.hosts import Host
from interstate.ssh import SSH
from interstate.ssh.config import Config
from interstate.ssh.keys import KeyFile
from interstate.ssh.privatekeys import PrivateKey
from interstate.ssh.publickeys import ALGORITHMS, PublicKey
from interstate.ssh.settings import settle
from interstate.ssh.sshagent import SSHAgent

from .agents import SecurityKey, add, agent, played
from .sshd import Keys, Sshd

pytestmark = pytest.mark.once

OFFER = re.compile(r"Offering public key: .*? ([A-Z0-9-]+ SHA256:\S+)")
OURS = re.compile(r"\(([A-Z0-9-]+ SHA256:[^)]+)\)")


def make_key(path: Path, kind: str, *options: str, passphrase: str = "") -> Path:
    bits = ["-b", "2048"] if kind == "rsa" else []  # the fewest, so that tests are fast
    words = ["-q", "-t", kind, "-N", passphrase, "-C", path.name, *bits, *options, "-f", str(path)]
    subprocess.run(["ssh-keygen", *words], check=True)
    return path


def certify(authority: Path, key: Path, *options: str) -> Path:
    """Sign a key's public half; return the certificate, which is beside it."""
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", key.name, *options, f"{key}.pub"]
    subprocess.run(sign, check=True)
    return Path(f"{key}-cert.pub")


@dataclass(frozen=True)
class World:
    """Keys of all kinds in one folder, an agent that has some of them, and a server for none.

    In the agent are `held_ed`, `rsa`, `held_ecdsa` and `held_only`, whose file is gone, in this
    order.
    """

    folder: Path
    agent: Path
    server: Sshd


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    for name, kind, *options in (
        *(("ed", "ed25519"), ("rsa", "rsa"), ("held_ed", "ed25519")),
        *(("held_ecdsa", "ecdsa"), ("held_only", "ed25519"), ("certified", "ed25519")),
        *(("ecdsa384", "ecdsa", "-b", "384"), ("ecdsa521", "ecdsa", "-b", "521")),
        *(("apart", "ecdsa"), ("authority", "ed25519")),
    ):
        make_key(folder / name, kind, *options)
    make_key(folder / "locked", "ed25519", "-a", "1", passphrase="secret")
    make_key(folder / "old", "rsa", "-m", "PEM", passphrase="secret")
    (folder / "old.pub").unlink()
    certify(folder / "authority", folder / "certified")
    certify(folder / "authority", folder / "apart").rename(folder / "elsewhere")
    (folder / "sshd").mkdir()
    nobody = folder / "nobody"
    nobody.touch()
    options = [f"AuthorizedKeysFile {nobody}", "MaxAuthTries 50"]
    with agent(folder / "agent") as held, Sshd(folder / "sshd", keys, options=options) as server:
        add(held, *(folder / name for name in ("held_ed", "rsa", "held_ecdsa", "held_only")))
        (folder / "held_only").unlink()
        yield World(folder, held, server)


def config_of(world: World, lines: str) -> Path:
    """An ssh_config for the server, and with it what a test says of keys."""
    text = world.server.config_file().read_text()
    common = "\n".join(line for line in text.splitlines() if "Identit" not in line)
    path = world.folder / f"config{len(list(world.folder.glob('config*')))}"
    path.write_text(f"{lines.format(here=world.folder, agent=world.agent)}\n{common}\n")
    return path


def offered_by_ssh(config: Path) -> list[str]:
    command = ["ssh", "-v", "-F", str(config), "target", "true"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "Permission denied" in said
    return OFFER.findall(said)


def refusal(config: Path) -> str:
    ssh = SSH(ssh_config=config)
    with pytest.raises(AuthenticationError) as caught:
        ssh.open(Host("target"), "true", time.monotonic() + 120)
    ssh.close()
    return str(caught.value)


def offered_by_us(config: Path) -> list[str]:
    return OURS.findall(refusal(config).partition("; not used")[0])


def logged(server: Sshd, before: int, pattern: str, count: int = 1) -> list[str]:
    """What a server has logged since then, once there is so much of it."""
    give_up = time.monotonic() + 60
    while len(found := re.findall(pattern, server.log[before:])) < count:
        assert time.monotonic() < give_up, server.log[before:]
        time.sleep(0.01)
    return found


FILES = "IdentityFile {here}/ed\nIdentityFile {here}/rsa\nIdentityFile {here}/ecdsa384\n"
CASES = {
    "files in their order": FILES + "IdentityAgent none",
    "the agent's files, the agent's own, other files": FILES,
    "only what is in files": FILES + "IdentitiesOnly yes",
    "no files, only the agent": "IdentityFile none",
    "several files of the agent's, in the agent's order": (
        "IdentityFile {here}/held_ecdsa\nIdentityFile {here}/ed\nIdentityFile {here}/held_ed"
    ),
    "a public half says which of the agent's is meant": (
        "IdentityFile {here}/held_only.pub\nIdentitiesOnly yes"
    ),
    "a public half whose private one is gone": (
        "IdentityFile {here}/held_only\nIdentitiesOnly yes"
    ),
    "an agent by its path": FILES + "IdentityAgent {agent}",
    "an agent by a variable's name": FILES + "IdentityAgent $ANOTHER",
    "an agent by a variable's value": FILES + 'IdentityAgent "${{ANOTHER}}"',
    "an agent by the usual variable": FILES + "IdentityAgent SSH_AUTH_SOCK",
    "a variable that is not set": FILES + "IdentityAgent $NOTHING",
    "an agent that is gone": FILES + "IdentityAgent {here}/nowhere",
    "a certificate beside its key": "IdentityFile {here}/certified\n" + FILES,
    "a certificate beside its key, and no agent": (
        "IdentityFile {here}/certified\nIdentityAgent none\n" + FILES
    ),
    "a certificate that is named goes first": (
        "IdentityFile {here}/apart\nCertificateFile {here}/elsewhere\n" + FILES
    ),
    "where one is named, none beside a key is taken": (
        "CertificateFile {here}/elsewhere\nIdentityFile {here}/certified\n"
        "IdentityFile {here}/apart\nIdentitiesOnly yes"
    ),
    "a key twice": "IdentityFile {here}/ed\nIdentityFile {here}/ed\nIdentityAgent none",
    "a key that needs a passphrase has its turn": "IdentityFile {here}/locked\n" + FILES,
    "a key that shows nothing without its passphrase": "IdentityFile {here}/old\n" + FILES,
    "no RSA": FILES + "PubkeyAcceptedAlgorithms -*rsa*",
    "RSA alone": FILES + "PubkeyAcceptedAlgorithms rsa-sha2-256",
    "certificates alone": (
        "IdentityFile {here}/certified\nPubkeyAcceptedAlgorithms *-cert-v01@openssh.com\n" + FILES
    ),
    "RSA of the agent's that is too short": (
        "IdentityFile {here}/rsa\nIdentityFile {here}/ed\nRequiredRSASize 3072"
    ),
    "RSA in a file that is too short": (
        "IdentityFile {here}/rsa\nIdentityFile {here}/ed\nRequiredRSASize 3072\nIdentityAgent none"
    ),
    "the largest curve": "IdentityFile {here}/ecdsa521\nIdentityAgent none",
    "no keys": "PubkeyAuthentication no\n" + FILES,
    "no preference for keys": "PreferredAuthentications password\n" + FILES,
}


@pytest.mark.parametrize("case", CASES)
def test_keys_are_offered_as_by_ssh(
    case: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(world.agent))
    monkeypatch.setenv("ANOTHER", str(world.agent))
    config = config_of(world, CASES[case])
    assert offered_by_us(config) == offered_by_ssh(config)


def test_rsa_with_sha1_is_not_done_even_if_it_is_asked_for(world: World) -> None:
    config = config_of(world, FILES + "IdentityAgent none\nPubkeyAcceptedAlgorithms ssh-rsa")
    said = refusal(config)
    assert "there was no key to offer" in said
    assert "no algorithm to sign with is allowed on both ends" in said


def test_what_we_say_was_offered_is_what_the_server_saw(world: World) -> None:
    config = config_of(world, FILES + "IdentityAgent none")
    before = len(world.server.log)
    ours = offered_by_us(config)
    assert len(ours) == 3
    refused = r"Failed publickey .* ssh2: (\S+ SHA256:\S+)"
    assert logged(world.server, before, refused, 3) == ours


def test_the_usual_keys_are_those_of_ssh(tmp_path: Path) -> None:
    said = subprocess.check_output(["ssh", "-F", "none", "-G", "somewhere"], text=True)
    usual = re.findall(r"^identityfile (\S+)$", said, re.MULTILINE)
    theirs = [os.path.expanduser(path) for path in usual if not path.endswith(("xmss", "id_dsa"))]
    (tmp_path / "config").touch()
    assert list(settle(Host("a"), Config(tmp_path / "config")).identity_files) == theirs


def test_the_usual_algorithms_are_those_of_ssh() -> None:
    said = subprocess.check_output(["ssh", "-F", "none", "-G", "somewhere"], text=True)
    usual = re.findall(r"^pubkeyacceptedalgorithms (\S+)$", said, re.MULTILINE)[0].split(",")
    assert [one for one in usual if "webauthn" not in one] == list(ALGORITHMS)


def test_a_key_that_others_can_read_is_not_used_and_warned_of_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_key(world.folder / "open", "ed25519")
    key.chmod(0o640)
    lines = f"IdentityFile {key}\nIdentityFile {{here}}/ed\nIdentityAgent none"
    ssh = SSH(ssh_config=config_of(world, lines))
    for _ in range(2):
        with pytest.raises(AuthenticationError) as caught:
            ssh.open(Host("target"), "true", time.monotonic() + 120)
        assert f"{key} can be read by others (its mode is 0640): chmod 600" in str(caught.value)
    ssh.close()
    assert [record.message for record in caplog.records if "is not used" in record.message] == [
        f"the key {key} is not used: it can be read by others (its mode is 0640): chmod 600 {key}"
    ]


# ------------------------------------------------------------------------ what lets us in


@pytest.fixture(scope="module")
def authorized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public keys that `server` lets in."""
    return tmp_path_factory.mktemp("authorized") / "keys"


@pytest.fixture(scope="module")
def server(world: World, keys: Keys, authorized: Path) -> Iterator[Sshd]:
    """A server with stock rules, which takes certificates."""
    directory = world.folder / "server"
    directory.mkdir()
    trusts = f"TrustedUserCAKeys {world.folder}/authority.pub"
    options = [f"AuthorizedKeysFile {authorized}", trusts]
    with Sshd(directory, keys, options=options) as sshd:
        yield sshd


def let_in_by(config: Path | None, host: Host) -> tuple[str, str]:
    """Log in; return the method and the key that did it."""
    ssh = SSH(ssh_config=config)
    try:
        stream = ssh.open(host, "printf ok", time.monotonic() + 120)
        assert stream.read(2) == b"ok"
        met = ssh.met(host)
        return met.method, met.key
    finally:
        ssh.close()


def lines(tmp_path: Path, *words: str) -> Path:
    path = tmp_path / "config"
    path.write_text("\n".join(words) + "\n")
    return path


def test_of_ten_keys_in_the_agent_the_named_one_is_the_only_one(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    several = [make_key(tmp_path / f"key{n}", "ed25519") for n in range(10)]
    authorized.write_text(Path(f"{several[9]}.pub").read_text())
    with agent(tmp_path / "agent") as held:
        add(held, *several)
        only = f"IdentityFile {several[9]}.pub", "IdentitiesOnly yes"
        config = lines(tmp_path, f"IdentityAgent {held}", *only)
        before = len(server.log)
        host = replace(server.host(), identity_file=None)
        assert let_in_by(config, host) == ("publickey", f"{several[9]}.pub")
        assert len(logged(server, before, "Accepted publickey")) == 1
        assert "Failed publickey" not in server.log[before:]
        alone = lines(tmp_path, f"IdentityAgent {held}")
        named = replace(host, identity_file=f"{several[9]}.pub")  # as `ssh -i` with IdentitiesOnly
        assert let_in_by(alone, named) == ("publickey", f"{several[9]}.pub")


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512", None])
@pytest.mark.parametrize("held", [False, True], ids=["in a file", "in the agent"])
def test_rsa_signs_with_the_algorithm_that_is_accepted_and_never_sha1(
    server: Sshd,
    world: World,
    authorized: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    algorithm: str | None,
    held: bool,
) -> None:
    used: list[str] = []
    signs, agent_signs = PrivateKey.sign, SSHAgent.sign

    def by_file(key: PrivateKey, data: bytes, algorithm: str) -> bytes:
        used.append(algorithm)
        return signs(key, data, algorithm)

    def by_agent(agent: SSHAgent, key: PublicKey, data: bytes, algorithm: str) -> bytes:
        used.append(f"{algorithm} by the agent")
        return agent_signs(agent, key, data, algorithm)

    monkeypatch.setattr(PrivateKey, "sign", by_file)
    monkeypatch.setattr(SSHAgent, "sign", by_agent)
    authorized.write_text((world.folder / "rsa.pub").read_text())
    config = lines(
        tmp_path,
        f"IdentityFile {world.folder}/rsa",
        "IdentitiesOnly yes",
        f"IdentityAgent {world.agent if held else 'none'}",
        f"PubkeyAcceptedAlgorithms {algorithm}" if algorithm else "",
    )
    let_in_by(config, replace(server.host(), identity_file=None))
    assert used == [(algorithm or "rsa-sha2-512") + " by the agent" * held]


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_key_on_a_security_key_lets_us_in_through_the_agent(
    server: Sshd, authorized: Path, tmp_path: Path, kind: str
) -> None:
    """There is no such device here: the agent is played, but sshd checks the signature."""
    device, other = SecurityKey(kind), SecurityKey("ed25519")
    authorized.write_text(device.line)
    with played(tmp_path / "agent", {"other": other, "my token": device}) as held:
        config = lines(tmp_path, f"IdentityAgent {held}", "IdentityFile none")
        host = replace(server.host(), identity_file=None)
        assert let_in_by(config, host) == ("publickey", "the agent's my token")
    assert device.asked == [0]
    assert not other.asked  # the server was asked first


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        *(("beside", "ed25519"), ("beside", "ecdsa"), ("beside", "rsa")),
        *(("named", "ed25519"), ("held", "rsa"), ("locked", "ecdsa")),
    ],
)
def test_a_certificate_lets_us_in(
    server: Sshd, world: World, authorized: Path, tmp_path: Path, how: str, kind: str
) -> None:
    authorized.write_text("")
    passphrase = "secret" if how == "locked" else ""
    key = make_key(tmp_path / "key", kind, "-a", "1", passphrase=passphrase)
    certificate = certify(world.folder / "authority", key, "-n", server.user)
    words = [f"IdentityFile {key}"]
    if how == "named":
        certificate = certificate.rename(tmp_path / "elsewhere")
        words.append(f"CertificateFile {certificate}")
    host = replace(server.host(), identity_file=None)
    with agent(tmp_path / "agent") as held:
        if how == "held":
            add(held, key)
            key.unlink()
            certificate.unlink()
            words = ["IdentityFile none"]
        config = lines(tmp_path, f"IdentityAgent {held}", *words)
        ssh = SSH(ssh_config=config, password=lambda host, prompt: "secret")
        stream = ssh.open(host, "printf ok", time.monotonic() + 120)
        assert stream.read(2) == b"ok"
        name = f"the agent's {key.name}" if how == "held" else str(certificate)
        assert ssh.met(host).key == name
        ssh.close()


def test_a_certificate_that_has_expired_falls_through_to_the_next_key(
    server: Sshd, world: World, authorized: Path, tmp_path: Path
) -> None:
    key, other = (make_key(tmp_path / name, "ed25519") for name in ("key", "other"))
    valid = "-V", "20200101:20200102"
    certificate = certify(world.folder / "authority", key, "-n", server.user, *valid)
    authorized.write_text(Path(f"{other}.pub").read_text())
    words = f"CertificateFile {certificate}", f"IdentityFile {key}", f"IdentityFile {other}"
    config = lines(tmp_path, "IdentityAgent none", *words)
    host = replace(server.host(), identity_file=None)
    assert let_in_by(config, host) == ("publickey", str(other))


@pytest.mark.parametrize(
    "form",
    [
        ("-m", "PKCS8"),
        ("-m", "PEM"),
        ("-Z", "aes256-gcm@openssh.com"),
        ("-Z", "aes256-cbc"),
    ],
    ids=lambda form: form[1],
)
@pytest.mark.parametrize("kind", [("rsa",), ("ecdsa", "-b", "521")])
def test_key_files_of_all_forms_are_read(
    tmp_path: Path, form: tuple[str, ...], kind: tuple[str, ...]
) -> None:
    path = make_key(tmp_path / "key", *kind, *form, "-a", "1", passphrase="secret")
    file = KeyFile(str(path))
    assert file.locked
    file._try("wrong")
    assert file.locked
    file._try("secret")
    assert file.private is not None
    shown = subprocess.check_output(["ssh-keygen", "-lf", f"{path}.pub"], text=True).split()[1]
    assert file.private.public.fingerprint == shown
    assert "secret" not in repr(file)


def test_two_keys_let_us_in_where_two_are_wanted(world: World, keys: Keys, tmp_path: Path) -> None:
    pair = [make_key(tmp_path / f"key{n}", "ed25519") for n in range(2)]
    allowed = tmp_path / "allowed"
    allowed.write_text("".join(Path(f"{key}.pub").read_text() for key in pair))
    (tmp_path / "sshd").mkdir()
    options = [f"AuthorizedKeysFile {allowed}", "AuthenticationMethods publickey,publickey"]
    with Sshd(tmp_path / "sshd", keys, options=options) as sshd:
        words = [f"IdentityFile {key}" for key in pair]
        host = replace(sshd.host(), identity_file=None)
        config = lines(tmp_path, "IdentityAgent none", *words)
        assert let_in_by(config, host) == ("publickey", str(pair[1]))
        config = lines(tmp_path, "IdentityAgent none", words[0])
        ssh = SSH(ssh_config=config)
        with pytest.raises(AuthenticationError, match="accepted publickey, and wants more"):
            ssh.open(host, "true", time.monotonic() + 120)
        ssh.close()
