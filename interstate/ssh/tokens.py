"""The % tokens and ${VARIABLES} that options of ssh_config may hold."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_EITHER = re.compile(r"\$\{([^}]*)(\}?)|%(.?)", re.DOTALL)

OF_HOSTNAME = "h"
OF_PROXY = "hknpr"
OF_PATHS = "CdhijkLlnpru"
_FROM_ELSEWHERE = "hjknr"  # what may have come from whoever named the host
MEANS_SOMETHING = re.compile(r"[\s\0'\"`$\\;&<>|(){}]|^-")  # to a shell


@dataclass(frozen=True, slots=True)
class Tokens:
    """What stands for what, for one host.

    Args:
        name: The host as its user named it.
        address: The name or address to connect to.
        port: Its port.
        user: The user there.
        alias: Its HostKeyAlias, or "".
        jump: The last hop before it, or "".
        local_user: Our own user here.
        user_id: And its number.
        home: Our home directory.
        here: This computer's name.
        variables: The environment.
    """

    name: str
    address: str
    port: int
    user: str
    alias: str
    jump: str
    local_user: str
    user_id: int
    home: str
    here: str
    variables: Mapping[str, str]

    def expand(
        self, text: str, allowed: str, *, variables: bool = False, for_shell: bool = False
    ) -> str:
        """Return a text with its tokens replaced.

        Args:
            text: As ssh_config has it.
            allowed: The letters of the tokens that may stand there; `%%` always may.
            variables: Whether ${VARIABLE} may.
            for_shell: Whether a shell will read it.

        Raises:
            ValueError: There is another token, a variable that is not set, or what would mean
                something to a shell.
        """
        values = self._values()

        def value(found: re.Match[str]) -> str:
            name, closed, letter = found.groups()
            if letter is None:
                return self._variable(name, closed) if variables else found[0]
            if letter == "%":
                return "%"
            if not letter or letter not in allowed:
                known = ", ".join(f"%{one}" for one in "%" + allowed)
                raise ValueError(f"{text!r}: {found[0]!r} means nothing there; {known} would")
            found_value = values[letter]()
            if for_shell and letter in _FROM_ELSEWHERE and MEANS_SOMETHING.search(found_value):
                raise ValueError(f"{text!r}: {found_value!r} cannot be handed to a shell")
            return found_value

        return _EITHER.sub(value, text)

    def _variable(self, name: str, closed: str) -> str:
        if not closed:
            raise ValueError(f"${{{name} has no closing brace")
        if name not in self.variables:
            raise ValueError(f"the environment variable {name} is not set")
        return self.variables[name]

    def _values(self) -> dict[str, Callable[[], str]]:
        return {
            "C": self._connection,
            "d": lambda: self.home,
            "h": lambda: self.address,
            "i": lambda: str(self.user_id),
            "j": lambda: self.jump,
            "k": lambda: self.alias or self.name,
            "L": lambda: self.here.partition(".")[0],
            "l": lambda: self.here,
            "n": lambda: self.name,
            "p": lambda: str(self.port),
            "r": lambda: self.user,
            "u": lambda: self.local_user,
        }

    def _connection(self) -> str:
        text = f"{self.here}{self.address}{self.port}{self.user}"
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
