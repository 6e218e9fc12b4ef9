"""The detect command on recordings and on a live port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from droneteam import cli, db, schema
from droneteam.accounts import SYSTEM
from droneteam.detection import reception, service
from droneteam.fleet import service as fleet
from tests.detection.radio import START, Aircraft, fly
from tests.detection.test_service import datagram


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An upgraded installation with a fleet; gives its database's URL."""
    url = f"sqlite:///{tmp_path / 'd.db'}"
    monkeypatch.setenv("DRONETEAM_DATA", str(tmp_path))
    monkeypatch.setenv("DRONETEAM_DATABASE", url)
    engine = db.make_engine(url)
    schema.upgrade(engine)
    with db.session_scope(engine) as session:
        fleet.seed_reference(session, START)
    engine.dispose()
    return url


def recording(folder: Path) -> Path:
    path = folder / "flight.jsonl"
    lines = [datagram(received) for received in fly(Aircraft(), seconds=12)]
    path.write_bytes(b"\n".join([*lines, b"damaged"]))
    return path


def alerts(url: str) -> list[service.AlertView]:
    engine = db.make_engine(url)
    with db.read_scope(engine) as session:
        found = service.list_alerts(session, SYSTEM)
    engine.dispose()
    return found


def test_decode_prints_what_a_recording_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["detect", "decode", str(recording(tmp_path))]) == 0
    printed = capsys.readouterr().out
    assert "12 Location" in printed
    assert "4 BasicId" in printed
    assert "1581F4BND2280  (4 times)" in printed
    assert "16 receptions of Remote ID, 1 refused" in printed


def test_replay_raises_the_alert_of_the_recording(installation: str, tmp_path: Path) -> None:
    assert cli.main(["detect", "replay", str(recording(tmp_path))]) == 0
    (alert,) = alerts(installation)
    assert (alert.kind, alert.uas_id) == ("unregistered_flight", "1581F4BND2280")


def test_a_wrong_address_is_named(installation: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["detect", "listen", "--udp", "nowhere"]) == cli.EXIT_FAILED
    assert "'nowhere' is not HOST:PORT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--site", "roof=50.8,4.3", "NAME=LAT,LON,RANGE_M"),
        ("--site", "roof=95,4.3,1000", "lat_deg"),
        ("--site", "roof=50.8,4.3,nan", "range_m"),
        ("--beast", "127.0.0.1:30005", "NAME=HOST:PORT"),
        ("--sbs", "roof=nowhere", "HOST:PORT"),
    ],
)
def test_a_wrong_receiver_is_named(
    installation: str, capsys: pytest.CaptureFixture[str], option: str, value: str, words: str
) -> None:
    assert cli.main(["detect", "listen", option, value]) == cli.EXIT_FAILED
    assert words in capsys.readouterr().err


def test_a_position_beyond_the_receiver_counts_against_a_flight(
    installation: str, tmp_path: Path
) -> None:
    path = tmp_path / "spoof.jsonl"
    receptions = fly(Aircraft(latency_s=900.0), seconds=30)  # an old recording, sent again
    path.write_bytes(b"\n".join(map(datagram, receptions)))
    site = "roof=50.9,4.3908,3000"
    assert cli.main(["detect", "replay", str(path), "--site", site]) == 0
    kinds = {alert.kind for alert in alerts(installation)}
    assert kinds == {"unregistered_flight"}  # 0.5 and 0.2 are not enough yet
    cloned = fly(Aircraft(latency_s=900.0), Aircraft(latency_s=900.0, east_m=9000.0), seconds=30)
    path.write_bytes(b"\n".join(map(datagram, cloned)))
    assert cli.main(["detect", "replay", str(path), "--site", site]) == 0
    last = alerts(installation)[0]
    assert last.kind == "suspected_spoof"
    assert {"clock_off", "out_of_range"} <= set(last.evidence)
    assert "hears 3000 m" in str(last.facts["out_of_range"])


def test_listen_follows_datagrams_until_it_is_stopped(installation: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "droneteam", "detect", "listen", "--ready", str(ready)]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_until(ready.exists)
            where = json.loads(ready.read_text())
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for received in fly(Aircraft(), seconds=12):
                    sender.sendto(datagram(received), (where["host"], where["port"]))
                    time.sleep(0.01)
            wait_until(lambda: bool(alerts(installation)))
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "receptions of Remote ID, 0 refused" in output


CONFIGURATION = """
[[receiver]]
kind = "mavlink"
name = "mast"
link = "udp:127.0.0.1:{port}"

[[receiver]]
kind = "capture"
name = "sniffer"
command = [{python!r}, {script!r}, "{{fifo}}"]

[[receiver]]
kind = "wifi"
name = "roof"
interface = "nothing0"

[[receiver]]
kind = "telemetry"
name = "fleet"
"""


def test_listen_follows_every_receiver_of_a_configuration(
    installation: str, tmp_path: Path
) -> None:
    from sitl import transmit

    path = tmp_path / "flight.pcapng"
    assert transmit.main(["--speedup", "0", "--seconds", "8", "--pcapng", str(path)]) == 0
    script = tmp_path / "sniffer.py"
    script.write_text(
        "import sys, time\n"
        f"out = open(sys.argv[1], 'wb'); out.write(open({str(path)!r}, 'rb').read())\n"
        "out.flush(); time.sleep(600)\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = tmp_path / "receivers.toml"
    settings.write_text(CONFIGURATION.format(port=port, python=sys.executable, script=str(script)))
    command = [sys.executable, "-m", "droneteam", "detect", "listen", "--config", str(settings)]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: "sniffer" in rows(installation))
            told = ["--mavlink", f"127.0.0.1:{port}", "--speedup", "0", "--seconds", "2"]
            wait_until(
                lambda: (
                    transmit.main(told) == 0
                    and rows(installation)["mast"].received > 0
                    and rows(installation)["roof"].state == "failing"
                    and rows(installation)["sniffer"].received > 0
                    and bool(alerts(installation))
                )
            )
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    found = rows(installation)
    assert {name: row.kind for name, row in found.items()} == {
        "mast": "mavlink",
        "sniffer": "capture",
        "roof": "wifi",
        "fleet": "telemetry",
    }
    assert found["sniffer"].connections == 1
    assert "nothing0" in found["roof"].last_problem
    assert "roof: 0 connections; " in output


def test_a_wrong_configuration_is_named(
    installation: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "receivers.toml"
    settings.write_text('[[receiver]]\nkind = "wifi"\nname = "roof"\n')
    assert cli.main(["detect", "listen", "--config", str(settings)]) == cli.EXIT_FAILED
    printed = capsys.readouterr().err
    assert "receivers.toml, receiver roof, line 1: interface: is missing" in printed


def rows(url: str) -> dict[str, reception.ReceiverView]:
    engine = db.make_engine(url)
    with db.read_scope(engine) as session:
        found = reception.list_receivers(session, SYSTEM, datetime.now(UTC))
    engine.dispose()
    return {row.name: row for row in found}


def wait_until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 120.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
