"""The `droneteam` command: finds the subcommand, sets up logging, turns errors into words."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from droneteam.errors import DroneteamError
from droneteam.settings import Settings

COMMANDS = {
    "serve": "start the web server",
    "work": "run queued jobs (reconstructions) until stopped",
    "demo": "fly the whole chain on the simulator and show it",
    "scene": "build and measure scenes from photos",
    "fly": "fly a planned mission over MAVLink",
    "ask": "ask a flying drone to return, land, pause, resume, brake or turn its camera",
    "logs": "fetch the onboard log of a flown sortie",
    "detect": "decode and follow Remote ID",
    "evidence": "export and verify sealed evidence bags",
    "geozones": "load and list geographical zones",
    "addresses": "load an address file, look an address up",
    "fleet": "registry in and out, yearly report, fleet sizes",
    "user": "add users",
    "backup": "make, check and restore snapshots of the installation",
    "database": "create or upgrade the database",
}
"""Each is a module of droneteam.commands with `configure(parser)` and `run(args)`."""

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 with one line on standard error that says what is wrong."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = _parser(arguments[0] if arguments else None)
    args = parser.parse_args(arguments)
    try:
        _log_to_stderr(Settings.from_env().log_level if args.needs_settings else "WARNING")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        status: int = args.run(args)
    except DroneteamError as error:
        print(f"droneteam {args.command}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return status


class OneEntry(logging.Formatter):
    """Entries that nobody can forge: control characters of a message are written out.

    What a visitor sent (an address, an error of the sign-in service) is in some of them.  The
    lines of a traceback are set in, so that none of them looks like the beginning of an entry.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The entry's own line."""
        return super().formatMessage(record).translate(_WRITTEN_OUT)

    def format(self, record: logging.LogRecord) -> str:
        """The line, and below it what was raised."""
        first, *rest = super().format(record).splitlines()
        lines = [first, *(f"    {line.translate(_WRITTEN_OUT)}" for line in rest)]
        return "\n".join(lines)


_WRITTEN_OUT = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F))
}
"""Control characters, the other line ends, and what turns the direction of writing."""


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(OneEntry("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def _parser(wanted: str | None) -> argparse.ArgumentParser:
    """The parser; only the wanted subcommand's module is loaded, so that help is instant."""
    parser = argparse.ArgumentParser(prog="droneteam", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=summary)
        sub.set_defaults(needs_settings=True)
        if name == wanted:
            module = importlib.import_module(f"droneteam.commands.{name}")
            sub.set_defaults(run=module.run)
            module.configure(sub)
    return parser


if __name__ == "__main__":
    sys.exit(main())
