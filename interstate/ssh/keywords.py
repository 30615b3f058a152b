"""The keywords of ssh_config: what may stand after each, and what becomes of it here."""

from __future__ import annotations

from collections.abc import Mapping

from .checkers import (
    YES_OR_NO,
    Checker,
    algorithms,
    anything,
    assignments,
    choice,
    cnames,
    domains,
    flag,
    number,
    port,
    rekeying,
    several,
    socket_path,
    text,
    time,
    two,
    variables,
)

HONOURED: Mapping[str, Checker] = {
    "addressfamily": choice({}, "any", "inet", "inet6"),
    "batchmode": flag,
    "bindaddress": text,
    "bindinterface": text,
    "canonicaldomains": domains,
    "canonicalizefallbacklocal": flag,
    "canonicalizehostname": choice(YES_OR_NO, "always"),
    "canonicalizemaxdots": number,
    "canonicalizepermittedcnames": cnames,
    "casignaturealgorithms": algorithms,
    "certificatefile": text,
    "ciphers": algorithms,
    "compression": choice({}, "yes", "no"),
    "connectionattempts": number,
    "connecttimeout": time,
    "globalknownhostsfile": several,
    "hashknownhosts": flag,
    "hostkeyalgorithms": algorithms,
    "hostkeyalias": text,
    "hostname": text,
    "identitiesonly": flag,
    "identityagent": socket_path,
    "identityfile": text,
    "ignoreunknown": text,
    "kbdinteractiveauthentication": flag,
    "kexalgorithms": algorithms,
    "knownhostscommand": anything,
    "macs": algorithms,
    "nohostauthenticationforlocalhost": flag,
    "numberofpasswordprompts": number,
    "passwordauthentication": flag,
    "port": port,
    "preferredauthentications": text,
    "proxycommand": anything,
    "proxyjump": anything,
    "proxyusefdpass": flag,
    "pubkeyacceptedalgorithms": algorithms,
    "pubkeyauthentication": choice(YES_OR_NO, "unbound", "host-bound"),
    "rekeylimit": rekeying,
    "requiredrsasize": number,
    "revokedhostkeys": text,
    "sendenv": variables,
    "serveralivecountmax": number,
    "serveraliveinterval": time,
    "setenv": assignments,
    "stricthostkeychecking": choice(YES_OR_NO | {"off": "no"}, "ask", "accept-new"),
    "tag": text,
    "tcpkeepalive": flag,
    "user": text,
    "userknownhostsfile": several,
}

REFUSED: Mapping[str, Checker] = {"refuseconnection": text}
"""What ends in an error of the host that it is said of."""

IGNORED: Mapping[str, Checker] = {
    "addkeystoagent": anything,
    "channeltimeout": anything,
    "checkhostip": flag,
    "clearallforwardings": flag,
    "controlmaster": choice(YES_OR_NO, "auto", "ask", "autoask"),
    "controlpath": text,
    "controlpersist": text,
    "dynamicforward": text,
    "enableescapecommandline": flag,
    "enablesshkeysign": flag,
    "escapechar": text,
    "exitonforwardfailure": flag,
    "fingerprinthash": text,
    "forkafterauthentication": flag,
    "forwardagent": socket_path,
    "forwardx11": flag,
    "forwardx11timeout": time,
    "forwardx11trusted": flag,
    "gatewayports": flag,
    "gssapiauthentication": flag,
    "gssapiclientidentity": text,
    "gssapidelegatecredentials": flag,
    "gssapikexalgorithms": text,
    "gssapikeyexchange": flag,
    "gssapirenewalforcesrekey": flag,
    "gssapiserveridentity": text,
    "gssapitrustdns": flag,
    "hostbasedacceptedalgorithms": algorithms,
    "hostbasedauthentication": flag,
    "ipqos": anything,
    "kbdinteractivedevices": text,
    "localcommand": anything,
    "localforward": two,
    "loglevel": text,
    "logverbose": several,
    "obscurekeystroketiming": anything,
    "permitlocalcommand": flag,
    "permitremoteopen": anything,
    "pkcs11provider": text,
    "remotecommand": anything,
    "remoteforward": anything,
    "requesttty": choice(YES_OR_NO, "auto", "force"),
    "securitykeyprovider": text,
    "sessiontype": choice({}, "none", "subsystem", "default"),
    "stdinnull": flag,
    "streamlocalbindmask": text,
    "streamlocalbindunlink": flag,
    "syslogfacility": text,
    "tunnel": choice(YES_OR_NO, "point-to-point", "ethernet"),
    "tunneldevice": text,
    "updatehostkeys": choice(YES_OR_NO, "ask"),
    "usekeychain": anything,
    "verifyhostkeydns": choice(YES_OR_NO, "ask"),
    "versionaddendum": anything,
    "visualhostkey": flag,
    "warnweakcrypto": anything,
    "xauthlocation": text,
}
"""What makes no difference to what is done here."""

OBSOLETE = frozenset(
    """
    afstokenpassing cipher compressionlevel fallbacktorsh globalknownhostsfile2
    kerberosauthentication kerberostgtpassing protocol protocolkeepalives rhostsauthentication
    rhostsrsaauthentication rsaauthentication setuptimeout useblacklistedkeys
    useprivilegedport userknownhostsfile2 useroaming usersh
    """.split()  # noqa: SIM905  # as a list it would be one a line
)
"""What means nothing to ssh any more either."""

ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "identityfile2": "identityfile",
    "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "rsaminsize": "requiredrsasize",
    "smartcarddevice": "pkcs11provider",
    "skeyauthentication": "kbdinteractiveauthentication",
    "tisauthentication": "kbdinteractiveauthentication",
}

BLOCKS = ("host", "match")
LINES = ("knownhostscommand", "localcommand", "proxycommand", "proxyjump", "remotecommand")
"""What all that is left of the line is for, quotes and all."""

MANY = ("certificatefile", "identityfile", "sendenv")
"""What is added to where it is said again."""

CHECKERS: Mapping[str, Checker] = {**HONOURED, **REFUSED, **IGNORED}
