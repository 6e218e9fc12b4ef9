"""DroneScout sensors behind an MQTT broker."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from droneteam.detection.feeds import Outlet
from droneteam.detection.records import Alive, Leave, Trouble
from droneteam.detection.sources.dronescout import Scouts
from droneteam.detection.sources.secret import Secret
from droneteam.errors import InputError, LinkError, SetupError

LOOP_S = 0.5
CONNECT_S = 10.0
KEEPALIVE_S = 30
MAX_RANGE_M = 100_000.0


@dataclass(frozen=True, slots=True)
class Tls:
    """How the broker is known, and how we are known to it; the system's authorities by default."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """The context; SetupError names the file that cannot be used."""
        try:
            made = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                made.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            files = [str(one) for one in (self.ca_file, self.cert_file, self.key_file) if one]
            raise SetupError(f"the certificates in {', '.join(files)}: {error}") from error
        return made


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that DroneScout sensors publish to.

    topics : what is subscribed to; range_m : how far a sensor hears, where it tells its place.
    """

    host: str
    port: int
    topics: tuple[str, ...] = ("#",)
    qos: int = 1
    client_id: str = ""
    user: str = ""
    password: Secret | None = None
    tls: Tls | None = None
    range_m: float | None = None
    kind: str = "dronescout"

    def __post_init__(self) -> None:
        if not self.host or not 0 < self.port <= 65535:
            raise InputError(f"broker {self.host!r}:{self.port} is not HOST:PORT", field="port")
        if self.qos not in (0, 1, 2):
            raise InputError(f"qos {self.qos} is not 0, 1 or 2", field="qos")
        if not self.topics or not all(self.topics):
            raise InputError("topics names nothing to subscribe to", field="topics")
        if self.range_m is not None and not 0.0 < self.range_m <= MAX_RANGE_M:
            raise InputError(
                f"range_m {self.range_m} outside (0, {MAX_RANGE_M:.0f}]", field="range_m"
            )
        if self.password is not None and not self.user:
            raise InputError("a password needs a user", field="user")

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        """Hear until `stop` is set; LinkError when the broker refuses or goes away."""
        _Session(self, outlet).run(stop)


@dataclass(slots=True)
class _Session:
    """One connection to the broker."""

    broker: Broker
    outlet: Outlet
    scouts: Scouts = field(init=False)
    refusal: str = ""
    granted: bool = False

    def __post_init__(self) -> None:
        self.scouts = Scouts(self.outlet.name, self.broker.range_m)

    @property
    def where(self) -> str:
        """The broker, for messages."""
        return f"broker {self.broker.host}:{self.broker.port}"

    def run(self, stop: threading.Event) -> None:
        """Follow the broker until `stop` is set."""
        client = self._client()
        try:
            client.connect(self.broker.host, self.broker.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            reason = getattr(error, "verify_message", "") or getattr(error, "strerror", "")
            raise LinkError(f"{self.where}: {reason or error}") from error
        try:
            self._loop(client, stop)
        finally:
            client.disconnect()
            client.loop_misc()

    def _client(self) -> paho.Client:
        broker = self.broker
        # A clean session: what was published while nobody listened is no longer in the air.
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        if broker.user:
            secret = broker.password.read() if broker.password is not None else None
            client.username_pw_set(broker.user, secret)
        if broker.tls is not None:
            client.tls_set_context(broker.tls.context())
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _loop(self, client: paho.Client, stop: threading.Event) -> None:
        while not stop.is_set():
            code = client.loop(LOOP_S)
            if self.refusal:
                raise LinkError(f"{self.where}: {self.refusal}")
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise LinkError(f"{self.where}: {paho.error_string(code)}")
            if self.granted:
                self.outlet.alive()

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any
    ) -> None:
        if reason.is_failure:
            self.refusal = f"it refuses us: {reason}; see the receiver's user and password"
            return
        client.subscribe([(topic, self.broker.qos) for topic in self.broker.topics])

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        pairs = zip(self.broker.topics, reasons, strict=False)
        refused = [topic for topic, reason in pairs if reason.is_failure]
        if refused:
            self.refusal = f"it does not let us read {', '.join(refused)}"
            return
        self.granted = True
        self.outlet.connected()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            return  # kept by the broker from some time before
        before = self.scouts.refused
        for record in self.scouts.read(bytes(message.payload), datetime.now(UTC)):
            if isinstance(record, Alive):
                self.outlet.alive(record.receiver)
            elif isinstance(record, Trouble):
                self.outlet.complain(record.problem, record.receiver)
            elif not isinstance(record, Leave):
                self.outlet.put(record)
        if self.scouts.refused > before:
            problem = f"{message.topic}: {self.scouts.problem}"
            self.outlet.refuse(problem, self.scouts.refused - before)
