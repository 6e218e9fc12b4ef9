"""What each kind of request takes: camera, credentials, crew and time (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from droneteam.errors import InputError
from droneteam.fleet.terms import RequestKind

PAYLOADS = ("rgb", "thermal", "zoom")
"""What a requester may ask for by name."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a request takes.

    task_min : the task's length where it may be done at any time in the window; None where
    the whole window is wanted
    least_min : shorter than this, a late presence is of no use any more
    """

    capabilities: frozenset[str]
    credentials: frozenset[str]
    task_min: int | None = None
    least_min: int = 30
    crew: int = 1


_BY_KIND: dict[RequestKind, Requirement] = {
    RequestKind.EVENT: Requirement(frozenset({"zoom"}), frozenset({"national"})),
    RequestKind.DEMONSTRATION: Requirement(frozenset({"zoom"}), frozenset({"national"})),
    RequestKind.SEARCH: Requirement(frozenset({"thermal"}), frozenset({"national"})),
    RequestKind.PHOTOGRAMMETRY: Requirement(
        frozenset({"photogrammetry"}), frozenset({"national", "photogrammetry"}), task_min=60
    ),
    RequestKind.RECONNAISSANCE: Requirement(
        frozenset({"rgb"}), frozenset({"national"}), task_min=45
    ),
    RequestKind.PLANTATION: Requirement(
        frozenset({"thermal"}), frozenset({"national"}), task_min=60
    ),
    RequestKind.TRAINING: Requirement(frozenset({"rgb"}), frozenset(), task_min=120),
}


def requirement(
    kind: RequestKind, *, payload: str | None, sensitive: bool, low_noise: bool
) -> Requirement:
    """What a request of this kind with these wishes takes.

    Raises
    ------
    InputError
        The payload is none that drones carry.
    """
    if payload is not None and payload not in PAYLOADS:
        raise InputError(f"payload {payload!r} is none of {', '.join(PAYLOADS)}", field="payload")
    base = _BY_KIND[kind]
    wished = {payload} if payload else set()
    if sensitive:
        wished.add("sensitive")
    if low_noise:
        wished.add("low_noise")
    return replace(base, capabilities=base.capabilities | wished)
