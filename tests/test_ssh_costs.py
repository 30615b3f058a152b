"""What connecting to many hosts must not cost for each of them anew."""

from __future__ import annotations

import base64
import hmac
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interstate.ssh import SSH
from interstate.ssh.knownfile import KnownFile
from interstate.ssh.settings import settle

from .sshd import Sshd


def hashed(name: str) -> str:
    salt = os.urandom(20)
    digest = base64.b64encode(hmac.digest(salt, name.encode(), "sha1")).decode()
    return f"|1|{base64.b64encode(salt).decode()}|{digest}"


def public_key(number: int) -> str:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + number.to_bytes(32, "big")
    return base64.b64encode(blob).decode()


def test_a_known_hosts_file_of_hashed_names_is_searched_once_for_each_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "known_hosts"
    lines = [f"{hashed(f'node-{i}')} ssh-ed25519 {public_key(i)}\n" for i in range(50)]
    path.write_text("".join([*lines, f"|1|no-hash ssh-ed25519 {public_key(60)}\n"]))
    computed = [0]
    digest = hmac.digest

    def counted(*given: Any) -> bytes:
        computed[0] += 1
        return digest(*given)

    monkeypatch.setattr(hmac, "digest", counted)
    file = KnownFile(str(path))
    for _ in range(5):
        for i in (7, 49):
            assert [entry.key for entry in file.find(f"node-{i}")] == [public_key(i)]
        assert file.find("node-50") == []
    assert computed[0] == 3 * 50
    with path.open("a") as known:
        known.write(f"{hashed('node-50')} ssh-ed25519 {public_key(50)}\n")
    assert [entry.key for entry in file.find("node-50")] == [public_key(50)]


def test_the_settings_of_hosts_and_their_hop_are_found_once(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def counted(*given: Any) -> Any:
        asked.append(given[0])
        return settle(*given)

    monkeypatch.setattr("interstate.ssh.opener.settle", counted)
    hosts, hop = sshd.hosts(8), replace(sshd.host(), name=sshd.addresses[9])
    ssh = SSH([hop], ssh_config=None)
    for host in hosts:
        ssh.way(host)
    ssh.files(hosts, 8)
    with ThreadPoolExecutor(8) as threads:
        streams = threads.map(lambda host: ssh.open(host, ":", time.monotonic() + 120), hosts)
        for stream in streams:
            stream.close()
    ssh.close()
    assert sorted(map(str, asked)) == sorted(map(str, [hop, *hosts]))
