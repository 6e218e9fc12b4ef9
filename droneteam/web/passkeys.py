"""Passkeys and security keys: the ceremonies of WebAuthn (W3C, Level 2), without a database.

The server asks a question with a challenge; the authenticator signs it together with the origin
that the browser saw, which is why a copied sign-in page gains nothing.  A question travels to the
browser and back as a signed ticket, counts for five minutes and once.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from itsdangerous import BadSignature, URLSafeSerializer

from droneteam.errors import InputError

Purpose = Literal["register", "alone", "second"]
"""A new key; signing in with a key alone; a key after the password."""
LIFETIME = timedelta(minutes=5)
MAX_KEYS = 20
"""Of one person: more are a fault of a program."""
_SALT = "droneteam-passkey"
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, struct.error)
"""What the library raises on answers that no authenticator sends."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who asks: the name that keys are bound to, and the only origin that may answer."""

    name: str
    origin: str

    @classmethod
    def at(cls, public_url: str) -> Party:
        """The server at its public address, such as https://drones.example.be."""
        return cls(urlsplit(public_url).hostname or "localhost", public_url)

    def server(self) -> Fido2Server:
        """The library's side of it."""
        entity = PublicKeyCredentialRpEntity(id=self.name, name="droneteam")
        return Fido2Server(entity, verify_origin=lambda origin: origin == self.origin)


@dataclass(frozen=True, slots=True)
class Question:
    """What the browser hands to the authenticator, and the ticket that comes back with it."""

    options: Mapping[str, Any]
    ticket: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made.

    credential : attested credential data; verified : a PIN or a finger was asked for
    """

    credential_id: str
    credential: bytes
    sign_count: int
    verified: bool


class Tickets:
    """Signs what was asked, and takes each answer once."""

    def __init__(self, secret_key: str) -> None:
        self._signer = URLSafeSerializer(secret_key, salt=_SALT)
        self._used: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def issue(self, purpose: Purpose, state: Mapping[str, Any], user_id: int, now: datetime) -> str:
        """The ticket of a question to that user; 0 where nobody has said who they are."""
        end = (now + LIFETIME).timestamp()
        asked = [purpose, state["challenge"], state["user_verification"], user_id, end]
        return self._signer.dumps(asked)

    def redeem(self, ticket: str, purpose: Purpose, now: datetime) -> tuple[dict[str, Any], int]:
        """What was asked, and of which user.

        Raises
        ------
        InputError
            The ticket is not ours, for something else, too old, or was used before.
        """
        try:
            kind, challenge, verification, user_id, end = self._signer.loads(ticket)
        except (BadSignature, ValueError, TypeError):
            raise InputError("this question did not come from here", field="ticket") from None
        if kind != purpose or end < now.timestamp():
            raise InputError("the question is older than five minutes: try again", field="ticket")
        with self._lock:
            self._used = {one: until for one, until in self._used.items() if until > now}
            if challenge in self._used:
                raise InputError("the question was answered before: try again", field="ticket")
            self._used[challenge] = now + LIFETIME
        return {"challenge": challenge, "user_verification": verification}, int(user_id)


def user_handle(secret_key: str, user_id: int) -> bytes:
    """What the authenticator keeps in place of a name; tells nothing about the person."""
    return hmac.digest(secret_key.encode(), f"passkey user {user_id}".encode(), hashlib.sha256)


def ask_for_new(
    party: Party, handle: bytes, label: str, known: Iterable[bytes]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The options of a new key, and the state of the question.

    label : how the authenticator's own list names the account; known : keys that there are
    """
    options, state = party.server().register_begin(
        PublicKeyCredentialUserEntity(id=handle, name=label, display_name=label),
        [AttestedCredentialData(one) for one in known],
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return dict(options)["publicKey"], state


def new_key(party: Party, state: Mapping[str, Any], answer: Any) -> NewKey:
    """The key that the answer holds.

    Raises
    ------
    InputError
        The answer is to another question, from another origin, or no answer at all.
    """
    try:
        _refuse_frames(RegistrationResponse.from_dict(answer).response.client_data)
        data = party.server().register_complete(state, answer)
        credential = data.credential_data
        if credential is None or not credential.credential_id:
            raise ValueError("no key in the answer")
    except _MALFORMED as error:
        raise InputError(f"the key was not accepted: {error}", field="answer") from error
    return NewKey(
        websafe_encode(credential.credential_id),
        bytes(credential),
        data.counter,
        data.is_user_verified(),
    )


def ask_for_known(
    party: Party, known: Iterable[bytes], *, alone: bool
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The options of a sign-in, and the state of the question.

    known : the person's keys, none where the authenticator is to say who it is; alone : the key
    stands for the password too, so that it must ask for a PIN or a finger
    """
    credentials = [AttestedCredentialData(one) for one in known]
    needs = UserVerificationRequirement.REQUIRED if alone else None
    options, state = party.server().authenticate_begin(
        credentials or None, user_verification=needs or UserVerificationRequirement.DISCOURAGED
    )
    return dict(options)["publicKey"], state


def answered_by(answer: Any) -> str:
    """The id of the credential that the answer says it is from.

    Raises
    ------
    InputError
        It is no answer of an authenticator.
    """
    try:
        return websafe_encode(AuthenticationResponse.from_dict(answer).raw_id)
    except _MALFORMED as error:
        raise InputError(f"this is no answer of a key: {error}", field="answer") from error


def checked_count(
    party: Party, state: Mapping[str, Any], credential: bytes, sign_count: int, answer: Any
) -> int:
    """The authenticator's new counter, when the answer is right.

    Raises
    ------
    InputError
        The signature, the origin or the question is wrong, or the counter has not grown: then two
        authenticators hold this key (WebAuthn, 6.1.1).
    """
    try:
        response = AuthenticationResponse.from_dict(answer)
        _refuse_frames(response.response.client_data)
        known = [AttestedCredentialData(credential)]
        party.server().authenticate_complete(state, known, answer)
    except _MALFORMED as error:
        raise InputError(f"the key's answer was not accepted: {error}", field="answer") from error
    count = int(response.response.authenticator_data.counter)
    if (count or sign_count) and count <= sign_count:
        raise InputError(
            f"the key's counter went from {sign_count} to {count}: it may have been copied",
            field="sign_count",
        )
    return count


def _refuse_frames(client_data: Any) -> None:
    """Nobody signs in inside another site's frame."""
    if client_data.cross_origin:
        raise ValueError("answered inside another site's page")
