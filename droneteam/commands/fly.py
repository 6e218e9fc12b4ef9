"""`droneteam fly`: fly approved missions over MAVLink and record the sorties."""

from __future__ import annotations

import argparse
from pathlib import Path

from droneteam import accounts, db, schema
from droneteam.commands.intruders import intruders_near
from droneteam.errors import InputError
from droneteam.missions import service as missions
from droneteam.missions.service import LiveState, MissionLink
from droneteam.settings import Settings

EXIT_NOT_COMPLETED = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("mission", type=int, nargs="+", help="numbers of approved missions")
    parser.add_argument(
        "--link",
        action="append",
        required=True,
        help="tcp:HOST:PORT, udpin:HOST:PORT, udpout:HOST:PORT or serial:DEVICE:BAUD, spare ones "
        "after a comma; once per mission, in order",
    )
    parser.add_argument(
        "--forward",
        metavar="udpout:HOST:PORT",
        help="a ground station that listens and speaks along",
    )
    parser.add_argument(
        "--signing-key",
        type=Path,
        metavar="FILE",
        help="file with the passphrase or key of MAVLink 2 signing; unsigned packets are refused",
    )
    parser.add_argument("--user", help="the login of the pilot who flies (default: the system)")
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="how much faster the vehicle's clock runs"
    )
    parser.add_argument(
        "--cells", type=int, help="cells of the packs in series (default: told by their voltage)"
    )
    parser.add_argument(
        "--no-log", action="store_true", help="leave the vehicle's onboard log where it is"
    )


def run(args: argparse.Namespace) -> int:
    """0 when every mission was completed."""
    if len(args.link) != len(args.mission):
        print(f"{len(args.mission)} missions but {len(args.link)} links: give one --link each")
        return EXIT_NOT_COMPLETED
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.require_current(engine)
    actor = accounts.SYSTEM
    if args.user:
        with db.read_scope(engine) as session:
            actor = accounts.actor_for_login(session, args.user)
    signing = _signing(args.signing_key)
    links = [
        MissionLink(
            number,
            link,
            None,
            args.forward,
            signing,
            fetch_log=not args.no_log,
            cells=args.cells,
        )
        for number, link in zip(args.mission, args.link, strict=True)
    ]
    sorties = missions.fly_missions(
        engine,
        settings,
        actor,
        links,
        time_scale=args.time_scale,
        on_state=_Progress(),
        on_advice=lambda advice: print(f"for the pilot: {advice.text}", flush=True),
        intruders=intruders_near,
    )
    for sortie in sorties:
        print(
            f"mission {sortie.mission_id}: {sortie.ending}"
            f"{': ' + sortie.reason if sortie.reason else ''}; {len(sortie.triggers)} photos, "
            f"{sortie.distance_m:.0f} m, log {sortie.log_path}"
        )
        if sortie.onboard_log is not None:
            print(f"onboard log {sortie.onboard_log.path}, sha256 {sortie.onboard_log.sha256}")
    done = all(sortie.ending == "completed" for sortie in sorties)
    return 0 if done else EXIT_NOT_COMPLETED


def _signing(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"signing key {path}: {error}", field="signing-key") from error


class _Progress:
    """Prints a line per drone whenever its phase or tenth of the mission changes."""

    def __init__(self) -> None:
        self._shown: dict[int, tuple[str, int]] = {}

    def __call__(self, state: LiveState) -> None:
        """Show a state when it brings something new."""
        tenth = int(state.progress * 10)
        if self._shown.get(state.drone_id) == (state.phase, tenth):
            return
        self._shown[state.drone_id] = (state.phase, tenth)
        battery = "" if state.battery_pct is None else f", battery {state.battery_pct:.0f} %"
        print(
            f"{state.drone_name}: {state.phase}, {state.mode}, {state.alt_home_m:.1f} m, "
            f"{tenth * 10} %{battery}",
            flush=True,
        )
