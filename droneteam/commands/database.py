"""`droneteam database`: create or upgrade the database."""

from __future__ import annotations

import argparse

from droneteam import db, schema
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=["upgrade"], help="run the outstanding migrations")


def run(args: argparse.Namespace) -> int:
    """Upgrade the database that the settings name."""
    engine = db.make_engine(Settings.from_env().database_url)
    print(f"database at revision {schema.upgrade(engine)}")
    return 0
