"""`droneteam user add`: make a user, the first administrator above all."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime

from droneteam import accounts, audit, db, schema
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    add = actions.add_parser("add", help="add a user; the password is read from the terminal")
    add.add_argument("login")
    add.add_argument("--name", required=True, help="the name shown to others")
    add.add_argument("--organisation", required=True, metavar="CODE")
    add.add_argument("--role", action="append", required=True, choices=accounts.ROLES)
    add.add_argument("--language", default="fr", choices=accounts.LANGUAGES)


def run(args: argparse.Namespace) -> int:
    """Add the user; the password comes from the terminal, or from a pipe's first line."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {args.login}: ")
    else:
        password = sys.stdin.readline().rstrip("\n")
    new = accounts.NewUser(
        login=args.login,
        display_name=args.name,
        organisation_code=args.organisation,
        roles=tuple(args.role),
        password=password,
        language=args.language,
    )
    engine = db.make_engine(Settings.from_env().database_url)
    schema.require_current(engine)
    with db.session_scope(engine) as session:
        actor = accounts.add_user(session, new)
        audit.append(
            session,
            accounts.SYSTEM,
            action="user.add",
            subject=f"user:{actor.user_id}",
            at=datetime.now(UTC),
            facts={"login": new.login, "roles": sorted(actor.roles)},
        )
    print(f"user {new.login} may sign in")
    return 0
