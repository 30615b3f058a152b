"""What is promised about host keys: nothing is sent to a host that cannot show the right one."""

from __future__ import annotations

import os
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


def make_key(path: Path, kind: str) -> str:
    """Make a key pair and return the public one."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)]
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
    stream = ssh.open(host, "printf ok", time.monotonic() + 20)
    assert stream.read(2) == b"ok"
    stream.close()
    ssh.close()


def refusal(host: Host, config: Path | None = None) -> str:
    """Assert that a host is refused for its key, and return the message."""
    ssh = SSH(ssh_config=config)
    with pytest.raises(HostKeyError) as caught:
        ssh.open(host, "true", time.monotonic() + 20)
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
    assert f"ssh-keyscan -p {host.port} {host.name} >> {known}" in message
    assert not known.exists()


def test_the_command_that_is_advised_for_an_unknown_key_works(host: Host, known: Path) -> None:
    command = refusal(host).rpartition("note it with: ")[2]
    known.parent.mkdir()
    subprocess.run(command, shell=True, check=True, stderr=subprocess.DEVNULL)
    opens(host)


def test_a_changed_host_key_is_refused(host: Host, known: Path, keys: Keys, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", "ed25519")
    write(known, "# a comment", f"[{host.name}]:{host.port} {other}")
    message = refusal(host)
    assert "its host key is not the known one" in message
    assert f"it shows the ssh-ed25519 key {fingerprint(keys.host)}" in message
    assert f"key {fingerprint(tmp_path / 'other')} in {known} line 2" in message
    assert f"ssh-keygen -R '[{host.name}]:{host.port}' -f {known}" in message


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
        ssh.open(host, "true", time.monotonic() + 20)
    write(known, f"[{host.name}]:{host.port} {public(keys.host)}")
    ssh.open(host, "true", time.monotonic() + 20).close()
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
            threads.submit(ssh.open, host, "true", time.monotonic() + 30) for host in hosts * 2
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
