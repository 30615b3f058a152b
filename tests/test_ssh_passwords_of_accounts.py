"""What is promised about passwords with a real sshd: its accounts have some, PAM asks for them.

They are in an /etc/passwd, an /etc/shadow and an /etc/pam.d of that sshd's own, in a mount
namespace.  Only root can have that; elsewhere the promises are tested with a server that is played.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from interstate.errors import AuthenticationError
from interstate.hosts import Host
from interstate.ssh import SSH

from .sshd import Keys, Sshd

SECRET = "open sesame"
WAYS = {
    "by-password": "password",
    "by-questions": "keyboard-interactive",
    "by-key-and-password": "publickey,password",
    "by-key-and-questions": "publickey,keyboard-interactive",
}
_ENTER = """\
#!/bin/sh
mount --make-rprivate / || exit 71
for name in passwd shadow pam.d/sshd; do
  mount --bind {folder}/$(basename $name) /etc/$name || exit 71
done
exec "$@"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sshd]:
    needed = [shutil.which(name) for name in ("unshare", "openssl")]
    if os.getuid() or not all(needed) or not Path("/etc/pam.d/sshd").exists():
        pytest.skip("only root can give an sshd accounts of its own, and PAM")
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespace may be made here")
    folder = tmp_path_factory.mktemp("accounts")
    _write(folder)
    enter = folder / "enter"
    enter.write_text(_ENTER.format(folder=shlex.quote(str(folder))))
    enter.chmod(0o755)
    options = ["UsePAM yes", "PasswordAuthentication yes", "KbdInteractiveAuthentication yes"]
    matches = [f"Match User {user}\n  AuthenticationMethods {how}" for user, how in WAYS.items()]
    within = ["unshare", "--mount", str(enter)]
    (folder / "server").mkdir()
    with Sshd(folder / "server", keys, options=options, within=within, matches=matches) as sshd:
        yield sshd


def _write(folder: Path) -> None:
    made = subprocess.check_output(["openssl", "passwd", "-6", SECRET], text=True).strip()
    users = "".join(f"{user}:x:0:0::{folder}:/bin/sh\n" for user in WAYS)
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + users)
    secrets = "".join(f"{user}:{made}:20000:0:99999:7:::\n" for user in WAYS)
    (folder / "shadow").write_text(Path("/etc/shadow").read_text() + secrets)
    (folder / "shadow").chmod(0o600)
    (folder / "notice").write_text("Authorized use only.\n")
    stack = [
        f"auth optional pam_echo.so file={folder}/notice",
        "auth required pam_unix.so nodelay",
        "account required pam_permit.so",
        "session required pam_permit.so",
    ]
    (folder / "sshd").write_text("\n".join(stack) + "\n")


@pytest.mark.parametrize("user", WAYS)
def test_a_password_lets_us_in(server: Sshd, user: str) -> None:
    asked: list[str] = []

    def answer(host: object, prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    ssh = SSH(ssh_config=None, password=answer)
    host = server.host(user=user)
    stream = ssh.open(host, "printf ok", time.monotonic() + 120)
    assert stream.read(2) == b"ok"
    stream.close()
    assert ssh.met(host).method == WAYS[user].rpartition(",")[2]
    ssh.close()
    (prompt,) = asked
    if "questions" in user:
        assert prompt.startswith("Authorized use only.\n")
        assert prompt.endswith(f"({user}@127.0.0.1) Password: ")
    else:
        assert prompt == f"{user}@127.0.0.1's password: "


@pytest.mark.parametrize("user", WAYS)
def test_a_wrong_password_does_not(server: Sshd, user: str) -> None:
    ssh = SSH(ssh_config=None, password=lambda *_: "not it")
    with pytest.raises(AuthenticationError, match=f"allows {WAYS[user].rpartition(',')[2]}"):
        ssh.open(server.host(user=user), "true", time.monotonic() + 120)
    ssh.close()


@pytest.mark.parametrize("user", ["by-questions", "by-key-and-password"])
def test_a_hop_asks_once_for_all_hosts_behind_it(server: Sshd, sshd: Sshd, user: str) -> None:
    asked: list[str] = []

    def answer(host: object, prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    ssh = SSH([server.host(user=user)], ssh_config=None, password=answer)

    def run(host: Host) -> bytes:
        stream = ssh.open(host, "printf ok", time.monotonic() + 120)
        try:
            return stream.read(2)
        finally:
            stream.close()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(run, sshd.hosts(8))) == [b"ok"] * 8
    ssh.close()
    assert len(asked) == 1


def test_without_the_key_no_password_is_asked_for(server: Sshd) -> None:
    ssh = SSH(ssh_config=None, password=lambda *_: pytest.fail("asked"))
    host = replace(server.host(user="by-key-and-password"), identity_file="/nowhere")
    with pytest.raises(AuthenticationError, match="the server allows publickey"):
        ssh.open(host, "true", time.monotonic() + 120)
    ssh.close()
