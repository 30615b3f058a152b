"""ssh-agents of the tests' own: OpenSSH's, and one that is played, for keys on security keys.

with agent(tmp_path / "agent") as path:
    add(path, key)
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_APPLICATION = b"ssh:"
_TOUCHED = 1  # somebody was there
_SK_ED25519 = b"sk-ssh-ed25519@openssh.com"
_SK_ECDSA = b"sk-ecdsa-sha2-nistp256@openssh.com"


@contextlib.contextmanager
def agent(path: Path) -> Iterator[Path]:
    """OpenSSH's, at a socket."""
    command = ["ssh-agent", "-D", "-a", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # then it listens
        try:
            yield path
        finally:
            process.terminate()


def add(agent: Path, *keys: Path) -> None:
    """Have an agent take keys, with the certificates beside them."""
    environment = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    for key in keys:
        command = ["ssh-add", "-q", str(key)]
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)


class SecurityKey:
    """Plays one: its signatures are as good as those of a device that somebody has touched.

    Attributes:
        blob: The public key.
        line: It, as in authorized_keys.
        asked: With which flags it was asked to sign.
    """

    def __init__(self, kind: str) -> None:
        self._key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
        if kind == "ed25519":
            self._key = ed25519.Ed25519PrivateKey.generate()
            self._name, fields = _SK_ED25519, [_raw(self._key.public_key())]
        else:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self._name, fields = _SK_ECDSA, [b"nistp256", _point(self._key.public_key())]
        self.blob = b"".join(map(_string, [self._name, *fields, _APPLICATION]))
        self.asked: list[int] = []

    @property
    def line(self) -> str:
        return f"{self._name.decode()} {base64.b64encode(self.blob).decode()}\n"

    def sign(self, data: bytes) -> bytes:
        """PROTOCOL.u2f of OpenSSH."""
        counted = struct.pack(">BI", _TOUCHED, 7)
        digests = [hashlib.sha256(part).digest() for part in (_APPLICATION, data)]
        signed = digests[0] + counted + digests[1]
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            signature = self._key.sign(signed)
        else:
            pair = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
            signature = b"".join(_string(n.to_bytes(n.bit_length() // 8 + 1)) for n in pair)
        return _string(self._name) + _string(signature) + counted


@contextlib.contextmanager
def played(path: Path, keys: dict[str, SecurityKey]) -> Iterator[Path]:
    """An agent that has security keys, by their comments."""

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while header := stream.read(4):
                request = stream.read(int.from_bytes(header))
                connection.sendall(_string(_answer(keys, request)))

    with listening(path, serve):
        yield path


@contextlib.contextmanager
def listening(path: Path, serve: Callable[[socket.socket], object]) -> Iterator[None]:
    """Listen at a socket, and serve who connects, one after another."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    serve(connection)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _answer(keys: dict[str, SecurityKey], request: bytes) -> bytes:
    if request[0] == 11:
        listed = [_string(key.blob) + _string(name.encode()) for name, key in keys.items()]
        return b"".join([b"\x0c", struct.pack(">I", len(keys)), *listed])
    blob, rest = _cut(request[1:])
    data, flags = _cut(rest)
    for key in keys.values():
        if key.blob == blob:
            key.asked.append(int.from_bytes(flags))
            return b"\x0e" + _string(key.sign(data))
    return b"\x05"


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _cut(data: bytes) -> tuple[bytes, bytes]:
    end = 4 + int.from_bytes(data[:4])
    return data[4:end], data[end:]


def _raw(key: ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    form = serialization.PublicFormat.UncompressedPoint
    return key.public_bytes(serialization.Encoding.X962, form)
