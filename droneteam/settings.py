"""The installation's settings, read from the environment once, at start."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from droneteam.errors import SetupError

DEFAULT_PORT = 8480
WPML_VERSIONS = ("1.0.0", "1.0.2", "1.0.3", "1.0.6")
"""Of the files that DJI's programs read; which one an aircraft takes, its firmware decides."""
LEASE_S = 30.0
"""How long a worker may be silent before its job is given to another."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The OpenID Connect provider that people may sign in with.

    claim : which claim of the ID token is the login here; name : what the button says.
    """

    issuer: str
    client_id: str
    client_secret: str
    claim: str = "preferred_username"
    name: str = "Single sign-on"


@dataclass(frozen=True, slots=True)
class Basemap:
    """What lies under every map instead of the built-in one.

    kind : xyz (an address with {z}, {x} and {y}), wms (an address with its LAYERS) or pmtiles.
    url : the address; for pmtiles the file, which this server gives out itself.
    """

    kind: str
    url: str
    attribution: str

    @property
    def origin(self) -> str | None:
        """The other server that browsers fetch tiles from; None for a file of our own."""
        parts = urlsplit(self.url)
        return None if self.kind == "pmtiles" else f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how the parts reach each other.

    data_dir : blobs (logs, photos, scenes, bags), the embedded database and the keys.
    database_url : SQLAlchemy URL; SQLite below data_dir unless DRONETEAM_DATABASE names another.
    secret_key : signs sessions and tokens; made once and kept in data_dir when not given.
    lease_s : how long a silent worker keeps its job.
    dask : address of a Dask scheduler that scenes are built on; None builds on this machine.
    oidc : the provider of single sign-on; None signs in by password only.
    basemap : the operator's own; None shows the built-in one and fetches nothing from outside.
    url : the address that people type, without a path; passkeys are bound to its name.
    proxies : the networks whose X-Forwarded-For is believed; none by default.
    wpml_version : of DJI's mission files, where a download does not name another.
    """

    data_dir: Path
    database_url: str
    secret_key: str
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    https: bool = False
    time_zone: str = "Europe/Brussels"
    lease_s: float = LEASE_S
    log_level: str = "INFO"
    dask: str | None = None
    oidc: OidcSettings | None = None
    basemap: Basemap | None = None
    url: str = ""
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    wpml_version: str = "1.0.2"

    @property
    def public_url(self) -> str:
        """The address that people type; this machine's own where none was set."""
        return self.url or f"http://localhost:{self.port}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings from DRONETEAM_* variables.

        Raises
        ------
        SetupError
            Names the variable whose value cannot be used.
        """
        env = os.environ if environ is None else environ
        data_dir = Path(env.get("DRONETEAM_DATA", "var")).resolve()
        return cls(
            data_dir=data_dir,
            database_url=env.get("DRONETEAM_DATABASE", f"sqlite:///{data_dir / 'droneteam.db'}"),
            secret_key=env.get("DRONETEAM_SECRET") or _kept_secret(data_dir),
            host=env.get("DRONETEAM_HOST", "127.0.0.1"),
            port=_number(env, "DRONETEAM_PORT", DEFAULT_PORT),
            https=env.get("DRONETEAM_HTTPS", "0") == "1" or _public_url(env).startswith("https:"),
            time_zone=env.get("DRONETEAM_TIME_ZONE", "Europe/Brussels"),
            log_level=env.get("DRONETEAM_LOG", "INFO").upper(),
            dask=env.get("DRONETEAM_DASK") or None,
            oidc=_oidc(env),
            basemap=_basemap(env),
            url=_public_url(env),
            proxies=_proxies(env),
            wpml_version=_wpml_version(env),
        )

    def blob_dir(self, kind: str) -> Path:
        """The folder below data_dir for one kind of file, made when missing."""
        path = self.data_dir / kind
        path.mkdir(parents=True, exist_ok=True)
        return path


def _wpml_version(env: Mapping[str, str]) -> str:
    version = env.get("DRONETEAM_WPML_VERSION") or "1.0.2"
    if version not in WPML_VERSIONS:
        known = ", ".join(WPML_VERSIONS)
        raise SetupError(f"DRONETEAM_WPML_VERSION={version!r} is none of {known}")
    return version


def _public_url(env: Mapping[str, str]) -> str:
    """DRONETEAM_URL without a path: browsers offer passkeys over https and on localhost only."""
    text = env.get("DRONETEAM_URL", "").rstrip("/")
    if not text:
        return ""
    parts = urlsplit(text)
    local = parts.scheme == "http" and parts.hostname == "localhost"
    if not parts.hostname or parts.path or not (parts.scheme == "https" or local):
        raise SetupError(
            f"DRONETEAM_URL={text!r} is not https and a name without a path, such as "
            "https://drones.example.be"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _proxies(env: Mapping[str, str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """DRONETEAM_PROXIES: addresses and networks, with commas between them."""
    given = env.get("DRONETEAM_PROXIES", "")
    try:
        return tuple(ip_network(part.strip()) for part in given.split(",") if part.strip())
    except ValueError as error:
        raise SetupError(
            f"DRONETEAM_PROXIES={given!r}: {error}; write addresses or networks with commas "
            "between them, such as 127.0.0.1, 10.1.0.0/16"
        ) from None


def _oidc(env: Mapping[str, str]) -> OidcSettings | None:
    """The provider that DRONETEAM_OIDC_* name, all of them or none."""
    issuer = env.get("DRONETEAM_OIDC_ISSUER", "").rstrip("/")
    if not issuer:
        return None
    if not issuer.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise SetupError(f"DRONETEAM_OIDC_ISSUER={issuer!r} is not an https address")
    client_id = env.get("DRONETEAM_OIDC_CLIENT_ID", "")
    secret_path = env.get("DRONETEAM_OIDC_SECRET_FILE", "")
    if not client_id or not secret_path:
        raise SetupError(
            "DRONETEAM_OIDC_ISSUER also needs DRONETEAM_OIDC_CLIENT_ID and "
            "DRONETEAM_OIDC_SECRET_FILE, a file with the client's secret"
        )
    try:
        secret = Path(secret_path).read_text().strip()
    except OSError as error:
        raise SetupError(f"DRONETEAM_OIDC_SECRET_FILE={secret_path}: {error.strerror}") from error
    return OidcSettings(
        issuer,
        client_id,
        secret,
        env.get("DRONETEAM_OIDC_CLAIM") or "preferred_username",
        env.get("DRONETEAM_OIDC_NAME") or "Single sign-on",
    )


def _basemap(env: Mapping[str, str]) -> Basemap | None:
    """What DRONETEAM_BASEMAP names: a .pmtiles file, tiles' address, or wms: and an address."""
    given = env.get("DRONETEAM_BASEMAP", "").strip()
    if not given:
        return None
    attribution = env.get("DRONETEAM_BASEMAP_ATTRIBUTION", "").strip()
    if not attribution:
        raise SetupError("DRONETEAM_BASEMAP needs DRONETEAM_BASEMAP_ATTRIBUTION: whose map it is")
    if given.endswith(".pmtiles"):
        if not Path(given).is_file():
            raise SetupError(f"DRONETEAM_BASEMAP={given!r}: there is no such file")
        return Basemap("pmtiles", str(Path(given).resolve()), attribution)
    kind, url = ("wms", given[4:]) if given.startswith("wms:") else ("xyz", given)
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise SetupError(f"DRONETEAM_BASEMAP={given!r} is no .pmtiles file and no https address")
    if kind == "xyz" and not all(part in url for part in ("{z}", "{x}", "{y}")):
        raise SetupError(f"DRONETEAM_BASEMAP={given!r} lacks {{z}}, {{x}} or {{y}}")
    if kind == "wms" and "layers=" not in url.lower():
        raise SetupError(f"DRONETEAM_BASEMAP={given!r} lacks LAYERS=")
    return Basemap(kind, url, attribution)


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise SetupError(f"{name}={text!r} is not a whole number") from None


def _kept_secret(data_dir: Path) -> str:
    """The secret in data_dir, made on first use; only its owner may read it."""
    path = data_dir / "secret"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text()
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_urlsafe(48))
        return path.read_text()
    except OSError as error:
        raise SetupError(
            f"cannot keep a secret in {path}: {error.strerror}; set DRONETEAM_DATA to a folder "
            "that can be written, or DRONETEAM_SECRET"
        ) from error
