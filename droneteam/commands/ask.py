"""`droneteam ask`: tell the controller that flies a mission what the pilot wants."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from droneteam import accounts, db, schema
from droneteam.missions import service as missions
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("mission", type=int, help="number of a mission that is flying")
    parser.add_argument("what", choices=missions.WISHES, help="what the drone shall do")
    parser.add_argument("--user", help="the login of the pilot who asks (default: the system)")


def run(args: argparse.Namespace) -> int:
    """0 when the wish was put in; the flight's record tells what came of it."""
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.require_current(engine)
    with db.session_scope(engine) as session:
        actor = accounts.SYSTEM
        if args.user:
            actor = accounts.actor_for_login(session, args.user)
        folder = settings.blob_dir("logs")
        now = datetime.now(UTC)
        missions.ask_flight(session, actor, args.mission, args.what, folder, now)
    print(f"mission {args.mission}: asked for {args.what}")
    return 0
