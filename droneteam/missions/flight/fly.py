"""The loop that joins flights to links: one process, one thread, many drones.

Each turn waits until a link has something or a tick is due, feeds what came in to the flights
(`runner.py`) and carries out what they answer.  Nothing in the loop waits for a database or a
disk: samples for the live map go to a callback that must not block.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from droneteam.missions.flight.airwatch import Advice, AirWatch, shared_of
from droneteam.missions.flight.intruders import Intruder, IntruderBook
from droneteam.missions.flight.live import LiveState, live_state
from droneteam.missions.flight.pilot import Wish
from droneteam.missions.flight.preflight import FlightOrder
from droneteam.missions.flight.runner import Clocks, Runner, SortieOrder, SortieResult
from droneteam.missions.flight.sharedair import SharedCraft
from droneteam.missions.flight.state import BEFORE_ARMING, Barred, Flight, Heard, PilotWants, Tick
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.link import MavlinkLink, VehicleLink
from droneteam.missions.mavlink.signing import Signer
from droneteam.missions.mavlink.timesync import ClockWatch
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.record.journal import Journal, was_arming

log = logging.getLogger(__name__)

SAMPLE_S = 0.25
"""Time between samples for the live map."""
SHARE_S = 0.5
"""Time between two tellings of other controllers where our drones are and go."""


def open_link(sortie: SortieOrder, tlog: TlogWriter) -> VehicleLink:
    """The link that a sortie's order names."""
    return MavlinkLink(
        (sortie.link, *sortie.spare_links),
        tlog,
        system_id=sortie.system_id,
        forward=sortie.forward,
        signer=None if sortie.signing_key is None else Signer(sortie.signing_key),
    )


@dataclass(slots=True)
class FlightDeck:
    """Flies sorties together until all have ended.

    on_state : called with samples for the live map, at most every SAMPLE_S per drone; must not
    block.  timing : None for the one that belongs to time_scale.  asks : what the pilots ask for;
    taken every tick.  bars : drone → why it must not be armed just now; never waits.
    connect : gives a sortie its link.  on_advice : told once of each pair of drones that may come
    too close, and of the end of it; must not block.  on_air : given the drones in the air every
    SHARE_S, for other controllers; must not block.  neighbours : what those share of theirs; never
    waits.
    intruders : aircraft of others that detection sees near our drones; never waits.
    """

    sorties: Sequence[SortieOrder]
    time_scale: float = 1.0
    on_state: Callable[[LiveState], None] | None = None
    clocks: Clocks = field(default_factory=Clocks)
    timing: Timing | None = None
    asks: Callable[[], Sequence[Wish]] = tuple
    bars: Callable[[], Mapping[int, tuple[str, ...]]] = dict
    connect: Callable[[SortieOrder, TlogWriter], VehicleLink] = open_link
    on_advice: Callable[[Advice], None] | None = None
    on_air: Callable[[Sequence[SharedCraft]], None] | None = None
    neighbours: Callable[[], Sequence[SharedCraft]] = tuple
    intruders: Callable[[], Sequence[Intruder]] = tuple
    _air: AirWatch = field(default_factory=AirWatch)
    _intruders: IntruderBook = field(default_factory=IntruderBook)
    _runners: list[Runner] = field(default_factory=list)
    _next_tick_s: float = 0.0
    _next_sample_s: float = 0.0
    _next_share_s: float = 0.0

    def fly(self) -> tuple[SortieResult, ...]:
        """The results, in the order of the sorties."""
        selector = selectors.DefaultSelector()
        try:
            self.begin()
            self._loop_or_stop(selector)
            return self.results()
        finally:
            selector.close()
            self.close()

    def begin(self) -> None:
        """Open every link and record; from here on `turn` flies.

        Raises
        ------
        Conflict
            Another controller flies one of the sorties.
        """
        timing = self.timing or Timing.scaled(self.time_scale)
        for sortie in self.sorties:
            self._runners.append(self._runner(sortie, timing))
        self._next_tick_s = self._next_sample_s = self.clocks.monotonic_s()

    @property
    def busy(self) -> bool:
        """Whether a sortie goes on, or a log is on its way."""
        return any(runner.busy for runner in self._runners)

    def turn(self, ready: Collection[int] | None = None) -> None:
        """Take what has come in, and do what is due; never waits.

        ready : descriptors of the links that have something, None to look at every one.  At each
        tick all are looked at: spare links and ground stations are not waited for.
        """
        now_s = self.clocks.monotonic_s()
        active = [runner for runner in self._runners if runner.busy]
        ticking = now_s >= self._next_tick_s
        if ticking:
            self._take_bars(active, now_s)
        for runner in active:
            if ready is None or ticking or runner.registered in ready:
                for message in runner.link.receive():
                    runner.handle(Heard(message, now_s))
        if ticking:
            self._next_tick_s = now_s + self.tick_s
            self._take_asks(active, now_s)
            self._tell(active, "intruder", self._intruders.news(self.intruders()))
            for runner in active:
                runner.handle(Tick(now_s))
        self._watch_the_air(active, now_s)
        for runner in active:
            runner.link.flush(now_s)
        if now_s >= self._next_sample_s:
            self._next_sample_s = now_s + SAMPLE_S
            self._sample()
        if now_s >= self._next_share_s:
            self._next_share_s = now_s + SHARE_S
            self._share(active, now_s)

    @property
    def tick_s(self) -> float:
        """Time between two looks at the clock, in this machine's seconds."""
        return min(0.1, max(0.005, 0.1 / self.time_scale))

    def results(self) -> tuple[SortieResult, ...]:
        """How the sorties ended; waits for the disk."""
        self._sample()
        results = [runner.conclude() for runner in self._runners]
        return tuple(result for result in results if result is not None)

    def close(self) -> None:
        """Close every link and record."""
        for runner in self._runners:
            runner.close()

    def _runner(self, sortie: SortieOrder, timing: Timing) -> Runner:
        sortie.log_dir.mkdir(parents=True, exist_ok=True)
        journal = Journal(sortie.journal_path)  # first: it says whether another controller flies
        tlog = TlogWriter(sortie.tlog_path)
        return Runner(
            sortie=sortie,
            flight=Flight(_after_restart(sortie), timing),
            link=self.connect(sortie, tlog),
            tlog=tlog,
            journal=journal,
            clocks=self.clocks,
            started_at=self.clocks.utc_now(),
            clock=ClockWatch(scale=self.time_scale),
        )

    def _loop_or_stop(self, selector: selectors.BaseSelector) -> None:
        """The loop; who stops it while only logs are on their way keeps the sorties."""
        try:
            self._loop(selector)
        except KeyboardInterrupt:
            if any(runner.result is None for runner in self._runners):
                raise
            log.info("stopped while fetching logs; `droneteam logs` goes on with them")

    def _loop(self, selector: selectors.BaseSelector) -> None:
        """Turn after turn, waiting for a link or a tick in between."""
        while self.busy:
            _register(selector, self._runners)
            wait_s = max(0.0, self._next_tick_s - self.clocks.monotonic_s())
            self.turn({key.fd for key, _ in selector.select(wait_s)})

    def _take_asks(self, active: Sequence[Runner], now_s: float) -> None:
        for wish in self.asks():
            for runner in active:
                if runner.sortie.drone_id == wish.drone_id:
                    runner.handle(PilotWants(wish.what, now_s, wish.by))

    def _take_bars(self, active: Sequence[Runner], now_s: float) -> None:
        """Tell each flight that is not armed yet what bars it, before it looks at its checks."""
        bars = self.bars()
        for runner in active:
            reasons, flight = bars.get(runner.sortie.drone_id, ()), runner.flight
            if reasons != flight.barred and flight.phase in BEFORE_ARMING:
                runner.handle(Barred(reasons, now_s))

    def _watch_the_air(self, active: Sequence[Runner], now_s: float) -> None:
        """Tell the pilots of drones that may come too close; the pilots decide."""
        flights = {runner.sortie.drone_name: runner.flight for runner in active}
        others, at = self.neighbours(), self.clocks.utc_now()
        self._tell(active, "separation", self._air.look(flights, now_s, others, at))

    def _tell(self, active: Sequence[Runner], kind: str, news: Sequence[Advice]) -> None:
        """Write what is new into the records of the drones that it is about, and pass it on."""
        for advice in news:
            about = [one for one in active if one.sortie.drone_name in advice.drones]
            for runner in about:
                runner.note(kind, advice.text)
            if about and self.on_advice is not None:
                self.on_advice(advice)

    def _share(self, active: Sequence[Runner], now_s: float) -> None:
        """Tell other controllers; those that landed are told by being left out."""
        if self.on_air is None:
            return
        at = self.clocks.utc_now()
        shared = (
            shared_of(one.sortie.drone_name, one.sortie.drone_id, one.flight, now_s, at)
            for one in active
        )
        self.on_air(
            [
                replace(one, nearing=self._air.nearing(one.craft.name, now_s))
                for one in shared
                if one is not None
            ]
        )

    def _sample(self) -> None:
        """The live map's samples; the last one says that the sortie has ended."""
        if self.on_state is None:
            return
        for runner in self._runners:
            if runner.told_end:
                continue
            runner.told_end = runner.result is not None
            state = live_state(runner.flight, runner.sample())
            if state is not None:
                self.on_state(state)


def _after_restart(sortie: SortieOrder) -> FlightOrder:
    """The order, without leave to arm when the sortie had already come to arming."""
    if not was_arming(sortie.journal_path):
        return sortie.order
    return replace(sortie.order, may_arm=False)


def _register(selector: selectors.BaseSelector, runners: Sequence[Runner]) -> None:
    """Wait on the sockets that exist now: connections break and come back."""
    for runner in runners:
        current = runner.link.fileno() if runner.busy else -1
        if current == runner.registered:
            continue
        if runner.registered >= 0:
            selector.unregister(runner.registered)
        if current >= 0:
            selector.register(current, selectors.EVENT_READ)
        runner.registered = current


def fly(
    sorties: Sequence[SortieOrder],
    *,
    time_scale: float = 1.0,
    on_state: Callable[[LiveState], None] | None = None,
) -> tuple[SortieResult, ...]:
    """Fly sorties together until every one has ended; the results, in their order."""
    return FlightDeck(sorties, time_scale=time_scale, on_state=on_state).fly()
