"""Zones, ceilings and volumes: what touches the path counts, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import DecodeError
from droneteam.missions.airspace.checks import (
    PATH_MARGIN_M,
    Geozone,
    HeightReference,
    Restriction,
    ZoneVolume,
    check,
)
from droneteam.missions.airspace.geozones import read_geozones
from droneteam.missions.airspace.rules import Finding
from droneteam.missions.airspace.sentences import RANKS
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from tests.missions.conftest import ORIGIN, PLACE, SCENE, area

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PLAN = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
OVER_SCENE = area((-5, -5), (5, -5), (5, 5), (-5, 5))
FAR_AWAY = area((500, 500), (600, 500), (600, 600), (500, 600))


def zone(restriction: Restriction = Restriction.PROHIBITED, **volume: object) -> Geozone:
    fields: dict[str, object] = {"polygon": OVER_SCENE, "lower_m": 0.0, "upper_m": 120.0}
    return Geozone(
        "EBR-1", "Palace", restriction, (ZoneVolume(**(fields | volume)),), authority="Tower"
    )  # type: ignore[arg-type]


def worst(*zones: Geozone, at: datetime = AT) -> Finding:
    return max(check(PLAN, zones, at), key=lambda finding: RANKS.index(finding.severity))


@pytest.mark.parametrize(
    ("restriction", "severity"),
    [
        (Restriction.PROHIBITED, "stop"),
        (Restriction.AUTHORISATION, "warn"),
        (Restriction.CONDITIONAL, "warn"),
        (Restriction.NONE, "pass"),
    ],
)
def test_each_restriction_has_its_severity_and_names_its_clause(
    restriction: Restriction, severity: str
) -> None:
    (found,) = [f for f in check(PLAN, [zone(restriction)], AT) if f.rule.startswith("geozone")]
    assert found.severity == severity
    assert "Palace" in found.text
    assert "2019/947" in found.clause


def test_a_zone_elsewhere_or_above_the_flight_passes() -> None:
    assert worst(zone(polygon=FAR_AWAY)).severity == "pass"
    assert worst(zone(lower_m=60.0, upper_m=400.0)).severity == "pass"


def test_limits_above_sea_level_are_compared_at_the_take_off_points_height() -> None:
    amsl = {"lower_reference": HeightReference.AMSL, "upper_reference": HeightReference.AMSL}
    assert worst(zone(lower_m=60.0, upper_m=300.0, **amsl)).severity == "stop"  # 4 m above home
    assert worst(zone(lower_m=90.0, upper_m=300.0, **amsl)).severity == "pass"
    assert worst(zone(lower_m=0.0, upper_m=50.0, **amsl)).severity == "pass"  # under the ground


def test_where_the_take_off_points_height_is_unknown_no_limit_above_the_sea_clears_a_flight() -> (
    None
):
    above = zone(lower_m=90.0, upper_m=300.0, lower_reference=HeightReference.AMSL,
                 upper_reference=HeightReference.AMSL)  # fmt: skip
    plans = {
        level: replace(PLAN, home=replace(PLAN.home, alt_amsl_m=level))
        for level in (None, 0.0, 80.0)
    }
    stops = {
        level: any(one.severity == "stop" for one in check(plan, [above], AT))
        for level, plan in plans.items()
    }
    assert stops == {None: True, 0.0: False, 80.0: True}


def test_a_limit_above_the_ellipsoid_counts_as_overlapping() -> None:
    above = {"lower_reference": HeightReference.WGS84}
    assert worst(zone(lower_m=4000.0, **above)).severity == "stop"


def test_a_zone_counts_only_while_it_applies() -> None:
    over = replace(zone(), windows=((AT - timedelta(days=2), AT - timedelta(days=1)),))
    still = replace(zone(), windows=((AT - timedelta(days=2), None),))
    soon = replace(zone(), windows=((AT + timedelta(seconds=PLAN.duration_s - 5), None),))
    assert worst(over).severity == "pass"
    assert worst(still).severity == "stop"
    assert worst(soon).severity == "stop"


@given(gap_m=st.floats(0.0, 40.0))
def test_the_margin_around_the_path_is_kept(gap_m: float) -> None:
    reach = 20.0  # the orbit's easternmost place
    beside = area((reach + gap_m, -3), (reach + gap_m + 20, -3), (reach + gap_m + 20, 3),
                  (reach + gap_m, 3))  # fmt: skip
    touched = worst(zone(polygon=beside)).severity == "stop"
    if abs(gap_m - PATH_MARGIN_M) > 0.3:
        assert touched == (gap_m < PATH_MARGIN_M)


def test_without_zones_the_pilot_is_told_to_look_elsewhere() -> None:
    (found,) = [f for f in check(PLAN, [], AT) if f.rule == "geozone.unknown"]
    assert found.severity == "warn"


def test_leaving_the_agreed_volume_stops() -> None:
    wide = area((-60, -60), (60, -60), (60, 60), (-60, 60))
    for volume, severity in ((wide, "pass"), (SCENE, "stop")):
        (found,) = [f for f in check(PLAN, [], AT, volume=volume) if f.rule == "volume"]
        assert found.severity == severity


def test_a_ceiling_that_is_exceeded_stops() -> None:
    high = replace(
        PLAN,
        items=tuple(
            replace(item, alt_home_m=130.0) if item.has_position else item for item in PLAN.items
        ),
    )
    (found,) = [f for f in check(high, [], AT) if f.rule == "height"]
    assert found.severity == "stop"
    assert found.params["height_m"] == "130"


def ed318(**properties: object) -> dict[str, object]:
    base = {
        "identifier": "EBR-9",
        "country": "BEL",
        "name": [{"text": "Paleis", "lang": "nl-BE"}, {"text": "Palace", "lang": "en-GB"}],
        "type": "PROHIBITED",
        "message": [{"text": "No flights", "lang": "en-GB"}],
        "zoneAuthority": [{"name": [{"text": "Tower", "lang": "en-GB"}], "phone": "+32"}],
        "limitedApplicability": [
            {"startDateTime": "2026-03-10T10:00:00Z", "endDateTime": "2026-03-10T18:00:00+01:00"}
        ],
    }
    lat, lon = PLACE.lat_deg, PLACE.lon_deg
    circle = {
        "type": "Point",
        "coordinates": [lon, lat],
        "extent": {"subType": "Circle", "radius": 150.0},
        "layer": {"lower": 0, "lowerReference": "AGL", "upper": 400, "upperReference": "AGL",
                  "uom": "ft"},
    }  # fmt: skip
    collection = {"type": "GeometryCollection", "geometries": [circle]}
    feature = {"type": "Feature", "properties": base | properties, "geometry": collection}
    return {"type": "FeatureCollection", "features": [feature]}


def test_an_ed318_circle_is_read_with_its_names_limits_and_hours() -> None:
    (read,) = read_geozones(ed318())
    assert read.name == "Palace"
    assert read.restriction is Restriction.PROHIBITED
    assert read.authority == "Tower"
    assert read.volumes[0].upper_m == pytest.approx(121.92)
    assert read.windows == ((AT.replace(hour=10), AT.replace(hour=17)),)
    assert worst(read).severity == "stop"
    assert worst(read, at=AT + timedelta(days=1)).severity == "pass"


def test_a_circle_becomes_a_polygon_that_leaves_nothing_of_it_out() -> None:
    (read,) = read_geozones(ed318())
    corners = [[lat, lon, 0.0] for lat, lon in read.volumes[0].polygon]
    centre = ORIGIN.enu_from_geodetic([[PLACE.lat_deg, PLACE.lon_deg, 0.0]])[0, :2]
    shape = shapely.Polygon(ORIGIN.enu_from_geodetic(corners)[:, :2])
    assert shape.buffer(0.3).contains(shapely.Point(centre).buffer(150.0, quad_segs=64))
    assert shape.area < 3.1416 * 151.0**2


def test_an_unknown_restriction_counts_as_forbidden() -> None:
    (read,) = read_geozones(ed318(type="SOMETHING_NEW"))
    assert read.restriction is Restriction.PROHIBITED


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"features": "x"},
        {"features": [{}]},
        {"features": [{"identifier": "Z1", "restriction": "PROHIBITED", "geometry": [{}]}]},
        {"type": "FeatureCollection", "features": [{"properties": {}}]},
        ed318(limitedApplicability=[{"startDateTime": "2026-03-10T10:00:00"}]),
        ed318(limitedApplicability=[{"startDateTime": "soon"}]),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_by_name(document: object) -> None:
    with pytest.raises(DecodeError):
        read_geozones(document)


def ed269(*corners: tuple[float, float], **limits: object) -> dict[str, object]:
    """A zone over corners in metres about the scene."""
    ring = [[lon, lat] for lat, lon in area(*corners)]
    volume = {
        "uomDimensions": "M",
        "lowerLimit": 0,
        "lowerVerticalReference": "AGL",
        "upperLimit": 120,
        "upperVerticalReference": "AGL",
        "horizontalProjection": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }
    feature = {"identifier": "Z9", "restriction": "PROHIBITED", "geometry": [volume | limits]}
    return {"features": [feature]}


BOX = ((-50.0, -50.0), (50.0, -50.0), (50.0, 50.0), (-50.0, 50.0))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (ed269(*BOX, lowerLimit=120, upperLimit=0), "lower limit 120 m above the upper 0 m"),
        (ed269(*BOX, uomDimensions="FL"), "limits in FL"),
        (ed269(*BOX, upperLimit="high"), "zone Z9"),
        (ed269(*BOX, upperVerticalReference="XYZ"), "zone Z9"),
        (ed269((0.0, 0.0), (0.0, 0.0), (0.0, 0.0)), "no area"),
        (ed269((0.0, 0.0), (0.0, 10.0), (0.0, 20.0)), "no area"),
        (
            ed318(
                limitedApplicability=[
                    {"startDateTime": "2026-12-01T00:00:00Z", "endDateTime": "2026-01-01T00:00:00Z"}
                ]
            ),
            "before it begins",
        ),
    ],
)
def test_a_zone_that_no_flight_could_ever_meet_is_refused_not_passed(
    document: dict[str, object], message: str
) -> None:
    """Read as they stand, each of them would clear every flight."""
    with pytest.raises(DecodeError, match=message):
        read_geozones(document)


def test_every_part_of_a_zone_that_crosses_itself_counts() -> None:
    """Two triangles that meet in a point: the scene lies in the one, then in the other."""
    for shift_m in (-60.0, 60.0):
        corners = ((-120.0, -60.0), (120.0, 60.0), (120.0, -60.0), (-120.0, 60.0))
        (read,) = read_geozones(ed269(*((east + shift_m, north) for east, north in corners)))
        assert worst(read).severity == "stop", shift_m
    beside = ((-120.0, 200.0), (120.0, 320.0), (120.0, 200.0), (-120.0, 320.0))
    (read,) = read_geozones(ed269(*beside))
    assert worst(read).severity == "pass"


def test_both_formats_say_the_same_zone_and_feet_are_feet() -> None:
    """One zone in ED-269 and in ED-318, the one with metres and the other with feet."""
    (metres,) = read_geozones(ed269(*BOX, lowerLimit=30.48, upperLimit=60.96))
    ring = [[lon, lat] for lat, lon in area(*BOX)]
    layer = {"upper": 200, "upperReference": "AGL", "lower": 100, "lowerReference": "AGL"}
    geometry = {"type": "Polygon", "coordinates": [ring], "layer": {**layer, "uom": "ft"}}
    properties = {"identifier": "Z9", "type": "PROHIBITED"}
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    (feet,) = read_geozones({"type": "FeatureCollection", "features": [feature]})
    assert feet.restriction is metres.restriction
    (one,), (other,) = metres.volumes, feet.volumes
    assert one.polygon == other.polygon
    assert (other.lower_m, other.upper_m) == pytest.approx((one.lower_m, one.upper_m))
    assert (other.lower_reference, other.upper_reference) == (
        one.lower_reference,
        one.upper_reference,
    )
