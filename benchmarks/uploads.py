"""Missions uploaded and read back over bad links, again and again.

    python benchmarks/uploads.py --runs 1000 --items 50 --round-trip-ms 100

Over the controller's own link and codec against the simulator's mission store, which holds an old
mission of another length, in simulated time.  Afterwards the store itself is compared: an upload
reported identical that is not, or one that failed without being reported corrupt, is wrong.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.link import items as mission_items
from droneteam.missions.items import HomePoint, WireItem, wire_mission
from droneteam.missions.mavlink import protocol
from droneteam.missions.mavlink.handshake import Done, Timing
from droneteam.missions.mavlink.messages import Handshake
from droneteam.missions.mavlink.tlog import TlogWriter
from sitl.faults import FaultSpec
from sitl.items import MissionItem
from tests.missions.virtual import Air, Spell

HOME = HomePoint(50.81964215, 4.39053806, 56.4)
ALLOWED_S = {0.1: 20.0, 0.2: 30.0, 0.3: 60.0}
TICK_S = 0.05
STORAGE_READY_S = 2.0
"""Just after boot a vehicle answers NO_SPACE; that is not what is measured here."""


@dataclass(frozen=True, slots=True)
class Run:
    """One upload; wrong : what was said of it that the vehicle's store belies."""

    took_s: float
    done: bool
    corrupt: bool
    wrong: str


def one_run(loss: float, count: int, round_trip_s: float, seed: int, folder: Path) -> Run:
    """Upload to one fresh vehicle over a link of its own luck."""
    air = Air(seed=seed)
    while air.now_s < STORAGE_READY_S:
        air.step()
    store = air.vehicles[0].mission_items
    wanted = wire_mission(mission_items(count - 1), HOME)
    for seq in range(random.Random(seed).randint(1, 2 * count)):
        store.write(seq, MissionItem(16, 3, x=505000000 + seq, y=43000000, z=99.0))
    before = list(store.items)
    spells = [Spell(0.0, FaultSpec(loss=loss, delay_s=round_trip_s / 2.0))]
    link = air.connect(1, TlogWriter(folder / "upload.tlog"), (spells,))
    link.system_id = 1
    began_s = air.now_s
    state, sends = protocol.start_upload(wanted, Timing(), began_s)
    tick_s = began_s
    while True:
        for send in sends:
            link.send(send)
        if state.outcome is not None:
            break
        sends = ()
        air.step()
        for message in link.receive():
            if isinstance(message, Handshake):
                state, more = protocol.upload_step(state, message, air.now_s)
                sends += more
        if air.now_s >= tick_s:
            tick_s = air.now_s + TICK_S
            state, more = protocol.upload_step(state, None, air.now_s)
            sends += more
    link.close()
    wrong = wrongly_told(state, wanted, store.items, before)
    return Run(air.now_s - began_s, isinstance(state.outcome, Done), state.corrupt, wrong)


def wrongly_told(
    state: protocol.Upload,
    wanted: tuple[WireItem, ...],
    stored: list[MissionItem],
    before: list[MissionItem],
) -> str:
    """What the outcome says that is not so; compares the store's integers, not the codec's."""
    same = len(stored) == len(wanted) and all(
        (a.command, a.x, a.y, round(a.z, 2))
        == (b.command, round(b.x * 1e7), round(b.y * 1e7), round(b.z, 2))
        for a, b in zip(stored[1:], wanted[1:], strict=True)
    )
    if isinstance(state.outcome, Done):
        return "" if same else "reported identical, and is not"
    return "" if state.corrupt or stored == before else "changed, and not reported corrupt"


def measured(loss: float, args: argparse.Namespace) -> bool:
    """Prints one row; whether all of it is as asked."""
    cpu_s = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            one_run(loss, args.items, args.round_trip_ms / 1e3, args.seed + seed, Path(folder))
            for seed in range(args.runs)
        ]
    took_s = np.sort([run.took_s for run in runs])
    allowed_s = ALLOWED_S.get(loss, np.inf)
    wrong = [run.wrong for run in runs if run.wrong]
    print(
        f"{loss:>5.0%}{len(runs):>7}{sum(run.done for run in runs):>11}"
        f"{sum(run.corrupt for run in runs):>9}{len(wrong):>7}"
        f"{np.median(took_s):>9.1f}{np.quantile(took_s, 0.99):>8.1f}{took_s[-1]:>8.1f}"
        f"{int(np.sum(took_s <= allowed_s)):>8}/{len(runs)} <= {allowed_s:.0f} s"
        f"{time.process_time() - cpu_s:>8.0f}",
        flush=True,
    )
    return not wrong


def main() -> int:
    """0 when nothing wrong was told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000, help="at each share of loss")
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--round-trip-ms", type=float, default=100.0)
    parser.add_argument("--loss", type=float, nargs="+", default=sorted(ALLOWED_S))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(f"{args.items} items, {args.round_trip_ms:.0f} ms round trip, loss each way\n")
    print(" loss   runs  identical  corrupt  wrong median s   p99 s   max s  in time     CPU s")
    as_told = [measured(loss, args) for loss in args.loss]
    return 0 if all(as_told) else 1


if __name__ == "__main__":
    raise SystemExit(main())
