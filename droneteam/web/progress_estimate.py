"""How long a build still takes: from its own pace, weighted by what each stage usually costs; pure.

A stage's share of the whole is taken from the scene's last build where there was one, and
otherwise from builds of rendered and real scenes (docs/measured.md).  It is said only once a
twentieth is done: a guess from less would jump.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from droneteam.photogrammetry.scene_params import STAGES

USUAL_SHARES: Mapping[str, float] = {
    "photos": 0.02,
    "sfm": 0.25,
    "adjust": 0.08,
    "dense": 0.35,
    "surface": 0.25,
    "export": 0.05,
}
MIN_DONE = 0.05


def left_s(
    stage: str, fraction: float, elapsed_s: float, finished: Sequence[Mapping[str, Any]]
) -> float | None:
    """Seconds left; None before a twentieth is done or in an unknown stage.

    finished : the stages of the last build, with `name` and `wall_s`.
    """
    if stage not in STAGES or elapsed_s <= 0.0:
        return None
    shares = _shares(finished)
    before = sum(shares[name] for name in STAGES[: STAGES.index(stage)])
    done = before + min(max(fraction, 0.0), 1.0) * shares[stage]
    if done < MIN_DONE:
        return None
    return elapsed_s * (1.0 - done) / done


def _shares(finished: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    walls = {row["name"]: float(row.get("wall_s") or 0.0) for row in finished}
    total = sum(walls.get(name, 0.0) for name in STAGES)
    if total <= 0.0 or set(STAGES) - set(walls):
        return USUAL_SHARES
    return {name: walls[name] / total for name in STAGES}
