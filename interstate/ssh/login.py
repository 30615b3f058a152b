"""Logging in, as ssh does it: method after method, while the server wants more.

What is tried next is decided in methods.py and identities.py, which are pure; it is done by
bykey.py and bypassword.py.
"""

from __future__ import annotations

from collections.abc import Callable

import paramiko

from ..errors import AuthenticationError, ConnectError
from ..hosts import Host
from .asking import NOBODY, Asker, Whose
from .bykey import METHOD, ByKey
from .bypassword import ByAnswers, ByPassword
from .deadline import Deadline
from .keys import Keyring
from .methods import Methods
from .settings import Settings
from .transport import Transport
from .trial import Trial
from .trouble import BusyError, HungUpError, WayError

_ONE_KEY = (
    "It allows few attempts: name the right key with IdentityFile, and set IdentitiesOnly yes, "
    "in ssh_config; or use Host.identity_file, which is the only key tried."
)
_RIGHT_KEY = (
    "Check the user's name, name the right key (Host.identity_file, or IdentityFile in ssh_config) "
    "or have it in an ssh-agent, or pass password=."
)
_ASK = (
    "Run this where there is a terminal to ask on, or have SSH_ASKPASS name a program that asks, "
    "or pass password=."
)
_UNLOCK = (
    "Give the key's passphrase on a terminal, or have it in an ssh-agent (see `ssh-add`), "
    "or pass password=."
)
_TYPED = "Check the user's name, and the password, or the code, that it wants."


class Login:
    """One attempt to log in to one server.

    Args:
        transport: A connection whose host key is checked.
        settings: What holds for the host.
        keyring: Where keys are.
        asker: Whom to ask for secrets.
        deadline: When to give up.
        way: The hops that the host is reached over.
    """

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        keyring: Keyring,
        asker: Asker,
        deadline: Deadline,
        way: tuple[Host, ...] = (),
    ) -> None:
        self._transport = transport
        self._handler = transport.conversation
        self._asker = asker
        self._trial = trial = Trial(settings, self._handler, deadline)
        self._methods = Methods(settings.methods)
        self._by_key = ByKey(trial, keyring, asker)
        self._whose = whose = Whose(settings.user, settings.host, way)
        self._attempts: dict[str, Callable[[], bool]] = {
            METHOD: self._by_key.attempt,
            "keyboard-interactive": ByAnswers(trial, asker, whose).attempt,
            "password": ByPassword(trial, asker, whose).attempt,
        }

    def run(self) -> None:
        """Log in.

        Raises:
            WayError: The server accepts nothing that we have, or is silent.
            BusyError: It hung up before it answered anything.
        """
        try:
            self._transport.ensure_session()
            self._try_all()
            if not self._handler.authenticated:
                raise self._refused()
        except TimeoutError:
            raise self._silent() from None
        except (EOFError, OSError, paramiko.SSHException) as error:
            raise self._hung_up(error) from error
        finally:
            self._asker.has_tried(self._whose, self._trial)

    @property
    def accepted(self) -> tuple[str, str]:
        """After `run`: the method that let us in, as RFC 4252 names it, and which key, if any."""
        method = self._handler.auth_method
        return method, self._trial.key if method == METHOD else ""

    @property
    def needs_nobody(self) -> bool:
        """After `run`: whether nobody would have to type anything the next time."""
        return {*self._trial.taken, self._handler.auth_method} <= {"none", METHOD}

    def _try_all(self) -> None:
        while not self._handler.authenticated:
            method = self._methods.next(self._handler.allowed)
            if method is None:
                return
            if method == "none":
                self._trial.learn_methods()
            elif not self._attempts[method]():
                self._methods.exhausted(method)
            elif self._handler.partial:
                self._goes_on_after(method)
            elif method == METHOD and METHOD not in (self._handler.allowed or [METHOD]):
                self._by_key.take_back()

    def _goes_on_after(self, method: str) -> None:
        """Begin anew: the server has accepted one method, and wants another one too."""
        self._trial.has_taken(method)
        if method == METHOD:
            self._by_key.begin_again()

    def _refused(self) -> WayError:
        unused = f"; not used: {self._trial.unused}" if self._trial.unused else ""
        allowed = ", ".join(self._handler.allowed or ["nothing that it names"])
        return WayError(
            AuthenticationError,
            f"{self._trial.settings.user} could not log in: {self._trial.offer}{unused}; "
            f"the server allows {allowed}",
            self._advice(),
            f"could not log in: {self._in_short()}",
        )

    def _in_short(self) -> str:
        trial = self._trial
        short = "nothing we have was accepted" if trial.tried else "there was no key to offer"
        if self._is_locked():
            short = "a key's passphrase was not given"
        elif trial.taken:
            short = f"the server accepted {' and '.join(trial.taken)}, and wants more"
        return f"{short}, and there is nobody to ask" if NOBODY in trial.unused else short

    def _is_locked(self) -> bool:
        """Whether all that is wrong may be that nobody has unlocked a key."""
        return bool(self._trial.unsigned) or (self._trial.locked and not self._trial.tried)

    def _advice(self) -> str:
        if self._is_locked():
            return _UNLOCK
        if METHOD in (self._handler.allowed or [METHOD]) or self._trial.settings.batch:
            return _RIGHT_KEY
        return _ASK if NOBODY in self._trial.unused else _TYPED

    def _hung_up(self, error: Exception) -> Exception:
        farewell = self._transport.farewell
        if not farewell and (self._trial.asked or self._handler.allowed is None):
            plainly = isinstance(error, EOFError | ConnectionError)  # which of them is by chance
            why = "" if plainly else f": {error!r}"
            return BusyError(f"the connection ended before we could log in{why}")
        why = farewell or str(error) or "it gave no reason"
        refused = WayError if farewell else HungUpError
        return refused(
            AuthenticationError,
            f"the server hung up while {self._trial.settings.user} was logging in: {why} "
            f"({self._trial.offer})",
            _ONE_KEY if len(self._trial.tried) > 1 else "Its log says why.",
            f"the server hung up while we were logging in: {why}",
        )

    def _silent(self) -> WayError:
        return WayError(
            ConnectError,
            f"no answer within {self._trial.deadline.seconds:.3g} s, while logging in",
            "It is there but slow or stuck: try again, or give it more time.",
            "no answer in time, while logging in",
        )
