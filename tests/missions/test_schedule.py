"""A zone's hours within a day: weekdays, clock changes and the sun, against values made by hand."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import DecodeError, InputError
from droneteam.missions.airspace.checks import Geozone, Restriction, ZoneVolume
from droneteam.missions.airspace.geozones import read_geozones
from droneteam.missions.airspace.schedule import (
    DailyPeriod,
    SunEvent,
    applies,
    sun_event,
    sun_place,
)

BRUSSELS = (50.85, 4.35)
LOCAL = ZoneInfo("Europe/Brussels")
SQUARE = ((50.80, 4.30), (50.80, 4.40), (50.90, 4.40), (50.90, 4.30))


def local(text: str) -> datetime:
    """A Brussels time, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL).astimezone(UTC)


def holds(period: DailyPeriod, at: datetime) -> bool:
    return applies([period], at, at, *BRUSSELS)


def weekdays(*days: int) -> frozenset[int]:
    return frozenset(days)


# ---- the sun, against published tables


@pytest.mark.parametrize(
    ("day", "event", "published"),
    [
        # Royal Observatory's tables for Brussels, legal time, to the minute.
        ("2026-06-21", SunEvent.SR, "05:29"),
        ("2026-06-21", SunEvent.SS, "22:00"),
        ("2026-12-21", SunEvent.SR, "08:42"),
        ("2026-12-21", SunEvent.SS, "16:38"),
        ("2026-03-20", SunEvent.SR, "06:45"),
        ("2026-03-20", SunEvent.SS, "18:54"),
    ],
)
def test_the_sun_rises_and_sets_as_published(day: str, event: SunEvent, published: str) -> None:
    found = sun_event(date.fromisoformat(day), event, *BRUSSELS)
    assert found is not None
    assert abs(found - local(f"{day}T{published}")) <= timedelta(minutes=2)


def elevation_deg(at: datetime, lat_deg: float, lon_deg: float) -> float:
    """The sun's height by another way: sidereal time and the rotation of the horizon.

    Mean sidereal time after the IAU 1982 polynomial, the sun's longitude after Meeus 25.
    """
    days = (at - datetime(2000, 1, 1, 12, tzinfo=UTC)) / timedelta(days=1)
    centuries = days / 36525.0
    mean = 280.46646 + 36000.76983 * centuries + 0.0003032 * centuries**2
    anomaly = math.radians(357.52911 + 35999.05029 * centuries - 0.0001537 * centuries**2)
    centre = (1.914602 - 0.004817 * centuries) * math.sin(anomaly)
    centre += 0.019993 * math.sin(2 * anomaly) + 0.000289 * math.sin(3 * anomaly)
    longitude = math.radians(mean + centre - 0.00569)
    tilt = math.radians(23.439291 - 0.0130042 * centuries)
    east = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    declination = math.asin(math.sin(tilt) * math.sin(longitude))
    sidereal = math.radians(280.46061837 + 360.98564736629 * days + lon_deg)
    lat = math.radians(lat_deg)
    return math.degrees(
        math.asin(
            math.sin(lat) * math.sin(declination)
            + math.cos(lat) * math.cos(declination) * math.cos(sidereal - east)
        )
    )


@given(
    st.dates(date(2020, 1, 1), date(2040, 12, 31)),
    st.sampled_from(list(SunEvent)),
    st.floats(-55.0, 55.0),
    st.floats(-179.0, 179.0),
)
def test_at_an_event_the_sun_is_where_the_event_says(
    day: date, event: SunEvent, lat_deg: float, lon_deg: float
) -> None:
    at = sun_event(day, event, lat_deg, lon_deg)
    assert at is not None
    assert elevation_deg(at, lat_deg, lon_deg) == pytest.approx(event.elevation_deg, abs=0.03)
    later = elevation_deg(at + timedelta(minutes=2), lat_deg, lon_deg)
    assert (later > event.elevation_deg) is event.morning


def test_the_events_of_a_day_come_in_their_order() -> None:
    for month in range(1, 13):
        found = [sun_event(date(2026, month, 15), event, *BRUSSELS) for event in SunEvent]
        times = [at for at in found if at is not None]
        assert len(times) == len(SunEvent)
        assert times == sorted(times)


def test_where_the_sun_does_not_set_there_is_no_sunset() -> None:
    assert sun_event(date(2026, 6, 21), SunEvent.SS, 69.0, 18.0) is None
    assert sun_event(date(2026, 12, 21), SunEvent.SR, 69.0, 18.0) is None


def test_the_equation_of_time_has_its_known_extremes() -> None:
    _, february = sun_place(datetime(2026, 2, 11, tzinfo=UTC))
    _, november = sun_place(datetime(2026, 11, 3, tzinfo=UTC))
    assert february == pytest.approx(-14.2, abs=0.2)
    assert november == pytest.approx(16.4, abs=0.2)


# ---- periods


def test_hours_in_utc_do_not_move_with_the_summer_time() -> None:
    office = DailyPeriod(start=time(8, tzinfo=UTC), end=time(17, tzinfo=UTC))
    assert holds(office, local("2026-01-15T09:00"))
    assert not holds(office, local("2026-01-15T08:59"))
    assert not holds(office, local("2026-07-15T09:59"))
    assert holds(office, local("2026-07-15T19:00"))


def test_legal_hours_move_with_the_summer_time() -> None:
    office = DailyPeriod(start=time(8), end=time(17))
    for day in ("2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"):
        assert not holds(office, local(f"{day}T07:59"))
        assert holds(office, local(f"{day}T08:00"))
        assert holds(office, local(f"{day}T17:00"))
        assert not holds(office, local(f"{day}T17:01"))


def test_an_hour_that_comes_twice_counts_both_times() -> None:
    night = DailyPeriod(start=time(1), end=time(2, 30))
    # On 25 October 2026, 02:30 CEST is 00:30 UTC and 02:30 CET is 01:30 UTC.
    assert holds(night, datetime(2026, 10, 25, 0, 29, tzinfo=UTC))
    assert holds(night, datetime(2026, 10, 25, 1, 29, tzinfo=UTC))
    assert not holds(night, datetime(2026, 10, 25, 1, 31, tzinfo=UTC))
    again = DailyPeriod(start=time(2, 15), end=time(4))
    assert holds(again, datetime(2026, 10, 25, 0, 15, tzinfo=UTC))
    assert not holds(again, datetime(2026, 10, 25, 0, 14, tzinfo=UTC))


def test_an_hour_that_is_left_out_counts_from_before_the_change_to_after_it() -> None:
    # On 29 March 2026, 02:00 CET is followed by 03:00 CEST, at 01:00 UTC.
    gap = DailyPeriod(start=time(2, 15), end=time(2, 45))
    assert not holds(gap, datetime(2026, 3, 29, 0, 14, tzinfo=UTC))
    assert holds(gap, datetime(2026, 3, 29, 0, 15, tzinfo=UTC))  # 02:15 had the change not come
    assert holds(gap, datetime(2026, 3, 29, 1, 45, tzinfo=UTC))
    assert not holds(gap, datetime(2026, 3, 29, 1, 46, tzinfo=UTC))
    across = DailyPeriod(start=time(1, 30), end=time(3, 30))
    assert holds(across, datetime(2026, 3, 29, 1, 30, tzinfo=UTC))  # 03:30 CEST
    assert not holds(across, datetime(2026, 3, 29, 1, 31, tzinfo=UTC))


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = DailyPeriod(weekdays(4), time(22), time(6))
    assert not holds(friday_night, local("2026-05-08T05:00"))  # Friday morning
    assert holds(friday_night, local("2026-05-08T23:00"))
    assert holds(friday_night, local("2026-05-09T05:59"))
    assert not holds(friday_night, local("2026-05-09T23:00"))


def test_from_dusk_to_dawn_follows_the_season() -> None:
    night = DailyPeriod(start=SunEvent.EECT, end=SunEvent.BMCT)
    assert holds(night, local("2026-12-21T17:30"))
    assert not holds(night, local("2026-06-21T17:30"))
    assert not holds(night, local("2026-06-21T22:30"))  # still civil twilight
    assert holds(night, local("2026-06-22T00:30"))


def test_a_missing_edge_is_the_days_end() -> None:
    saturday = DailyPeriod(weekdays(5))
    assert holds(saturday, local("2026-05-09T00:00"))
    assert holds(saturday, local("2026-05-09T23:59"))
    assert not holds(saturday, local("2026-05-08T23:59"))
    assert not holds(saturday, local("2026-05-10T00:01"))


def test_where_an_event_does_not_happen_the_zone_counts_all_day() -> None:
    daylight = DailyPeriod(start=SunEvent.SR, end=SunEvent.SS)
    midsummer = datetime(2026, 6, 21, 0, 30, tzinfo=UTC)
    assert applies([daylight], midsummer, midsummer, 69.0, 18.0)


@given(
    st.integers(0, 365 * 24 * 60),
    st.floats(0.0, 30.0 * 24.0),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.times(),
    st.times(),
)
def test_a_span_meets_the_hours_iff_some_quarter_of_it_does(
    begin_min: int, hours: float, days: frozenset[int], first: time, last: time
) -> None:
    period = DailyPeriod(days, first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=begin_min)
    end = start + timedelta(hours=hours)
    # Brute force: the span's own edges, and every beginning of the hours within it.
    starts = [
        datetime.combine(start.date() + timedelta(days=n), first, UTC)
        for n in range(int(hours / 24) + 2)
    ]
    moments = [start, end, *(at for at in starts if start <= at <= end)]
    expected = any(in_hours(at, days, first, last) for at in moments)
    assert applies([period], start, end, *BRUSSELS) is expected


def in_hours(at: datetime, days: frozenset[int], first: time, last: time) -> bool:
    """By clock and weekday alone; hours that end before they begin run into the next day."""
    clock, today = at.time(), at.weekday()
    yesterday = (today - 1) % 7
    if first < last:
        return today in days and first <= clock <= last
    return (today in days and clock >= first) or (yesterday in days and clock <= last)


def test_a_weekday_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="weekdays"):
        DailyPeriod(frozenset({7}))


# ---- documents


def ed269(*parts: dict[str, object]) -> Geozone:
    ring = [[lon, lat] for lat, lon in (*SQUARE, SQUARE[0])]
    (zone,) = read_geozones(
        {
            "features": [
                {
                    "identifier": "EB001",
                    "restriction": "PROHIBITED",
                    "applicability": list(parts),
                    "geometry": [
                        {"horizontalProjection": {"type": "Polygon", "coordinates": [ring]}}
                    ],
                }
            ]
        }
    )
    return zone


def ed318(schedule: list[dict[str, object]]) -> Geozone:
    ring = [[lon, lat] for lat, lon in (*SQUARE, SQUARE[0])]
    (zone,) = read_geozones(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {
                        "identifier": "EB002",
                        "type": "REQ_AUTHORISATION",
                        "limitedApplicability": [{"schedule": schedule}],
                    },
                    "geometry": {"type": "Polygon", "coordinates": [ring]},
                }
            ],
        }
    )
    return zone


def at_once(zone: Geozone, text: str) -> bool:
    return zone.applies(local(text), local(text))


def test_an_ed269_schedule_counts_on_its_days_and_hours_only() -> None:
    hours = {"day": ["MON", "TUE"], "startTime": "06:00:00.00Z", "endTime": "16:00:00.00Z"}
    zone = ed269({"permanent": "YES", "schedule": [hours]})
    assert at_once(zone, "2026-05-04T08:00")  # a Monday, CEST
    assert not at_once(zone, "2026-05-04T07:59")
    assert not at_once(zone, "2026-05-06T12:00")


def test_an_ed318_schedule_counts_from_the_suns_events() -> None:
    zone = ed318([{"day": ["ANY"], "startEvent": "SS", "endEvent": "SR"}])
    assert at_once(zone, "2026-06-21T22:05")
    assert not at_once(zone, "2026-06-21T21:50")
    assert at_once(zone, "2026-12-21T08:30")
    assert not at_once(zone, "2026-12-21T08:50")


def test_hours_count_only_within_their_window() -> None:
    hours = {"day": ["ANY"], "startTime": "06:00Z", "endTime": "16:00Z"}
    zone = ed269(
        {
            "permanent": "NO",
            "startDateTime": "2026-05-04T00:00:00Z",
            "endDateTime": "2026-05-05T00:00:00Z",
            "schedule": [hours],
        },
        {"startDateTime": "2026-06-01T00:00:00Z", "endDateTime": "2026-06-02T00:00:00Z"},
    )
    assert at_once(zone, "2026-05-04T12:00")
    assert not at_once(zone, "2026-05-04T23:00")
    assert not at_once(zone, "2026-05-05T12:00")
    assert at_once(zone, "2026-06-01T23:00")  # no hours: the whole window


def test_permanent_without_hours_outweighs_hours() -> None:
    zone = ed269({"permanent": "YES"}, {"schedule": [{"day": ["SUN"]}]})
    assert at_once(zone, "2026-05-04T12:00")


def test_a_flight_that_ends_in_the_hours_is_met() -> None:
    zone = ed269(
        {
            "permanent": "YES",
            "schedule": [{"day": ["ANY"], "startTime": "06:00Z", "endTime": "07:00Z"}],
        }
    )
    assert zone.applies(local("2026-05-04T07:30"), local("2026-05-04T08:10"))
    assert not zone.applies(local("2026-05-04T09:10"), local("2026-05-04T09:50"))


@pytest.mark.parametrize(
    "hours",
    [
        {"day": ["MONDAY"]},
        {"day": ["ANY"], "startTime": "soon"},
        {"day": ["ANY"], "startEvent": "NOON"},
        {"day": [None]},
    ],
)
def test_hours_that_cannot_be_understood_are_refused_with_the_zones_name(
    hours: dict[str, object],
) -> None:
    with pytest.raises(DecodeError, match="EB001"):
        ed269({"permanent": "YES", "schedule": [hours]})


def test_a_zone_of_several_parts_takes_the_suns_hours_in_its_middle() -> None:
    zone = Geozone("Z", "Z", Restriction.PROHIBITED, (ZoneVolume(SQUARE),))
    assert zone.place == pytest.approx((50.85, 4.35))
