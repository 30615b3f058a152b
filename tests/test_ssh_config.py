"""What is promised about ssh_config: it means here what it means to ssh."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import socket
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from interstate.errors import ConnectError
from interstate.hosts import Host
from interstate.ssh import SSH, USER_CONFIG
from interstate.ssh.config import Config
from interstate.ssh.patterns import matches
from interstate.ssh.settings import Settings, settle
from interstate.ssh.trouble import WayError

Settle = Callable[..., Settings]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of the test's own, with a `.ssh` in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("interstate.ssh.config.home", lambda: str(tmp_path))
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
    assert settings.identity_files[0] == f"{home}/.ssh/id_rsa"
    assert not settings.identities_given
    assert not settings.identities_only
    assert settings.known_hosts[0] == f"{home}/.ssh/known_hosts"
    assert "/etc/ssh/ssh_known_hosts" in settings.known_hosts
    assert settings.strict == "yes"
    assert (settings.jumps, settings.command, settings.connect_timeout) == ((), None, None)


@pytest.mark.parametrize("line", ["ProxyCommand nc {}", "Match exec 'test x = {}'"])
@pytest.mark.parametrize("evil", ["a;touch pwned;b", "$(id)", "a`id`", "a\nb", "-oX", "a'b"])
def test_who_names_a_host_cannot_have_commands_run(given: Settle, line: str, evil: str) -> None:
    with pytest.raises(WayError, match="no host has such a name"):
        given("", Host(evil))
    with pytest.raises(WayError, match="cannot be handed to a shell"):
        given(line.format("%r"), Host("node", evil))
    with pytest.raises(WayError, match="cannot be handed to a shell"):
        given(f"HostName %h$(id)\n{line.format('%h')}")
    given(f"{line.format('%h')}\n  Port 22", Host("node", evil))


SLOW = {
    "the command 'sleep 9'": "Match exec 'sleep 9'",
    "the look-up of 'node.a.'": "CanonicalizeHostname yes\nCanonicalDomains a",
}


@pytest.mark.parametrize("what", SLOW)
def test_what_takes_too_long_is_an_error_and_rests_for_a_while(
    home: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    ended = threading.Event()

    def slowly(name: str, family: str, flags: int) -> list[object]:
        if flags != socket.AI_NUMERICHOST:
            ended.wait(100)
        return []

    monkeypatch.setattr("interstate.ssh.config._LONGEST", 1.0)
    monkeypatch.setattr("interstate.ssh.config._look_up", slowly)
    (home / "ssh_config").write_text(SLOW[what])
    config, before = Config(home / "ssh_config"), time.monotonic()
    for _ in range(50):
        with pytest.raises(ValueError, match=f"^{what} takes longer than 1 s"):
            config.lookup("node", None, None)
    assert time.monotonic() - before < 30  # it is not tried anew for each
    ended.set()
    for thread in threading.enumerate():
        if thread.name.startswith("look up"):
            thread.join()


def test_slow_commands_of_many_hosts_run_at_once_and_one_of_all_of_them_once(home: Path) -> None:
    lines = [f"Match exec 'sleep 1; echo {one} >> {home}/{one}'" for one in ("all", "%n")]
    (home / "ssh_config").write_text("\n".join(lines))
    ssh, hosts = SSH(ssh_config=home / "ssh_config"), [Host(f"n{i}") for i in range(64)]
    before = time.monotonic()
    assert ssh.files(hosts, 32) == 64 + 32
    assert time.monotonic() - before < 40  # one after the other, it would be 65
    written = [(home / name).read_text() for name in ("all", *(host.name for host in hosts))]
    assert written == ["all\n", *(f"{host.name}\n" for host in hosts)]
    ssh.close()


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    before = time.process_time()
    assert not matches("a" * 200, "*a" * 50 + "*b")
    assert matches("a" * 200, "*a" * 50 + "*a")
    meant = {"*ab.*": True, "a*b*c": True, "*b?b*": True, "**": True, "a*a": False, "*b": False}
    assert {pattern: matches("abab.c", pattern) for pattern in meant} == meant
    assert time.process_time() - before < 1


def test_any_key_of_this_computer_will_do_on_any_port_but_not_under_an_alias(given: Settle) -> None:
    text = "NoHostAuthenticationForLocalhost yes\n"
    assert given(text).localhost_unchecked
    assert given(text, "node:2222").localhost_unchecked
    assert not given(text + "HostKeyAlias other").localhost_unchecked
    assert not given("").localhost_unchecked


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
    assert settings.identity_files == ("/key",)
    assert settings.identities_only
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
    assert given(f"ProxyJump none\n{command}").command == "relay node"
    assert given(f"ProxyCommand none\n{jump}").jumps == ()


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
    with pytest.raises(ValueError, match="include one another, more than 16 deep"):
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
        ("localnetwork 127.0.0.0/8", True),
        ("localnetwork 127.0.0.1", True),
        ("localnetwork 203.0.113.0/24,2001:db8::/32", False),
        ("!localnetwork 203.0.113.0/24", True),
        ('tagged ""', True),
        ('command ""', False),
        ("command interstate", True),
        ("sessiontype exec,shell", True),
        ("sessiontype shell", False),
        ("version OpenSSH_*", False),
        ("version Interstate", True),
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
        "HostName %n.example",
        "IdentityFile ${NO_SUCH_VARIABLE}/key",
        "ProxyCommand relay %d",
        "CanonicalizeHostname yes\nCanonicalDomains invalid\nCanonicalizeFallbackLocal no",
        "KnownHostsCommand /usr/bin/known %x",
        "RefuseConnection under-repair",
        "ConnectionAttempts 0",
    ],
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
    with pytest.raises(ValueError, match="bad line 2: port: expected something after it"):
        SSH(ssh_config=str(tmp_path / "bad"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Port none", "port: expected a port between 1 and 65535, not 'none'"),
        ("ProxyJump a:b:c", "proxyjump: expected hosts between commas; host 'a:b:c'"),
        ("ProxyJump ftp://x", "proxyjump: expected hosts between commas; .* not ftp://"),
        ("Compression maybe", "compression: expected one of yes, no, not 'maybe'"),
        ("ConnectTimeout soon", "connecttimeout: expected a time such as 90"),
        ("User me you", "user: expected one word, not 'me you'"),
        ('IdentityFile "~/key', "identityfile: expected a closing quote"),
        ("SetEnv A", "setenv: expected NAME=VALUE"),
        ("Match sometimes", "match: expected criteria .*, not 'sometimes'"),
        ("Match host", "match: expected something after host"),
        ("Match tagged", "match: expected something after tagged"),
        ("Match localnetwork 10.0.0.1/8", "match: expected networks such as .* has host bits set"),
        ("Port nosuchservice", "port: expected a port between 1 and 65535, not 'nosuchservice'"),
        ("RekeyLimit 15", "rekeylimit: expected at least 16 bytes, not '15'"),
        ("RekeyLimit much", "rekeylimit: expected a size such as 1G or 500M, not 'much'"),
        ("IdentityAgent $a-b", "identityagent: expected a path, or \\$ and the name of a variable"),
        ("LocalForward 80", "localforward: expected two words, not '80'"),
        ("ForwardX11 maybe", "forwardx11: expected one of yes, no, true, false, not 'maybe'"),
        ("Colour blue", "colour: expected a keyword of ssh_config; .*IgnoreUnknown colour"),
    ],
)
def test_a_malformed_line_is_named_with_what_was_expected(
    home: Path, line: str, expected: str
) -> None:
    (home / ".ssh" / "more").write_text(f"# the first line\n{line}\n")
    (home / "ssh_config").write_text("Host other\n  Include more\n")
    with pytest.raises(ValueError, match=f"^ssh_config {home}/.ssh/more line 2: {expected}"):
        SSH(ssh_config=home / "ssh_config")


def test_a_config_that_others_can_write_to_is_refused(home: Path) -> None:
    path = home / ".ssh" / "config"
    path.write_text("User me\n")
    path.chmod(0o666)
    with pytest.raises(ValueError, match=f"only you can write to, not {path}: .* chmod go-w"):
        SSH()
    (home / "ssh_config").write_text("Include config\n")
    with pytest.raises(ValueError, match="ssh_config line 1: include: expected a file of yours"):
        SSH(ssh_config=home / "ssh_config")


def test_a_name_is_made_canonical_and_its_aliases_are_followed(
    given: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def resolve(name: str, *_: object, flags: int) -> list[tuple[object, ...]]:
        if flags == socket.AI_NUMERICHOST:
            raise OSError(name)
        asked.append(name)
        if name != "node.two.example.":
            raise OSError(name)
        return [(0, 0, 0, "real.two.example", ("127.0.0.1", 0))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    text = """
        CanonicalizeHostname yes
        CanonicalDomains one.example two.example three.example
        Match canonical host node.two.example
          User canonical
        Match canonical host real.two.example
          User real
        """
    settings = given(text)
    assert (settings.address, settings.user) == ("node.two.example", "canonical")
    assert asked == ["node.one.example.", "node.two.example."]
    permitted = "CanonicalizePermittedCNAMEs *.one.example:* *.two.example:*.two.example\n"
    settings = given(textwrap.dedent(text) + "Host *\n" + permitted)
    assert (settings.address, settings.user) == ("real.two.example", "real")
    assert given(textwrap.dedent(text) + "Host *\nProxyJump head").address == "node"
    assert given("CanonicalizeMaxDots 0\n" + textwrap.dedent(text), "a.b").address == "a.b"


def test_a_tag_is_seen_by_match(given: Settle) -> None:
    assert given("Host node\n  Tag blue\nMatch tagged blue,green\n  Port 7").port == 7


def test_what_is_for_the_connection_is_taken_over(
    given: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE_ONE", "1")
    monkeypatch.setenv("MINE_TWO", "2")
    monkeypatch.setenv("YOURS", "3")
    settings = given(
        """
        SendEnv MINE_* YOURS -YOURS
        SetEnv MINE_TWO=two OTHER="a b"
        ServerAliveInterval 1m
        ServerAliveCountMax 2
        ConnectionAttempts 4
        BindAddress 127.0.0.9
        NumberOfPasswordPrompts 1
        PreferredAuthentications gssapi-with-mic,password,publickey
        CertificateFile ~/cert
        Compression yes
        AddressFamily inet
        """
    )
    assert dict(settings.environment) == {"MINE_ONE": "1", "MINE_TWO": "two", "OTHER": "a b"}
    assert (settings.alive_interval, settings.alive_count) == (60, 2)
    assert (settings.attempts, settings.bind, settings.prompts) == (4, "127.0.0.9", 1)
    assert settings.methods == ("password", "publickey")
    assert settings.certificates[0].endswith("/cert")
    assert settings.compressed
    assert settings.family == socket.AF_INET
    assert given("PubkeyAuthentication no\nPasswordAuthentication no").methods == (
        "keyboard-interactive",
    )


def test_the_default_is_the_user_s_config_and_may_be_missing(home: Path) -> None:
    assert repr(USER_CONFIG) == "USER_CONFIG"
    assert SSH().way(Host("node")) == "this computer → node"
    (home / ".ssh" / "config").write_text("Host node\n  ProxyJump head\n")
    assert SSH(ssh_config=USER_CONFIG).way(Host("node")) == "this computer → head → node"


def test_the_user_s_config_goes_before_the_system_s(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = home / "etc"
    (system / "ssh_config.d").mkdir(parents=True)
    monkeypatch.setattr("interstate.ssh.config._SYSTEM", str(system))
    (home / ".ssh" / "config").write_text("IgnoreUnknown Newer\nHost node\n  Port 1\nHost other\n")
    (system / "ssh_config").write_text(
        "Include ssh_config.d/*.conf\nNewer yes\nPort 2\nUser late\n"
    )
    (system / "ssh_config.d" / "a.conf").write_text("User system\n")
    settings = settle(Host("node"), Config())
    assert (settings.port, settings.user) == (1, "system")
    assert settle(Host("third"), Config()).port == 2
    (system / "ssh_config").write_text("Include ~/.ssh/config\n")
    with pytest.raises(
        ValueError, match="ssh_config line 1: include: expected no path of a user's"
    ):
        Config()
    assert settle(Host("node"), Config(None)).port == 22
    assert settle(Host("node"), Config("none")).port == 22


def test_home_is_what_the_system_says_and_only_include_goes_by_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    real = pwd.getpwuid(os.getuid()).pw_dir
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "more").write_text("Port 7\n")
    (tmp_path / "config").write_text("Include more\nIdentityFile ~/a\nIdentityFile %d/b\n")
    settings = settle(Host("node"), Config(tmp_path / "config"))
    assert settings.port == 7
    assert settings.identity_files == (f"{real}/a", f"{real}/b")
    assert settings.known_hosts[0] == f"{real}/.ssh/known_hosts"


@pytest.mark.parametrize(
    ("members", "others", "allowed"),
    [
        ((), ("me",), True),
        (("me",), ("me",), True),
        (("me",), (), True),
        (("me", "you"), ("me",), False),
        ((), ("me", "you"), False),
        ((), (), False),
    ],
)
def test_a_group_may_write_to_a_config_if_its_owner_is_alone_in_it(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    members: tuple[str, ...],
    others: tuple[str, ...],
    allowed: bool,
) -> None:
    path = home / ".ssh" / "config"
    path.write_text("Port 7\n")
    path.chmod(0o664)
    group = path.stat().st_gid
    ids = {"me": os.getuid(), "you": os.getuid() + 1}
    users = [SimpleNamespace(pw_name=name, pw_uid=ids[name], pw_gid=group) for name in others]
    monkeypatch.setattr("pwd.getpwuid", lambda number: SimpleNamespace(pw_name="me"))
    monkeypatch.setattr("pwd.getpwall", lambda: users)
    monkeypatch.setattr("grp.getgrgid", lambda number: SimpleNamespace(gr_mem=[*members]))
    if allowed:
        assert settle(Host("node"), Config()).port == 7
    else:
        with pytest.raises(ValueError, match="only you can write to"):
            Config()


def test_the_same_files_are_refused_as_by_ssh(home: Path) -> None:
    included, config = home / ".ssh" / "more", home / "config"
    config.write_text("Include more\n")
    included.write_text("Port 7\n")
    groups = {os.getgid(), *os.getgroups()}
    if os.getuid() == 0:
        groups |= {one.gr_gid for one in grp.getgrall()}
    modes = [(mode, os.getgid()) for mode in (0o600, 0o644, 0o664, 0o646, 0o666)]
    for mode, group in [*modes, *((0o664, group) for group in sorted(groups)[:16])]:
        os.chown(included, -1, group)
        included.chmod(mode)
        command = ["ssh", "-G", "-F", str(config), "node"]
        done = subprocess.run(command, check=False, capture_output=True)
        try:
            Config(config)
            refused = False
        except ValueError:
            refused = True
        assert refused == bool(done.returncode), f"{mode:o} of group {group}"


def test_an_alias_is_followed_where_nothing_was_made_canonical(
    given: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(name: str, *_: object, flags: int) -> list[tuple[object, ...]]:
        if flags == socket.AI_NUMERICHOST or name.endswith("."):
            raise OSError(name)
        return [(0, 0, 0, "real.example", ("127.0.0.1", 0))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    text = "CanonicalizePermittedCNAMEs *.example:*.example node:*\nCanonicalDomains a\n"
    assert given(text).address == "node"
    assert given(text + "CanonicalizeHostname yes").address == "real.example"
    assert given(text + "CanonicalizeHostname yes", "a.b.example").address == "real.example"
    assert given(text + "CanonicalizeHostname yes", "a.b.c").address == "a.b.c"
    assert given(text + "CanonicalizeHostname yes\nProxyJump x").address == "node"
    assert given(text + "CanonicalizeHostname always\nProxyJump x").address == "real.example"


def test_what_is_for_the_line_is_taken_over(given: Settle) -> None:
    settings = given("BindInterface eth7\nTCPKeepAlive no\nRekeyLimit 1G 1h\n")
    assert (settings.interface, settings.tcp_alive) == ("eth7", False)
    assert settings.rekeying == (1 << 30, 3600)
    assert given("RekeyLimit default none").rekeying == (0, 0)


def test_what_newer_versions_of_ssh_understand_is_understood(
    given: Settle, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE", str(home))
    (home / "more").write_text("Port 7\n")
    assert given("Include ${WHERE}/more").port == 7
    assert given('Match exec "test \\"a b\\" = \'a b\'"\n  Port 7').port == 7
    assert given("Match exec 'test a = b' host=node\n  Port 7").port == 22
    assert given("UserKnownHostsFile /%j\nProxyJump me@a,me@b:2").known_hosts[0] == "/b"
    with pytest.raises(ValueError, match="include: expected variables that are set"):
        given("Include ${NO_SUCH_VARIABLE}/more")
    with pytest.raises(ValueError, match="include: expected no tokens"):
        given("Include %d/more")
