"""Network flights: their types against the standard's, their views, and what they become."""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uas_standards.astm.f3411.v22a import api, constants

from droneteam.detection import rid
from droneteam.detection.sources import netrid_area, netrid_types, network
from droneteam.detection.sources.netrid_area import MAX_DIAGONAL_M, View, views
from droneteam.detection.sources.netrid_messages import identities, receptions
from droneteam.detection.sources.netrid_types import (
    Details,
    Flight,
    Flights,
    State,
    read_details,
    read_flights,
)
from droneteam.errors import DecodeError, InputError
from tests.detection.sources.netrid_servers import DETAILS, Sky, time_of

AT = datetime(2026, 5, 4, 8, 0, 1, 300_000, tzinfo=UTC)


def told(**change: Any) -> dict[str, Any]:
    flight = Sky().told()
    flight["current_state"]["timestamp"] = time_of(AT)
    flight["current_state"] |= change
    return flight


def read(flight: dict[str, Any]) -> Flights:
    return read_flights({"timestamp": time_of(AT), "flights": [flight]})


def state_of(flight: dict[str, Any]) -> State:
    (one,) = read(flight).flights
    assert one.state is not None
    return one.state


# Types


@pytest.mark.parametrize(
    ("table", "enumeration"),
    [
        (netrid_types.HORIZONTAL_M, api.HorizontalAccuracy),
        (netrid_types.VERTICAL_M, api.VerticalAccuracy),
        (netrid_types.SPEED_MPS, api.SpeedAccuracy),
        (netrid_types.STATUS, api.RIDOperationalStatus),
        (netrid_types.HEIGHT_ABOVE, api.RIDHeightReference),
        (netrid_types.UA_TYPES, api.UAType),
        (netrid_types.OPERATOR_PLACES, api.OperatorLocationAltitudeType),
        (netrid_types.EU_CATEGORIES, api.UAClassificationEUCategory),
        (netrid_types.EU_CLASSES, api.UAClassificationEUClass),
    ],
)
def test_every_name_is_the_standards(table: Any, enumeration: Any) -> None:
    assert list(table) == [one.value for one in enumeration]


@pytest.mark.parametrize(
    ("table", "unit"),
    [
        (netrid_types.HORIZONTAL_M, rid.HORIZONTAL_ACCURACY_M),
        (netrid_types.VERTICAL_M, rid.VERTICAL_ACCURACY_M),
        (netrid_types.SPEED_MPS, rid.SPEED_ACCURACY_MPS),
    ],
)
def test_every_accuracy_is_one_that_a_broadcast_can_carry(table: Any, unit: Any) -> None:
    assert set(table.values()) <= set(unit)


def test_the_standards_limits_are_ours() -> None:
    assert constants.NetMaxDisplayAreaDiagonalKm * 1000.0 == MAX_DIAGONAL_M
    assert timedelta(seconds=constants.NetMaxNearRealTimeDataPeriodSeconds) == network.LATE
    assert constants.Scope.DisplayProvider.value == "rid.display_provider"
    assert constants.NetMinUasLocRefreshFrequencyHz == 1


def test_a_flight_is_read_whole() -> None:
    (flight,) = read(told()).flights
    assert (flight.id, flight.ua_type, flight.simulated) == ("flight-1", 2, False)
    assert flight.state == State(
        at=AT,
        lat_deg=50.8197,
        lon_deg=4.3908,
        status=rid.Status.AIRBORNE,
        track_deg=123.0,
        speed_mps=10.25,
        vertical_speed_mps=-2.5,
        alt_ellipsoid_m=144.0,
        height_m=44.5,
        horizontal_accuracy_m=3.0,
        vertical_accuracy_m=10.0,
        speed_accuracy_mps=1.0,
        time_accuracy_s=0.1,
    )


def test_what_the_standard_marks_as_unknown_is_none() -> None:
    flight = told(
        track=constants.SpecialTrackDirection,
        speed=constants.SpecialSpeed,
        vertical_speed=constants.SpecialVerticalSpeed,
        speed_accuracy="SAUnknown",
    )
    flight["current_state"]["position"] |= {
        "alt": constants.SpecialHeight,
        "pressure_altitude": constants.SpecialHeight,
        "accuracy_h": "HAUnknown",
        "accuracy_v": "VA150mPlus",
        "height": {"distance": constants.SpecialHeight, "reference": "GroundLevel"},
    }
    found = read(flight)
    assert found.problems == ()
    assert state_of(flight) == State(
        AT,
        50.8197,
        4.3908,
        rid.Status.AIRBORNE,
        height_reference=rid.HeightReference.GROUND,
        time_accuracy_s=0.1,
    )


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("track", 400.0, "track_deg"),
        ("track", -1.0, "track_deg"),
        ("track", "north", "track_deg"),
        ("track", True, "track_deg"),
        ("speed", -1.0, "speed_mps"),
        ("speed", math.nan, "speed_mps"),
        ("vertical_speed", 62.5, "vertical_speed_mps"),
        ("speed_accuracy", "SA100mps", "speed_accuracy_mps"),
        ("speed_accuracy", {}, "speed_accuracy_mps"),
        ("timestamp_accuracy", -0.1, "time_accuracy_s"),
    ],
)
def test_a_value_outside_its_range_is_none_and_named(name: str, value: Any, field: str) -> None:
    flight = told(**{name: value})
    assert getattr(state_of(flight), field) is None
    (problem,) = read(flight).problems
    assert problem.startswith(f"{name} ")


@pytest.mark.parametrize("name", ["track", "speed", "vertical_speed", "operational_status"])
def test_a_value_that_is_missing_is_unknown(name: str) -> None:
    flight = told()
    del flight["current_state"][name]
    assert read(flight).problems == ()
    assert state_of(flight).lat_deg == 50.8197


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": {"value": "yesterday", "format": "RFC3339"}},
        {"timestamp": {"value": "2026-05-04T08:00:00", "format": "RFC3339"}},
        {"timestamp": None},
        {"position": {"lat": 95.0, "lng": 4.0}},
        {"position": {"lat": 0.0, "lng": 0.0}},
        {"position": {"lat": math.nan, "lng": 4.0}},
        {"position": {"lng": 4.0}},
        {"position": None},
        {"position": "here"},
    ],
)
def test_a_flight_without_a_time_or_a_place_is_refused_and_the_others_are_kept(
    change: dict[str, Any],
) -> None:
    bad = told(**change)
    found = read_flights({"flights": [bad, told()]})
    assert [one.id for one in found.flights] == ["flight-1"]
    (problem,) = found.problems
    assert problem.startswith("flights[0]: ")


def test_times_with_nanoseconds_and_other_zones_are_read() -> None:
    assert netrid_types.moment({"value": "2026-05-04T10:00:01.300000123+02:00"}) == AT
    assert netrid_types.moment("2026-05-04T08:00:01.3Z") == AT


def test_a_flight_that_only_tells_its_area_has_no_state() -> None:
    flight = {"id": "x", "aircraft_type": "Aeroplane", "operating_area": {"aircraft_count": 1}}
    (found,) = read(flight).flights
    assert found == Flight("x", 1, None, (), False)


def test_recent_positions_are_in_the_order_of_time() -> None:
    flight = told()
    flight["recent_positions"] = [
        {"time": time_of(AT - timedelta(seconds=n)), "position": {"lat": 50.0 + n, "lng": 4.0}}
        for n in (1, 3, 2)
    ]
    (found,) = read(flight).flights
    assert [one.lat_deg for one in found.recent] == [53.0, 52.0, 51.0]


@pytest.mark.parametrize("answer", [None, [], "x", {"flights": "x"}, {"flights": {"a": 1}}])
def test_an_answer_that_is_none_is_refused(answer: Any) -> None:
    with pytest.raises(DecodeError):
        read_flights(answer)


def test_more_flights_than_memory_has_room_for_are_named() -> None:
    found = read_flights({"flights": [told()] * (netrid_types.MAX_FLIGHTS + 1)})
    assert len(found.flights) == netrid_types.MAX_FLIGHTS
    assert "2001 flights" in found.problems[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def almost(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """A good object in which some value, at any depth, was replaced by anything."""
    changed: dict[str, Any] = json.loads(json.dumps(whole))
    part: Any = changed
    while True:
        key = draw(st.sampled_from(sorted(part)))
        if isinstance(part[key], dict) and part[key] and draw(st.booleans()):
            part = part[key]
            continue
        part[key] = draw(JSON)
        return changed


@settings(max_examples=400, deadline=None)
@given(almost(told()), almost({"details": {"id": "x"} | DETAILS}))
def test_any_answer_is_read_or_refused_and_what_is_read_can_be_followed(
    flight: dict[str, Any], details: dict[str, Any]
) -> None:
    found = read_flights({"flights": [flight]})
    try:
        who: Details | None = read_details(details)
    except DecodeError:
        who = None
    for one in found.flights:
        for received in receptions(one, who, receiver="r", transmitter="t", after=None):
            assert rid.decode(received.payload).problems == ()


# Details


def test_details_are_read_whole() -> None:
    assert read_details({"details": {"id": "x"} | DETAILS}) == Details(
        serial_number="1581F4BND2280",
        registration_id="BE.123456",
        operator_id="BELoperator00001",
        operator_lat_deg=50.82,
        operator_lon_deg=4.391,
        operator_alt_ellipsoid_m=100.0,
        operator_place=1,
        description="roof inspection",
        eu_category=1,
        eu_class=3,
    )


def test_details_that_say_nothing_are_unknown() -> None:
    assert read_details({"details": {"id": "x"}}) == Details()
    nothing = {"uas_id": {"serial_number": ""}, "operator_id": "", "eu_classification": None}
    assert read_details({"details": nothing}) == Details()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"operator_id": "x" * 21}, "operator_id"),
        ({"operator_id": 7}, "operator_id"),
        ({"uas_id": {"serial_number": "x" * 21}}, "serial_number"),
        ({"operator_location": {"position": {"lat": 91, "lng": 0}}}, "operator_location"),
        ({"operator_location": {"position": {}}}, "operator_location"),
        ({"eu_classification": {"category": "Secret"}}, "category"),
    ],
)
def test_details_outside_their_range_are_named(change: dict[str, Any], problem: str) -> None:
    (found,) = read_details({"details": change}).problems
    assert problem in found


def test_every_identity_becomes_a_basic_id_with_the_serial_number_last() -> None:
    name = uuid.UUID("12345678-1234-5678-1234-567812345678")
    claimed = Details(
        serial_number="1581F4BND2280",
        registration_id="BE.123456",
        utm_id=str(name),
        session_id="0x01ab-cd",
    )
    found = identities(claimed, 2)
    assert [one.id_type for one in found if isinstance(one, rid.BasicId)] == [
        rid.IdType.REGISTRATION,
        rid.IdType.SESSION_ID,
        rid.IdType.UTM_UUID,
        rid.IdType.SERIAL_NUMBER,
    ]
    session = found[1]
    assert isinstance(session, rid.BasicId)
    assert session.uas_id == "01abcd" + "00" * 17


@pytest.mark.parametrize(
    "claimed",
    [Details(utm_id="no uuid"), Details(session_id="xyz"), Details(session_id="00" * 21),
     Details(serial_number="é")],
)  # fmt: skip
def test_an_identity_that_no_broadcast_could_carry_is_left_out(claimed: Details) -> None:
    assert identities(claimed, 2) == []


# What a flight becomes


STATE = State(AT, 50.8, 4.4, rid.Status.AIRBORNE, speed_mps=5.0, track_deg=359.7)
FLIGHT = Flight("f", 2, STATE, (), False)


def heard(flight: Flight, after: datetime | None) -> list[datetime]:
    found = receptions(flight, None, receiver="utm", transmitter="t", after=after)
    return [one.at for one in found]


def test_a_state_is_told_once() -> None:
    assert heard(FLIGHT, None) == [AT]
    assert heard(FLIGHT, AT) == []
    assert heard(FLIGHT, AT - timedelta(seconds=1)) == [AT]


def test_what_was_flown_between_two_polls_is_told_before() -> None:
    between = [replace(STATE, at=AT - timedelta(seconds=n)) for n in (4, 3, 2, 1)]
    flight = replace(FLIGHT, recent=tuple(between))
    assert heard(flight, None) == [AT], "before the first poll nobody followed"
    assert heard(flight, AT - timedelta(seconds=3)) == [
        AT - timedelta(seconds=2),
        AT - timedelta(seconds=1),
        AT,
    ]


def test_a_network_position_means_the_moment_that_its_provider_says() -> None:
    (received,) = receptions(FLIGHT, None, receiver="utm", transmitter="t", after=None)
    (location,) = rid.decode(received.payload).messages
    assert isinstance(location, rid.Location)
    assert location.second_of_hour_s is not None
    assert rid.message_time(received.at, location.second_of_hour_s) == AT
    assert location.direction_deg == 0.0, "359.7 is nearer to 360 than to 359"


def test_a_description_is_cut_to_what_a_broadcast_holds() -> None:
    who = Details(description="inspection of the façade of the town hall")
    (received,) = receptions(FLIGHT, who, receiver="utm", transmitter="t", after=None)
    assert rid.SelfId(0, "inspection of the fa?ad") in rid.decode(received.payload).messages


# Views


def spherical_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """By the law of cosines, apart from the code's haversine."""
    (lat_a, lon_a), (lat_b, lon_b) = (tuple(map(math.radians, one)) for one in (a, b))
    dot = math.sin(lat_a) * math.sin(lat_b) + math.cos(lat_a) * math.cos(lat_b) * math.cos(
        lon_b - lon_a
    )
    return 6_371_008.8 * math.acos(min(1.0, dot))


@given(
    south=st.floats(-80, 79.5),
    west=st.floats(-179, 178),
    height=st.floats(0.001, 0.25),
    width=st.floats(0.001, 0.35),
)
def test_views_cover_an_area_without_overlap_and_none_is_too_large(
    south: float, west: float, height: float, width: float
) -> None:
    area = View(south, west, south + height, west + width)
    found = views(area)
    assert 1 <= len(found) <= netrid_area.MAX_VIEWS
    covered = 0.0
    for one in found:
        for a, b in (((one.south_deg, one.west_deg), (one.north_deg, one.east_deg)),
                     ((one.south_deg, one.east_deg), (one.north_deg, one.west_deg))):  # fmt: skip
            assert spherical_m(a, b) <= MAX_DIAGONAL_M
        covered += (one.north_deg - one.south_deg) * (one.east_deg - one.west_deg)
        assert area.south_deg <= one.south_deg < one.north_deg <= area.north_deg
        assert area.west_deg <= one.west_deg < one.east_deg <= area.east_deg
    assert covered == pytest.approx(height * width, rel=1e-6)
    # No fewer could do: each covers at most half the square of its diagonal.
    least_m2 = (
        0.9
        * (height * 111_200)
        * (width * 111_200 * math.cos(math.radians(max(abs(south), abs(south + height)))))
    )
    assert len(found) >= least_m2 / (MAX_DIAGONAL_M**2 / 2.0)


def test_a_small_area_is_one_view() -> None:
    area = View(50.80, 4.36, 50.84, 4.42)
    assert views(area) == (area,)
    assert area.diagonal_m < MAX_DIAGONAL_M


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        ((50.9, 4.3, 50.8, 4.4), "latitudes"),
        ((50.8, 4.4, 50.9, 4.3), "longitudes"),
        ((50.8, 179.0, 50.9, 181.0), "longitudes"),
        ((math.nan, 4.3, 50.9, 4.4), "latitudes"),
        ((86.0, 4.3, 87.0, 4.4), "latitudes"),
    ],
)
def test_an_area_that_is_none_is_refused(corners: tuple[float, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        View(*corners)


def test_an_area_that_is_too_large_says_what_to_do() -> None:
    with pytest.raises(InputError, match="divide it between several"):
        views(View(49.5, 2.5, 51.5, 6.4))
