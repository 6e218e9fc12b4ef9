"""A sortie as it is played back: few samples on one time line, and everything that happened; pure.

Samples are thinned to a bound, evenly in time, and never lose the start, the end, or the highest
point.  The vehicle's events come from the packet log, the controller's from its journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.mavlink.channels import vehicle_time
from droneteam.missions.record.journal import Entry
from droneteam.missions.record.sortie import SortieLog

MIN_SAMPLES, MAX_SAMPLES = 2, 5000
MAX_EVENTS = 2000
_FROM_THE_LINK = ("text", "item")
"""Kinds of the journal that the packet log tells too."""


@dataclass(frozen=True, slots=True)
class ReplayEvent:
    """Something that happened; source : "vehicle", "controller" or "watch" (of the air)."""

    t_s: float
    at: datetime
    source: str
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class ReplayPhoto:
    """A photo that was taken."""

    t_s: float
    index: int
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class Replay:
    """What is played back; the series have equal lengths, None where nothing is known.

    zero_at : UTC of t_s 0, take-off; uncertainty_s : of that; time_source : "calendar",
    "timesync" or "receipt"; lost : share of the vehicle's packets that never came around then;
    modes : (t_s, name) where each begins; n_track : samples in the log; complete : False for a
    log that was cut, as note says.
    """

    zero_at: datetime | None
    uncertainty_s: float | None
    time_source: str
    t_s: tuple[float, ...]
    lat_deg: tuple[float, ...]
    lon_deg: tuple[float, ...]
    alt_home_m: tuple[float, ...]
    alt_amsl_m: tuple[float, ...]
    speed_mps: tuple[float, ...]
    yaw_deg: tuple[float, ...]
    roll_deg: tuple[float | None, ...]
    pitch_deg: tuple[float | None, ...]
    battery_pct: tuple[float | None, ...]
    lost: tuple[float | None, ...]
    modes: tuple[tuple[float, str], ...]
    events: tuple[ReplayEvent, ...]
    photos: tuple[ReplayPhoto, ...]
    n_track: int
    complete: bool
    note: str


def replay(
    log: SortieLog,
    journal: Sequence[Entry] = (),
    *,
    samples: int = 600,
    more: Iterable[ReplayEvent] = (),
) -> Replay:
    """The sortie thinned to at most so many samples.

    more : events of other packages, whose t_s is found here from when they happened.

    Raises
    ------
    InputError
        For a bound outside [MIN_SAMPLES, MAX_SAMPLES].
    """
    if not MIN_SAMPLES <= samples <= MAX_SAMPLES:
        text = f"samples {samples} outside [{MIN_SAMPLES}, {MAX_SAMPLES}]"
        raise InputError(text, field="samples")
    track, channels = log.track, log.channels
    chosen = thinned(track.t_s, track.alt_home_m, samples)
    t_s = track.t_s[chosen]
    return Replay(
        zero_at=zero_at(log),
        uncertainty_s=None if log.time is None else log.time.uncertainty_s,
        time_source="" if log.time is None else log.time.source,
        t_s=_plain(t_s, 3),
        lat_deg=_plain(track.lat_deg[chosen], 7),
        lon_deg=_plain(track.lon_deg[chosen], 7),
        alt_home_m=_plain(track.alt_home_m[chosen], 2),
        alt_amsl_m=_plain(track.alt_amsl_m[chosen], 2),
        speed_mps=_plain(track.speed_mps[chosen], 2),
        yaw_deg=_plain(track.yaw_deg[chosen], 1),
        roll_deg=_known(held(channels.attitude_t_s, channels.roll_deg, t_s), 1),
        pitch_deg=_known(held(channels.attitude_t_s, channels.pitch_deg, t_s), 1),
        battery_pct=_known(held(channels.battery_t_s, channels.battery_pct, t_s), 1),
        lost=_known(held(channels.link_t_s, channels.link_lost, t_s), 3),
        modes=_modes(log),
        events=_events(log, journal, more),
        photos=_photos(log),
        n_track=len(track.t_s),
        complete=log.complete,
        note=log.note,
    )


def thinned(t_s: FloatArray, height_m: FloatArray, most: int) -> np.ndarray:
    """Places of at most so many samples: even in time, with both ends and the highest point.

    t_s, height_m : (n,).  Returns (m,) int, rising, m ≤ most.
    """
    if len(t_s) <= most:
        return np.arange(len(t_s))
    wanted = np.linspace(t_s[0], t_s[-1], most)
    places = np.searchsorted(t_s, wanted).clip(0, len(t_s) - 1)
    places[0], places[-1] = 0, len(t_s) - 1
    highest = int(np.argmax(height_m))
    if most > MIN_SAMPLES:
        nearest = 1 + int(np.argmin(np.abs(places[1:-1] - highest)))
        places[nearest] = highest
    return np.unique(places)


def held(times_s: FloatArray, values: FloatArray, at_s: FloatArray) -> FloatArray:
    """The last value before each time; NaN before the first.

    times_s, values : (n,); at_s : (m,).  Returns (m,).
    """
    if not len(times_s):
        return np.full(len(at_s), np.nan)
    order = np.argsort(times_s, kind="stable")
    places = np.searchsorted(times_s[order], at_s, side="right") - 1
    return np.asarray(np.where(places >= 0, values[order][places.clip(0)], np.nan))


def zero_at(log: SortieLog) -> datetime | None:
    """UTC of the track's time zero, None for a log without positions."""
    return log.took_off_at or (log.started_at if len(log.track.t_s) else None)


def _time_of(log: SortieLog, at: datetime) -> float:
    zero = zero_at(log)
    return 0.0 if zero is None else (at - zero).total_seconds()


def _modes(log: SortieLog) -> tuple[tuple[float, str], ...]:
    found = (event for event in log.events if event.kind == "mode")
    return tuple((round(_time_of(log, event.at), 3), event.detail) for event in found)


def _photos(log: SortieLog) -> tuple[ReplayPhoto, ...]:
    return tuple(
        ReplayPhoto(round(_time_of(log, one.at), 3), one.index, one.lat_deg, one.lon_deg)
        for one in log.triggers
    )


def _events(
    log: SortieLog, journal: Sequence[Entry], more: Iterable[ReplayEvent]
) -> tuple[ReplayEvent, ...]:
    """Everything that happened, in order; the journal's and others' times are our clock's."""
    ours = [
        ReplayEvent(0.0, entry.at, "controller", entry.kind, entry.said)
        for entry in journal
        if entry.kind not in _FROM_THE_LINK
    ]
    ours += more
    stamps = np.array([event.at.timestamp() for event in ours], dtype=np.float64)
    times = vehicle_time(stamps, log.channels.received_s, log.track.t_s)
    zero = zero_at(log)
    events = [
        ReplayEvent(
            round(t, 3),
            event.at if zero is None else zero + timedelta(seconds=t),
            event.source,
            event.kind,
            event.detail,
        )
        for event, t in zip(ours, times.tolist(), strict=True)
    ]
    events += [
        ReplayEvent(round(_time_of(log, one.at), 3), one.at, "vehicle", one.kind, one.detail)
        for one in log.events
    ]
    events.sort(key=lambda event: event.t_s)
    return tuple(events[:MAX_EVENTS])


def _plain(values: FloatArray, digits: int) -> tuple[float, ...]:
    return tuple(np.round(values, digits).tolist())


def _known(values: FloatArray, digits: int) -> tuple[float | None, ...]:
    return tuple(None if value != value else value for value in np.round(values, digits).tolist())
