"""Stone Soup's JPDA on the scenes of `benchmarks/association.py`, in the same figures.

    PYTHONPATH=. VENV/bin/python -m benchmarks.stonesoup_peer [--targets 10 100] [--seeds 1]

`stonesoup` is no dependency of this project: install it into an environment of its own.  Its parts
are put together as its JPDA tutorial does: constant velocity (the noise of our straight model and
of our manoeuvres are both tried), Kalman filter, probabilistic hypotheses with the sensor's true
detection and clutter, multi-measurement initiation, deletion by time without a measurement.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import statistics
import time

import numpy as np

from benchmarks.association import (
    ASKED,
    DETECTION,
    SIGMA_M,
    fly,
    gospa,
    plots_of,
    side_m,
)

NOISES = (0.1, 1.0)
"""m²/s³ per axis; the better of the two is printed."""
START = datetime.datetime(2026, 5, 4, tzinfo=datetime.UTC).replace(tzinfo=None)


def tracker_parts(clutter_m2: float, noise: float) -> tuple[object, ...]:
    """Associator, updater, initiator, deleter; the tracks are kept by the caller."""
    from stonesoup.dataassociator.neighbour import GNNWith2DAssignment
    from stonesoup.dataassociator.probability import JPDA
    from stonesoup.deleter.error import CovarianceBasedDeleter
    from stonesoup.hypothesiser.distance import DistanceHypothesiser
    from stonesoup.hypothesiser.probability import PDAHypothesiser
    from stonesoup.initiator.simple import MultiMeasurementInitiator
    from stonesoup.measures import Mahalanobis
    from stonesoup.models.measurement.linear import LinearGaussian
    from stonesoup.models.transition.linear import (
        CombinedLinearGaussianTransitionModel,
        ConstantVelocity,
    )
    from stonesoup.predictor.kalman import KalmanPredictor
    from stonesoup.types.state import GaussianState
    from stonesoup.updater.kalman import KalmanUpdater

    motion = CombinedLinearGaussianTransitionModel([ConstantVelocity(noise)] * 2)
    measurement = LinearGaussian(4, (0, 2), np.diag([SIGMA_M**2] * 2))
    predictor, updater = KalmanPredictor(motion), KalmanUpdater(measurement)
    hypothesiser = PDAHypothesiser(predictor, updater, clutter_m2, DETECTION, prob_gate=0.997)
    near = DistanceHypothesiser(predictor, updater, Mahalanobis(), missed_distance=3)
    deleter = CovarianceBasedDeleter(covar_trace_thresh=600.0)
    initiator = MultiMeasurementInitiator(
        GaussianState(np.zeros((4, 1)), np.diag([0.0, 100.0, 0.0, 100.0]), timestamp=START),
        deleter,
        GNNWith2DAssignment(near),
        updater,
        measurement,
        min_points=3,
    )
    return JPDA(hypothesiser), updater, initiator, deleter, measurement


def run(scene: str, targets: int, seed: int, noise: float) -> tuple[float, float, float]:
    """Mean GOSPA, switches per target and minute, median CPU ms per scan."""
    from stonesoup.functions import gm_reduce_single
    from stonesoup.types.array import StateVectors
    from stonesoup.types.detection import Detection
    from stonesoup.types.update import GaussianStateUpdate

    generator = np.random.default_rng(seed)
    side = side_m(scene, targets)
    parts = tracker_parts(0.1 * targets / side**2, noise)
    associator, updater, initiator, deleter, measurement = parts
    tracks: set[object] = set()
    followed: dict[int, int] = {}
    scores, cpu_s, switches = [], [], 0
    truths = fly(targets, side, generator)
    for second, truth in enumerate(truths):
        now = START + datetime.timedelta(seconds=second)
        plots = plots_of(truth, side, generator)
        seen = {
            Detection(one[:, None], timestamp=now, measurement_model=measurement) for one in plots.T
        }
        began_s = time.process_time()
        used = set()
        for track, hypotheses in associator.associate(tracks, seen, now).items():
            states, weights = [], []
            for hypothesis in hypotheses:
                if hypothesis:
                    used.add(hypothesis.measurement)
                    states.append(updater.update(hypothesis))
                else:
                    states.append(hypothesis.prediction)
                weights.append(hypothesis.probability)
            mean, covariance = gm_reduce_single(
                StateVectors([state.state_vector for state in states]),
                np.stack([state.covar for state in states], axis=2),
                np.asarray(weights),
            )
            track.append(GaussianStateUpdate(mean, covariance, hypotheses, now))
        tracks -= deleter.delete_tracks(tracks)
        tracks |= initiator.initiate(seen - used, now)
        cpu_s.append(time.process_time() - began_s)
        ordered = sorted(tracks, key=lambda track: track.id)
        places = np.array([[float(t.state_vector[0]), float(t.state_vector[2])] for t in ordered])
        ids = np.array([hash(track.id) for track in ordered], dtype=np.int64)
        score = gospa(truth, places.reshape(-1, 2).T, ids)
        scores.append(score.gospa_m)
        switches += sum(followed.get(t, i) != i for t, i in score.pairs.items())
        followed |= score.pairs
    minutes = len(truths) / 60.0
    return float(np.mean(scores)), switches / targets / minutes, 1e3 * statistics.median(cpu_s)


def main() -> int:
    """Print the cells; 1 where the peer is not installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=int, nargs="*", default=[10, 100])
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    if importlib.util.find_spec("stonesoup") is None:
        print("stonesoup is not installed here: nothing to compare with")
        return 1
    print("scene  targets  GOSPA m  asked  switches/target-min  ms/scan  noise m2/s3")
    for targets in args.targets:
        for scene in ("city", "dense"):
            found = [
                (
                    *np.mean([run(scene, targets, s, noise) for s in range(args.seeds)], axis=0),
                    noise,
                )
                for noise in NOISES
            ]
            gospa_m, switches, scan_ms, noise = min(found)
            print(
                f"{scene:6s} {targets:6d}  {gospa_m:7.2f}  {ASKED.get((scene, targets), '-'):>5}"
                f"  {switches:19.2f}  {scan_ms:7.1f}  {noise}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
