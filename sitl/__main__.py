"""The command `python -m sitl`: a fleet of simulated ArduCopters behind loopback ports."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from droneteam.errors import DroneteamError, InputError
from sitl.beacons import KINDS, Broadcasts, crossing
from sitl.control import LINE_LIMIT_BYTES, SPEEDUP_MAX, Control
from sitl.faults import FaultSpec
from sitl.places import PLACES, place_in, place_named
from sitl.server import Endpoint, FleetServer, ServerSpec
from sitl.shot import Shot
from sitl.simulation import FleetSpec, Place, Simulation, build_fleet

if TYPE_CHECKING:
    from sitl.card import CardWriter

log = logging.getLogger("sitl")

DRONES_MAX = 100


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked."""

    drones: int
    speedup: float
    world: str
    seed: int
    roster: tuple[tuple[str, str], ...]
    faults: FaultSpec
    wind_mps: float
    wind_from_deg: float
    gust_mps: float
    boot_at: datetime
    udp: bool
    base_port: int
    endpoints: Path | None
    card: Path | None
    truth: Path | None
    card_workers: int
    photo_width_px: int
    shots: Path | None
    rid_out: tuple[str, int] | None
    beacons: tuple[tuple[str, float], ...]


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGINT or SIGTERM; 2 when the options or the machine do not allow it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        options = parse(arguments)
        asyncio.run(serve(options))
    except (DroneteamError, OSError) as error:
        print(f"sitl: {error}", file=sys.stderr)
        return 2
    return 0


def parse(arguments: list[str] | None = None) -> Options:
    """The options of a command line.

    Raises
    ------
    InputError
        A value that argparse alone cannot judge is wrong.
    """
    given = _parser().parse_args(arguments)
    if not 1 <= given.drones <= DRONES_MAX:
        raise InputError(f"--drones {given.drones} outside [1, {DRONES_MAX}]")
    if not 0.1 <= given.speedup <= SPEEDUP_MAX:
        raise InputError(f"--speedup {given.speedup} outside [0.1, {SPEEDUP_MAX}]")
    if given.truth is not None and given.card is None:
        raise InputError("--truth needs --card: the truth is written with the photos")
    return Options(
        drones=given.drones,
        speedup=given.speedup,
        world=given.world,
        seed=given.seed,
        roster=_roster(given.roster),
        faults=FaultSpec(
            given.loss, given.delay, given.jitter, given.duplication, given.reordering
        ),
        wind_mps=given.wind,
        wind_from_deg=given.wind_from,
        gust_mps=given.gust,
        boot_at=_instant(given.start),
        udp=given.udp,
        base_port=given.base_port,
        endpoints=given.endpoints,
        card=given.card,
        truth=given.truth,
        card_workers=given.card_workers,
        photo_width_px=given.photo_width,
        shots=given.shots,
        rid_out=_address(given.rid_out) if given.rid_out else None,
        beacons=tuple(_beacon(text) for text in given.beacon),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sitl", description=__doc__)
    add = parser.add_argument
    add("--drones", type=int, default=1, help="how many vehicles (up to 100)")
    add("--speedup", type=float, default=1.0, help="simulated seconds per second")
    add("--world", default="accident", choices=sorted(PLACES))
    add("--seed", type=int, default=1)
    add("--roster", type=Path, help="JSON list of objects with name and remote_id_serial")
    add("--loss", type=float, default=0.0, help="share of frames lost each way")
    add("--delay", type=float, default=0.0, help="seconds each way")
    add("--jitter", type=float, default=0.0, help="seconds of random extra delay")
    add("--duplication", type=float, default=0.0, help="share of frames that come twice")
    add("--reordering", type=float, default=0.0, help="share of frames that are overtaken")
    add("--wind", type=float, default=0.0, help="mean wind in m/s")
    add("--wind-from", type=float, default=240.0, help="degrees")
    add("--gust", type=float, default=0.0, help="standard deviation in m/s")
    add("--start", help="simulated time at power-on, ISO 8601 (default: now)")
    add("--udp", action="store_true", help="UDP instead of TCP ports")
    add("--base-port", type=int, default=0, help="first port, the next 10 higher; 0: free ones")
    add("--endpoints", type=Path, help="JSON file written when ready")
    add("--card", type=Path, help="directory for the photos")
    add("--truth", type=Path, help="directory for what is true about the photos")
    add("--card-workers", type=int, default=1, help="processes that render photos")
    add("--photo-width", type=int, default=2000, help="pixels")
    add("--shots", type=Path, help="JSON lines file of every photo's true pose")
    add("--rid-out", help="udp:HOST:PORT that receives Remote ID datagrams")
    add(
        "--beacon",
        action="append",
        default=[],
        metavar="KIND[@SECONDS]",
        help=f"a scripted flight ({' or '.join(KINDS)}), from so many simulated seconds on",
    )
    return parser


def _roster(path: Path | None) -> tuple[tuple[str, str], ...]:
    if path is None:
        return ()
    try:
        rows = json.loads(path.read_text())
        if not isinstance(rows, list):
            raise TypeError("it is no JSON list")
        return tuple((str(row["name"]), str(row["remote_id_serial"])) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--roster {path} cannot be used: {error}") from error


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--start {text!r} is no ISO 8601 time") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _address(text: str) -> tuple[str, int]:
    kind, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    if kind != "udp" or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--rid-out {text!r} is not udp:HOST:PORT")
    return host, int(port)


def _beacon(text: str) -> tuple[str, float]:
    kind, _, start = text.partition("@")
    try:
        start_s = float(start) if start else 60.0
    except ValueError as error:
        raise InputError(f"--beacon {text!r}: {start!r} is no number of seconds") from error
    if kind not in KINDS:
        raise InputError(f"--beacon {text!r}: {kind!r} is none of {', '.join(KINDS)}")
    return kind, start_s


async def serve(options: Options) -> None:
    """Runs the simulation until a signal ends it; the card is complete afterwards."""
    with contextlib.ExitStack() as stack:
        on_shot, place = _shot_sinks(options, stack)
        params = (
            ("SIM_WIND_SPD", options.wind_mps),
            ("SIM_WIND_DIR", options.wind_from_deg),
            ("SIM_WIND_TURB", options.gust_mps),
            ("SIM_SPEEDUP", options.speedup),
        )
        spec = FleetSpec(
            options.drones,
            place,
            options.boot_at,
            options.seed,
            params=params,
            roster=options.roster,
        )
        fleet = build_fleet(spec, on_shot)
        broadcasts = Broadcasts(fleet, place, options.boot_at)
        for kind, start_s in options.beacons:
            broadcasts.add(crossing(kind, place, start_s))
        server_spec = ServerSpec(options.base_port, options.udp, options.faults, options.seed)
        server = FleetServer(Simulation(fleet), server_spec)
        server.speedup = options.speedup
        await _run(options, server, broadcasts, place)
        log.info("closing; photos still being rendered are finished first")


async def _run(options: Options, server: FleetServer, broadcasts: Broadcasts, place: Place) -> None:
    endpoints = await server.open()
    control = Control(server, broadcasts, place)
    control_server = await asyncio.start_server(
        control.serve, "127.0.0.1", 0, limit=LINE_LIMIT_BYTES
    )
    control_port = control_server.sockets[0].getsockname()[1]
    if options.endpoints is not None:
        facts = endpoint_facts(options, server, endpoints, control_port, place)
        write_atomically(options.endpoints, json.dumps(facts, indent=2) + "\n")
    log.info(
        "%d drones from %s, control tcp:127.0.0.1:%d",
        options.drones,
        endpoints[0].link,
        control_port,
    )
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    with _rid_sender(options.rid_out) as send:

        def broadcast(t_s: float) -> None:
            for content in broadcasts.due(t_s):
                send(content)

        driver = asyncio.create_task(server.run(broadcast))
        await asyncio.wait(
            {driver, asyncio.create_task(ended.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        driver.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await driver
    control_server.close()
    await server.close()


@contextlib.contextmanager
def _rid_sender(address: tuple[str, int] | None) -> Iterator[Callable[[bytes], None]]:
    """Sends datagrams to the receiver, or nowhere."""
    if address is None:
        yield lambda content: None
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)

        def send(content: bytes) -> None:
            with contextlib.suppress(OSError):  # nobody listens yet, or the buffer is full
                sender.sendto(content, address)

        yield send


def endpoint_facts(
    options: Options,
    server: FleetServer,
    endpoints: list[Endpoint],
    control_port: int,
    place: Place,
) -> dict[str, object]:
    """What --endpoints tells."""
    serials = {ap.setup.sysid: ap.setup.serial for ap in server.fleet}
    specs = [crossing(kind, place, start_s) for kind, start_s in options.beacons]
    return {
        "drones": [
            {
                "sysid": endpoint.sysid,
                "link": endpoint.link,
                "name": endpoint.name,
                "serial": serials[endpoint.sysid],
            }
            for endpoint in endpoints
        ],
        "control": f"tcp:127.0.0.1:{control_port}",
        "boot_at": options.boot_at.isoformat(),
        "speedup": options.speedup,
        "world": options.world,
        "home": {
            "lat_deg": place.lat_deg,
            "lon_deg": place.lon_deg,
            "alt_ellipsoid_m": place.alt_ellipsoid_m,
            "geoid_undulation_m": place.geoid_undulation_m,
        },
        "beacons": [
            {
                "kind": spec.kind,
                "serial": spec.serial,
                "operator_id": spec.operator_id,
                "start_s": spec.start_s,
            }
            for spec in specs
        ],
    }


def write_atomically(path: Path, text: str) -> None:
    """Writes a file so that no reader ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _shot_sinks(
    options: Options, stack: contextlib.ExitStack
) -> tuple[Callable[[Shot], None], Place]:
    """What happens to each shot (a line in a file, a photo, both or neither), and where."""
    sinks: list[Callable[[Shot], None]] = []
    place = place_named(options.world)
    if options.shots is not None:
        options.shots.parent.mkdir(parents=True, exist_ok=True)
        lines = stack.enter_context(options.shots.open("w", encoding="utf-8"))
        sinks.append(lambda shot: _write_line(lines, shot))
    if options.card is not None:
        card, place = _open_card(options, options.card)
        sinks.append(stack.enter_context(card).shoot)

    def on_shot(shot: Shot) -> None:
        for sink in sinks:
            sink(shot)

    return on_shot, place


def _open_card(options: Options, directory: Path) -> tuple[CardWriter, Place]:
    """The card and the place; world and renderer are loaded only when photos are wanted."""
    from sitl.card import CardWriter
    from sitl.lens import SimCamera
    from sitl.worlds import make_world

    world = make_world(options.world)
    card = CardWriter(
        world,
        directory,
        SimCamera().resized(options.photo_width_px),
        options.seed,
        options.card_workers,
        truth_dir=options.truth,
    )
    return card, place_in(world)


def _write_line(lines: TextIO, shot: Shot) -> None:
    fields = asdict(shot) | {"at": shot.at.isoformat()}
    lines.write(json.dumps(fields) + "\n")
    lines.flush()


if __name__ == "__main__":
    sys.exit(main())
