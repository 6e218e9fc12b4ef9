"""kill -9 of the controller at random moments of a simulated sortie.

Each trial starts a controller as a process of its own, kills it at a random moment, and starts it
again: at once, or only after the vehicle has come to rest without it.  Looked at afterwards:

- whether the aircraft is safe: on the ground and disarmed at last, and nothing hangs;
- whether the packet log is readable and how much of it was lost.  The killed process wrote the
  time of every packet, unbuffered, beside its log: what is there but not in the log was lost;
- whether the second controller adopted what flew, and sent no arming, mode or upload to it.

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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from droneteam.missions.camera import SIMULATED
from droneteam.missions.fly import fly
from droneteam.missions.items import HomePoint
from droneteam.missions.journal import read_journal
from droneteam.missions.plan import SurveyParams, plan_survey
from droneteam.missions.preflight import flight_order
from droneteam.missions.runner import SortieOrder
from droneteam.missions.tlog import TlogReader, TlogWriter
from droneteam.missions.transports import LinkAddress
from tests.missions.conftest import PLACE, SCENE
from tests.missions.simulator import Simulator, simulator

SPEEDUP = 20.0
LONGEST_S = 9.0
"""A sortie takes about 8 s at this speed-up."""
REST_LIMIT_S = 60.0
ALLOWED_MS = 100.0
SHORT = SurveyParams(
    gsd_m=0.010, crosshatch=False, orbit=False, forward_overlap=0.7, side_overlap=0.6
)
_STAMP = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Trial:
    """One kill and what came of it."""

    after_s: float
    phase: str
    at_once: bool
    safe: bool
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


def controller(number: int, link: str, folder: Path, witness: Path | None) -> None:
    """A controller process; with a witness, every packet's time is written unbuffered too."""
    if witness is not None:
        descriptor = os.open(witness, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        plain = TlogWriter.write

        def write(self: TlogWriter, raw: bytes, unix_us: int) -> None:
            os.write(descriptor, _STAMP.pack(unix_us))
            plain(self, raw, unix_us)

        TlogWriter.write = write  # type: ignore[method-assign]
    (result,) = fly([order_of(number, link, folder)], time_scale=SPEEDUP)
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


def truth(sim: Simulator, number: int) -> dict[str, object]:
    """What the simulator knows of one vehicle."""
    drones = sim.tell(cmd="status")["drones"]
    found: dict[str, object] = drones[number - 1]
    return found


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
    spawn = multiprocessing.get_context("spawn")
    link, witness = sim.links[number - 1], folder / f"witness-{number}"
    first = spawn.Process(target=controller, args=(number, link, folder, witness))
    first.start()
    journal = folder / f"mission-{number}.journal.jsonl"
    until_s = time.monotonic() + REST_LIMIT_S
    while not journal.exists() and time.monotonic() < until_s:
        time.sleep(0.01)
    after_s = rng.uniform(0.0, LONGEST_S)
    first.join(after_s)
    first.kill()
    first.join()
    readable, packets, ms = lost(witness, folder / f"mission-{number}.tlog")
    entries = read_journal(journal)
    phase = entries[-1].kind if entries else "start"
    at_once = rng.random() < 0.5
    rested = at_once or wait_for_rest(sim, number)
    second = spawn.Process(target=controller, args=(number, link, folder, None))
    second.start()
    second.join(REST_LIMIT_S)
    hung = second.is_alive()
    second.kill()
    second.join()
    rested = rested and wait_for_rest(sim, number)
    ending_file = folder / f"ending-{number}"
    ending = "hung" if hung else ending_file.read_text() if ending_file.exists() else "none"
    later = read_journal(journal)[len(entries) :]
    adopted = [place for place, entry in enumerate(later) if entry.kind == "adopted"]
    after = later[adopted[0] :] if adopted else []
    commanded = sum(entry.kind in ("intent", "arming") for entry in after)
    safe = rested and not hung and ending != "none"
    label = f"{ending}{', adopted' if adopted else ''}"
    return Trial(after_s, phase, at_once, safe, readable, packets, ms, label, commanded)


def batch(seed: int, vehicles: int) -> list[Trial]:
    """Trials on the vehicles of one simulator, one after the other."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with simulator(folder, drones=vehicles, speedup=SPEEDUP) as sim:
            return [one_trial(sim, n, folder, rng) for n in range(1, vehicles + 1)]


def report(trials: list[Trial]) -> str:
    """The table."""
    n = len(trials)
    ms = np.array([trial.lost_ms for trial in trials])
    endings = Counter(trial.ending for trial in trials)
    lines = [
        f"{n} kills, {sum(trial.at_once for trial in trials)} restarted at once",
        f"aircraft safe        {sum(trial.safe for trial in trials)}/{n}",
        f"log readable         {sum(trial.readable for trial in trials)}/{n}",
        f"lost <= {ALLOWED_MS:.0f} ms      {int(np.sum(ms <= ALLOWED_MS))}/{n}"
        f" (median {np.median(ms):.1f}, worst {ms.max():.1f} ms, "
        f"{max(trial.lost_packets for trial in trials)} packets at most)",
        f"commands after adoption  {sum(trial.commanded for trial in trials)}",
        "second controller    " + "; ".join(f"{k}: {v}" for k, v in endings.most_common()),
    ]
    return "\n".join(lines)


def main() -> int:
    """0 when every trial kept what is promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vehicles", type=int, default=4, help="of each simulator, one by one")
    parser.add_argument("--limit-s", type=float, default=3600.0, help="begin no batch after this")
    parser.add_argument("--out", type=Path, help="append one JSON line per trial")
    args = parser.parse_args()
    trials: list[Trial] = []
    started_s = time.monotonic()
    while len(trials) < args.trials and time.monotonic() - started_s < args.limit_s:
        found = batch(args.seed * 1000 + len(trials), args.vehicles)
        trials += found
        if args.out is not None:
            with args.out.open("a") as file:
                for trial in found:
                    values = {name: getattr(trial, name) for name in Trial.__dataclass_fields__}
                    file.write(json.dumps(values) + "\n")
    print(report(trials))
    bad = [t for t in trials if not (t.safe and t.readable and t.lost_ms <= ALLOWED_MS)]
    for trial in bad:
        print(trial, file=sys.stderr)
    return 1 if bad or any(trial.commanded for trial in trials) else 0


if __name__ == "__main__":
    raise SystemExit(main())
