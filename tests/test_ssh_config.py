"""What is promised about ssh_config: it means here what it means to ssh."""

from __future__ import annotations

import getpass
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from interstate.errors import ConnectError
from interstate.hosts import Host
from interstate.ssh import SSH, USER_CONFIG
from interstate.ssh.config import Config
from interstate.ssh.settings import Settings, settle
from interstate.ssh.trouble import WayError

Settle = Callable[..., Settings]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of the test's own, with a `.ssh` in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture
def given(home: Path) -> Settle:
    """A function: what holds for a host, given a config file's text."""

    def settled(text: str, host: str | Host = "node") -> Settings:
        path = home / "ssh_config"
        path.write_text(textwrap.dedent(text))
        parsed = Host.parse(host) if isinstance(host, str) else host
        return settle(parsed, Config(path))

    return settled


def test_without_any_config_ssh_s_defaults_hold(home: Path) -> None:
    settings = settle(Host("node"), Config(None))
    assert (settings.address, settings.port, settings.user) == ("node", 22, getpass.getuser())
    assert settings.identity_files[0] == f"{home}/.ssh/id_ed25519"
    assert not settings.identities_given
    assert not settings.identities_only
    assert settings.known_hosts[0] == f"{home}/.ssh/known_hosts"
    assert "/etc/ssh/ssh_known_hosts" in settings.known_hosts
    assert settings.strict == "yes"
    assert (settings.jumps, settings.command, settings.connect_timeout) == ((), None, None)


def test_the_first_value_obtained_holds(given: Settle) -> None:
    settings = given(
        """
        Host node
          User first
          HostName node.example
        Host n*
          User second
          Port 2200
        Host *
          Port 2300
        """
    )
    assert (settings.address, settings.user, settings.port) == ("node.example", "first", 2200)


def test_what_the_host_says_itself_goes_before_the_config(given: Settle) -> None:
    text = """
        User config
        Port 1
        IdentityFile ~/a
        UserKnownHostsFile ~/known
        IdentityAgent /some/agent
        """
    settings = given(text, Host("node", "mine", 7, "/key", "/known"))
    assert (settings.user, settings.port) == ("mine", 7)
    assert (settings.identity_files, settings.agent) == (("/key",), None)
    assert settings.known_hosts == ("/known",)


def test_the_host_s_user_and_port_are_seen_by_match_and_tokens(given: Settle) -> None:
    text = """
        Match user mine
          ProxyCommand relay %r %p %h %n %%
        """
    assert given(text, "ssh://mine@node:7").command == "relay mine 7 node node %"
    assert given(text, "ssh://other@node:7").command is None


@pytest.mark.parametrize(
    ("word", "strict"),
    [("yes", "yes"), ("ask", "yes"), ("accept-new", "accept-new"), ("no", "no"), ("off", "no")],
)
def test_strict_host_key_checking(given: Settle, word: str, strict: str) -> None:
    assert given(f"StrictHostKeyChecking {word}").strict == strict


def test_paths_are_expanded(given: Settle, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/somewhere")
    settings = given(
        """
        HostName node.example
        User me
        IdentityFile ~/keys/%h-%n
        IdentityFile "%d/a key"
        IdentityFile ${WHERE}/%r
        UserKnownHostsFile ~/one "%d/two three"
        GlobalKnownHostsFile none
        """
    )
    assert settings.identity_files == (
        f"{home}/keys/node.example-node",
        f"{home}/a key",
        "/somewhere/me",
    )
    assert settings.known_hosts == (f"{home}/one", f"{home}/two three")


def test_proxy_jump_or_proxy_command_whichever_comes_first(given: Settle) -> None:
    jump, command = "ProxyJump me@a:2,ssh://b:3,[::1]", "ProxyCommand relay %h"
    hops = (Host("a", "me", 2), Host("b", None, 3), Host("::1"))
    settings = given(f"{jump}\n{command}")
    assert (settings.jumps, settings.command) == (hops, None)
    settings = given(f"{command}\n{jump}")
    assert (settings.jumps, settings.command) == ((), "relay node")
    assert given(f"ProxyJump none\n{command}").command is None


def test_include_reads_files_in_their_place(given: Settle, home: Path) -> None:
    (home / ".ssh" / "conf.d").mkdir()
    (home / ".ssh" / "conf.d" / "1").write_text("Host node\n  User included\n  Include deeper\n")
    (home / ".ssh" / "conf.d" / "2").write_text("Host *\n  User late\n")
    (home / ".ssh" / "deeper").write_text("HostName deep.example\n")
    settings = given(
        """
        Include conf.d/* ~/missing
        Port 2200
        Host other
          Port 1
          Include conf.d/2
          User never
        Host node
          User late
        """
    )
    assert (settings.user, settings.address, settings.port) == ("included", "deep.example", 2200)


def test_an_include_of_itself_is_an_error(given: Settle) -> None:
    with pytest.raises(ValueError, match="nested more than 16 deep"):
        given("Include ~/ssh_config")


@pytest.mark.parametrize(
    ("criteria", "matches"),
    [
        ("all", True),
        ("host node", True),
        ("host other", False),
        ("originalhost node user nobody", False),
        ("exec true", True),
        ("exec false", False),
        ("tagged blue", False),
        ("localnetwork 0.0.0.0/0", False),
        ("!tagged blue host node", True),
        ("!tagged blue", True),
    ],
)
def test_match(given: Settle, criteria: str, matches: bool) -> None:
    assert (given(f"Match {criteria}\n  Port 7").port == 7) is matches


def test_a_system_that_cannot_name_itself_costs_nothing(
    given: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getfqdn() -> str:
        raise AssertionError("asked")

    monkeypatch.setattr("socket.getfqdn", getfqdn)
    given("IdentityFile ~/%h\nUserKnownHostsFile ~/x\nProxyCommand y %h")


@pytest.mark.parametrize(
    "text",
    [
        "Host a\n  HostName a.example\n  Port 1\nHost *\n  Port 2\n  User u",
        "Match host x*\n  User x\nMatch originalhost node\n  User y\n  ConnectTimeout 3",
        "HostKeyAlias shared\nIdentitiesOnly yes\nHashKnownHosts yes",
        "IdentityFile ~/.ssh/%r@%h\nIdentityFile /b\nHost node\n  IdentityFile /c",
        "UserKnownHostsFile /a /b\nStrictHostKeyChecking accept-new",
        "Host !node *\n  Port 9\nHost n?de\n  Port=10\n  User = me",
        "Host *.b node\n  ProxyJump j\nHost *\n  ProxyCommand c",
    ],
)
def test_ssh_itself_reads_the_same_from_it(given: Settle, home: Path, text: str) -> None:
    settings = given(text)
    command = ["ssh", "-G", "-F", str(home / "ssh_config"), "node"]
    said: dict[str, list[str]] = {}
    for line in subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.splitlines():
        keyword, _, value = line.partition(" ")
        said.setdefault(keyword, []).append(value)
    assert settings.address == said["hostname"][0]
    assert settings.user == said["user"][0]
    assert str(settings.port) == said["port"][0]
    assert settings.identities_only == (said["identitiesonly"][0] == "yes")
    assert settings.hashed == (said["hashknownhosts"][0] == "yes")
    assert [str(jump) for jump in settings.jumps] == said.get("proxyjump", [])
    assert settings.command == said.get("proxycommand", [None])[0]
    assert (settings.connect_timeout or 0) == float(said["connecttimeout"][0].replace("none", "0"))
    if settings.identities_given:
        assert len(settings.identity_files) == len(said["identityfile"])


@pytest.mark.parametrize(
    "text", ["Port none", "ProxyJump a:b:c", "CanonicalizeHostname yes", "ProxyJump ftp://x"]
)
def test_a_config_that_makes_no_sense_for_a_host_is_an_error_of_that_host(
    given: Settle, home: Path, text: str
) -> None:
    with pytest.raises(WayError) as caught:
        given(text)
    assert caught.value.kind is ConnectError
    ssh = SSH(ssh_config=home / "ssh_config")
    assert ssh.way(Host("node")) == "this computer → node"
    with pytest.raises(ConnectError, match="ssh_config cannot be applied to it") as refused:
        ssh.open(Host("node"), "true", float("inf"))
    assert refused.value.host == Host("node")
    ssh.close()


def test_a_config_that_is_missing_or_malformed_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SSH(ssh_config=tmp_path / "missing")
    (tmp_path / "bad").write_text("Host node\n  Port\n")
    with pytest.raises(ValueError, match="bad: Unparsable line Port"):
        SSH(ssh_config=str(tmp_path / "bad"))


def test_the_default_is_the_user_s_config_and_may_be_missing(home: Path) -> None:
    assert repr(USER_CONFIG) == "USER_CONFIG"
    assert SSH().way(Host("node")) == "this computer → node"
    (home / ".ssh" / "config").write_text("Host node\n  ProxyJump head\n")
    assert SSH(ssh_config=USER_CONFIG).way(Host("node")) == "this computer → head → node"
