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
from droneteam.detection.feeds import Feed, Inbox
from droneteam.detection.listen import Listener, listen, replay
from droneteam.detection.receivers import DatagramReceiver, Tally, read_file
from droneteam.detection.records import Received, Record
from droneteam.detection.service import Origin
from droneteam.detection.sources import configuration
from droneteam.detection.sources.configuration import KINDS, Receivers, Tools
from droneteam.detection.suspicion import Site
from droneteam.errors import DecodeError, InputError
from droneteam.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    hear = actions.add_parser("listen", help="follow what receivers hear, until stopped")
    hear.add_argument("--udp", metavar="HOST:PORT", help="JSON datagrams; a free port without")
    hear.add_argument("--config", type=Path, help="receivers and sites, a TOML or JSON file")
    for name, kind in KINDS.items():
        if kind.key:
            hear.add_argument(
                f"--{name}",
                action="append",
                default=[],
                metavar=f"NAME={kind.shape}",
                help=f"{kind.help}; may be repeated",
            )
    hear.add_argument("--telemetry", action="store_true", help=KINDS["telemetry"].help)
    hear.add_argument(
        "--own-time",
        action="store_true",
        help="believe the records' own times; for simulators that run faster than the clock",
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
    found = _configured(args)
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.require_current(engine)
    sites = {site.name: site for site in found.sites}
    origin: Origin = "replay" if args.action == "replay" else "live"
    listener = Listener(engine, air.Air(found.geoid_m), datetime.now(UTC), sites, origin)
    if args.action == "replay":
        if args.speed is not None and not args.speed > 0.0:
            raise InputError(f"--speed {args.speed} is not positive")
        return _replay(listener, args.file, args.speed)
    inbox, tools = Inbox(), Tools(engine, found.geoid_m)
    feeds = [Feed(one.name, one.make(tools), inbox) for one in found.receivers]
    address = found.udp or ("127.0.0.1", 0)
    return _listen(listener, address, args.ready, feeds, inbox, own_time=args.own_time)


def _configured(args: argparse.Namespace) -> Receivers:
    """The configuration file's receivers and sites, and those of the command line."""
    told = vars(args)
    file = Receivers() if told.get("config") is None else configuration.read(args.config)
    flags = [
        configuration.of_flag(name, text)
        for name, kind in KINDS.items()
        if kind.key
        for text in told.get(name, ())
    ]
    if told.get("telemetry"):
        flags.append(configuration.of_kind("telemetry"))
    receivers = (*file.receivers, *flags)
    configuration.unique(receivers)
    return Receivers(
        receivers,
        (*file.sites, *map(_site, args.site)),
        configuration.host_and_port(args.udp) if told.get("udp") else file.udp,
        file.geoid_m if args.geoid is None else configuration.checked_geoid_m(args.geoid),
    )


def _site(text: str) -> Site:
    name, _, place = text.partition("=")
    try:
        lat_deg, lon_deg, range_m = map(float, place.split(","))
    except ValueError:
        raise InputError(f"{text!r} is not NAME=LAT,LON,RANGE_M") from None
    return Site(name, lat_deg, lon_deg, range_m)


def _listen(
    listener: Listener,
    address: tuple[str, int],
    ready: Path | None,
    feeds: Sequence[Feed],
    inbox: Inbox,
    *,
    own_time: bool,
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
        listen(listener, receiver, stop, inbox, own_time=own_time)
    finally:
        for feed in feeds:
            feed.stop()
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
    span = _Span()
    for path in paths:
        tally = Tally()
        replay(listener, span.of(read_file(path, tally)), speed)
        print(f"{path.name}:")
        _report(tally)
    listener.close(datetime.now(UTC))
    if listener.watch.refused:
        print(f"  {listener.watch.refused} could not be used; `detect decode` names why")
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
    frames = f"{tally.packets} frames, " if tally.packets else ""
    print(f"  {frames}{tally.received} receptions of Remote ID, {tally.refused} refused")
    if tally.last_problem:
        print(f"  the last refusal: {tally.last_problem}")
