"""`droneteam fleet`: the registry and forecasts in and out, the yearly report, other sizes."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from droneteam import db, schema
from droneteam.accounts import SYSTEM
from droneteam.errors import InputError
from droneteam.fleet import service as fleet
from droneteam.fleet.agreement.hours import parse_wall
from droneteam.fleet.assets import records
from droneteam.fleet.explanations import explain
from droneteam.fleet.performance.sizing import SIZES
from droneteam.fleet.weather import read_periods
from droneteam.reports import yearly
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    out = actions.add_parser("export", help="write the registry and the logbook")
    out.add_argument("path", type=Path, help="a .json file, or a folder for CSV files")
    back = actions.add_parser("import", help="read them back: whole or not at all")
    back.add_argument("path", type=Path, help="a .json file, or a folder of CSV files")
    weather = actions.add_parser("weather", help="read a weather forecast: whole or not at all")
    weather.add_argument("path", type=Path, help="a .json file, or a .csv file with --issued")
    weather.add_argument("--source", default="", help="who issued it, where the file does not say")
    weather.add_argument("--issued", help="when, such as 2026-05-04T06:00, local time")
    actions.add_parser("notices", help="list what ends or falls due soon")
    report = actions.add_parser("report", help="write the yearly report")
    report.add_argument("year", type=int)
    report.add_argument("path", type=Path, help="a .pdf or .csv file")
    report.add_argument("--language", choices=yearly.LANGUAGES, default="fr")
    sizes = actions.add_parser("simulate", help="replay a year with fleets of other sizes")
    sizes.add_argument("year", type=int)
    sizes.add_argument("--drones", type=int, nargs="+", default=list(SIZES), metavar="N")
    sizes.add_argument("--pilots", type=int, help="as many as the team has by default")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; only an import and a forecast change the database."""
    engine = db.make_engine(Settings.from_env().database_url)
    schema.require_current(engine)
    now = datetime.now(UTC)
    match args.action:
        case "export":
            _export(engine, args.path)
        case "import":
            _import(engine, args.path, now)
        case "weather":
            _weather(engine, args, now)
        case "notices":
            _notices(engine, now)
        case "report":
            _report(engine, args, now)
        case _:
            _simulate(engine, args, now)
    return 0


def _export(engine: Engine, path: Path) -> None:
    with db.read_scope(engine) as session:
        registry = fleet.export_registry(session, SYSTEM)
    if path.suffix == ".json":
        path.write_text(records.to_json(registry), encoding="utf-8")
    else:
        path.mkdir(parents=True, exist_ok=True)
        for name, text in records.csv_files(registry).items():
            (path / name).write_text(text, encoding="utf-8", newline="")
    print(f"{len(registry.drones)} drones and {len(registry.logbook)} flights written to {path}")


def _import(engine: Engine, path: Path, now: datetime) -> None:
    registry = read_registry(path)
    with db.session_scope(engine) as session:
        done = fleet.import_registry(session, SYSTEM, registry, now)
    for name in records.KINDS:
        added, changed = done.added.get(name, 0), done.changed.get(name, 0)
        print(f"{name:<14} {added:>6} added {changed:>6} changed")


def read_registry(path: Path) -> records.Registry:
    """The registry of a JSON file or of a folder of CSV files.

    Raises
    ------
    InputError
        There is no such file or folder, or it cannot be read.
    """
    try:
        if path.is_dir():
            files = {
                file.name: file.read_bytes().decode("utf-8") for file in sorted(path.glob("*.csv"))
            }
            return records.from_csv_files(files)
        return records.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _weather(engine: Engine, args: argparse.Namespace, now: datetime) -> None:
    issued_at = None if args.issued is None else parse_wall(args.issued, "--issued")
    try:
        text = args.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{args.path} cannot be read: {error}") from error
    periods = read_periods(text, source=args.source, issued_at=issued_at)
    with db.session_scope(engine) as session:
        rows = fleet.add_forecasts(session, SYSTEM, periods, now)
    print(
        f"{len(rows)} periods of {periods[0].source}, issued {periods[0].issued_at:%d/%m %H:%M} UTC"
    )


def _notices(engine: Engine, now: datetime) -> None:
    with db.read_scope(engine) as session:
        due = fleet.due_now(session, now)
    for one in due:
        print(f"{one.subject:<12} {explain.sentence(one.reason, 'en')}")
    print(f"{len(due)} to look after")


def _report(engine: Engine, args: argparse.Namespace, now: datetime) -> None:
    with db.read_scope(engine) as session:
        figures = fleet.yearly_figures(session, SYSTEM, args.year, now)
        names = fleet.organisation_names(session, args.language)
    parts = yearly.sections(figures, names, args.language)
    if args.path.suffix == ".pdf":
        args.path.write_bytes(yearly.yearly_pdf(figures, parts, now, args.language))
    elif args.path.suffix == ".csv":
        text = yearly.yearly_csv(figures, parts, args.language)
        args.path.write_text(text, encoding="utf-8", newline="")
    else:
        raise InputError(f"{args.path} is neither .pdf nor .csv")
    print(f"{args.year}: {figures.counts.missions} missions; report in {args.path}")


def _simulate(engine: Engine, args: argparse.Namespace, now: datetime) -> None:
    with db.read_scope(engine) as session:
        found = fleet.simulate_year(session, SYSTEM, args.year, now, args.drones, crews=args.pilots)
    print(
        f"{'drones':>6} {'pilots':>6} {'answered':>9} {'on time':>8} {'P90 min':>8} "
        f"{'displaced':>9} {'in use':>7} {'Jain':>6}"
    )
    for row in found:
        p90 = row.waits_min[1].value
        print(
            f"{row.drones:>6} {row.crews:>6} {row.answered.hits:>4}/{row.answered.n:<4} "
            f"{_percent(row.on_time.value):>8} {'–' if p90 is None else f'{p90:.0f}':>8} "
            f"{row.displaced:>9} {_percent(row.utilisation):>7} {row.jain:>6.3f}"
        )
    if found and found[0].answered.n < 20:
        print("fewer than 20 requests: an anecdote, not a rate", file=sys.stderr)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
