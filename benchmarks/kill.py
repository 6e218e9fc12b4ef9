"""kill -9 of the controller at random moments of a simulated sortie.

Each trial starts a controller as a process of its own, kills it at a random moment, and starts it
again: at once, or only after the vehicle has come to rest without it.  Looked at afterwards:

- whether the aircraft is safe: on the ground and disarmed at last, at home or where a pilot
  landed it, armed once at most, never hit the ground hard, and nothing hangs;
- whether the packet log is readable and how much of it was lost.  The killed process wrote the
  time of every packet, unbuffered, beside its log: what is there but not in the log was lost;
- whether the second controller adopted what flew, and sent it nothing that no pilot asked for.

A stand-in pilot reads the controller's states and does what a pilot would who is told.

    python benchmarks/kill.py --trials 30 --seed 1
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.missions.flight.fly import FlightDeck
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.pilot import Wish
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder
from droneteam.missions.items import HomePoint
from droneteam.missions.mavlink.tlog import TlogReader, TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from droneteam.missions.record.journal import Entry, read_journal
from tests.missions.conftest import PLACE, SCENE
from tests.missions.simulator import Simulator, simulator, tell

SPEEDUP = 20.0
LONGEST_S = 8.5
"""A sortie takes about 8 s at this speed-up."""
REST_LIMIT_S = 120.0
ALLOWED_MS = 100.0
HARDEST_TOUCH_MPS = 1.5
NEAR_HOME_M = 3.0
SHORT = SurveyParams(
    gsd_m=0.010, crosshatch=False, orbit=False, forward_overlap=0.7, side_overlap=0.6
)
_STAMP = struct.Struct("<Q")
_FORK = multiprocessing.get_context("fork")
"""A forked controller begins at once; one that must load its program first takes three seconds,
in which a vehicle of twenty times our speed has gone home by itself."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One kill and what came of it.

    phase : the journal's last word before the kill; armed : whether the vehicle was when the
    second controller began; amiss : what was not safe; commanded : what the second controller
    sent after adopting, unasked.
    """

    after_s: float
    phase: str
    at_once: bool
    armed: bool
    adopted: bool
    amiss: tuple[str, ...]
    readable: bool
    lost_packets: int
    lost_ms: float
    ending: str
    commanded: int


def order_of(number: int, link: str, folder: Path) -> SortieOrder:
    """A short survey for one of the vehicles, which stand 4 m apart."""
    home = HomePoint(PLACE.lat_deg, PLACE.lon_deg, PLACE.alt_amsl_m)
    plan = plan_survey(SCENE, SIMULATED, SHORT, home)
    order = flight_order(number, plan.items, home, rtl_extra_m=3.0 * number, time_scale=SPEEDUP)
    return SortieOrder(
        order, number, f"drone-{number}", LinkAddress.parse(link), folder, fetch_log=True
    )


class Pilot:
    """Does what a pilot does who is told: lands what was handed over, calls home what waits."""

    def __init__(self, control: tuple[str, int], number: int) -> None:
        self._control, self._number = control, number
        self._asks: list[Wish] = []
        self._phase = ""

    def told(self, state: LiveState) -> None:
        """What the pilot's screen shows."""
        if state.phase == self._phase:
            return
        self._phase = state.phase
        if state.phase == "paused":
            self._asks.append(Wish(self._number, "rtl"))
        if state.phase == "handed over":
            tell(self._control, cmd="rc", drone=self._number, mode="LAND")

    def asks(self) -> list[Wish]:
        """What the pilot asks of the controller."""
        asks, self._asks = self._asks, []
        return asks


def controller(sim: Simulator, number: int, folder: Path, witness: Path | None) -> None:
    """A controller process; with a witness, every packet's time is written unbuffered too."""
    if witness is not None:
        descriptor = os.open(witness, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        plain = TlogWriter.write

        def write(self: TlogWriter, raw: bytes, unix_us: int) -> None:
            os.write(descriptor, _STAMP.pack(unix_us))
            plain(self, raw, unix_us)

        TlogWriter.write = write  # type: ignore[method-assign]
    pilot = Pilot(sim.control, number)
    deck = FlightDeck(
        [order_of(number, sim.links[number - 1], folder)],
        time_scale=SPEEDUP,
        on_state=pilot.told,
        asks=pilot.asks,
    )
    (result,) = deck.fly()
    (folder / f"ending-{number}").write_text(result.ending.value)


def lost(witness: Path, tlog: Path) -> tuple[bool, int, float]:
    """Whether the log is readable; packets and milliseconds that the kill took from it."""
    stamps = [stamp for (stamp,) in _STAMP.iter_unpack(_whole(witness.read_bytes()))]
    reader = TlogReader(tlog.read_bytes())
    kept = sum(1 for _ in reader.records())
    gone = stamps[kept:]
    ms = (gone[-1] - stamps[kept - 1]) / 1000.0 if gone and kept else 0.0
    return reader.skipped_bytes == 0, len(gone), ms


def _whole(data: bytes) -> bytes:
    return data[: len(data) // _STAMP.size * _STAMP.size]


def truth(sim: Simulator, number: int) -> dict[str, Any]:
    """What the simulator knows of one vehicle."""
    (found,) = sim.tell(cmd="status", drone=number)["drones"]
    return dict(found)


def wait_for_rest(sim: Simulator, number: int) -> bool:
    """Whether the vehicle came to rest on the ground in time, whoever flew it."""
    until_s = time.monotonic() + REST_LIMIT_S
    while time.monotonic() < until_s:
        if not truth(sim, number)["armed"]:
            return True
        time.sleep(0.1)
    return False


def one_trial(sim: Simulator, number: int, folder: Path, rng: random.Random) -> Trial:
    """Kill one vehicle's controller, start it again, and look."""
    witness = folder / f"witness-{number}"
    tlog, journal = folder / f"mission-{number}.tlog", folder / f"mission-{number}.journal.jsonl"
    first = _FORK.Process(target=controller, args=(sim, number, folder, witness))
    first.start()
    after_s = rng.uniform(0.0, LONGEST_S)
    first.join(after_s)
    first.kill()
    first.join()
    written = witness.exists() and tlog.exists()
    readable, packets, ms = lost(witness, tlog) if written else (True, 0, 0.0)
    entries = read_journal(journal)
    at_once = rng.random() < 0.7
    rested = at_once or wait_for_rest(sim, number)
    armed = bool(truth(sim, number)["armed"])
    ending, hung = restart(sim, number, folder)
    amiss = [] if rested and wait_for_rest(sim, number) else ["did not come to rest"]
    amiss += ["the second controller hung"] * hung + ["no ending"] * (ending == "none")
    later = read_journal(journal)[len(entries) :]
    adopted, commanded = after_adoption(later)
    return Trial(
        after_s,
        entries[-1].kind if entries else "start",
        at_once,
        armed,
        adopted,
        tuple(amiss + at_rest(truth(sim, number))),
        readable,
        packets,
        ms,
        ending,
        commanded,
    )


def restart(sim: Simulator, number: int, folder: Path) -> tuple[str, bool]:
    """How the second controller's sortie ended, and whether it hung."""
    ending_file = folder / f"ending-{number}"
    ending_file.unlink(missing_ok=True)
    second = _FORK.Process(target=controller, args=(sim, number, folder, None))
    second.start()
    second.join(REST_LIMIT_S)
    hung = second.is_alive()
    second.kill()
    second.join()
    return (ending_file.read_text() if ending_file.exists() else "none"), hung


def at_rest(found: dict[str, Any]) -> list[str]:
    """What is not safe about a vehicle that has come to rest."""
    amiss = []
    if found["armed"] or not found["landed"]:
        amiss.append(f"armed in {found['mode']}, {found['height_m']:.1f} m up")
    if found["armings"] > 1:
        amiss.append(f"armed {found['armings']} times")
    if found["hardest_touch_mps"] > HARDEST_TOUCH_MPS:
        amiss.append(f"touched the ground at {found['hardest_touch_mps']:.1f} m/s")
    if found["from_start_m"] > NEAR_HOME_M and found["mode"] != "LAND":
        amiss.append(f"{found['from_start_m']:.0f} m from home in {found['mode']}")
    return amiss


def after_adoption(later: Sequence[Entry]) -> tuple[bool, int]:
    """Whether the flight was adopted, and how many commands followed that no pilot asked for."""
    kinds = [entry.kind for entry in later]
    if "adopted" not in kinds:
        return False, 0
    after = later[kinds.index("adopted") :]
    asked = [place for place, entry in enumerate(after) if entry.kind == "pilot"]
    unasked = after[: asked[0]] if asked else after
    return True, sum(entry.kind in ("intent", "arming") for entry in unasked)


def batch(seed: int, vehicles: int, together: int) -> list[Trial]:
    """One trial on each vehicle of one simulator, some at a time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            simulator(folder, drones=vehicles, speedup=SPEEDUP) as sim,
            ProcessPoolExecutor(together, mp_context=_FORK) as pool,
        ):
            trials = [
                pool.submit(one_trial, sim, number, folder, random.Random(1000 * seed + number))
                for number in range(1, vehicles + 1)
            ]
            return [trial.result() for trial in trials]


def report(trials: list[Trial]) -> str:
    """The table."""
    n = len(trials)
    ms = np.array([trial.lost_ms for trial in trials])
    endings = Counter(trial.ending for trial in trials)
    lines = [
        f"{n} kills, {sum(trial.at_once for trial in trials)} restarted at once",
        f"aircraft safe        {sum(not trial.amiss for trial in trials)}/{n}",
        f"log readable         {sum(trial.readable for trial in trials)}/{n}",
        f"lost <= {ALLOWED_MS:.0f} ms      {int(np.sum(ms <= ALLOWED_MS))}/{n}"
        f" (median {np.median(ms):.1f}, worst {ms.max():.1f} ms, "
        f"{max(trial.lost_packets for trial in trials)} packets at most)",
        f"adopted              {sum(t.adopted for t in trials)} of "
        f"{sum(t.armed for t in trials)} that were armed at the restart",
        f"unasked commands after adoption  {sum(trial.commanded for trial in trials)}",
        "second controller    " + "; ".join(f"{k}: {v}" for k, v in endings.most_common()),
    ]
    return "\n".join(lines)


def main() -> int:
    """0 when every trial kept what is promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vehicles", type=int, default=20, help="of each simulator")
    parser.add_argument("--together", type=int, default=4, help="trials at the same time")
    parser.add_argument("--limit-s", type=float, default=3600.0, help="begin no batch after this")
    parser.add_argument("--out", type=Path, help="append one JSON line per trial")
    args = parser.parse_args()
    trials: list[Trial] = []
    started_s = time.monotonic()
    while len(trials) < args.trials and time.monotonic() - started_s < args.limit_s:
        left = min(args.vehicles, args.trials - len(trials))
        found = batch(args.seed * 1000 + len(trials), left, args.together)
        trials += found
        if args.out is not None:
            with args.out.open("a") as file:
                for trial in found:
                    values = {name: getattr(trial, name) for name in Trial.__dataclass_fields__}
                    file.write(json.dumps(values) + "\n")
    print(report(trials))
    bad = [t for t in trials if not (not t.amiss and t.readable and t.lost_ms <= ALLOWED_MS)]
    for trial in bad:
        print(trial, file=sys.stderr)
    return 1 if bad or any(trial.commanded for trial in trials) else 0


if __name__ == "__main__":
    raise SystemExit(main())
