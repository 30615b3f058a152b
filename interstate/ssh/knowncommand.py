"""KnownHostsCommand: host keys that a command knows, such as those of FreeIPA's directory."""

from __future__ import annotations

import logging
import os
import re

from ..errors import HostKeyError
from ..printable import printable
from .commands import run
from .knownfile import Entry, entries_in
from .settings import Settings
from .trouble import WayError

_log = logging.getLogger(__name__)
SOURCE = "KnownHostsCommand"
_LATER = re.compile("\0(.)")
_SECONDS = 10.0  # it may take, if there is so much time


def ask(
    settings: Settings, name: str, seconds: float, key: tuple[str, str, str] | None = None
) -> list[Entry]:
    """Return what the command of a host says of it; nothing if it has none.

    As with ssh, a command that is not there says nothing.

    Args:
        settings: What holds for the host.
        name: As known_hosts files have it.
        seconds: How long it may take.
        key: The type, the base64 text and the fingerprint of the key that the host shows; None:
            it has not shown one yet.

    Raises:
        WayError: The command fails, or takes too long.
    """
    if not settings.known_command:
        return []
    kind, text, fingerprint = key or ("NONE", "NONE", "NONE")
    reason = "HOSTNAME" if key else "ORDER"
    values = {"H": name, "I": reason, "t": kind, "K": text, "f": fingerprint}
    command = [_LATER.sub(lambda one: values[one[1]], word) for word in settings.known_command]
    return entries_in(_said(command, min(seconds, _SECONDS)), name, SOURCE)


def _said(command: list[str], seconds: float) -> str:
    try:
        if not os.path.isabs(command[0]):
            raise FileNotFoundError(0, "it is no absolute path")
        done = run(command, seconds, heard=True)
    except TimeoutError:
        raise _failed(f"it took longer than {seconds:.3g} s") from None
    except OSError as error:
        _log.warning("KnownHostsCommand %s cannot be run: %s", command[0], error.strerror)
        return ""
    if done.returncode:
        complaint = printable(done.stderr.decode(errors="replace")).strip()[-500:]
        raise _failed(complaint or f"it ended with {done.returncode}")
    return done.stdout.decode(errors="replace")


def _failed(why: str) -> WayError:
    return WayError(
        HostKeyError,
        f"its KnownHostsCommand failed: {why}",
        "As with ssh, no host key is accepted then. Try that command in a shell.",
        "its KnownHostsCommand failed",
    )
