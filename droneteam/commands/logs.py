"""`droneteam logs`: fetch the onboard log of a sortie that has been flown, or the rest of it."""

from __future__ import annotations

import argparse

from droneteam import accounts, db, schema
from droneteam.missions import service as missions
from droneteam.missions.mavlink.handshake import Failed
from droneteam.settings import Settings

EXIT_NOT_FETCHED = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("sortie", type=int, help="number of a flown sortie")
    parser.add_argument(
        "--link",
        required=True,
        help="tcp:HOST:PORT, udpin:HOST:PORT, udpout:HOST:PORT or serial:DEVICE:BAUD",
    )
    parser.add_argument("--system-id", type=int, help="of the vehicle (default: the first heard)")
    parser.add_argument("--user", help="the login of who fetches it (default: the system)")
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="how much faster the vehicle's clock runs"
    )


def run(args: argparse.Namespace) -> int:
    """0 when the whole log is here; an interrupted one goes on when called again."""
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.require_current(engine)
    actor = accounts.SYSTEM
    if args.user:
        with db.read_scope(engine) as session:
            actor = accounts.actor_for_login(session, args.user)
    found = missions.fetch_onboard_log(
        engine,
        settings,
        actor,
        args.sortie,
        args.link,
        system_id=args.system_id,
        time_scale=args.time_scale,
    )
    if isinstance(found, Failed):
        print(f"sortie {args.sortie}: {found.name}: {found.detail}")
        return EXIT_NOT_FETCHED
    odd = f" ({found.note})" if found.note else ""
    print(f"{found.path}: {found.size_bytes} bytes, sha256 {found.sha256}{odd}")
    return 0
