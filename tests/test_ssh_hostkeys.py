"""What is promised about host keys: nothing is sent to a host that cannot show the right one."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import re
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from interstate.errors import HostKeyError
from interstate.hosts import Host
from interstate.ssh import SSH
from interstate.ssh.certificates import SIGNATURES, certificate_in
from interstate.ssh.config import Config
from interstate.ssh.hostkeys import HostKey, KnownHosts
from interstate.ssh.met import Met
from interstate.ssh.settings import settle
from interstate.ssh.trouble import WayError

from .sshd import Keys, Sshd, loopback_addresses

Check = Callable[..., None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sshd]:
    """An sshd with host keys of three types."""
    directory = tmp_path_factory.mktemp("three_keys")
    paths = [directory / kind for kind in ("ecdsa", "rsa")]
    for path in paths:
        make_key(path, path.name)
    options = [f"HostKey {path}" for path in paths]
    (directory / "sshd").mkdir()
    with Sshd(directory / "sshd", keys, listen=loopback_addresses(50), options=options) as sshd:
        yield sshd


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """The one known_hosts file of a test; it does not exist yet."""
    return tmp_path / "made" / "known_hosts"


@pytest.fixture
def host(server: Sshd, known: Path) -> Host:
    return replace(server.host(), known_hosts_file=str(known))


def make_key(path: Path, kind: str, *more: str) -> str:
    """Make a key pair and return the public one."""
    command = ["ssh-keygen", "-q", "-t", kind, *more, "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return public(path)


def public(path: Path) -> str:
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


def fingerprint(path: Path) -> str:
    command = ["ssh-keygen", "-l", "-f", f"{path}.pub"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]


def write(known: Path, *lines: str) -> None:
    known.parent.mkdir(exist_ok=True)
    known.write_text("\n".join(lines) + "\n")


def opens(host: Host, config: Path | None = None) -> None:
    """Assert that a host opens."""
    ssh = SSH(ssh_config=config)
    stream = ssh.open(host, "printf ok", time.monotonic() + 120)
    assert stream.read(2) == b"ok"
    stream.close()
    ssh.close()


def refusal(host: Host, config: Path | None = None) -> str:
    """Assert that a host is refused for its key, and return the message."""
    ssh = SSH(ssh_config=config)
    with pytest.raises(HostKeyError) as caught:
        ssh.open(host, "true", time.monotonic() + 120)
    ssh.close()
    assert caught.value.host == host
    return str(caught.value)


def config_file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "ssh_config"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_unknown_host_key_is_refused(host: Host, known: Path, keys: Keys) -> None:
    message = refusal(host)
    assert "its host key is not known" in message
    assert f"ssh-ed25519 key {fingerprint(keys.host)}" in message
    assert f"looked in {known}" in message
    assert f"echo '[{host.name}]:{host.port} ssh-ed25519 AAAA" in message
    assert not known.exists()


@pytest.mark.parametrize("alias", ["", "HostKeyAlias elsewhere"])
def test_the_command_that_is_advised_for_an_unknown_key_works(
    alias: str, host: Host, known: Path, tmp_path: Path
) -> None:
    """Though the folder is not there, and by whatever name the key is sought."""
    config = config_file(tmp_path, "Host *", alias)
    command = refusal(host, config).rpartition("note it with:\n")[2]
    assert not known.parent.exists()
    subprocess.run(command, shell=True, check=True)
    opens(host, config)


@pytest.mark.parametrize("nowhere", ["none", "/dev/null"])
def test_where_no_file_is_for_new_keys_one_is_to_be_named(
    nowhere: str, host: Host, tmp_path: Path
) -> None:
    config = config_file(tmp_path, f"UserKnownHostsFile {nowhere}", "GlobalKnownHostsFile none")
    message = refusal(replace(host, known_hosts_file=None), config)
    assert message.endswith("note it in a UserKnownHostsFile that you name in ssh_config")


def test_a_changed_host_key_is_refused(host: Host, known: Path, keys: Keys, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", "ed25519")
    write(known, "# a comment", f"[{host.name}]:{host.port} {other}")
    message = refusal(host)
    assert "its host key is not the known one" in message
    assert f"it shows the ssh-ed25519 key {fingerprint(keys.host)}" in message
    assert f"key {fingerprint(tmp_path / 'other')} in {known} line 2" in message
    assert f"ssh-keygen -R '[{host.name}]:{host.port}' -f {known}" in message


def test_the_command_that_is_advised_for_a_changed_key_works(
    host: Host, known: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other", "ed25519")
    write(known, f"[{host.name}]:{host.port} {other}", f"elsewhere {other}")
    command = re.search(r"remove the old one with:\n(.*)$", refusal(host))
    assert command is not None
    subprocess.run(command[1], shell=True, check=True, capture_output=True)
    assert known.read_text() == f"elsewhere {other}\n"


def test_a_changed_key_of_a_pattern_is_told_by_its_line_alone(
    host: Host, known: Path, tmp_path: Path
) -> None:
    write(known, f"[127.0.*]:{host.port} {make_key(tmp_path / 'other', 'ed25519')}")
    assert refusal(host).endswith(f"remove the old one: it is line 1 of {known}")


@pytest.mark.parametrize("strict", ["no", "accept-new"])
def test_a_changed_host_key_is_refused_however_lax_the_config(
    host: Host, known: Path, tmp_path: Path, strict: str
) -> None:
    write(known, f"[{host.name}]:{host.port} {make_key(tmp_path / 'other', 'ed25519')}")
    before = known.read_text()
    config = config_file(tmp_path, f"StrictHostKeyChecking {strict}")
    assert "is not the known one" in refusal(host, config)
    assert known.read_text() == before


def test_a_key_of_another_type_than_the_known_ones_is_refused(
    real_host: Host, known: Path, tmp_path: Path
) -> None:
    host = replace(real_host, known_hosts_file=str(known))  # it has an ed25519 key only
    write(known, f"[{host.name}]:{host.port} {make_key(tmp_path / 'rsa', 'rsa')}")
    assert "known is the ssh-rsa key" in refusal(host)


def test_a_revoked_host_key_is_refused_though_it_is_known_too(
    host: Host, known: Path, keys: Keys
) -> None:
    key = public(keys.host)
    write(known, f"[{host.name}]:{host.port} {key}", f"@revoked * {key}")
    message = refusal(host)
    assert "marked as revoked" in message
    assert f"{known} line 2" in message


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_server_is_asked_for_the_type_of_key_that_is_known(
    host: Host, known: Path, keys: Keys, server: Sshd, kind: str
) -> None:
    path = keys.host if kind == "ed25519" else server.known_hosts.parents[1] / kind
    write(known, f"[{host.name}]:{host.port} {public(path)}")
    opens(host)


def test_a_hashed_name_is_found(host: Host, known: Path, keys: Keys) -> None:
    write(known, f"[{host.name}]:{host.port} {public(keys.host)}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    assert known.read_text().startswith("|1|")
    opens(host)


@pytest.mark.parametrize(
    ("names", "good"),
    [
        ("[127.0.*]:{port}", True),
        ("[127.0.1.?]:{port}", True),
        ("other,[127.0.1.1]:{port}", True),
        ("[127.0.*]:{port},![127.0.1.1]:{port}", False),
        ("[127.0.1.2]:{port}", False),
        ("127.0.1.1", True),  # as ssh: known without its port is known
    ],
)
def test_patterns_of_names_mean_what_they_mean_to_ssh(
    host: Host, known: Path, keys: Keys, names: str, good: bool
) -> None:
    write(known, f"{names.format(port=host.port)} {public(keys.host)}")
    if good:
        opens(host)
    else:
        refusal(host)


def test_lines_of_certificate_authorities_and_rubbish_are_passed_over(
    host: Host, known: Path, keys: Keys
) -> None:
    name, key = f"[{host.name}]:{host.port}", public(keys.host)
    write(known, f"@cert-authority {name} {key}", "rubbish", "a b", f"{name} {key} a comment")
    opens(host)


def test_host_key_alias_and_several_files_are_honoured(
    server: Sshd, keys: Keys, tmp_path: Path
) -> None:
    write(tmp_path / "two", f"our-cluster {public(keys.host)}")
    config = config_file(
        tmp_path,
        "HostKeyAlias our-cluster",
        f"UserKnownHostsFile {tmp_path}/one {tmp_path}/two",
        "GlobalKnownHostsFile none",
    )
    opens(replace(server.host(), known_hosts_file=None), config)


def test_a_key_that_is_noted_meanwhile_is_found_without_a_new_ssh(
    host: Host, known: Path, keys: Keys
) -> None:
    ssh = SSH(ssh_config=None)
    with pytest.raises(HostKeyError):
        ssh.open(host, "true", time.monotonic() + 120)
    write(known, f"[{host.name}]:{host.port} {public(keys.host)}")
    ssh.open(host, "true", time.monotonic() + 120).close()
    ssh.close()


@pytest.mark.parametrize("strict", ["accept-new", "no"])
def test_a_new_key_is_noted_as_ssh_would(
    host: Host, known: Path, keys: Keys, tmp_path: Path, strict: str
) -> None:
    opens(host, config_file(tmp_path, f"StrictHostKeyChecking {strict}"))
    assert known.read_text() == f"[{host.name}]:{host.port} {public(keys.host)}\n"
    assert stat.S_IMODE(os.stat(known).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(known.parent).st_mode) == 0o700
    opens(host)


def test_a_new_key_is_noted_under_a_hash_when_ssh_config_says_so(
    host: Host, known: Path, tmp_path: Path
) -> None:
    opens(host, config_file(tmp_path, "HashKnownHosts yes", "StrictHostKeyChecking accept-new"))
    assert known.read_text().startswith("|1|")
    found = subprocess.run(
        ["ssh-keygen", "-F", f"[{host.name}]:{host.port}", "-f", str(known)],
        check=False,
        capture_output=True,
    )
    assert found.returncode == 0
    opens(host)


@pytest.mark.once
def test_fifty_new_keys_are_noted_at_once_and_none_is_lost_or_torn(
    server: Sshd, keys: Keys, known: Path, tmp_path: Path
) -> None:
    write(known)
    known.write_text("no newline at the end")
    config = config_file(tmp_path, "StrictHostKeyChecking accept-new")
    hosts = [replace(host, known_hosts_file=str(known)) for host in server.hosts(50)]
    ssh = SSH(ssh_config=config)
    with ThreadPoolExecutor(50) as threads:
        opened = [
            threads.submit(ssh.open, host, "true", time.monotonic() + 120) for host in hosts * 2
        ]
        for future in opened:
            future.result().close()
    ssh.close()
    lines = known.read_text().splitlines()
    assert lines[0] == "no newline at the end"
    assert sorted(lines[1:]) == sorted(
        f"[{host.name}]:{host.port} {public(keys.host)}" for host in hosts
    )


def test_a_key_that_cannot_be_noted_does_not_stop_what_is_allowed(
    host: Host, tmp_path: Path
) -> None:
    config = config_file(tmp_path, "StrictHostKeyChecking no")
    opens(replace(host, known_hosts_file="/dev/null"), config)
    opens(replace(host, known_hosts_file="/dev/null/not/there"), config)


def standing(ssh: SSH, host: Host) -> str:
    """How a host's key stands when it is connected to; whether it is let in does not matter."""
    with contextlib.suppress(HostKeyError):
        ssh.open(host, "true", time.monotonic() + 120).close()
    return ssh.met(host).standing


def test_how_a_host_key_stands_is_kept(host: Host, known: Path, keys: Keys, tmp_path: Path) -> None:
    name, key = f"[{host.name}]:{host.port}", public(keys.host)
    other = make_key(tmp_path / "other", "ed25519")
    ssh = SSH(ssh_config=config_file(tmp_path, "StrictHostKeyChecking accept-new"))
    strict = SSH(ssh_config=None)
    assert standing(strict, host) == "unknown"
    assert [standing(ssh, host) for _ in range(2)] == ["new", "known"]
    write(known, f"{name} {other}")
    assert standing(ssh, host) == "changed"
    write(known, f"{name} {key}", f"@revoked * {key}")
    assert standing(ssh, host) == "revoked"
    ssh.close()
    strict.close()


def test_a_hop_is_held_to_its_host_key_as_strictly(
    host: Host, server: Sshd, known: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other", "ed25519")
    write(known, f"[{host.name}]:{host.port} {other}")
    for strict in ("yes", "accept-new", "no"):
        ssh = SSH([host], ssh_config=config_file(tmp_path, f"StrictHostKeyChecking {strict}"))
        with pytest.raises(
            HostKeyError, match=f"its hop {host} cannot be used: its host key is not"
        ):
            ssh.open(server.hosts(2)[1], "true", time.monotonic() + 120)
        ssh.close()


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        (("-n", "elsewhere,other"), "it is for elsewhere, other, not for 127.0.1.1"),
        (("-V", "20200101:20210101"), r"it has expired on 202\d-"),
        (("-V", "21200101:21210101"), r"it is not valid before 21\d\d-"),
        (("-O", "critical:strange=1"), "it has critical options"),
    ],
)
def test_a_certificate_that_does_not_do_is_told_with_its_reason(
    server: Sshd, keys: Keys, tmp_path: Path, terms: tuple[str, ...], told: str
) -> None:
    path, authority = tmp_path / "host", tmp_path / "ca"
    make_key(authority, "ed25519")
    Path(f"{path}.pub").write_text(public(keys.host))
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-h", "-I", "it", *terms, f"{path}.pub"]
    subprocess.run(sign, check=True)
    blob = base64.b64decode(Path(f"{path}-cert.pub").read_text().split()[1])
    known = tmp_path / "known_hosts"
    host = replace(server.host(), known_hosts_file=str(known))
    settings = settle(host, Config(None))
    name = f"[{host.name}]:{host.port}"
    key = HostKey("ssh-ed25519", public(keys.host).split()[1], 256, certificate_in(blob))
    write(known, f"@cert-authority {name} {public(authority)}")
    with pytest.raises(WayError, match=f"the certificate that it came with does not do: {told}"):
        KnownHosts().check(settings, key, Met())


def test_a_certificate_that_was_altered_does_not_hold(keys: Keys, tmp_path: Path) -> None:
    authority = tmp_path / "ca"
    for kind in ("ed25519", "ecdsa", "rsa"):
        make_key(authority, kind, *["-b", "2048"] * (kind == "rsa"))
        (tmp_path / "host.pub").write_text(public(keys.host))
        sign = ["ssh-keygen", "-q", "-s", str(authority), "-h", "-I", "it", "-n", "node"]
        subprocess.run([*sign, str(tmp_path / "host.pub")], check=True)
        blob = base64.b64decode((tmp_path / "host-cert.pub").read_text().split()[1])
        assert certificate_in(blob).problem("node", SIGNATURES) == ""
        altered = certificate_in(blob.replace(b"node", b"evil"))
        assert "signature" in altered.problem("evil", SIGNATURES)
        assert "CASignatureAlgorithms" in certificate_in(blob).problem("node", ())
        for end in range(len(blob)):
            with pytest.raises(ValueError, match="cut short"):
                certificate_in(blob[:end])
        with pytest.raises(ValueError, match="after its end"):
            certificate_in(blob + b"\0")
        for path in tmp_path.glob("*"):
            path.unlink()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, "No such file"),
        (b"rubbish\n", "its line 1 is no public key"),
        (b"SSHKRL\n\0\0\0\0\x02", "it is a KRL of version 2"),
        (b"SSHKRL\n\0\0\0\0\x01", "it is cut short"),
        (
            b"SSHKRL\n\0\0\0\0\x01" + bytes(32) + b"\x04" + bytes(4),
            "a section of type 4, which is not known",
        ),
    ],
    ids=["missing", "rubbish", "new KRL", "cut off", "signed"],
)
def test_a_file_of_revoked_keys_that_cannot_be_read_lets_no_host_in(
    host: Host, known: Path, keys: Keys, tmp_path: Path, data: bytes | None, told: str
) -> None:
    write(known, f"[{host.name}]:{host.port} {public(keys.host)}")
    path = tmp_path / "revoked"
    if data is not None:
        path.write_bytes(data)
    message = refusal(host, config_file(tmp_path, f"RevokedHostKeys {path}"))
    assert f"the file of its RevokedHostKeys {path} cannot be read: " in message
    assert told in message
    path.write_bytes(b"")
    opens(host, config_file(tmp_path, f"RevokedHostKeys {path}"))


def test_a_key_that_a_file_revokes_is_told_with_the_file(
    host: Host, known: Path, keys: Keys, tmp_path: Path
) -> None:
    write(known, f"[{host.name}]:{host.port} {public(keys.host)}")
    write(tmp_path / "revoked", f"# compromised\n{public(keys.host)} old")
    message = refusal(host, config_file(tmp_path, f"RevokedHostKeys {tmp_path / 'revoked'}"))
    assert f"key {fingerprint(keys.host)} in {tmp_path / 'revoked'}" in message


def test_no_host_is_let_in_while_known_hosts_cannot_be_read_for_the_moment(
    host: Host, known: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: str) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    write(known, f"[{host.name}]:{host.port} {make_key(tmp_path / 'other', 'ed25519')}")
    config = config_file(tmp_path, "StrictHostKeyChecking accept-new")
    with monkeypatch.context() as patch:
        patch.setattr("interstate.ssh.knownfile.read", failing)
        assert f"{known} cannot be read: Too many open files" in refusal(host, config)
    assert "is not the known one" in refusal(host, config)


def test_a_new_key_that_cannot_be_noted_is_logged(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opens(
        replace(host, known_hosts_file=str(tmp_path)),
        config_file(tmp_path, "StrictHostKeyChecking no"),
    )
    assert f"the new host key of [{host.name}]:{host.port} was not noted" in caplog.text


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("/bin/sh -c 'echo the directory is down >&2; exit 3'", "failed: the directory is down"),
        ("/bin/false", "failed: it ended with 1"),
        ("/bin/sleep 30", r"failed: it took longer than \d"),
    ],
)
def test_a_known_hosts_command_that_fails_lets_no_host_in(
    host: Host, known: Path, keys: Keys, tmp_path: Path, command: str, told: str
) -> None:
    write(known, f"[{host.name}]:{host.port} {public(keys.host)}")
    ssh = SSH(ssh_config=config_file(tmp_path, f"KnownHostsCommand {command}"))
    with pytest.raises(HostKeyError, match=f"its KnownHostsCommand {told}") as caught:
        ssh.open(host, "true", time.monotonic() + 6)
    assert "Try that command in a shell" in str(caught.value)
    ssh.close()


def test_a_known_hosts_command_that_is_not_there_is_logged(
    host: Host, known: Path, keys: Keys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(known, f"[{host.name}]:{host.port} {public(keys.host)}")
    opens(host, config_file(tmp_path, "KnownHostsCommand /no/such/command %H"))
    assert "KnownHostsCommand /no/such/command cannot be run: No such file" in caplog.text
