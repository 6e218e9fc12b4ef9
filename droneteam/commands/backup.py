"""`droneteam backup`: make, list, check and restore snapshots of the whole installation."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from droneteam import backup, db
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    make = actions.add_parser("make", help="a snapshot; unchanged files are linked to the last")
    make.add_argument("folder", type=Path, help="where snapshots are kept")
    make.add_argument("--keep", type=int, metavar="N", help="then keep the newest N only")
    make.add_argument("--private", action="store_true", help="with the signing key and the secret")
    actions.add_parser("list", help="the snapshots").add_argument("folder", type=Path)
    check = actions.add_parser("check", help="every hash, the database, the audit chain")
    check.add_argument("snapshot", type=Path)
    restore = actions.add_parser("restore", help="into an empty data folder and database")
    restore.add_argument("snapshot", type=Path)


def run(args: argparse.Namespace) -> int:
    """Dispatch to the action."""
    return {"make": _make, "list": _list, "check": _check, "restore": _restore}[args.action](args)


def _make(args: argparse.Namespace) -> int:
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    try:
        path = backup.make_snapshot(
            settings, engine, args.folder, datetime.now(UTC), private=args.private
        )
    finally:
        engine.dispose()
    snapshot = backup.read_snapshot(path)
    print(path)
    print(f"{len(snapshot.files)} files, {snapshot.size} bytes, and the database")
    print(f"left out: {', '.join(snapshot.left_out)}")
    if args.keep is not None:
        for gone in backup.prune(args.folder, args.keep):
            print(f"removed: {gone}")
    return 0


def _list(args: argparse.Namespace) -> int:
    for path in backup.list_snapshots(args.folder):
        snapshot = backup.read_snapshot(path)
        print(f"{path.name}\t{len(snapshot.files)} files\t{snapshot.size} bytes")
    return 0


def _check(args: argparse.Namespace) -> int:
    problems = backup.check_snapshot(args.snapshot)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{args.snapshot}: whole")
    return 1 if problems else 0


def _restore(args: argparse.Namespace) -> int:
    settings = Settings.from_env()
    snapshot = backup.restore_snapshot(args.snapshot, settings)
    print(f"{len(snapshot.files)} files and the database of {snapshot.made_at:%Y-%m-%d %H:%M} UTC")
    print("next: `droneteam database upgrade`, then `droneteam work` until its erasing is done")
    return 0
