"""Configurations: every kind of receiver, and every error at its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from droneteam.detection.sources.bluetooth import Bluetooth
from droneteam.detection.sources.configuration import (
    KINDS,
    Receivers,
    Tools,
    of_flag,
    of_kind,
    read,
)
from droneteam.detection.sources.fleet import Fleet
from droneteam.detection.sources.mqtt import Broker, Tls
from droneteam.detection.sources.network import NetworkRemoteId
from droneteam.detection.sources.process import CaptureProcess
from droneteam.detection.sources.secret import Secret
from droneteam.detection.sources.streams import StreamSource
from droneteam.detection.sources.wifi import MonitorMode
from droneteam.detection.suspicion import Site
from droneteam.errors import InputError

EVERYTHING = """
udp = "127.0.0.1:4520"
geoid_m = 43.5

[[receiver]]
kind = "wifi"
name = "roof"
interface = "mon0"

[[receiver]]
kind = "ble"
name = "roof-ble"
scan = "passive"

[[receiver]]
kind = "capture"
name = "sniffle"
command = ["sniff_receiver", "-l", "-e", "-o", "{fifo}"]

[[receiver]]
kind = "dronescout"
name = "north"
broker = "mqtt.example.org:8883"
topics = ["/sensor/+/upload"]
qos = 1
user = "watch"
password = "file:mqtt-password"
ca_file = "ca.pem"
range_m = 3000

[[receiver]]
kind = "mavlink"
name = "mast"
link = "udp:0.0.0.0:14550"

[[receiver]]
kind = "network"
name = "utm"
dss_url = "https://dss.example.org/rid/v2"
area = [50.80, 4.30, 50.90, 4.45]
token_url = "https://auth.example.org/token"
client_id = "watch"
client_secret = "env:RID_SECRET"
notify_listen = "127.0.0.1:8090"
notify_url = "https://watch.example.org/rid"
public_key = "/etc/droneteam/authority.pem"

[[receiver]]
kind = "beast"
name = "adsb"
address = "127.0.0.1:30005"

[[receiver]]
kind = "telemetry"
name = "fleet"

[[site]]
name = "roof"
lat_deg = 50.82
lon_deg = 4.39
range_m = 3000
"""


def written(folder: Path, text: str, name: str = "receivers.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def sources(found: Receivers, engine: Engine) -> dict[str, Any]:
    tools = Tools(engine, found.geoid_m)
    return {one.name: one.make(tools) for one in found.receivers}


def test_every_kind_of_receiver_is_made_from_its_table(
    tmp_path: Path, sqlite_engine: Engine
) -> None:
    found = read(written(tmp_path, EVERYTHING))
    made = sources(found, sqlite_engine)
    assert made["roof"] == MonitorMode("mon0")
    assert made["roof-ble"] == Bluetooth("hci0", "passive")
    assert made["sniffle"] == CaptureProcess(("sniff_receiver", "-l", "-e", "-o", "{fifo}"))
    assert made["north"] == Broker(
        "mqtt.example.org",
        8883,
        ("/sensor/+/upload",),
        1,
        "",
        "watch",
        Secret("file", str(tmp_path / "mqtt-password")),
        Tls(ca_file=tmp_path / "ca.pem"),
        3000.0,
    )
    assert isinstance(made["mast"], StreamSource)
    assert (made["mast"].kind, str(made["mast"].address)) == ("mavlink", "udp:0.0.0.0:14550")
    assert (made["adsb"].kind, str(made["adsb"].address)) == ("beast", "tcp:127.0.0.1:30005")
    assert made["fleet"] == Fleet(sqlite_engine, 43.5)
    network = made["utm"]
    assert isinstance(network, NetworkRemoteId)
    assert network.area.corners == "50.8000000,4.3000000,50.9000000,4.4500000"
    assert network.credentials.secret == Secret("env", "RID_SECRET")
    assert network.door is not None
    assert (network.door.port, network.door.audience) == (8090, "watch.example.org")
    assert found.udp == ("127.0.0.1", 4520)
    assert found.sites == (Site("roof", 50.82, 4.39, 3000.0),)


def test_json_says_the_same(tmp_path: Path, sqlite_engine: Engine) -> None:
    import tomllib

    text = json.dumps(tomllib.loads(EVERYTHING))
    from_json = read(written(tmp_path, text, "receivers.json"))
    from_toml = read(written(tmp_path, EVERYTHING))
    # StreamSource compares by identity; the others are values.
    for name, source in sources(from_json, sqlite_engine).items():
        if not isinstance(source, StreamSource):
            assert source == sources(from_toml, sqlite_engine)[name]
    assert (from_json.udp, from_json.sites) == (from_toml.udp, from_toml.sites)


def test_an_empty_configuration_has_nothing(tmp_path: Path) -> None:
    assert read(written(tmp_path, "")) == Receivers()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('interface = "mon0"', 'interfaces = "mon0"', "line 5: interface: is missing"),
        ('interface = "mon0"', "interface = 7", "line 8: interface: text is needed, not 7"),
        ('interface = "mon0"', 'interface = "a/b"', "line 8: interface: interface 'a/b' is not"),
        ('scan = "passive"', 'scan = "quiet"', "line 13: scan: scan 'quiet' is none of auto"),
        ('scan = "passive"', 'scan = "active"\nrate = 7', "line 14: rate: is not a key here"),
        ('kind = "wifi"', 'kind = "radar"', "line 6: kind: 'radar' is none of wifi, ble"),
        ('name = "roof"', 'name = "ro of"', "line 7: name: 'ro of' is not of letters"),
        ('name = "roof-ble"', 'name = "roof"', "two receivers are called roof"),
        ("qos = 1", "qos = 5", "line 25: qos: qos 5 is not 0, 1 or 2"),
        ("qos = 1", "qos = true", "line 25: qos: a whole number is needed, not True"),
        ("qos = 1", "qos = 1\ntls = false", "line 26: tls: certificates are given"),
        ('"file:mqtt-password"', '"hunter2"', "line 27: password: a secret is not written"),
        ("mqtt.example.org:8883", "mqtt.example.org", "line 23: broker: 'mqtt.example.org' is not"),
        ('"udp:0.0.0.0:14550"', '"14550"', "line 34: link: '14550' is not tcp:HOST:PORT"),
        ("area = [50.80,", "area = [52.80,", "line 40: area: area: latitudes"),
        ("area = [50.80, 4.30,", "area = [4.30,", "line 40: area: a list of 4 numbers"),
        ("50.90, 4.45]", "59.90, 9.45]", "line 40: area: area: "),
        ('"https://dss', '"gopher://dss', "url: 'gopher://dss.example.org/rid/v2' is not an https"),
        ("notify_url = ", "search_s = 20\n# ", "line 44: notify_listen: goes with notify_url"),
        ('"127.0.0.1:4520"', '"4520"', "line 2: udp: '4520' is not HOST:PORT"),
        ("geoid_m = 43.5", "geoid_m = 435", "line 3: geoid_m: geoid 435.0 outside"),
        ("geoid_m = 43.5", "geoid = 43.5", "line 3: geoid: is not a key here"),
        ("range_m = 3000\n\n", "range_m = -1\n\n", "range_m: range_m -1.0 outside"),
        ("lat_deg = 50.82", 'lat_deg = "x"', "lat_deg: a number is needed, not 'x'"),
        ("[[site]]", "[site]", "site: a list of tables is needed"),
        ("udp = ", "udp == ", "(at line 2"),
    ],
)
def test_an_error_is_named_with_its_line_and_key(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    assert before in EVERYTHING
    path = written(tmp_path, EVERYTHING.replace(before, after, 1))
    with pytest.raises(InputError) as refused:
        read(path)
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "receivers.toml" in str(refused.value) or "two receivers" in words


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.toml: No such file"):
        read(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    ("text", "words"), [("[1]", "a table is needed"), ('{"udp": }', "line 1 column 9")]
)
def test_json_that_is_none_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(written(tmp_path, text, "receivers.json"))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("wifi", "roof=mon0"),
        ("ble", "roof=hci1"),
        ("capture", "s=sniff -o {fifo}"),
        ("dronescout", "n=127.0.0.1:1883"),
        ("mavlink", "m=serial:/dev/ttyUSB0:57600"),
        ("sbs", "a=127.0.0.1:30003"),
    ],
)
def test_a_flag_is_a_receiver(kind: str, text: str, sqlite_engine: Engine) -> None:
    found = of_flag(kind, text)
    assert (found.kind, found.name) == (kind, text.partition("=")[0])
    assert found.make(Tools(sqlite_engine)).kind == kind


def test_a_command_is_divided_as_a_shell_does(sqlite_engine: Engine) -> None:
    source = of_flag("capture", "s=tcpdump -i mon0 -w - 'type mgt'").make(Tools(sqlite_engine))
    assert source == CaptureProcess(("tcpdump", "-i", "mon0", "-w", "-", "type mgt"))


@pytest.mark.parametrize("text", ["mon0", "=mon0", "roof="])
def test_a_flag_that_is_none_says_what_it_looks_like(text: str) -> None:
    with pytest.raises(InputError, match="is not NAME=INTERFACE"):
        of_flag("wifi", text)


def test_the_fleet_needs_no_more_than_its_flag(sqlite_engine: Engine) -> None:
    assert of_kind("telemetry").make(Tools(sqlite_engine, 43.5)) == Fleet(sqlite_engine, 43.5)


def test_the_operations_guide_names_every_kind() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert [kind for kind in KINDS if f'kind = "{kind}"' not in guide] == []
