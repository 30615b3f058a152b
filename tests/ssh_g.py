"""What `ssh -G` says of a host, and what we say of it: option by option, or where both find fault.

wrong = compared(home, [Case("node", "Port 22"), *(invented(seed) for seed in range(100))])
"""

from __future__ import annotations

import functools
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from interstate.hosts import Host
from interstate.ssh.applying import Options
from interstate.ssh.checkers import jumps
from interstate.ssh.config import Config
from interstate.ssh.patterns import chosen
from interstate.ssh.settings import Settings, settle
from interstate.ssh.trouble import WayError

Said = dict[str, list[str]]

ENVIRONMENT = {"HOSTS_OF_MINE": "/mine", "MY_AGENT": "/agent", "EMPTY": ""}

NOT_COMPARED = {
    "host": "the argument of ssh, not an option",
    "ignoreunknown": "not shown where it is `*`",
    "tag": "newer than some ssh",
    **dict.fromkeys(
        [
            *("addkeystoagent", "controlpath", "controlpersist", "dynamicforward", "escapechar"),
            *("fingerprinthash", "forwardagent", "gssapikexalgorithms", "ipqos", "localforward"),
            *("loglevel", "permitremoteopen", "remotecommand", "remoteforward"),
            *("securitykeyprovider", "streamlocalbindmask", "syslogfacility", "updatehostkeys"),
        ],
        "without effect here, and shown in another way than it was said",
    ),
}
TRUE_OR_FALSE = (
    *("canonicalizehostname", "controlmaster", "pubkeyauthentication", "requesttty"),
    *("stricthostkeychecking", "tunnel", "verifyhostkeydns"),
)
SHOWN_AS = {"yes": "true", "no": "false"}
WITHOUT_NONE = (
    *("knownhostscommand", "localcommand", "pkcs11provider", "proxycommand", "revokedhostkeys"),
)
SEVERAL = ("certificatefile", "identityfile", "sendenv", "setenv")
ALGORITHMS = {
    "ciphers": "cipher",
    "macs": "mac",
    "kexalgorithms": "kex",
    "hostkeyalgorithms": "HostKeyAlgorithms",
    "pubkeyacceptedalgorithms": "PubkeyAcceptedAlgorithms",
    "hostbasedacceptedalgorithms": "HostbasedAcceptedAlgorithms",
    "casignaturealgorithms": "HostKeyAlgorithms",
}
ONLY_THEIRS = {  # what ssh finds fault with, and we do not
    "Invalid environment expansion": "a variable that is not set matters only where it is used",
    "Bad port 'ssh'": "it has no /etc/services",
    "jumphost loop": "circles show when the hops' own configs are read: see test_ssh_hops",
    "Invalid ProxyJump": "an IPv6 address needs no brackets, and may be in a URL",
    "percent_expand: unknown key": "what Match does not run is not looked at so closely",
    "Could not resolve hostname": "that is tried when it is connected to",
    **dict.fromkeys(
        ("Bad SSH2", "Bad protocol 2", "Bad key types", "Bad GSSAPI", "Bad IPQoS", "cipher spec"),
        "algorithms of a newer ssh: those that are not known are left out",
    ),
    **dict.fromkeys(
        ("unsupported log", "Bad escape", "Bad mask", "Invalid hash", "ControlPersist", "tun dev"),
        "what makes no difference here is not looked at so closely",
    ),
}
ONLY_OURS = {  # what we find fault with, and ssh at once does not
    "means nothing there": "it does when it comes to that option",
    "expected something after it": "it is a comment that comes, and ssh lets lists be empty",
    "hosts between commas; host": "such names as no host has",
}


@dataclass(frozen=True)
class Case:
    """A config for a host, and files that it may include."""

    host: str
    text: str
    files: tuple[tuple[str, str], ...] = ()


def put(home: Path, case: Case, number: int) -> Path:
    """Write a case's files, so that cases do not meet; return the config's path."""
    folder = home / ".ssh" / str(number)
    folder.mkdir()
    for name, text in case.files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(moved(text, number).encode(errors="surrogateescape"))
    (folder / "config").write_bytes(moved(case.text, number).encode(errors="surrogateescape"))
    return folder / "config"


def moved(text: str, number: int) -> str:
    """A config's text whose Includes are below a folder of that number."""
    lines = []
    for line in text.split("\n"):
        keyword, blank, paths = line.partition("Include")
        if blank and not keyword.strip():
            paths = " ".join(
                path if path in ('""', "=") else f"{number}/{path.removeprefix('~/.ssh/')}"
                for path in paths.lstrip("=").split()
            )
            line = f"{keyword}Include {paths}"
        lines.append(line)
    return "\n".join(lines)


def theirs(path: Path, case: Case) -> Said | str:
    """What ssh says, or its complaint."""
    done = subprocess.run(
        ["ssh", "-G", "-F", str(path), case.host], capture_output=True, check=False
    )
    if done.returncode:
        return done.stderr.decode(errors="surrogateescape")
    said: Said = {}
    for line in done.stdout.decode(errors="surrogateescape").split("\n")[:-1]:
        keyword, _, value = line.partition(" ")
        said.setdefault(keyword.lower(), []).append(value)
    return said


def ours(path: Path, case: Case) -> tuple[Options, Settings] | str:
    """What we say, or our complaint."""
    try:
        host = Host.parse(case.host)
        config = Config(path)
        settings = settle(host, config)
        return config.lookup(host.name, host.user, host.port), settings
    except (ValueError, WayError) as error:
        return str(error)


@functools.cache
def names_of(kind: str) -> tuple[str, ...]:
    """All algorithms of a kind that ssh has."""
    command = ["ssh", "-Q", kind]
    return tuple(subprocess.run(command, capture_output=True, text=True).stdout.split())


@functools.cache
def usual() -> Said:
    """What ssh says when nothing is configured."""
    said = theirs(Path("/dev/null"), Case("node", ""))
    assert not isinstance(said, str)
    return said


def differences(mine: Options, settings: Settings, said: Said) -> list[str]:
    """Where both say something else."""
    pairs = {
        "user": ([settings.user], said["user"]),
        "hostname": ([settings.address], said["hostname"]),
        "port": ([str(settings.port)], said["port"]),
        "proxyjump": (settings.jumps, tuple(jumps(",".join(said.get("proxyjump", ["none"]))))),
        "identityagent": (agent_of(mine, settings), agent_said(said)),
        "userknownhostsfile": (
            " ".join(settings.known_hosts[: settings.writable]).split(" "),
            said["userknownhostsfile"][0].split(" "),
        ),
    }
    if not settings.writable:
        pairs["userknownhostsfile"] = (["none"], said["userknownhostsfile"])
    for keyword in {*said, *mine, *usual()} - {*pairs, *NOT_COMPARED}:
        pairs[keyword] = (shown(keyword, mine), listed(keyword, said))
    if "yes" in mine.get("batchmode", []) and "serveraliveinterval" not in mine:
        del pairs["serveraliveinterval"]  # Debian's ssh has another default then
    if "%" in said.get("proxyjump", [""])[0]:
        del pairs["proxyjump"]  # ssh shows it before its tokens are replaced
    return [
        f"{keyword}: ours {one!r}, ssh's {other!r}"
        for keyword, (one, other) in pairs.items()
        if one != other
    ]


def shown(keyword: str, mine: Options) -> list[str]:
    """What we have found out, as ssh would show it."""
    if keyword in ALGORITHMS:
        spec = mine[keyword][0] if keyword in mine else None
        known = names_of(ALGORITHMS[keyword])
        return [",".join(chosen(spec, usual()[keyword][0].split(","), known))]
    if keyword not in mine or (keyword in WITHOUT_NONE and mine[keyword][0].lower() == "none"):
        return usual().get(keyword, []) if keyword not in mine else []
    values = mine[keyword]
    if keyword in SEVERAL:
        return values
    if keyword in TRUE_OR_FALSE:
        values = [SHOWN_AS.get(one, one) for one in values]
        if keyword == "tunnel":
            values = [one.replace("true", "point-to-point") for one in values]
    if keyword == "rekeylimit":
        values = [*values, "0"][:2]
    if keyword == "canonicalizepermittedcnames":
        values = ["*:*" if one == "*" else one for one in values]
    return [" ".join(values)]


def listed(keyword: str, said: Said) -> list[str]:
    """What ssh shows; what is said twice counts once."""
    values = said.get(keyword, [])
    return list(dict.fromkeys(values)) if keyword in SEVERAL else values


def agent_of(mine: Options, settings: Settings) -> list[str]:
    return [settings.agent or "none"] if "identityagent" in mine else []


def agent_said(said: Said) -> list[str]:
    """The agent's socket, with the variables looked up that ssh looks up later."""
    named = [one for one in said.get("identityagent", []) if one]
    names = [one.removeprefix("$") for one in named]
    looked_up = [
        os.environ.get(name) or "none" if one != name or name == "SSH_AUTH_SOCK" else one
        for one, name in zip(named, names, strict=True)
    ]
    return looked_up or ["none"] * len(said.get("identityagent", []))


def disagreement(mine: tuple[Options, Settings] | str, said: Said | str, text: str) -> list[str]:
    if isinstance(mine, str) and isinstance(said, str):
        return []
    if isinstance(said, str):
        excused = any(one in said for one in ONLY_THEIRS)
        if "Bad Match condition" in said and ("'" in text or "\\" in text):
            excused = True  # we take quotes in Match as ssh does since 9.9, too
        if "Bad configuration option" in said and "ignoreunknown" in text.lower():
            excused = True  # to us it holds for all hosts, wherever it stands
        return [] if excused else [f"ours none, ssh's complaint {said!r}"]
    if isinstance(mine, str):
        excused = any(one in mine for one in ONLY_OURS)
        return [] if excused else [f"our complaint {mine!r}, ssh's none"]
    return differences(*mine, said)


def compared(home: Path, cases: list[Case]) -> list[str]:
    """Read all cases both ways; return what is wrong."""
    paths = [put(home, case, number) for number, case in enumerate(cases)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(theirs, paths, cases))
    wrong = []
    for path, case, said in zip(paths, cases, answers, strict=True):
        mine = ours(path, case)
        problems = disagreement(mine, said, str(case))
        if problems:
            files = [repr(path.read_bytes().decode(errors="replace")), *map(str, case.files)]
            wrong.append("\n".join([f"-- {case.host}", *files, *problems]))
    return wrong
