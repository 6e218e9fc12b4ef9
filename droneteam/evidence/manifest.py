"""The texts of an evidence bag: BagIt 1.0 (RFC 8493) tag files and the signed statement.

A bag is a folder::

    bagit.txt               version and encoding (RFC 8493, 2.1.1)
    bag-info.txt            what the bag is, for people (2.2.2)
    manifest-sha256.txt     SHA-256 of every payload file (2.1.3)
    statement.json          what the items are, where each came from, versions, datum, accuracy,
                            and the SHA-256 of manifest-sha256.txt and bag-info.txt
    signature.json          Ed25519 signature over the bytes of statement.json
    tagmanifest-sha256.txt  SHA-256 of all the above (2.2.1)
    data/...                the payload

The signature covers the statement, the statement covers the manifest, the manifest covers the
payload: one changed byte anywhere breaks one of the three.  Everything here is pure.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from droneteam.errors import DecodeError, InputError

BAGIT_TXT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
STATEMENT_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LINE_END = re.compile(r"\r\n|\n|\r")
_ENCODED = re.compile(r"%(0[AaDd]|25)")
_UNSAFE = re.compile(r"[^\w.\- ()+,=@]", re.ASCII)
MAX_NAME_LENGTH = 120


@dataclass(frozen=True, slots=True)
class BagItem:
    """One payload file: where it lies in the bag, what it is and where it came from.

    path : below data/, with forward slashes.
    source : the record that it belongs to, such as "sortie:3".
    facts : what a reader needs to judge it: parameters, software versions, datum, accuracy.
    """

    path: str
    sha256: str
    size_bytes: int
    kind: str
    source: str
    added_at: str
    added_by: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CaseStatement:
    """What the signature is put under."""

    case: dict[str, Any]
    items: tuple[BagItem, ...]
    custody: tuple[dict[str, Any], ...]
    exported_at: str
    exported_by: str
    reason: str
    software: dict[str, str]


@dataclass(frozen=True, slots=True)
class Signature:
    """An Ed25519 signature and who made it; key_id is the SHA-256 of the raw public key."""

    key_id: str
    public_key: bytes
    signature: bytes


def safe_path(*parts: str) -> str:
    """A path below data/ made of safe characters only; InputError when nothing is left.

    Evidence is read on every kind of computer, so names keep letters, digits and a few signs.
    """
    cleaned = []
    for part in parts:
        ascii_part = unicodedata.normalize("NFKD", part).encode("ascii", "ignore").decode()
        name = _UNSAFE.sub("_", ascii_part).strip(" .")[:MAX_NAME_LENGTH]
        if not name:
            raise InputError(f"{part!r} holds no character that a file name may have")
        cleaned.append(name)
    return "/".join(cleaned)


def payload_manifest(items: Iterable[BagItem]) -> bytes:
    """manifest-sha256.txt, ordered by path."""
    return tag_manifest({f"data/{item.path}": item.sha256 for item in items})


def tag_manifest(hashes: Mapping[str, str]) -> bytes:
    """Manifest lines "hash  path", ordered by path (RFC 8493, 2.1.3)."""
    lines = [f"{sha256}  {_encode_path(path)}\n" for path, sha256 in sorted(hashes.items())]
    return "".join(lines).encode()


def parse_manifest(content: bytes) -> dict[str, str]:
    """Hashes by path.

    Raises
    ------
    DecodeError
        A line is not "hash  path", a path leaves the bag, or a path stands twice.
    """
    hashes: dict[str, str] = {}
    try:
        lines = _LINE_END.split(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DecodeError("the manifest is not UTF-8", offset=error.start) from None
    for number, line in enumerate(lines, start=1):
        if not line and number == len(lines):
            break
        sha256, _, raw = line.partition(" ")
        path = _decode_path(raw.lstrip(" \t"))
        if not _SHA256.fullmatch(sha256.lower()) or not path:
            raise DecodeError(f"manifest line {number} is not a SHA-256 and a path")
        if path.startswith(("/", "~")) or ".." in path.split("/") or "\\" in path:
            raise DecodeError(f"manifest line {number}: {path!r} leaves the bag")
        if path in hashes:
            raise DecodeError(f"manifest line {number}: {path!r} stands twice")
        hashes[path] = sha256.lower()
    return hashes


def _encode_path(path: str) -> str:
    return path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def _decode_path(path: str) -> str:
    return _ENCODED.sub(lambda found: chr(int(found.group(1), 16)), path)


def bag_info(title: str, identifier: str, items: Iterable[BagItem], exported_at: datetime) -> bytes:
    """bag-info.txt: reserved metadata elements of RFC 8493, 2.2.2."""
    sizes = [item.size_bytes for item in items]
    rows = [
        ("Source-Organization", "Drone team of the Brussels-Capital Region"),
        ("External-Identifier", identifier),
        ("External-Description", title),
        ("Bagging-Date", exported_at.astimezone(UTC).date().isoformat()),
        ("Payload-Oxum", f"{sum(sizes)}.{len(sizes)}"),
    ]
    return "".join(f"{key}: {_one_line(value)}\n" for key, value in rows).encode()


def _one_line(value: str) -> str:
    return " ".join(value.split())


def statement_bytes(statement: CaseStatement, manifest: bytes, info: bytes) -> bytes:
    """statement.json, canonical: sorted keys, two spaces, a newline at the end."""
    content = {
        "statement_version": STATEMENT_VERSION,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        "bag_info_sha256": hashlib.sha256(info).hexdigest(),
        **asdict(statement),
    }
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def key_id(public_key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key, in hex."""
    return hashlib.sha256(_raw(public_key)).hexdigest()


def signature_bytes(statement: bytes, key: Ed25519PrivateKey) -> bytes:
    """signature.json: the key's identity and its signature over the statement's bytes."""
    public = key.public_key()
    content = {
        "algorithm": "Ed25519",
        "key_id": key_id(public),
        "public_key": base64.b64encode(_raw(public)).decode(),
        "signature": base64.b64encode(key.sign(statement)).decode(),
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def parse_signature(content: bytes) -> Signature:
    """The signature file's content; DecodeError when it is not one."""
    try:
        fields = json.loads(content)
        if fields["algorithm"] != "Ed25519":
            raise DecodeError(f"signature algorithm {fields['algorithm']!r} is not Ed25519")
        return Signature(
            key_id=str(fields["key_id"]),
            public_key=base64.b64decode(fields["public_key"], validate=True),
            signature=base64.b64decode(fields["signature"], validate=True),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"signature.json cannot be read: {error}") from None


def signature_problem(statement: bytes, signature: Signature) -> str | None:
    """What is wrong with the signature, or None when it is the named key's."""
    if hashlib.sha256(signature.public_key).hexdigest() != signature.key_id:
        return "the public key is not the one that key_id names"
    try:
        key = Ed25519PublicKey.from_public_bytes(signature.public_key)
        key.verify(signature.signature, statement)
    except (InvalidSignature, ValueError):
        return "the signature does not fit statement.json"
    return None


def statement_hashes(statement: bytes) -> tuple[str, str]:
    """The SHA-256 that the statement gives for manifest-sha256.txt and bag-info.txt."""
    try:
        content = json.loads(statement)
        return str(content["manifest_sha256"]), str(content["bag_info_sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"statement.json cannot be read: {error}") from None


def _raw(public_key: Ed25519PublicKey) -> bytes:
    return public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
