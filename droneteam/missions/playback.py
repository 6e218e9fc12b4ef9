"""Flown sorties from their logs: played back, reported, taken to other programs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.errors import NotFound
from droneteam.missions.flight.preflight import FlightOrder, flight_order
from droneteam.missions.formats.track import TRACK_WRITERS
from droneteam.missions.planning import get_mission
from droneteam.missions.record.dataflash import read_onboard_log
from droneteam.missions.record.journal import read_journal
from droneteam.missions.record.replay import Replay, ReplayEvent, replay
from droneteam.missions.record.report.sketch import Place
from droneteam.missions.record.report.sortie import SortieFacts, sortie_pdf
from droneteam.missions.record.sortie import SortieLog, read_sortie
from droneteam.missions.sorties import get_sortie
from droneteam.missions.views import SortieView

KEPT_LOGS = 4
"""Read logs kept in memory: a page and its island ask for the same one."""


def sortie_log(sortie: SortieView) -> SortieLog:
    """What the sortie's logs say, the onboard log's photos included.

    Raises
    ------
    NotFound
        The log's file is gone.
    DecodeError
        It holds no packet of a vehicle.
    """
    try:
        stamp = sortie.log_path.stat()
    except FileNotFoundError:
        raise NotFound("log of sortie", sortie.id) from None
    onboard = sortie.onboard_log
    photos = onboard.path if onboard is not None and onboard.path.is_file() else None
    return _read(sortie.log_path, photos, stamp.st_mtime_ns, sortie.mission_id)


@lru_cache(maxsize=KEPT_LOGS)
def _read(path: Path, onboard: Path | None, _stamp_ns: int, mission_id: int) -> SortieLog:
    photos = () if onboard is None else read_onboard_log(onboard.read_bytes()).photos
    return read_sortie(path, mission_id=mission_id, photos=photos)


def sortie_replay(
    session: Session,
    actor: Actor,
    sortie_id: int,
    data_dir: Path,
    *,
    samples: int = 600,
    more: Iterable[ReplayEvent] = (),
) -> Replay:
    """The sortie on one time line, thinned to at most so many samples.

    more : what other packages know of that time; their t_s is found here.
    """
    sortie = get_sortie(session, actor, sortie_id, data_dir)
    journal = read_journal(journal_path(sortie))
    return replay(sortie_log(sortie), journal, samples=samples, more=more)


def sortie_report(
    session: Session,
    actor: Actor,
    sortie_id: int,
    data_dir: Path,
    *,
    language: str,
    more: Iterable[ReplayEvent] = (),
    photos_bound: int | None = None,
) -> bytes:
    """The sortie's report as a PDF."""
    sortie = get_sortie(session, actor, sortie_id, data_dir)
    mission = get_mission(session, actor, sortie.mission_id)
    order = flight_order(mission.id, mission.plan.items, mission.plan.home, fence=mission.fence)
    log = sortie_log(sortie)
    events = replay(log, read_journal(journal_path(sortie)), samples=2, more=more).events
    facts = SortieFacts(
        sortie=sortie,
        log=log,
        events=events,
        drone=mission.drone_name,
        fence=_fence(order),
        ceiling_m=_ceiling_m(order),
        photos_planned=mission.n_photos,
        photos_bound=photos_bound,
        search=mission.plan.search,
    )
    return sortie_pdf(facts, language)


def sortie_track(
    session: Session, actor: Actor, sortie_id: int, data_dir: Path, kind: str
) -> tuple[bytes, str]:
    """The flown track as a file of that kind, and its media type.

    Raises
    ------
    NotFound
        There is no such kind.
    """
    if kind not in TRACK_WRITERS:
        raise NotFound("format", kind)
    sortie = get_sortie(session, actor, sortie_id, data_dir)
    write, media_type = TRACK_WRITERS[kind]
    return write(sortie_log(sortie), f"sortie {sortie_id}"), media_type


def journal_path(sortie: SortieView) -> Path:
    """Where the controller's journal of the sortie lies."""
    return sortie.log_path.with_name(sortie.log_path.stem + ".journal.jsonl")


def _fence(order: FlightOrder) -> tuple[Place, ...]:
    return tuple((item.x, item.y) for item in order.fence)


def _ceiling_m(order: FlightOrder) -> float | None:
    values = [one.value for one in order.profile if one.name == "FENCE_ALT_MAX"]
    return values[0] if values else None
