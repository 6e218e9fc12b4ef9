"""Tokens that others bring: JSON Web Tokens signed by the authorisation server (RFC 7519).

RS256, or ES256 for an elliptic key; which of them is the key's matter, never the token's.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from droneteam.errors import NotAllowed, SetupError

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
LEEWAY_S = 5.0
MAX_TOKEN_BYTES = 8192


def public_key(path: Path) -> PublicKey:
    """The key in a PEM file; SetupError when there is none that tokens are signed with."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SetupError(f"the authorisation server's key in {path}: {error}") from error
    if isinstance(key, rsa.RSAPublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise SetupError(f"the key in {path} is neither RSA nor on the curve P-256")


def verified(header: str, key: PublicKey, audience: str, now: datetime) -> Mapping[str, Any]:
    """The claims of the token in an Authorization header.

    Raises
    ------
    NotAllowed
        It is none, not signed by the key, for somebody else, or over.
    """
    kind, _, token = header.partition(" ")
    parts = token.strip().split(".")
    if kind.lower() != "bearer" or len(parts) != 3 or len(token) > MAX_TOKEN_BYTES:
        raise NotAllowed("a bearer token is needed")
    try:
        head, claims = (json.loads(_bytes(part)) for part in parts[:2])
        signature = _bytes(parts[2])
    except (ValueError, binascii.Error, RecursionError):
        raise NotAllowed("the token cannot be read") from None
    if not isinstance(head, dict) or not isinstance(claims, dict):
        raise NotAllowed("the token cannot be read")
    _check(key, signature, ".".join(parts[:2]).encode(), str(head.get("alg")))
    held_for = claims.get("aud")
    if audience not in (held_for if isinstance(held_for, list) else [held_for]):
        raise NotAllowed(f"the token is not for {audience}")
    for claim, sign in (("exp", 1.0), ("nbf", -1.0)):
        at_s = claims.get(claim, now.timestamp() if claim == "nbf" else None)
        if isinstance(at_s, bool) or not isinstance(at_s, int | float):
            raise NotAllowed(f"the token's {claim} is no time")
        if sign * (at_s - now.timestamp()) < -LEEWAY_S:
            raise NotAllowed("the token is over, or not valid yet")
    return claims


def _bytes(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _check(key: PublicKey, signature: bytes, signed: bytes, algorithm: str) -> None:
    expected = "RS256" if isinstance(key, rsa.RSAPublicKey) else "ES256"
    if algorithm != expected:
        raise NotAllowed(f"the token is signed with {algorithm[:20]}, not {expected}")
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            half = len(signature) // 2
            pair = (
                int.from_bytes(signature[:half], "big"),
                int.from_bytes(signature[half:], "big"),
            )
            key.verify(encode_dss_signature(*pair), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise NotAllowed("the token is not signed by our authorisation server") from None
