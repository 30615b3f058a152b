"""Logging in: which keys and passwords are tried on a server, in ssh's order.

Keys of the agent first, then files that are readable as they are, then files that need a
passphrase.  A server is asked whether it would accept a key before an agent signs with it, or a
person is asked for its passphrase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import paramiko
from paramiko.message import Message

from ..errors import AuthenticationError, ConnectError
from .asking import NOBODY, Asker
from .conversation import Finish
from .deadline import Deadline
from .keys import KeyFile, Keyring
from .settings import Settings
from .transport import Transport
from .trouble import BusyError, WayError

_MOST_QUESTIONS = 8  # rounds of keyboard-interactive that are answered
_ONE_KEY = (
    "It allows few attempts: name the right key with IdentityFile, and set IdentitiesOnly yes, "
    "in ssh_config; or use Host.identity_file, which is the only key tried."
)


class Login:
    """One attempt to log in to one server.

    Args:
        transport: A connection whose host key is checked.
        settings: What holds for the host.
        keyring: Where keys are.
        asker: Whom to ask for secrets.
        deadline: When to give up.
    """

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        keyring: Keyring,
        asker: Asker,
        deadline: Deadline,
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._keyring = keyring
        self._asker = asker
        self._deadline = deadline
        self._handler = transport.conversation
        self._tried: list[str] = []
        self._unused: list[str] = []
        self._asked = False

    def run(self) -> None:
        """Log in.

        Raises:
            WayError: The server accepts nothing that we have, or is silent.
            BusyError: It hung up before it answered anything.
        """
        try:
            self._transport.ensure_session()
            if not (self._by_key() or self._by_password()):
                raise self._refused()
        except TimeoutError:
            raise self._silent() from None
        except (EOFError, OSError, paramiko.SSHException) as error:
            raise self._hung_up(error) from error

    def _by_key(self) -> bool:
        return any(attempt() for attempt in self._attempts())

    def _attempts(self) -> Iterator[Callable[[], bool]]:
        yield from (lambda key=key: self._agent_key(key) for key in self._agent_keys())
        files = [file for file in self._keyring.files(self._settings) if self._is_useful(file)]
        ready = [file for file in files if file.key]  # a moment later others may be, too
        yield from (lambda file=file: self._file(file) for file in ready)
        yield from (lambda file=file: self._locked(file) for file in files if file not in ready)

    def _agent_keys(self) -> list[paramiko.AgentKey]:
        return self._keyring.agent_keys(self._settings)

    def _is_useful(self, file: KeyFile) -> bool:
        if file.problem and (self._settings.identities_given or not file.missing):
            self._unused.append(f"{file.path} {file.problem}")
        offered = {key.asbytes() for key in self._agent_keys()}
        return file.blob not in offered and not file.problem

    def _agent_key(self, key: paramiko.AgentKey) -> bool:
        self._tried.append(f"the agent's {key.comment or key.get_name()}")
        return self._would_do(key.blob) and self._sign(key)

    def _file(self, file: KeyFile) -> bool:
        self._tried.append(file.path)
        return file.key is not None and self._sign(file.key)

    def _locked(self, file: KeyFile) -> bool:
        if file.blob is not None and not self._would_do(file.blob):
            self._tried.append(file.path)
            return False
        self._asked = True
        file.unlock(self._settings.host, self._asker, self._deadline)
        if file.key is None:
            self._unused.append(f"{file.path} {file.problem}")
            return False
        return self._file(file)

    def _would_do(self, blob: bytes) -> bool:
        return self._may("publickey") and (
            self._request("publickey", self._handler.unsigned(blob)) or self._handler.willing
        )

    def _sign(self, key: paramiko.PKey) -> bool:
        if not self._may("publickey"):
            return False
        try:
            signed = self._handler.signed(self._settings.user, key)
        except (OSError, paramiko.SSHException) as error:
            self._unused.append(f"{self._tried.pop()} does not sign: {error}")
            return False
        return self._request("publickey", signed)

    def _may(self, method: str) -> bool:
        allowed = self._handler.allowed
        return allowed is None or method in allowed

    def _request(self, method: str, finish: Finish) -> bool:
        return self._handler.request(self._settings.user, method, finish, self._deadline)

    def _by_password(self) -> bool:
        if self._handler.allowed is None and self._request("none", lambda message: None):
            return True
        for method, attempt in (
            ("password", self._plainly),
            ("keyboard-interactive", self._interactively),
        ):
            if self._may(method):
                return self._may_ask() and self._with_passwords(attempt)
        return False

    def _may_ask(self) -> bool:
        if not self._settings.passwords:
            return False
        if not self._asker.can_ask():
            self._unused.append(f"a password: {NOBODY}")
            return False
        return True

    def _with_passwords(self, attempt: Callable[[str], bool]) -> bool:
        password: str | None = None
        self._asked = True
        for _ in range(self._asker.attempts):
            password = self._asker.password(
                self._settings.user, self._settings.host, password, self._deadline
            )
            if not password:
                self._unused.append("a password: none was given")
                return False
            self._tried.append("a password")
            if attempt(password):
                return True
        self._asker.forget(self._settings.user, self._settings.host)
        return False

    def _plainly(self, password: str) -> bool:
        def finish(message: Message) -> None:
            message.add_boolean(False)
            message.add_string(password)

        return self._request("password", finish)

    def _interactively(self, password: str) -> bool:
        """Answer one hidden prompt with the password, and a round without prompts with nothing."""

        def finish(message: Message) -> None:
            message.add_string("")
            message.add_string("")

        if self._request("keyboard-interactive", finish):
            return True
        for _ in range(_MOST_QUESTIONS):
            questions = self._handler.questions
            if questions is None or len(questions) > 1 or any(echo for _, echo in questions):
                return False
            if self._handler.answer([password] * len(questions), self._deadline):
                return True
        return False

    def _refused(self) -> WayError:
        unused = f"; not used: {', '.join(self._unused)}" if self._unused else ""
        return WayError(
            AuthenticationError,
            f"{self._settings.user} could not log in: {self._offer()}{unused}; "
            f"the server allows {', '.join(self._handler.allowed or ['nothing that it names'])}",
            "Check the user's name, name the right key (Host.identity_file, or IdentityFile in "
            "ssh_config), or pass password=.",
        )

    def _offer(self) -> str:
        tried = ", ".join(dict.fromkeys(self._tried))
        return f"the server accepted none of: {tried}" if tried else "there was no key to offer"

    def _hung_up(self, error: Exception) -> Exception:
        farewell = self._transport.farewell
        if not farewell and (self._asked or self._handler.allowed is None):
            return BusyError(f"the connection ended before we could log in: {farewell or error!r}")
        return WayError(
            AuthenticationError,
            f"the server hung up while {self._settings.user} was logging in: "
            f"{farewell or 'it gave no reason'} ({self._offer()})",
            _ONE_KEY if len(self._tried) > 1 else "Its log says why.",
        )

    def _silent(self) -> WayError:
        return WayError(
            ConnectError,
            f"no answer within {self._deadline.seconds:.3g} s, while logging in",
            "It is there but slow or stuck: try again, or give it more time.",
        )
