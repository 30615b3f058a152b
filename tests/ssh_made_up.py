"""Configs that are made up at random: most make sense to ssh, the others are errors to it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from .ssh_g import Case

BAD = "what comes after it makes no sense to ssh"
FLAGS = ["yes", "no", "true", "False", "YES", BAD, "maybe"]
PATHS = [
    *("~/a", "/b", '"/c d"', "none", "%d/x", "~root/y", "${HOSTS_OF_MINE}/z", "/%h-%p-%r", "/é"),
    *("a\\ b", "'q'", '"a"b', "x=y", "~", "$HOME/x"),
]
TOKENS = [f"/%{letter}" for letter in "%Cdhiklnpru"]
NUMBERS = ["1", "7", "+3", "007", "2147483647", BAD, "-1", "x", "2147483648", "0x10"]
TIMES = ["3", "1m", "1h30m", "1H30", "2W", "none", "0", BAD, "None", "1x", "", "99999999999"]
VALUES: dict[str, list[str]] = {
    "Port": ["22", "1", '"7"', "ssh", "+8", BAD, "70000", "x", "0", "nosuchservice"],
    "User": ["me", "you", '"a b"', "root", "ü", "none", BAD, "a b", ""],
    "HostName": [
        *("real.example", "%h.example", "%h", "NODE", "::1", "127.0.0.1", "FE80::1", "%%h"),
        *("none", "127.1", "0x7f.1", "a_b", "%h.%h", BAD, "%n", "%"),
    ],
    "Compression": ["yes", "no", "YES", BAD, "true"],
    "IdentityFile": [*PATHS, *TOKENS, '"a b"', "SSH_AUTH_SOCK", BAD, "a b", '"a'],
    "CertificateFile": [*PATHS, "~/a", BAD, ""],
    "UserKnownHostsFile": [
        *("/a /b", "none", "~/x", "/%h-%p", '"/a b" /c', "/%k", "/%n/%r", "${HOSTS_OF_MINE}/y"),
        *("${EMPTY}/x", "$HOME/x", *TOKENS),
        *(BAD, "none /a", '""', "${NOT_SET}/x", "${HOSTS_OF_MINE", "/%x", "/%"),
    ],
    "GlobalKnownHostsFile": ["/a", "/a /b", "none", "~/x", "/%x", BAD, "/a none"],
    "HostKeyAlias": ["alias", "Other", "none"],
    "StrictHostKeyChecking": ["yes", "no", "ask", "accept-new", "off", "ASK", BAD, "on"],
    "SendEnv": ["LANG LC_*", "-L*", "A B", "A", "-*", BAD, "A=1", '""'],
    "SetEnv": ["A=1", 'B="x y" C=2', "D=", "A=2 A=3", "=1", BAD, "X"],
    "ProxyJump": [
        *("a", "me@a:2,b", "none", "NONE", "ssh://a:3", "ssh://me@a,b:22", "me@node", "me@you@a"),
        *("[::1]:22", "a:ssh", "%h.x", "a # b", "node:22,b", "A", "::1", "ssh://a/", BAD),
        *("a, b", "a b", "", "a:0", "a:", ":1", "@a", "ssh://a:22/x", "node"),
    ],
    "ProxyCommand": [
        *("relay %h", "none", "x -W %h:%p  # y", "None", '"a b" c', "%r %n %%", BAD, "x 'y"),
    ],
    "ConnectTimeout": TIMES,
    "ConnectionAttempts": NUMBERS,
    "ServerAliveInterval": TIMES,
    "ServerAliveCountMax": ["0", *NUMBERS],
    "NumberOfPasswordPrompts": ["0", *NUMBERS],
    "RequiredRSASize": NUMBERS,
    "RekeyLimit": ["1G", "1G 1h", "default", "default none", "1.5M 5", "16", BAD, "15", "x"],
    "Ciphers": ["aes128-ctr", "+3des-cbc", "-aes*", "^aes256-ctr", BAD, "nonesuch"],
    "MACs": ["hmac-sha2-256", "-umac*,hmac-sha1*", "^hmac-sha2-512", "+hmac-md5"],
    "KexAlgorithms": ["curve25519-sha256", "-diffie*", "^ecdh-sha2-nistp256", "-x,ecdh*"],
    "HostKeyAlgorithms": ["ssh-ed25519", "rsa-*", "+ssh-rsa", "-*cert*", "^rsa-sha2-*", "ssh-*"],
    "CASignatureAlgorithms": ["ssh-ed25519", "-rsa-*", "^rsa-sha2-256"],
    "HostbasedAcceptedAlgorithms": ["ssh-ed25519", "-ssh-*"],
    "RevokedHostKeys": ["/x", "none", "~/y"],
    "PubkeyAcceptedAlgorithms": ["ssh-ed25519", "+ssh-rsa", "-*cert*"],
    "CanonicalizeHostname": ["no", "yes", "always", "true", BAD, "none"],
    "CanonicalDomains": [
        *("none", "invalid", "a.invalid b.invalid", "A.B.", "localdomain", BAD, ".x", "a..b"),
        *("none a", "a b none"),
    ],
    "CanonicalizeMaxDots": ["0", "2", "1", BAD, "x"],
    "CanonicalizeFallbackLocal": ["yes", "true", BAD, "no"],
    "CanonicalizePermittedCNAMEs": [
        *("*", "none", "*.a:*.b", "a:b c:d", ":b", "a,b:C,!d", BAD, "a", "a:", "* none"),
    ],
    "AddressFamily": ["inet", "any", "inet6", "INET", BAD, "4"],
    "BindAddress": ["127.0.0.2", "::1", "none"],
    "BindInterface": ["lo"],
    "PreferredAuthentications": ["publickey", "password,publickey", "none"],
    "PubkeyAuthentication": ["unbound", "host-bound", *FLAGS],
    **dict.fromkeys(
        [
            *("KbdInteractiveAuthentication", "ChallengeResponseAuthentication", "KeepAlive"),
            *("PasswordAuthentication", "IdentitiesOnly", "HashKnownHosts", "BatchMode"),
            *("TCPKeepAlive", "NoHostAuthenticationForLocalhost", "ForwardX11", "GatewayPorts"),
            *("StdinNull", "CheckHostIP", "GSSAPIAuthentication", "VisualHostKey"),
            *("ForwardAgent", "PermitLocalCommand", "HostbasedAuthentication"),
            "ExitOnForwardFailure",
        ],
        FLAGS,
    ),
    "IdentityAgent": ["none", "SSH_AUTH_SOCK", "$MY_AGENT", "$NOT_SET", "/%h", "~/x", BAD, "$a-b"],
    "LogLevel": ["DEBUG", "quiet"],
    "ForwardX11Timeout": TIMES,
    "ControlMaster": ["auto", "autoask", *FLAGS],
    "ControlPath": ["none", "~/x-%C"],
    "RequestTTY": ["auto", "force", *FLAGS],
    "SessionType": ["none", "default", "subsystem", BAD, "shell"],
    "Tunnel": ["ethernet", "point-to-point", *FLAGS],
    "UpdateHostKeys": ["ask", *FLAGS],
    "VerifyHostKeyDNS": ["no", "false"],
    "LocalCommand": ["echo %h", "none", BAD, "x 'y"],
    "RemoteCommand": ["echo %h", "none"],
    "LocalForward": ["80 a:1", BAD, "80"],
    "PKCS11Provider": ["/x", "none"],
    "IgnoreUnknown": ["Newer*", "Newer,Other", '"Newer1 x"', "*"],
    "Cipher": ["blowfish"],
    "Protocol": ["2", "1 2"],
    "UseRoaming": ["no"],
    "NewerOption": [BAD, "yes"],
}
CRITERIA = [
    *("host node", "host real.example", "!host node", "host n*,!node", "originalhost node"),
    *("user me", "user root,you", "!user me", "localuser root", "exec true", "exec false"),
    *('exec "test %n = node"', 'exec "test %p = 22"', '!exec "test %h = node"', "final"),
    *("canonical", "!final", '"host" "node"', "host=node", "!canonical", "exec=true"),
    *('exec "test %r = me"', "originalhost NODE", "host NODE", "host ?ode,real*", "HOST node"),
    *('exec "test %k = node"', 'exec "test -d %d"', 'exec "test %L"', "!host !node,*", "Final"),
    *("user=me,you", "host \tnode", "originalhost !node", "localuser !root,*", "host *"),
    *('exec "test %u = root"', 'exec "test %i = 0"', 'exec "test $MY_AGENT = /agent"', BAD),
    *(
        "host",
        "user",
        "nonesuch x",
        'host "node',
        "exec true # no",
        "all",
        "!all",
        'exec "test %q"',
    ),
]
PATTERNS = [
    *("node", "*", "n*de", "!node", "other", "?ode", "real.example", "*.example", "!o*", "NODE"),
    *('"node"', "n??e", "**", "!", "'node'", "node,other", "#node", "127.*", "no\\de", "é*"),
]
HOSTS = [
    *("node", "node", "node", "me@node", "NODE", "real.example", "ssh://me@node:2222", "127.0.0.1"),
    *("ssh://node", "a.b.c", "node.", "you@real.example", "::1", "localhost"),
]
DIRT = [*"\"'\\#=%${},!*? \t\r\fé", " # x", "=", "''", '""', "\n", "\r\n", "\ufeff"]


def invented(seed: int) -> Case:
    """A config made up at random."""
    chance = random.Random(seed)
    clean = chance.random() < 0.7

    def among(values: list[str]) -> str:
        """One of the values: of those that make sense, but for some."""
        end = values.index(BAD) if BAD in values else len(values)
        good, bad = values[:end], values[end + 1 :]
        return chance.choice(good if clean or not bad or (good and chance.random() < 0.8) else bad)

    def criteria() -> str:
        found = [among(CRITERIA) for _ in range(chance.choice([1, 1, 2, 3]))]
        return " ".join(dict.fromkeys(found))

    def block() -> Iterator[str]:
        kind = chance.random()
        if kind < 0.3:
            yield f"Host {' '.join(chance.sample(PATTERNS, chance.randint(1, 3)))}"
        elif kind < 0.7:
            yield f"Match {criteria()}"
        elif kind < 0.75:
            yield "Match all"
        for _ in range(chance.randint(1, 5)):
            yield line()

    def line() -> str:
        sensible = [keyword for keyword, values in VALUES.items() if values[0] != BAD]
        keyword: str = chance.choice([*(sensible if clean else VALUES), *["Include"] * 4])
        value = "one two*" if keyword == "Include" else among(VALUES[keyword])
        between = chance.choice([" ", " ", "  ", "=", " = ", "\t", "\t=\t", "= "])
        after = chance.choice(["", "", "", "", " ", "\t", " # it is said", " #"])
        if keyword == "Include":
            between, after = " ", ""
        elif keyword == "ProxyJump" and value.lower() == "none":
            after = ""  # ssh takes the `none` of `none # it is said` for a host's name
        else:
            keyword = chance.choice([keyword, keyword, keyword.lower(), keyword.upper()])
        return str(chance.choice(["", "  ", "\t"])) + keyword + between + value + after

    def text() -> str:
        made = "\n".join(line for _ in range(chance.randint(1, 5)) for line in block())
        return made + chance.choice(["", "\n", "\n\n"])

    whole = text()
    if chance.random() < 0.15:
        whole = whole.replace("\n", "\r\n")
    if not clean and chance.random() < 0.5:
        place = chance.randrange(len(whole) + 1)
        whole = whole[:place] + chance.choice(DIRT) + whole[place:]
    two = text().replace("Include", "#")
    one = text().replace("one", "two").replace("two*", "two")
    files = (("one", one), ("two", two), ("two2", text().replace("Include", "#")))
    return Case(chance.choice(HOSTS), whole, files[: chance.choice([2, 3])])
