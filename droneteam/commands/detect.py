"""`droneteam detect`: listen to receivers, replay recordings, show what a capture holds."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from droneteam import db, schema
from droneteam.detection import air, rid
from droneteam.detection.feeds import PARSERS, Inbox, TcpFeed
from droneteam.detection.listen import Listener, listen, replay
from droneteam.detection.receivers import DatagramReceiver, Tally, read_file
from droneteam.detection.records import Received, Record
from droneteam.detection.service import Origin
from droneteam.detection.suspicion import Site
from droneteam.errors import DecodeError, InputError
from droneteam.settings import Settings

MAX_GEOID_M = 110.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    hear = actions.add_parser("listen", help="follow what a UDP port receives, until stopped")
    hear.add_argument("--udp", default="127.0.0.1:0", metavar="HOST:PORT")
    for kind in PARSERS:
        hear.add_argument(
            f"--{kind}",
            action="append",
            default=[],
            metavar="NAME=HOST:PORT",
            help=f"follow manned aircraft through this {kind} stream; may be repeated",
        )
    hear.add_argument("--ready", type=Path, help="JSON file written once listening")
    again = actions.add_parser("replay", help="follow recordings; pages show them as a replay")
    again.add_argument("file", nargs="+", type=Path)
    again.add_argument("--speed", type=float, help="times real time; as fast as possible without")
    for action in (hear, again):
        action.add_argument(
            "--site",
            action="append",
            default=[],
            metavar="NAME=LAT,LON,RANGE_M",
            help="where a receiver stands and how far it hears; may be repeated",
        )
        action.add_argument(
            "--geoid",
            type=float,
            metavar="M",
            help="height of the geoid above the WGS84 ellipsoid here (Brussels: 43.5), so that "
            "telemetry and Remote ID heights can be compared; without it they are not",
        )
    show = actions.add_parser("decode", help="print what captures hold, without storing it")
    show.add_argument("file", nargs="+", type=Path)


def run(args: argparse.Namespace) -> int:
    """Dispatch to the action."""
    if args.action == "decode":
        return _decode(args.file)
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.require_current(engine)
    sites = {site.name: site for site in map(_site, args.site)}
    origin: Origin = "replay" if args.action == "replay" else "live"
    known = air.Air(_geoid_m(args.geoid))
    listener = Listener(engine, known, datetime.now(UTC), sites, origin)
    if args.action == "replay":
        if args.speed is not None and not args.speed > 0.0:
            raise InputError(f"--speed {args.speed} is not positive")
        return _replay(listener, args.file, args.speed)
    inbox = Inbox()
    feeds = [
        TcpFeed(kind, *_named_address(text), inbox) for kind in PARSERS for text in vars(args)[kind]
    ]
    return _listen(listener, _address(args.udp), args.ready, feeds, inbox)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise InputError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _site(text: str) -> Site:
    name, _, place = text.partition("=")
    try:
        lat_deg, lon_deg, range_m = map(float, place.split(","))
    except ValueError:
        raise InputError(f"{text!r} is not NAME=LAT,LON,RANGE_M") from None
    return Site(name, lat_deg, lon_deg, range_m)


def _geoid_m(value: float | None) -> float | None:
    """The geoid is nowhere further from the ellipsoid than 110 m."""
    if value is not None and not abs(value) <= MAX_GEOID_M:
        raise InputError(f"--geoid {value} outside [-{MAX_GEOID_M:.0f}, {MAX_GEOID_M:.0f}] m")
    return value


def _named_address(text: str) -> tuple[str, tuple[str, int]]:
    name, found, address = text.partition("=")
    if not found or not name:
        raise InputError(f"{text!r} is not NAME=HOST:PORT")
    return name, _address(address)


def _listen(
    listener: Listener,
    address: tuple[str, int],
    ready: Path | None,
    feeds: Sequence[TcpFeed],
    inbox: Inbox,
) -> int:
    receiver = DatagramReceiver(*address)
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    host, port = receiver.address
    print(f"listening on udp {host}:{port}", flush=True)
    if ready is not None:
        partial = ready.with_suffix(".part")
        partial.write_text(json.dumps({"host": host, "port": port}))
        partial.rename(ready)
    for feed in feeds:
        feed.start()
    try:
        listen(listener, receiver, stop, inbox)
    finally:
        for feed in feeds:
            feed.close()
        receiver.close()
    _report(receiver.tally)
    for name, dropped in listener.limiter.dropped.items():
        print(f"  {dropped} of {name} were over the limit of their radio")
    for feed in feeds:
        print(f"  {feed.name}: {feed.connections} connections; {feed.last_problem or 'no problem'}")
    return 0


def _replay(listener: Listener, paths: list[Path], speed: float | None) -> int:
    tally = Tally()
    span = _Span()
    for path in paths:
        replay(listener, span.of(read_file(path, tally)), speed)
    listener.close(datetime.now(UTC))
    tally.refused += listener.watch.refused
    _report(tally)
    if span.first is not None and span.last is not None:
        moment = span.first.isoformat(timespec="seconds").replace("+00:00", "Z")
        last = span.last.isoformat(timespec="seconds").replace("+00:00", "Z")
        print(f"  see it again at /live/history?from={moment}&until={last}")
    return 0


class _Span:
    """The times of the first and the last record that went through."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None

    def of(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records as they are."""
        for record in records:
            self.first = record.at if self.first is None else min(self.first, record.at)
            self.last = record.at if self.last is None else max(self.last, record.at)
            yield record


def _decode(paths: list[Path]) -> int:
    for path in paths:
        tally, kinds, identities = Tally(), Counter[str](), Counter[str]()
        for message in _messages(read_file(path, tally), tally):
            kinds[type(message).__name__] += 1
            if isinstance(message, rid.BasicId) and message.uas_id:
                identities[message.uas_id] += 1
        print(f"{path.name}: " + (", ".join(f"{n} {k}" for k, n in kinds.items()) or "nothing"))
        for identity, count in identities.most_common():
            print(f"  {identity}  ({count} times)")
        _report(tally)
    return 0


def _messages(records: Iterator[Record], tally: Tally) -> Iterator[rid.Message]:
    for received in records:
        if not isinstance(received, Received):
            continue
        try:
            pack = rid.decode(received.payload)
        except DecodeError as error:
            tally.refuse(error)
            continue
        for problem in pack.problems:
            tally.refuse(problem)
        yield from pack.messages


def _report(tally: Tally) -> None:
    print(f"  {tally.received} received, {tally.refused} refused")
    if tally.refused:
        print(f"  the last refusal: {tally.last_problem}")
