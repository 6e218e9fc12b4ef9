"""The receivers of an installation: from one TOML or JSON file, from the command line, or both.

    udp = "127.0.0.1:4520"          # JSON datagrams; the default is a free port of this machine
    geoid_m = 43.5
    [[receiver]]
    kind = "wifi"                   # one of KINDS
    name = "roof"
    interface = "mon0"
    [[site]]
    name = "roof"                   # where a receiver stands and how far it hears
    lat_deg = 50.82
    lon_deg = 4.39
    range_m = 3000

Every kind's keys are in `KINDS`.  Secrets are named, never written: "file:PATH" or "env:NAME".
"""

from __future__ import annotations

import json
import math
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from droneteam.detection.feeds import Source
from droneteam.detection.sources.streams import StreamAddress, aircraft_source
from droneteam.detection.sources.table import Table
from droneteam.detection.suspicion import Site
from droneteam.errors import InputError

MAX_GEOID_M = 110.0
"""The geoid is nowhere further from the ellipsoid."""
MAX_NAME = 40
_NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a source may need beyond its own settings."""

    engine: Engine
    geoid_m: float | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of receiver.

    key : the setting that its flag on the command line gives, "" for a flag without a value.
    shape : what that looks like. make : reads the table, and gives what makes the source.
    """

    key: str
    shape: str
    help: str
    make: Callable[[Table], Callable[[Tools], Source]]


@dataclass(frozen=True, slots=True)
class Configured:
    """A receiver: its name, and what makes its source."""

    name: str
    kind: str
    make: Callable[[Tools], Source]


@dataclass(frozen=True, slots=True)
class Receivers:
    """What a configuration holds; udp, geoid_m : None where it does not say."""

    receivers: tuple[Configured, ...] = ()
    sites: tuple[Site, ...] = ()
    udp: tuple[str, int] | None = None
    geoid_m: float | None = None


def _wifi(table: Table) -> Callable[[Tools], Source]:
    from droneteam.detection.sources.wifi import MonitorMode

    interface = table.text("interface")
    return _made(table, lambda: MonitorMode(interface))


def _ble(table: Table) -> Callable[[Tools], Source]:
    from droneteam.detection.sources.bluetooth import Bluetooth

    adapter, scan = table.text("adapter", "hci0"), table.text("scan", "auto")
    return _made(table, lambda: Bluetooth(adapter, scan))


def _capture(table: Table) -> Callable[[Tools], Source]:
    from droneteam.detection.sources.process import CaptureProcess

    command = table.texts("command")
    return _made(table, lambda: CaptureProcess(command))


def _mavlink(table: Table) -> Callable[[Tools], Source]:
    from droneteam.detection.sources import mavlink

    address = table.convert("link", StreamAddress.parse, table.text("link"))
    return _made(table, lambda: mavlink.source(address))


def _aircraft(kind: str) -> Callable[[Table], Callable[[Tools], Source]]:
    def make(table: Table) -> Callable[[Tools], Source]:
        address = table.convert("address", host_and_port, table.text("address"))
        return _made(table, lambda: aircraft_source(kind, address))

    return make


def _dronescout(table: Table) -> Callable[[Tools], Source]:
    from droneteam.detection.sources.mqtt import Broker, Tls

    host, port = table.convert("broker", host_and_port, table.text("broker"))
    files = {key: table.path(key) for key in ("ca_file", "cert_file", "key_file")}
    wanted = table.flag("tls", any(files.values()))
    if not wanted and any(files.values()):
        raise table.wrong("tls", "certificates are given for a connection without TLS")
    topics, qos = table.texts("topics", ("#",)), table.whole("qos", 1)
    client_id, user = table.text("client_id", ""), table.text("user", "")
    password, range_m = table.secret("password"), table.optional_number("range_m")
    tls = Tls(**files) if wanted else None
    return _made(
        table,
        lambda: Broker(host, port, topics, qos, client_id, user, password, tls, range_m),
    )


def _network(table: Table) -> Callable[[Tools], Source]:
    from droneteam.detection.sources.netrid_area import View
    from droneteam.detection.sources.netrid_notify import Door
    from droneteam.detection.sources.network import NetworkRemoteId
    from droneteam.detection.sources.oauth import Credentials

    corners = table.numbers("area", 4)
    secret = table.secret("client_secret")
    if secret is None:
        raise table.wrong("client_secret", "is missing")
    token_url, client_id = table.text("token_url"), table.text("client_id")
    client_auth = table.text("client_auth", "basic")
    audience = table.text("audience_parameter", "audience")
    dss_url, allow_http = table.text("dss_url"), table.flag("allow_http", False)
    poll_s, search_s = table.number("poll_s", 1.0), table.number("search_s", 15.0)
    ca_file, key = table.path("ca_file"), table.path("public_key")
    told = table.text("notify_listen", ""), table.text("notify_url", "")
    if any(told) and not (all(told) and key):
        raise table.wrong("notify_listen", "goes with notify_url and public_key, all or none")

    def made() -> Source:
        door = Door(*host_and_port(told[0]), told[1], key) if told[0] and key else None
        credentials = Credentials(token_url, client_id, secret, client_auth, audience)
        return NetworkRemoteId(
            dss_url,
            View(*corners),
            credentials,
            poll_s=poll_s,
            search_s=search_s,
            allow_http=allow_http,
            ca_file=ca_file,
            door=door,
        )

    return _made(table, made)


def _fleet(table: Table) -> Callable[[Tools], Source]:
    from droneteam.detection.sources.fleet import Fleet

    table.build(lambda: None)
    return lambda tools: Fleet(tools.engine, tools.geoid_m)


def _made(table: Table, made: Callable[[], Source]) -> Callable[[Tools], Source]:
    """The source, made now so that its errors are the table's."""
    source = table.build(made)
    return lambda _tools: source


KINDS: Mapping[str, Kind] = {
    "wifi": Kind("interface", "INTERFACE", "Wi-Fi Remote ID, an interface in monitor mode", _wifi),
    "ble": Kind("adapter", "ADAPTER", "Bluetooth Remote ID through BlueZ, as hci0", _ble),
    "capture": Kind(
        "command", "COMMAND", "a program that writes a capture, as Sniffle or tcpdump", _capture
    ),
    "dronescout": Kind("broker", "HOST:PORT", "DroneScout sensors behind this broker", _dronescout),
    "mavlink": Kind("link", "LINK", "OPEN_DRONE_ID messages, as udp:HOST:PORT", _mavlink),
    "network": Kind("", "", "network Remote ID; in a configuration only", _network),
    "beast": Kind("address", "HOST:PORT", "manned aircraft, a Beast stream", _aircraft("beast")),
    "sbs": Kind("address", "HOST:PORT", "manned aircraft, an SBS stream", _aircraft("sbs")),
    "telemetry": Kind("", "", "our own fleet's telemetry as tracks", _fleet),
}


def host_and_port(text: str) -> tuple[str, int]:
    """The two parts of HOST:PORT; InputError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def of_flag(kind: str, text: str) -> Configured:
    """The receiver that a flag --KIND NAME=VALUE means.

    Raises
    ------
    InputError
        Says what the flag looks like.
    """
    name, found, value = text.partition("=")
    if not found or not name or not value:
        raise InputError(f"--{kind} {text!r} is not NAME={KINDS[kind].shape}")
    told: Any = shlex.split(value) if kind == "capture" else value
    return _receiver(Table({"kind": kind, "name": name, KINDS[kind].key: told}, f"--{kind} {text}"))


def of_kind(kind: str) -> Configured:
    """The receiver that a flag without a value means; it is called as its kind."""
    return _receiver(Table({"kind": kind, "name": kind}, f"--{kind}"))


def read(path: Path) -> Receivers:
    """The configuration in a file.

    Raises
    ------
    InputError
        Names the file, the line where it can be told, the key, and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', '') or error}") from None
    try:
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:  # both say at which line
        raise InputError(f"{path.name}: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path.name}: a table is needed, not {type(values).__name__}")
    return _parsed(values, path, text)


def _parsed(values: dict[str, Any], path: Path, text: str) -> Receivers:
    lines = _Lines(text) if path.suffix != ".json" else None

    def tables(name: str) -> Iterable[Table]:
        found = values.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise InputError(f"{path.name}: {name}: a list of tables is needed, as [[{name}]]")
        for index, one in enumerate(found):
            where = f"{path.name}, {name} {one.get('name', index + 1)}"
            line_of = lines.of(name, index) if lines is not None else _nowhere
            yield Table(one, where, path.parent, line_of)

    top = Table(
        {key: value for key, value in values.items() if key not in ("receiver", "site")},
        path.name,
        line_of=lines.of("", 0) if lines is not None else _nowhere,
    )
    udp = top.text("udp", "")
    address = top.convert("udp", host_and_port, udp) if udp else None
    geoid_m = top.optional_number("geoid_m")
    checked_m = None if geoid_m is None else top.build(lambda: checked_geoid_m(geoid_m))
    top.build(lambda: None)
    receivers = tuple(map(_receiver, tables("receiver")))
    unique(receivers)
    return Receivers(receivers, tuple(map(_site, tables("site"))), address, checked_m)


def _nowhere(_key: str) -> int | None:
    return None


def _receiver(table: Table) -> Configured:
    name, kind = table.text("name"), table.text("kind")
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise table.wrong("name", f"{name!r} is not of letters, digits, dots and dashes")
    if kind not in KINDS:
        raise table.wrong("kind", f"{kind!r} is none of {', '.join(KINDS)}")
    return Configured(name, kind, KINDS[kind].make(table))


def _site(table: Table) -> Site:
    name = table.text("name")
    numbers = [table.number(key) for key in ("lat_deg", "lon_deg", "range_m")]
    return table.build(lambda: Site(name, *numbers))


def checked_geoid_m(value: float) -> float:
    """The geoid's height; InputError where there is none like it."""
    if not math.isfinite(value) or abs(value) > MAX_GEOID_M:
        raise InputError(
            f"geoid {value} outside [-{MAX_GEOID_M:.0f}, {MAX_GEOID_M:.0f}] m", field="geoid_m"
        )
    return value


def unique(receivers: Iterable[Configured]) -> None:
    """InputError when two receivers share a name: their health would be one."""
    seen: set[str] = set()
    for one in receivers:
        if one.name in seen:
            raise InputError(f"two receivers are called {one.name}; a name is one receiver's")
        seen.add(one.name)


class _Lines:
    """Where the keys of a TOML file stand."""

    def __init__(self, text: str) -> None:
        self._tables: dict[tuple[str, int], tuple[int, dict[str, int]]] = {("", 0): (1, {})}
        counts: dict[str, int] = {}
        now = self._tables["", 0][1]
        for number, line in enumerate(text.splitlines(), 1):
            if header := re.match(r"\s*\[\[\s*([\w-]+)\s*\]\]", line):
                index = counts.get(header[1], 0)
                counts[header[1]] = index + 1
                now = {}
                self._tables[header[1], index] = (number, now)
            elif key := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
                now.setdefault(key[1], number)

    def of(self, name: str, index: int) -> Callable[[str], int | None]:
        """Gives the line of a key of a table; of its header when the key is not there."""
        header, keys = self._tables.get((name, index), (None, {}))
        return lambda key: keys.get(key, header)
