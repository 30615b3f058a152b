"""Logging in by public key: what is offered is signed for, by a file's private half or the agent.

A server is asked whether it would accept a key before an agent signs with it, or a person is asked
for its passphrase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .asking import NOBODY, Asker
from .identities import Identity, signer
from .keys import NOT_UNLOCKED, KeyFile, Keyring
from .publickeys import PublicKey, accepted
from .sshagent import AgentError, SSHAgent
from .trial import Trial

METHOD = "publickey"
Sign = Callable[[bytes, str], bytes]  # given what to sign, and by which algorithm


class ByKey:
    """The keys and certificates of one trial.  Its mutable state: which are yet to be offered.

    Args:
        trial: What it is part of.
        keyring: Where keys are.
        asker: Whom to ask for passphrases.
    """

    def __init__(self, trial: Trial, keyring: Keyring, asker: Asker) -> None:
        self._trial = trial
        self._keyring = keyring
        self._asker = asker
        self._algorithms = accepted(trial.settings.key_algorithms)
        self._left: list[Identity] | None = None
        self._passed: list[Identity] = []

    def attempt(self) -> bool:
        """Offer the next key; return whether there was one, so that the server has answered."""
        if self._left is None:
            self._left, notes = self._keyring.identities(
                self._trial.settings, self._trial.handler.proof
            )
            for note in notes:
                self._trial.note(note)
        while self._left:
            identity = self._left[0]
            if self._needs_to_know(identity):
                self._trial.learn_methods()
                return True
            self._passed.append(self._left.pop(0))
            if self._offer(identity):
                return True
        return False

    def begin_again(self) -> None:
        """A key was accepted, and another is wanted: as with ssh, it is then the last in turn."""
        self._left = (self._left or []) + self._passed
        self._passed = []

    def take_back(self) -> None:
        """A key was offered before its time: the server wants another method first."""
        self._left = self._passed + (self._left or [])
        self._passed = []

    def _needs_to_know(self, identity: Identity) -> bool:
        """Whether a person would be asked for a passphrase that may be of no use at all."""
        unknown = identity.key is None and self._keyring.file(identity.path).locked
        return unknown and self._trial.handler.allowed is None

    def _offer(self, identity: Identity) -> bool:
        """Offer a key; return whether the server was asked."""
        holder = signer(identity, [*self._passed, *(self._left or ())])
        if holder is None:
            self._trial.note(f"{identity.name} has no private half here")
            return False
        if not self._is_usable(identity, holder):
            return False
        asks = holder.in_agent or self._keyring.file(holder.path).locked
        if identity.key is not None and asks and not self._would_do(identity, identity.key):
            return True
        signing = self._signing(identity, holder)
        if signing is not None:
            self._sign(identity, *signing)
        elif asks and identity.key is not None:
            self._trial.unsigned.append(self._trial.tried.pop())
        return signing is not None or (asks and identity.key is not None)

    def _is_usable(self, identity: Identity, holder: Identity) -> bool:
        if identity.key is not None and self._algorithm(identity.key) is None:
            self._trial.note(f"{identity}: no algorithm to sign with is allowed on both ends")
            return False
        return holder.in_agent or self._is_readable(self._keyring.file(holder.path))

    def _is_readable(self, file: KeyFile) -> bool:
        if not file.problem:
            return True
        if self._trial.settings.identities_given or not file.missing:
            self._trial.note(f"{file.path} {file.problem}")
            self._trial.locked |= file.problem == NOT_UNLOCKED
            self._keyring.warn(file)
        return False

    def _algorithm(self, key: PublicKey) -> str | None:
        return key.algorithm(self._algorithms, self._trial.handler.signatures)

    def _would_do(self, identity: Identity, key: PublicKey) -> bool:
        self._tell(identity)
        handler = self._trial.handler
        self._trial.request(METHOD, handler.unsigned(key.blob, self._algorithm(key) or key.kind))
        return handler.willing

    def _signing(self, identity: Identity, holder: Identity) -> tuple[PublicKey, Sign] | None:
        """What is to be shown, and what signs; None when there is nothing to sign with."""
        if holder.in_agent and holder.key is not None:
            settings, held = self._trial.settings, holder.key
            agent = SSHAgent(settings.agent or "", self._trial.handler.proof)
            return identity.key or held, lambda data, algorithm: agent.sign(held, data, algorithm)
        file = self._keyring.file(holder.path)
        if file.locked and not self._unlock(file):
            return None
        if file.private is None:
            self._is_readable(file)
            return None
        certificate = identity.key if identity.key and identity.key.is_certificate else None
        return certificate or file.private.public, file.private.sign

    def _unlock(self, file: KeyFile) -> bool:
        """Have a passphrase asked for; return whether anybody was."""
        settings = self._trial.settings
        why_not = "BatchMode is on" if settings.batch else ""
        why_not = why_not or ("" if settings.prompts else "NumberOfPasswordPrompts is 0")
        why_not = why_not or ("" if self._asker.can_ask() else NOBODY)
        if why_not:
            self._trial.note(f"{file.path} needs a passphrase, and {why_not}")
            self._trial.locked = True
            return False
        self._trial.asked = True
        file.unlock(settings.host, self._asker, settings.prompts, self._trial.deadline)
        return True

    def _sign(self, identity: Identity, key: PublicKey, sign: Sign) -> None:
        handler, algorithm = self._trial.handler, self._algorithm(key)
        if algorithm is None:
            self._trial.note(f"{identity.name}: no algorithm to sign with is allowed on both ends")
            return
        self._tell(replace(identity, key=key))
        user = self._trial.settings.user
        try:
            signed = handler.signed(user, key.blob, algorithm, lambda data: sign(data, algorithm))
        except AgentError as error:
            self._trial.note(f"{identity.name} does not sign: {error}")
            return
        self._trial.request(METHOD, signed)

    def _tell(self, identity: Identity) -> None:
        self._trial.tried.append(str(identity))
        self._trial.key = identity.name
