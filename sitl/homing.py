"""Where and how high RTL goes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sitl.manoeuvres import ReturnPlan
from sitl.navigation import Point3
from sitl.params import ParameterStore

CONE_CLIMB_M = 2.5
"""RTL near home still climbs so much, whatever the cone allows."""


def plan_return(
    params: ParameterStore, home: Point3, rally: Sequence[tuple[float, float]], here: Point3
) -> ReturnPlan:
    """How RTL goes from here: to home or a nearer rally point, at RTL_ALT or under the cone.

    rally : east, north of the rally points.
    """
    target = return_target(params, home, rally, here)
    up = here[2]
    way_m = math.dist(here[:2], target)
    climb_min_m = params["RTL_CLIMB_MIN"] / 100.0
    return_up = max(home[2] + params["RTL_ALT"] / 100.0, up + climb_min_m)
    slope = params["RTL_CONE_SLOPE"]
    if slope > 0.0:
        cone_up = max(home[2] + way_m * slope, up + CONE_CLIMB_M)
        return_up = max(up, min(return_up, cone_up))
    final_m = params["RTL_ALT_FINAL"] / 100.0
    return ReturnPlan(
        target=target,
        return_up_m=return_up,
        loiter_s=params["RTL_LOIT_TIME"] / 1000.0,
        final_up_m=home[2] + final_m if final_m > 0.0 else None,
    )


def return_target(
    params: ParameterStore, home: Point3, rally: Sequence[tuple[float, float]], here: Point3
) -> tuple[float, float]:
    """The nearest of the rally points within RALLY_LIMIT_KM and, if it is included, home."""
    limit_m = params["RALLY_LIMIT_KM"] * 1000.0 or math.inf
    near = [point for point in rally if math.dist(here[:2], point) <= limit_m]
    if params["RALLY_INCL_HOME"] == 1 or not near:
        near.append(home[:2])
    return min(near, key=lambda point: math.dist(here[:2], point))
