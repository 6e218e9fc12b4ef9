"""`droneteam geozones`: load what an authority publishes, and list what is in force."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from droneteam import accounts, db, schema
from droneteam.errors import InputError
from droneteam.missions import service
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    load = actions.add_parser("load", help="ED-269 or ED-318; the source's other zones go")
    load.add_argument("file", type=Path)
    load.add_argument("--source", required=True, help="who publishes it")
    load.add_argument("--user", required=True, help="the login that loads it")
    actions.add_parser("list", help="the zones that missions are checked against")


def run(args: argparse.Namespace) -> int:
    """Dispatch to the action."""
    engine = db.make_engine(Settings.from_env().database_url)
    schema.require_current(engine)
    return _load(args, engine) if args.action == "load" else _list(engine)


def _load(args: argparse.Namespace, engine: Engine) -> int:
    try:
        document = json.loads(args.file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{args.file}: {error}", field="file") from error
    with db.session_scope(engine) as session:
        actor = accounts.actor_for_login(session, args.user)
        count, gone = service.publish_zones(
            session, actor, document, args.source, datetime.now(UTC)
        )
    print(f"{count} zones of {args.source} in force, {len(gone)} withdrawn")
    for identifier in gone:
        print(f"withdrawn: {identifier}")
    return 0


def _list(engine: Engine) -> int:
    with db.read_scope(engine) as session:
        for row in service.list_zones(session, accounts.SYSTEM):
            zone = row.zone
            print(f"{row.source}\t{zone.identifier}\t{zone.restriction.value}\t{zone.name}")
    return 0
