"""`droneteam addresses`: take an address file in, look an address up in it."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from droneteam import accounts, db, schema
from droneteam.errors import NotFound
from droneteam.places import service
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    load = actions.add_parser("load", help="the federal register's CSV or ZIP of a region")
    load.add_argument("file", type=Path)
    load.add_argument("--source", required=True, help="who publishes it, and its date")
    load.add_argument("--user", required=True, help="the administrator's login that loads it")
    find = actions.add_parser("find", help="an address, a crossing (A / B) or coordinates")
    find.add_argument("text", nargs="+")
    find.add_argument("--language", choices=("fr", "nl"), default="")


def run(args: argparse.Namespace) -> int:
    """Dispatch to the action."""
    engine = db.make_engine(Settings.from_env().database_url)
    schema.require_current(engine)
    return _load(args, engine) if args.action == "load" else _find(args, engine)


def _load(args: argparse.Namespace, engine: Engine) -> int:
    with db.session_scope(engine) as session:
        actor = accounts.actor_for_login(session, args.user)
        found = service.load_addresses(session, actor, args.file, args.source, datetime.now(UTC))
    print(f"{found.houses} addresses in {found.streets} streets of {found.source}")
    if found.unplaced:
        print(f"{found.unplaced} lines without usable coordinates were left out")
    return 0


def _find(args: argparse.Namespace, engine: Engine) -> int:
    text = " ".join(args.text)
    with db.read_scope(engine) as session:
        found = service.find_places(session, text, args.language)
    if not found:
        raise NotFound("place", text)
    for one in found:
        print(
            f"{one.lat_deg:.6f}\t{one.lon_deg:.6f}\t±{one.radius_m:.0f} m\t{one.kind}\t{one.label}"
        )
    return 0
