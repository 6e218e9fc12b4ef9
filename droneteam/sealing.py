"""Secrets that must be read again, as the database keeps them: encrypted.

The key is the installation's; a copy of the database alone opens none of them.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken

from droneteam.errors import DroneteamError


def seal(secret: str, secret_key: str, purpose: str) -> str:
    """The secret, sealed; purpose : keeps the secrets of different tables apart."""
    return _box(secret_key, purpose).encrypt(secret.encode()).decode()


def unseal(sealed: str, secret_key: str, purpose: str) -> str:
    """The secret again.

    Raises
    ------
    DroneteamError
        It was sealed with another key or for another purpose.
    """
    try:
        return _box(secret_key, purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise DroneteamError(
            f"the {purpose} cannot be read with this installation's secret key; "
            "an administrator can take it away and make another"
        ) from None


def _box(secret_key: str, purpose: str) -> Fernet:
    digest = hashlib.sha256(f"droneteam {purpose}\0{secret_key}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
