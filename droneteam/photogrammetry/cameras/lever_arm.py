"""Positions of an antenna instead of the camera: a lever arm that turns with the airframe.

Makers of survey drones write the camera's position; others, and positions computed afterwards, are
the antenna's.  Over headings that differ, an offset fixed to the airframe tells itself from one
fixed to the ground, so the adjustment can find how far forward and right it lies.  How far above
it lies is part of the positions' common shift: a drone flies level, and the two are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from droneteam.photogrammetry.cameras import bundle
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import Problem
from droneteam.photogrammetry.cameras.georef import RTK_SIGMA_M
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.scene import FloatArray, Frame, View

MIN_VIEWS = 8
MIN_HEADING_SPREAD = 0.2
"""One minus the length of the mean heading vector: 0 for one heading, 1 for a flight to and fro."""
MIN_LEVER_M = 0.02
"""A shorter arm drowns in the positions' own noise."""
MIN_SIGMAS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class LeverArm:
    """The problem and solution with the lever arm found, and words."""

    problem: Problem
    solution: Solution
    note: str


def find_lever_arm(
    problem: Problem,
    solution: Solution,
    views: Sequence[View],
    photos: Sequence[PhotoInput],
    frame: Frame,
) -> LeverArm | None:
    """The adjustment with a lever arm, where positions and headings show one clearly."""
    axes = lever_axes(problem, views, photos, frame)
    if axes is None:
        return None
    freed = replace(problem, priors=replace(problem.priors, lever_axes=axes))
    found = bundle.solve(freed, solution.state, iterations=20)
    at = bundle.layout(freed).lever
    covariance = bundle.covariance(freed, found)[at : at + 2, at : at + 2]
    lever_m = found.state.lever_m
    significant = float(lever_m @ np.linalg.solve(covariance, lever_m)) > MIN_SIGMAS**2
    if not significant or float(np.linalg.norm(lever_m)) < MIN_LEVER_M:
        return None
    forward, right = lever_m
    sigma = float(np.sqrt(np.diag(covariance)).max())
    note = (
        f"the positions lie {forward:+.3f} m forward and {right:+.3f} m right of the cameras "
        f"(± {sigma:.3f} m), as an antenna's do; this lever arm is taken into account"
    )
    return LeverArm(freed, found, note)


def lever_axes(
    problem: Problem, views: Sequence[View], photos: Sequence[PhotoInput], frame: Frame
) -> FloatArray | None:
    """(n, 3, 2) forward and right of each view's drone; None where headings cannot tell an arm.

    Only carrier-phase positions can: an arm is shorter than any other receiver's noise.
    """
    if frame.kind != "enu" or len(views) < MIN_VIEWS:
        return None
    by_name = {photo.name: photo for photo in photos}
    headings = [by_name[view.name].heading_deg for view in views]
    sigma = problem.priors.centre_sigma[:, 0]
    used = np.isfinite(sigma)
    if any(h is None for h in headings) or not used.any() or np.median(sigma[used]) > RTK_SIGMA_M:
        return None
    yaw = np.radians(np.array([h for h in headings if h is not None]))
    east, north = np.sin(yaw), np.cos(yaw)
    if 1.0 - np.hypot(east[used].mean(), north[used].mean()) < MIN_HEADING_SPREAD:
        return None
    zero = np.zeros(len(yaw))
    forward = np.stack([east, north, zero], axis=1)
    right = np.stack([north, -east, zero], axis=1)
    return np.stack([forward, right], axis=2)
