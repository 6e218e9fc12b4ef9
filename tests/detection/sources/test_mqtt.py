"""A broker that asks for a password, speaks TLS, goes away and comes back."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from amqtt.broker import Broker as AmqttBroker
from amqtt.contexts import BrokerConfig
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from droneteam.detection.clocks import Clocks
from droneteam.detection.feeds import Backoff, Feed, Inbox
from droneteam.detection.records import Alive, Received, Record, Trouble
from droneteam.detection.sources.mqtt import Broker, Tls
from droneteam.detection.sources.secret import Secret
from droneteam.errors import InputError
from tests.detection.sources.scout import flying, message, published
from tests.detection.sources.waiting import PATIENCE_S, gather, heard, troubles

QUICK = Backoff(first_s=0.05, limit_s=0.2)
TOPIC = "/sensor/ds230-07/upload"


class Running:
    """A broker in a thread of its own."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._broker = self._await(self._made(config))
        (server,) = self._broker._servers.values()
        self.port = int(server.instance.sockets[0].getsockname()[1])

    async def _made(self, config: dict[str, Any]) -> Any:
        broker = AmqttBroker(BrokerConfig.from_dict(config))
        await broker.start()
        return broker

    def _await(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def close(self) -> None:
        self._await(self._broker.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


def configuration(port: int = 0, **listener: Any) -> dict[str, Any]:
    return {
        "listeners": {
            "default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 0} | listener
        },
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


@contextmanager
def running(config: dict[str, Any]) -> Iterator[Running]:
    broker = Running(config)
    try:
        yield broker
    finally:
        broker.close()


@contextmanager
def sensor(port: int, prepare: Callable[[paho.Client], object] = lambda _c: None) -> Iterator[Any]:
    """What a sensor does: it publishes. Gives a function to do so."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    prepare(client)
    client.connect("127.0.0.1", port)
    client.loop_start()

    def publish(payload: bytes, retain: bool = False) -> None:
        client.publish(TOPIC, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    yield publish
    client.disconnect()
    client.loop_stop()


@contextmanager
def followed(broker: Broker, inbox: Inbox) -> Iterator[Feed]:
    feed = Feed("north", broker, inbox, QUICK)
    feed.start()
    try:
        yield feed
    finally:
        feed.close()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def now_ms() -> int:
    return round(time.time() * 1000)


def detection(**change: Any) -> bytes:
    return published(message(flying(), **({"timestamp": now_ms()} | change)))


def connected(feed: Feed, times: int = 1) -> Callable[[list[Record]], bool]:
    return lambda _found: feed.connections >= times


def test_what_sensors_publish_is_heard_and_each_has_a_row(inbox: Inbox) -> None:
    with running(configuration()) as at, followed(Broker("127.0.0.1", at.port), inbox) as feed:
        gather(inbox, connected(feed))
        with sensor(at.port) as publish:
            publish(b"not a message")
            publish(detection())
            publish(published({"protocol": 1.0, "status": {"sensor ID": "b", "status": "hot"}}))
            records = gather(inbox, lambda found: bool(heard(found)) and bool(troubles(found)))
    (received,) = heard(records)
    assert received.receiver == "north/ds230-07"
    assert abs((received.at - datetime.now(UTC)).total_seconds()) < PATIENCE_S
    assert Trouble(records[-1].at, "north/b", "its status is 'hot'", "dronescout") in records
    rows = {one.receiver: one.kind for one in records if isinstance(one, Alive)}
    assert rows["north/ds230-07"] == "dronescout"
    assert feed.counts.refused == 1


def test_a_sensor_whose_clock_is_off_keeps_its_stamps_for_the_clocks_to_judge(
    inbox: Inbox,
) -> None:
    with running(configuration()) as at, followed(Broker("127.0.0.1", at.port), inbox) as feed:
        gather(inbox, connected(feed))
        with sensor(at.port) as publish:
            for off_s in (-7200, 7200):
                publish(detection(timestamp=now_ms() + 1000 * off_s))
            records = gather(inbox, lambda found: len(heard(found)) >= 2)
    now, clocks = datetime.now(UTC), Clocks()
    clocks.agree()
    dated = [clocks.judge(received, now) for received in heard(records)]
    assert [verdict for _, verdict in dated] == ["moved", "moved"]
    for record, _ in dated:
        assert abs((record.at - now).total_seconds()) < PATIENCE_S


def test_what_the_broker_kept_from_before_is_not_in_the_air(inbox: Inbox) -> None:
    with running(configuration()) as at, sensor(at.port) as publish:
        publish(detection(type="WiFi NaN"), retain=True)
        with followed(Broker("127.0.0.1", at.port), inbox) as feed:
            records = gather(inbox, connected(feed))
            records += gather(
                inbox, lambda found: bool(heard(found)), meanwhile=lambda: publish(detection())
            )
    assert {one.transport for one in heard(records)} == {"wifi-beacon"}


def test_a_broker_that_goes_away_is_named_and_followed_again(inbox: Inbox) -> None:
    first = Running(configuration())
    with followed(Broker("127.0.0.1", first.port), inbox) as feed:
        gather(inbox, connected(feed))
        first.close()
        told = gather(inbox, lambda found: len(troubles(found)) >= 2)
        with running(configuration(first.port)) as at:
            gather(inbox, connected(feed, 2))
            with sensor(at.port) as publish:
                publish(detection())
                records = gather(inbox, lambda found: bool(heard(found)))
    assert all(f"broker 127.0.0.1:{first.port}: " in one for one in troubles(told))
    assert "refused" in troubles(told)[-1].lower()
    assert len(heard(records)) == 1


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Running]:
    from argon2 import PasswordHasher

    users = tmp_path / "users"
    users.write_text(f"watch:{PasswordHasher().hash('right')}\n")
    config = configuration()
    config["plugins"] = {
        "amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(users)}
    }
    with running(config) as at:
        yield at


def kept(folder: Path, text: str, mode: int = 0o600) -> Secret:
    path = folder / "password"
    path.write_text(f"{text}\n")
    path.chmod(mode)
    return Secret.parse(f"file:{path}")


def test_a_password_is_read_from_its_file(guarded: Running, inbox: Inbox, tmp_path: Path) -> None:
    broker = Broker("127.0.0.1", guarded.port, user="watch", password=kept(tmp_path, "right"))
    with followed(broker, inbox) as feed:
        gather(inbox, connected(feed))
        with sensor(guarded.port, lambda c: c.username_pw_set("watch", "right")) as publish:
            publish(detection())
            records = gather(inbox, lambda found: bool(heard(found)))
    assert isinstance(heard(records)[0], Received)


def test_a_wrong_password_is_named_and_one_that_is_mended_is_taken(
    guarded: Running, inbox: Inbox, tmp_path: Path
) -> None:
    broker = Broker("127.0.0.1", guarded.port, user="watch", password=kept(tmp_path, "wrong"))
    with followed(broker, inbox) as feed:
        records = gather(inbox, lambda found: bool(troubles(found)))
        kept(tmp_path, "right")
        gather(inbox, connected(feed))
    assert "refuses us" in troubles(records)[0]
    assert "user and password" in troubles(records)[0]


def test_a_password_that_others_may_read_is_not_used(inbox: Inbox, tmp_path: Path) -> None:
    broker = Broker("127.0.0.1", 1883, user="watch", password=kept(tmp_path, "right", 0o644))
    with followed(broker, inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
    assert "chmod 600" in troubles(records)[0]
    assert "right" not in troubles(records)[0].replace(str(tmp_path), "")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A broker's own certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    shown, hidden = folder / "broker.pem", folder / "broker.key"
    shown.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    hidden.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return shown, hidden


# paho leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_behind_tls_is_followed_if_it_is_the_one_we_know(
    inbox: Inbox, tmp_path: Path
) -> None:
    shown, hidden = certificate(tmp_path)
    config = configuration(ssl=True, certfile=str(shown), keyfile=str(hidden))
    with running(config) as at:
        with followed(Broker("127.0.0.1", at.port, tls=Tls(ca_file=shown)), inbox) as feed:
            gather(inbox, connected(feed))
        stranger = Inbox()
        with followed(Broker("127.0.0.1", at.port, tls=Tls()), stranger):
            records = gather(stranger, lambda found: bool(troubles(found)))
    assert "self-signed certificate" in troubles(records)[0]


def test_certificates_that_are_not_there_are_named(inbox: Inbox, tmp_path: Path) -> None:
    missing = Tls(ca_file=tmp_path / "ca.pem")
    with followed(Broker("127.0.0.1", 8883, tls=missing), inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
    assert str(tmp_path / "ca.pem") in troubles(records)[0]


def test_a_port_where_no_broker_is_says_so(inbox: Inbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with followed(Broker("127.0.0.1", port), inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
    assert f"127.0.0.1:{port}" in troubles(records)[0]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"port": 0}, "port"),
        ({"qos": 3}, "qos"),
        ({"topics": ()}, "topics"),
        ({"range_m": 0.0}, "range_m"),
        ({"password": Secret("env", "X")}, "user"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        Broker(**({"host": "127.0.0.1", "port": 1883} | change))
    assert refused.value.field == field


def test_a_secret_in_the_configuration_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError) as refused:
        Secret.parse("hunter2")
    assert "hunter2" not in str(refused.value)


def test_a_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "right")
    assert Secret.parse("env:BROKER_PASSWORD").read() == "right"
