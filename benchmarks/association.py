"""Anonymous tracks: how well they follow, how often they switch, and what a scan costs.

python benchmarks/association.py [--targets 10 100 1000] [--speed 10000] [--seeds 3]

Scenes: "city" spreads the targets over 161 km²; "dense" gives each 60 x 60 m.  Plots: sigma 5 m
per axis, probability of detection 0.9, 0.1·N false plots a scan, one scan a second for a minute.
Aircraft fly at 5 to 15 m/s with random turns and changes of speed, and turn back at the edge.

GOSPA (Rahmathullah, Garcia-Fernandez, Svensson, 2017) with c = 30 m, p = 2, alpha = 2, divided by
the root of the number of targets, mean over the scans.  A switch: a target is followed by another
track than the one before.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from droneteam.detection.anonymous import AnonymousTracker, SensorModel
from droneteam.detection.motion import FloatArray

CUTOFF_M = 30.0
SIGMA_M = 5.0
DETECTION = 0.9
SCANS = 60
ASKED = {
    ("city", 10): 7.78,
    ("dense", 10): 15.71,
    ("city", 100): 7.54,
    ("dense", 100): 12.55,
    ("city", 1000): 8.06,
    ("dense", 1000): 12.39,
}


def side_m(scene: str, targets: int) -> float:
    """The side of the square that the targets fly over."""
    return float(np.sqrt(161e6)) if scene == "city" else 60.0 * float(np.sqrt(targets))


def fly(targets: int, side: float, generator: np.random.Generator) -> FloatArray:
    """(scans, 2, targets) true places."""
    place = generator.uniform(0.0, side, (2, targets))
    speed = generator.uniform(5.0, 15.0, targets)
    course = generator.uniform(0.0, 2.0 * np.pi, targets)
    turn = np.zeros(targets)
    ways = []
    for _ in range(SCANS):
        ways.append(place.copy())
        begin = generator.random(targets) < 0.05
        turn = np.where(begin, generator.normal(0.0, 0.2, targets), turn)
        turn = np.where(generator.random(targets) < 0.2, 0.0, turn)
        course = course + turn + generator.normal(0.0, 0.01, targets)
        speed = np.clip(speed + generator.normal(0.0, 0.3, targets), 5.0, 15.0)
        step = speed * np.stack([np.sin(course), np.cos(course)])
        outside = ((place + step < 0.0) | (place + step > side)).any(axis=0)
        course = np.where(outside, course + np.pi, course)
        place = place + np.where(outside, -step, step)
    return np.array(ways)


def plots_of(truth: FloatArray, side: float, generator: np.random.Generator) -> FloatArray:
    """(2, m) what the sensor gives of (2, n) true places."""
    n = truth.shape[1]
    seen = truth[:, generator.random(n) < DETECTION]
    noisy = seen + generator.normal(0.0, SIGMA_M, seen.shape)
    false = generator.uniform(0.0, side, (2, generator.poisson(0.1 * n)))
    return np.concatenate([noisy, false], axis=1)[
        :, generator.permutation(noisy.shape[1] + false.shape[1])
    ]


@dataclass(frozen=True)
class Score:
    gospa_m: float
    localisation_m: float
    missed: float
    false: float
    pairs: dict[int, int]


def gospa(truth: FloatArray, found: FloatArray, ids: np.ndarray) -> Score:
    """GOSPA of one scan, its parts, and which target each track is."""
    n, m = truth.shape[1], found.shape[1]
    rows, columns, squared = _pair_up(truth, found)
    missed, false = n - len(rows), m - len(rows)
    total = squared.sum() + CUTOFF_M**2 / 2.0 * (missed + false)
    pairs = dict(zip(rows.tolist(), ids[columns].tolist(), strict=True))
    return Score(
        float(np.sqrt(total / n)),
        float(np.sqrt(squared.sum() / n)),
        missed / n,
        false / n,
        pairs,
    )


def _pair_up(truth: FloatArray, found: FloatArray) -> tuple[np.ndarray, np.ndarray, FloatArray]:
    """The assignment of least cost, each cluster of near ones by itself."""
    n, m = truth.shape[1], found.shape[1]
    if m == 0:
        return np.empty(0, int), np.empty(0, int), np.empty(0)
    near = cKDTree(truth.T).sparse_distance_matrix(
        cKDTree(found.T), CUTOFF_M, output_type="coo_matrix"
    )
    links = coo_matrix((np.ones(near.nnz), (near.row, near.col + n)), (n + m, n + m))
    _, label = connected_components(links, directed=False)
    order = np.argsort(label[near.row], kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[near.row][order])) + 1)
    rows, columns, squared = [], [], []
    for group in groups if near.nnz else []:
        r, ri = np.unique(near.row[group], return_inverse=True)
        c, ci = np.unique(near.col[group], return_inverse=True)
        cost = np.full((len(r), len(c)), CUTOFF_M**2)
        cost[ri, ci] = near.data[group] ** 2
        i, j = linear_sum_assignment(cost)
        good = cost[i, j] < CUTOFF_M**2
        rows.append(r[i[good]])
        columns.append(c[j[good]])
        squared.append(cost[i[good], j[good]])
    if not rows:
        return np.empty(0, int), np.empty(0, int), np.empty(0)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(squared)


def run(scene: str, targets: int, seed: int) -> tuple[float, float, float, FloatArray]:
    """Mean GOSPA, switches per target and minute, median CPU ms per scan, mean parts."""
    generator = np.random.default_rng(seed)
    side = side_m(scene, targets)
    area = side**2
    sensor = SensorModel(SIGMA_M, DETECTION, 0.1 * targets / area, 0.02 * targets / area)
    tracker = AnonymousTracker()
    followed: dict[int, int] = {}
    switches, scores, cpu_s, parts = 0, [], [], []
    for second, truth in enumerate(fly(targets, side, generator)):
        plots = plots_of(truth, side, generator)
        start = time.process_time()
        tracker.scan(float(second), plots, sensor)
        found = tracker.estimates()
        cpu_s.append(time.process_time() - start)
        score = gospa(truth, found.state[:2], found.id)
        scores.append(score.gospa_m)
        parts.append((score.localisation_m, score.missed, score.false))
        switches += sum(followed.get(t, i) != i for t, i in score.pairs.items())
        followed |= score.pairs
    minutes = SCANS / 60.0
    return (
        float(np.mean(scores)),
        switches / targets / minutes,
        statistics.median(cpu_s) * 1e3,
        np.mean(parts, axis=0),
    )


def main() -> None:
    """Print the six cells, and what a scan of many dense targets costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--speed", type=int, nargs="*", default=[10000])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    print(
        "scene  targets  GOSPA m  asked  localisation  missed  false  switches/target-min  ms/scan"
    )
    for scene in ("city", "dense"):
        for targets in args.targets + (args.speed if scene == "dense" else []):
            seeds = 1 if targets > 1000 else args.seeds
            runs = [run(scene, targets, seed) for seed in range(seeds)]
            parts = np.mean([one[3] for one in runs], axis=0)
            asked = str(ASKED.get((scene, targets), "-"))
            print(
                f"{scene:6s} {targets:6d}  {np.mean([one[0] for one in runs]):7.2f}"
                f"  {asked:>5}  {parts[0]:12.2f}  {parts[1]:6.3f}  {parts[2]:5.3f}"
                f"  {np.mean([one[1] for one in runs]):19.2f}"
                f"  {np.mean([one[2] for one in runs]):7.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
