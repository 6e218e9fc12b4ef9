"""A software authenticator, written from the standard: ES256 keys, counters, "none" attestation.

W3C Web Authentication Level 2: 5.8.1 (client data), 6.1 (authenticator data), 6.5 (attestation);
RFC 9053 (the COSE key); CBOR is written out byte by byte so that nothing is shared with the server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, NEW_KEY = 0x01, 0x04, 0x40


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass(slots=True)
class Authenticator:
    """One key for one site; `step` : what the counter grows by, 0 as synchronised passkeys do."""

    origin: str
    rp_id: str
    verifies: bool = True
    count: int = 0
    step: int = 1
    credential_id: bytes = b"credential-0000000000000000000001"
    handle: bytes = b""
    secret: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to a registration."""
        self.handle = base64.urlsafe_b64decode(options["user"]["id"] + "==")
        data = self._data(NEW_KEY) + bytes(16) + struct.pack(">H", len(self.credential_id))
        data += self.credential_id + self._cose_key()
        attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"
        attestation += struct.pack(">H", len(data)) + data
        client = self._client_data("webauthn.create", options["challenge"], {})
        return self._answer(clientDataJSON=b64(client), attestationObject=b64(attestation))

    def sign(self, options: dict[str, Any], **other: Any) -> dict[str, Any]:
        """The answer to a sign-in; other : fields of the client data to lie in."""
        self.count += self.step
        data = self._data(0)
        client = self._client_data("webauthn.get", options["challenge"], other)
        signature = self.secret.sign(
            data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256())
        )
        return self._answer(
            clientDataJSON=b64(client),
            authenticatorData=b64(data),
            signature=b64(signature),
            userHandle=b64(self.handle),
        )

    def _data(self, flags: int) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _cose_key(self) -> bytes:
        numbers = self.secret.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y

    def _client_data(self, kind: str, challenge: str, other: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | other).encode()

    def _answer(self, **response: str) -> dict[str, Any]:
        name = b64(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }
