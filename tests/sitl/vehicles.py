"""Where the tests of any vehicle get theirs: the embedded simulator, ArduCopter's or PX4's own.

The environment variable ``ARDUCOPTER`` names an ArduCopter SITL binary, ``PX4`` a PX4 SITL binary
(``build/px4_sitl_default/bin/px4``).  What is not named is not tested on, and the run says so.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.sitl.client import Client
from tests.sitl.fleet import running

SPEEDUP = 10.0
"""Times real time; a real autopilot's simulator keeps that up on one core."""
HOME = (50.8197, 4.3908, 56.4, 0.0)
"""Latitude, longitude, height above the geoid, heading."""
STOP_S = 30.0
ARDUPILOT_PORT, ARDUPILOT_STEP = 5760, 10
"""The port of the first serial line of instance 0; the next instance's lies 10 higher."""
PX4_PORT = 14540
"""Where instance 0 sends to from its link for companion computers."""
DEFAULTS = Path(__file__).with_name("arducopter.parm")


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle under test; link : as droneteam writes addresses."""

    kind: str
    link: str
    speedup: float = SPEEDUP

    @property
    def is_ardupilot(self) -> bool:
        """Whether it has ArduCopter's modes, parameters and words."""
        return self.kind != "px4"

    def connect(self) -> Client:
        """A ground station on its link."""
        return Client(self.link)


def named(kind: str) -> Path | None:
    """The binary that the environment names for a kind of autopilot."""
    text = os.environ.get(kind.upper(), "")
    return Path(text) if text else None


def kinds() -> list[str]:
    """What the tests of any vehicle run on here."""
    return ["embedded", *(kind for kind in ("arducopter", "px4") if named(kind))]


class Hangar:
    """Gives each test a vehicle that no other test has flown."""

    def __init__(self, kind: str, folder: Path, embedded: list[str]) -> None:
        self.kind, self._folder, self._embedded = kind, folder, embedded
        self._given = 0

    @contextlib.contextmanager
    def vehicle(self) -> Iterator[Vehicle]:
        """A fresh vehicle; a real autopilot's process ends with the test."""
        number, self._given = self._given, self._given + 1
        if self.kind == "embedded":
            yield Vehicle(self.kind, self._embedded[number])
            return
        binary = named(self.kind)
        assert binary is not None
        folder = self._folder / f"{self.kind}-{number}"
        folder.mkdir()
        start = started_arducopter if self.kind == "arducopter" else started_px4
        with start(binary, folder, number) as vehicle:
            yield vehicle


@contextlib.contextmanager
def hangar(kind: str, folder: Path, vehicles: int) -> Iterator[Hangar]:
    """Vehicles of one kind; the embedded ones share a process."""
    if kind != "embedded":
        yield Hangar(kind, folder, [])
        return
    options = ("--drones", str(vehicles), "--speedup", str(SPEEDUP))
    with running(folder, *options) as fleet:
        yield Hangar(kind, folder, fleet.links)


@contextlib.contextmanager
def started_arducopter(binary: Path, folder: Path, instance: int) -> Iterator[Vehicle]:
    """ArduCopter's SITL with an empty memory; it begins when its first serial line is opened."""
    place = ",".join(str(one) for one in HOME)
    command = [str(binary), "-w", "--model", "quad", "--home", place, "-I", str(instance)]
    command += ["--speedup", f"{SPEEDUP:g}", "--defaults", str(DEFAULTS)]
    link = f"tcp:127.0.0.1:{ARDUPILOT_PORT + ARDUPILOT_STEP * instance}"
    with process(command, folder, {}):
        yield Vehicle("arducopter", link)


@contextlib.contextmanager
def started_px4(binary: Path, folder: Path, instance: int) -> Iterator[Vehicle]:
    """PX4's SITL with its built-in simulation of a quadrotor (SIH): no other program is needed."""
    lat_deg, lon_deg, alt_m, _ = HOME
    environment = {
        "PX4_SIM_MODEL": "sihsim_quadx",
        "PX4_SIM_SPEED_FACTOR": f"{SPEEDUP:g}",
        "PX4_HOME_LAT": str(lat_deg),
        "PX4_HOME_LON": str(lon_deg),
        "PX4_HOME_ALT": str(alt_m),
    }
    command = [str(binary), "-i", str(instance), "-d", str(binary.parents[1] / "etc")]
    with process(command, folder, environment):
        yield Vehicle("px4", f"udpin:127.0.0.1:{PX4_PORT + instance}")


@contextlib.contextmanager
def process(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A running autopilot whose words are kept in its folder."""
    with (folder / "output.txt").open("wb") as output:
        running_one = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            running_one.terminate()
            try:
                running_one.wait(STOP_S)
            except subprocess.TimeoutExpired:
                running_one.kill()
                running_one.wait()
