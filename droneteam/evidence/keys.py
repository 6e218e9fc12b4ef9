"""The installation's signing key."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from droneteam.errors import SetupError


def own_key(data_dir: Path) -> Ed25519PrivateKey:
    """The key with which this installation signs."""
    return signing_key(data_dir / "keys" / "evidence.pem")


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key in that file, made on first use; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    with os.fdopen(fd, "wb") as file:
        file.write(
            Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return _read(path)


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise SetupError(f"{path} is not a private key in PEM: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SetupError(f"{path} holds a key that is not Ed25519")
    return key
