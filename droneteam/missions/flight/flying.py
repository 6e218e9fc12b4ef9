"""Fly approved missions and keep the rows up to date while they fly.

The flight loop must never wait for the database: live states go through a thread that stores
the latest one of each drone, and sorties are recorded after the last has ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.db import session_scope
from droneteam.missions.flight.airwatch import Advice
from droneteam.missions.flight.arming import begin_flight, clearance
from droneteam.missions.flight.asks import AskBox, asks_path, who
from droneteam.missions.flight.fly import FlightDeck
from droneteam.missions.flight.intruders import Intruder
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.neighbours import air_of_others, share_air
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder
from droneteam.missions.flight.sharedair import SharedCraft
from droneteam.missions.flight.standing import standing_bars
from droneteam.missions.flight.state import BEFORE_ARMING
from droneteam.missions.mavlink.signing import key_from_text
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.sorties import record_sortie, update_live_states
from droneteam.missions.views import MissionView, SortieView
from droneteam.settings import Settings

log = logging.getLogger(__name__)

PUBLISH_S = 0.5
"""Time between two writes of the live states, and of what controllers share of the air."""
BLIND_S = 15.0
"""A look at the database takes longer only when it cannot be reached."""
BLIND = "the database does not answer, so nobody knows what bars the take-off"
RTL_STEP_M = 3.0
"""Height between the ways home of drones that fly together."""


@dataclass(frozen=True, slots=True)
class MissionLink:
    """Which mission is flown over which link.

    link : one address, or several with commas of which the first is preferred; system_id : None
    takes the autopilot heard first; forward : a ground station's address; signing : the
    passphrase or key that the vehicle signs with; fetch_log : whether its onboard log is fetched
    after landing; cells : of the pack in series, None to tell them by its voltage.
    """

    mission_id: int
    link: str
    system_id: int | None = None
    forward: str | None = None
    signing: str | None = None
    fetch_log: bool = True
    cells: int | None = None


def fly_mission(
    engine: Engine,
    settings: Settings,
    actor: Actor,
    mission_id: int,
    link: str,
    *,
    time_scale: float = 1.0,
    on_state: Callable[[LiveState], None] | None = None,
) -> SortieView:
    """Fly one approved mission to its end and return its sortie."""
    (sortie,) = fly_missions(
        engine,
        settings,
        actor,
        [MissionLink(mission_id, link)],
        time_scale=time_scale,
        on_state=on_state,
    )
    return sortie


def fly_missions(
    engine: Engine,
    settings: Settings,
    actor: Actor,
    missions: Sequence[MissionLink],
    *,
    time_scale: float = 1.0,
    on_state: Callable[[LiveState], None] | None = None,
    on_advice: Callable[[Advice], None] | None = None,
    intruders: Callable[[Session], Sequence[Intruder]] | None = None,
) -> tuple[SortieView, ...]:
    """Fly approved missions together, one drone each, and return their sorties.

    intruders : reads from the database what detection sees near drones; asked twice a second, in
    a thread of its own.

    Raises
    ------
    NotAllowed
        A mission was not approved, or its plan is not the approved one.
    InputError
        A link is not an address.
    """
    log_dir = settings.blob_dir("logs")
    ways = [_Way.parse(mission) for mission in missions]
    with session_scope(engine) as session:
        now = datetime.now(UTC)
        views = [begin_flight(session, actor, one.mission_id, now) for one in missions]
        cleared = [clearance(session, actor, view.id, now).until for view in views]
        watch = _Barrier({view.id: view.drone_id for view in views}, session, now)
    begun_by = who(actor.user_id, actor.roles)
    orders = [
        replace(_order(view, way, log_dir, index, time_scale, until), by=begun_by)
        for index, (view, way, until) in enumerate(zip(views, ways, cleared, strict=True))
    ]
    boxes = [AskBox(asks_path(log_dir, view.id), view.drone_id) for view in views]
    drone_ids = frozenset(view.drone_id for view in views)
    with _Publisher(engine, drone_ids, on_state, intruders, watch) as publisher:
        results = FlightDeck(
            orders,
            time_scale=time_scale,
            on_state=publisher.offer,
            on_advice=on_advice,
            asks=lambda: [ask for box in boxes for ask in box.take()],
            bars=watch.bars,
            on_air=publisher.share,
            neighbours=lambda: publisher.others,
            intruders=lambda: publisher.intruders,
        ).fly()
    with session_scope(engine) as session:
        now = datetime.now(UTC)
        return tuple(
            record_sortie(session, actor, result, settings.data_dir, now) for result in results
        )


def _order(
    view: MissionView,
    way: _Way,
    log_dir: Path,
    index: int,
    time_scale: float,
    arm_until: datetime | None,
) -> SortieOrder:
    """The order; a flight taken up again after its signatures ran out is watched, not armed.

    arm_until : when the signatures run out, None when there are none that count.
    """
    order = flight_order(
        view.id,
        view.plan.items,
        view.plan.home,
        duration_s=view.duration_s,
        fence=view.fence,
        rtl_extra_m=RTL_STEP_M * index,
        time_scale=time_scale,
        wind_mps=view.plan.wind.speed_mps,
    )
    first, *spare = way.addresses
    return SortieOrder(
        replace(order, may_arm=arm_until is not None, cells=way.cells),
        view.drone_id,
        view.drone_name,
        first,
        log_dir,
        way.system_id,
        tuple(spare),
        way.forward,
        way.signing_key,
        arm_until,
        fetch_log=way.fetch_log,
    )


@dataclass(frozen=True, slots=True)
class _Way:
    """A mission's links, understood before anything is marked as flying."""

    addresses: tuple[LinkAddress, ...]
    system_id: int | None
    forward: LinkAddress | None
    signing_key: bytes | None
    fetch_log: bool
    cells: int | None

    @classmethod
    def parse(cls, mission: MissionLink) -> _Way:
        return cls(
            LinkAddress.parse_all(mission.link),
            mission.system_id,
            None if mission.forward is None else LinkAddress.parse(mission.forward),
            None if mission.signing is None else key_from_text(mission.signing),
            mission.fetch_log,
            mission.cells,
        )


class _Barrier:
    """What keeps drones of one call on the ground, as the database said last.

    missions : mission → drone; one that has come to arming is not looked up any more.  A database
    that cannot be reached lets nothing take off: what was read before may not hold any more.
    """

    def __init__(self, missions: Mapping[int, int], session: Session, now: datetime) -> None:
        self._missions = dict(missions)
        self._bars: dict[int, tuple[str, ...]] = {}
        self.look(session, now)

    def look(self, session: Session, now: datetime) -> None:
        """Look what bars now."""
        missions = dict(self._missions)
        found = standing_bars(session, missions, now)
        self._bars = {missions[mission]: texts for mission, texts in found.items()}
        self._looked_s = time.monotonic()

    def told(self, state: LiveState) -> None:
        """Take notice of a drone that has come to arming, or whose sortie has ended."""
        if state.phase not in BEFORE_ARMING and state.mission_id is not None:
            self._missions.pop(state.mission_id, None)

    def bars(self) -> dict[int, tuple[str, ...]]:
        """Drone → why it must not be armed just now."""
        if time.monotonic() - self._looked_s > BLIND_S:
            return dict.fromkeys(self._missions.values(), (BLIND,))
        return self._bars


class _Publisher:
    """Stores from a thread of its own what the loop must not wait for.

    The latest state of each drone, and which of them are in the air; what other controllers
    share of theirs is read there too.  others : as it was read last; while the database cannot be
    reached it grows old, which the pilots are told.
    """

    def __init__(
        self,
        engine: Engine,
        drone_ids: frozenset[int],
        on_state: Callable[[LiveState], None] | None,
        read_intruders: Callable[[Session], Sequence[Intruder]] | None = None,
        barrier: _Barrier | None = None,
    ) -> None:
        self._engine = engine
        self._drone_ids = drone_ids
        self._on_state = on_state
        self._barrier = barrier
        self._read_intruders = read_intruders
        self._latest: dict[int, LiveState] = {}
        self._aloft: tuple[SharedCraft, ...] = ()
        self.others: tuple[SharedCraft, ...] = ()
        self.intruders: tuple[Intruder, ...] = ()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live states", daemon=True)

    def __enter__(self) -> _Publisher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def offer(self, state: LiveState) -> None:
        """Take a state; never waits for the database."""
        if self._barrier is not None:
            self._barrier.told(state)
        with self._lock:
            self._latest[state.drone_id] = state
        if self._on_state is not None:
            self._on_state(state)

    def share(self, aloft: Sequence[SharedCraft]) -> None:
        """Take what is in the air; never waits for the database."""
        with self._lock:
            self._aloft = tuple(aloft)

    def _run(self) -> None:
        while not self._stop.wait(PUBLISH_S):
            self._store()
        self.share(())
        self._store()

    def _store(self) -> None:
        with self._lock:
            states, self._latest = list(self._latest.values()), {}
            aloft = self._aloft
        try:
            with session_scope(self._engine) as session:
                update_live_states(session, states)
                share_air(session, self._drone_ids, aloft)
                others = air_of_others(session, self._drone_ids, datetime.now(UTC))
                near = () if self._read_intruders is None else self._read_intruders(session)
                if self._barrier is not None:
                    self._barrier.look(session, datetime.now(UTC))
        except SQLAlchemyError as error:
            log.warning("live states of %d drones not stored: %s", len(states), error)
        else:
            self.others, self.intruders = others, tuple(near)
