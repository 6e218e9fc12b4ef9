"""`droneteam evidence`: check a sealed bag, export a case as one, erase what is past its time."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from droneteam import accounts, db, schema
from droneteam.evidence import bag, exporting, keys, manifest, service
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    verify = actions.add_parser("verify", help="check a bag, a folder or a .zip")
    verify.add_argument("bag", type=Path)
    verify.add_argument("--key", metavar="KEY_ID", help="the key that must have signed it")
    export = actions.add_parser("export", help="export a case as a sealed bag")
    export.add_argument("case", type=int)
    export.add_argument("--reason", required=True)
    export.add_argument("--user", required=True, help="the login that exports it")
    export.add_argument("-o", "--out", type=Path, required=True, help="folder for the bag")
    erase = actions.add_parser("erase", help="erase what cases need not keep any longer")
    erase.add_argument("--user", required=True, help="the administrator who erases it")
    actions.add_parser("key", help="print this installation's KEY_ID")


def run(args: argparse.Namespace) -> int:
    """Dispatch to the action."""
    if args.action == "verify":
        return _verify(args)
    key = keys.own_key(Settings.from_env().data_dir)
    if args.action == "key":
        print(manifest.key_id(key.public_key()))
        return 0
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.require_current(engine)
    if args.action == "erase":
        return _erase(engine, settings, args.user)
    with db.session_scope(engine) as session:
        exported = exporting.export_bag(
            session,
            accounts.actor_for_login(session, args.user),
            args.case,
            reason=args.reason,
            store=settings.blob_dir("evidence"),
            out_dir=args.out,
            key=key,
            now=datetime.now(UTC),
        )
    print(args.out / exported.folder)
    return 0


def _erase(engine: Engine, settings: Settings, login: str) -> int:
    """Content whose retention has run out is gone; rows and hashes stay."""
    store = settings.blob_dir("evidence")
    with db.session_scope(engine) as session:
        actor = accounts.actor_for_login(session, login)
        erased = service.erase_expired(session, actor, store, datetime.now(UTC))
    print(f"{len(erased)} files erased")
    return 0


def _verify(args: argparse.Namespace) -> int:
    report = bag.verify_bag(args.bag, args.key)
    for problem in report.problems:
        print(f"{problem.path or report.path}: {problem.text}", file=sys.stderr)
    print(f"{report.files_checked} files, {report.bytes_checked} bytes checked")
    if not report.ok:
        print(f"{report.path} is NOT intact: {len(report.problems)} problem(s)")
        return 1
    trust = {True: "the expected key", False: "an unknown key", None: "a key not checked further"}
    print(f"{report.path} is intact, signed by {report.signer} ({trust[report.signer_known]})")
    return 0
