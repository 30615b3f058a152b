"""Algorithms: which of them to offer a server, and what to say when it wants none of these."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import paramiko

from ..errors import ConnectError
from .patterns import chosen
from .publickeys import SUFFIX
from .trouble import WayError

_FAST = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")  # 1.4 times paramiko's first choice
_SECURE = "mlkem768x25519-sha256"  # also from who records it now and has a quantum computer later
_CHEAP = "ecdh-sha2-nistp256"  # a tenth of what it takes sshd to let us in is spared by this
_WEAK = re.compile(r".*(-cbc|md5.*|-96)")  # ssh offers these only when it is told to, too
_FIRST = {"Ciphers": _FAST, "KexAlgorithms": (_SECURE, _CHEAP)}
_KINDS = {  # what of a server's message holds for each, and what it is called
    "KexAlgorithms": (("kex_algo_list",), "way to exchange keys"),
    "HostKeyAlgorithms": (("server_key_algo_list",), "type of host key"),
    "Ciphers": (("client_encrypt_algo_list", "server_encrypt_algo_list"), "cipher"),
    "MACs": (("client_mac_algo_list", "server_mac_algo_list"), "MAC"),
}
_EXTENSIONS = "ext-info-", "kex-strict-"  # no algorithms, though they stand among them


class DisagreedError(paramiko.SSHException):
    """There is nothing that both ends would take.

    Args:
        trouble: What to tell of it.
    """

    def __init__(self, trouble: WayError) -> None:
        super().__init__(trouble.what)
        self.trouble = trouble


def offer(
    keyword: str, said: str | None, usual: Iterable[str], possible: Iterable[str]
) -> tuple[str, ...]:
    """Return the algorithms to offer, in order.

    Args:
        keyword: As ssh_config calls their kind.
        said: What it says of them.
        usual: What paramiko would offer.
        possible: What it could.

    Raises:
        WayError: ssh_config wants none that there are.
    """
    names = tuple(possible)
    first = _FIRST.get(keyword, ())
    fit = [name for name in usual if not _WEAK.fullmatch(name)]
    offered = chosen(said, sorted(fit, key=lambda name: name not in first), names)
    if not offered:
        raise WayError(
            ConnectError,
            f"ssh_config wants {keyword} {said}, and none of these is possible here",
            f"Possible are {', '.join(names)}.",
        )
    return offered


def offer_macs(
    said: str | None,
    usual: Sequence[str],
    possible: Iterable[str],
    ciphers: Sequence[str],
    sealing: Collection[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ciphers and the MACs to offer.

    Where ssh_config wants none of the MACs that there are, only the ciphers that need none are
    offered: with these, whatever MAC is agreed on is not used.

    Args:
        said: What ssh_config says of MACs.
        usual: What paramiko would offer.
        possible: What it could.
        ciphers: The ciphers that are to be offered, in order.
        sealing: The ciphers that need no MAC, as they say themselves whether anything was changed.

    Raises:
        WayError: ssh_config wants none of the MACs that there are, and no cipher that needs none.
    """
    try:
        return tuple(ciphers), offer("MACs", said, usual, possible)
    except WayError:
        alone = tuple(name for name in ciphers if name in sealing)
        if not alone:
            raise
        return alone, tuple(usual)


def spare_macs(
    theirs: dict[str, list[str]],
    ciphers: Sequence[str],
    macs: Sequence[str],
    sealing: Collection[str],
) -> None:
    """Have the server offer our MACs where there will be a cipher that needs none, as OpenSSH does.

    Args:
        theirs: What it offers, as paramiko names the parts of its message; this is changed.
        ciphers: Those that we offer, in order: the first that it has will be taken.
        macs: Those that we offer.
        sealing: The ciphers that need no MAC.
    """
    for side in ("client", "server"):
        common = (name for name in ciphers if name in theirs[f"{side}_encrypt_algo_list"])
        if next(common, "") in sealing:
            theirs[f"{side}_mac_algo_list"] = list(macs)


def compare(
    ours: Mapping[str, Sequence[str]],
    theirs: Mapping[str, Sequence[str]],
    possible: Mapping[str, Iterable[str]],
) -> None:
    """Return when there is something of each kind that both ends would take.

    Args:
        ours: What we offer, by keyword of ssh_config.
        theirs: What the server does, as paramiko names the parts of its message.
        possible: What we could offer, by keyword.

    Raises:
        DisagreedError: There is not.
    """
    for keyword, (parts, kind) in _KINDS.items():
        for part in parts:
            if not set(ours[keyword]) & set(theirs[part]):
                raise DisagreedError(
                    _disagreement(keyword, kind, ours[keyword], theirs[part], possible[keyword])
                )


def _disagreement(
    keyword: str, kind: str, ours: Sequence[str], theirs: Sequence[str], possible: Iterable[str]
) -> WayError:
    offered = [name for name in theirs if name and not name.startswith(_EXTENSIONS)]
    could = [name for name in offered if name in set(possible)]
    plain = [name for name in ours if not name.endswith(SUFFIX)] or ours
    advice = (
        f"If you trust that, allow it in ssh_config: `{keyword} +{could[0]}`."
        if could
        else "Interstate can do none of what it offers: its administrator should allow one of ours "
        f"({keyword} in sshd_config), or install a newer sshd."
    )
    return WayError(
        ConnectError,
        f"no handshake with it: there is no {kind} that both ends would take. "
        f"It offers {', '.join(offered) or 'none'}; we would take {', '.join(plain)}",
        advice,
        f"no {kind} that both ends would take",
    )
