"""Joint probabilistic data association: how likely each plot belongs to each track.

Gate: pairs of a track and a plot that its prediction can explain, found through a KD-tree.
Clusters: tracks and plots that compete, directly or through others; an association in one says
nothing about another.  Association: loopy belief propagation (Williams, Lau: Approximate
evaluation of marginal association probabilities with belief propagation, IEEE T-AES 50(4), 2014,
algorithm of figure 4) on all clusters at once, each frozen when it has converged.  It is exact
on clusters without loops and close on others; the tests compare it with enumeration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from droneteam.detection.motion import FloatArray, IntArray

MAX_NEIGHBOURS = 16
"""Plots that one track may be compared with; the nearest ones."""
MAX_ROUNDS = 20
SWEEPS = 5
"""Passes between two looks at what has converged."""
CONVERGED = 1e-3
WIDEST_GATE_M = 400.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """k pairs that may belong together: the index of a track and of a plot, each (k,)."""

    track: IntArray
    plot: IntArray

    def __len__(self) -> int:
        return len(self.track)


@dataclass(frozen=True, slots=True)
class Association:
    """What belongs to what: probabilities.

    pair : (k,) that a pair belongs together. missed : (n,) that a track has no plot. alone : (m,)
    that a plot has no track. sweeps : how many passes it took.
    """

    pair: FloatArray
    missed: FloatArray
    alone: FloatArray
    sweeps: int


def gate(place_m: FloatArray, spread_m2: FloatArray, plots_m: FloatArray, limit: float) -> Pairs:
    """The pairs whose squared Mahalanobis distance is at most `limit`.

    place_m : (2, n) predicted places; spread_m2 : (3, n) east-east, east-north, north-north
    covariance of the innovation; plots_m : (2, m).
    """
    nothing = np.empty(0, dtype=np.intp)
    if place_m.shape[1] == 0 or plots_m.shape[1] == 0:
        return Pairs(nothing, nothing)
    ee, en, nn = spread_m2
    largest = (ee + nn) / 2.0 + np.sqrt(((ee - nn) / 2.0) ** 2 + en**2)
    radius_m = np.minimum(np.sqrt(limit * largest), WIDEST_GATE_M)
    tree = cKDTree(plots_m.T)
    count = min(MAX_NEIGHBOURS, plots_m.shape[1])
    apart_m, found = tree.query(
        place_m.T, k=np.arange(1, count + 1), distance_upper_bound=float(radius_m.max())
    )
    track, column = np.nonzero(apart_m <= radius_m[:, None])
    plot = found[track, column]
    east, north = plots_m[:, plot] - place_m[:, track]
    inside = distance_squared(east, north, spread_m2[:, track]) <= limit
    return Pairs(track[inside], plot[inside])


def distance_squared(east: FloatArray, north: FloatArray, spread_m2: FloatArray) -> FloatArray:
    """Squared Mahalanobis distances; spread_m2 : (3, ...) as in `gate`."""
    ee, en, nn = spread_m2
    weighed = nn * east**2 - 2.0 * en * east * north + ee * north**2
    return np.asarray(weighed / (ee * nn - en**2))


def clusters(pairs: Pairs, n_tracks: int, n_plots: int) -> IntArray:
    """(k,) the number of the cluster that each pair belongs to."""
    size = n_tracks + n_plots
    links = coo_matrix((np.ones(len(pairs)), (pairs.track, pairs.plot + n_tracks)), (size, size))
    _, label = connected_components(links, directed=False)
    return np.asarray(label[pairs.track], dtype=np.intp)


def associate(pairs: Pairs, odds: FloatArray, n_tracks: int, n_plots: int) -> Association:
    """The marginal probabilities of all pairs.

    odds : (k,) likelihood of the pair, over that of the track having no plot and the plot no
    track of these.
    """
    cluster = clusters(pairs, n_tracks, n_plots)
    n_clusters = int(cluster.max(initial=-1)) + 1
    active = np.arange(len(pairs))
    to_track = np.ones(len(pairs))  # what a plot tells a track: how free it is
    rounds = 0
    while len(active) and rounds < MAX_ROUNDS:
        rounds += 1
        track, plot, weight = pairs.track[active], pairs.plot[active], odds[active]
        new = to_track[active]
        for _ in range(SWEEPS):
            old, new = new, _sweep(track, plot, weight, new, n_tracks, n_plots)
        to_track[active] = new
        moving = np.zeros(n_clusters, dtype=bool)
        moving[cluster[active][np.abs(new - old) > CONVERGED]] = True
        active = active[moving[cluster[active]]]
    weighed = odds * to_track
    claimed = 1.0 + np.bincount(pairs.track, weighed, n_tracks)
    others = claimed[pairs.track] - weighed
    to_plot = odds / others
    return Association(
        pair=weighed / claimed[pairs.track],
        missed=np.asarray(1.0 / claimed, dtype=np.float64),
        alone=np.asarray(1.0 / (1.0 + np.bincount(pairs.plot, to_plot, n_plots)), dtype=np.float64),
        sweeps=rounds * SWEEPS,
    )


def _sweep(
    track: IntArray,
    plot: IntArray,
    odds: FloatArray,
    to_track: FloatArray,
    n_tracks: int,
    n_plots: int,
) -> FloatArray:
    """One pass: tracks tell plots how much they want them, plots answer how free they are."""
    weighed = odds * to_track
    # Sums without one's own part; a track that wants one plot alone leaves a rounding error.
    others = np.maximum(np.bincount(track, weighed, n_tracks)[track] - weighed, 0.0)
    to_plot = odds / (1.0 + others)
    rivals = np.maximum(np.bincount(plot, to_plot, n_plots)[plot] - to_plot, 0.0)
    return np.asarray(1.0 / (1.0 + rivals))
