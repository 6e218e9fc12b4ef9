"""Control files: what is read, and how a wrong line is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.photogrammetry.control import (
    Control,
    Mark,
    ScaleBar,
    merge,
    parse_csv,
    parse_gcp_list,
    read_control,
    read_marks,
    with_checks,
)

GCP_LIST = """EPSG:4979
# lon lat height x y photo name
4.3906 50.8196 99.93 981.0 787.2 DJI_0001.JPG gcp_1
4.3906 50.8196 99.93 255.4 761.9 DJI_0002.JPG gcp_1

4.3907 50.8197 99.99 682.9 191.6 DJI_0001.JPG gcp_2
"""


def test_a_gcp_list_gives_each_point_once_with_all_its_marks() -> None:
    control = parse_gcp_list(GCP_LIST)
    assert [p.name for p in control.points] == ["gcp_1", "gcp_2"]
    position = control.points[0].position
    assert position is not None
    assert (position.lat_deg, position.lon_deg) == pytest.approx((50.8196, 4.3906), abs=1e-12)
    assert position.alt_ellipsoid_m == pytest.approx(99.93)
    assert [m.photo for m in control.marks if m.point == "gcp_1"] == [
        "DJI_0001.JPG",
        "DJI_0002.JPG",
    ]
    assert control.vertical_datum == "WGS84 ellipsoid"


def test_rows_without_names_are_joined_by_their_coordinates() -> None:
    text = "EPSG:4979\n4 50 1 10 10 a.jpg\n4 50 1 20 20 b.jpg\n5 50 1 30 30 a.jpg\n"
    control = parse_gcp_list(text)
    assert [p.name for p in control.points] == ["gcp1", "gcp2"]
    assert [m.point for m in control.marks] == ["gcp1", "gcp1", "gcp2"]


def test_utm_and_lambert_name_the_same_place() -> None:
    from pyproj import Transformer

    lat, lon = 50.89492, 4.34153
    for header, code in (("WGS84 UTM 31N", "EPSG:32631"), ("EPSG:3812", "EPSG:3812")):
        x, y = Transformer.from_crs("EPSG:4326", code, always_xy=True).transform(lon, lat)
        point = parse_gcp_list(f"{header}\n{x} {y} 30 1 1 a.jpg p\n").points[0].position
        assert point is not None
        assert (point.lat_deg, point.lon_deg) == pytest.approx((lat, lon), abs=1e-8)


def test_a_system_without_heights_keeps_them_and_says_so() -> None:
    control = parse_gcp_list("EPSG:31370\n150000 170000 61.5 1 1 a.jpg p\n")
    point = control.points[0].position
    assert point is not None
    assert point.alt_ellipsoid_m == 61.5
    assert "names no vertical datum" in control.vertical_datum


def test_a_missing_geoid_grid_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match=r"be_ign_hBG18\.tif"):
        parse_gcp_list("EPSG:3812+5710\n650000 670000 61.5 1 1 a.jpg p\n")


def test_a_local_survey_has_no_place_on_the_earth() -> None:
    control = parse_gcp_list("LOCAL\n1 2 3 10 10 a.jpg p\n")
    assert control.local
    assert control.points[0].local_m == (1.0, 2.0, 3.0)
    assert control.points[0].position is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("EPSG:99999\n", "not known"),
        ("EPSG:4979\n4 50 1 10 10\n", "line 2"),
        ("EPSG:4979\n\n4 50 x 10 10 a.jpg\n", "line 3: 'x' is not a number"),
        ("EPSG:4979\n4 50 nan 10 10 a.jpg\n", "line 2: 'nan' is not a finite number"),
        ("EPSG:4979\n4 95 1 10 10 a.jpg\n", "line 2: lat_deg 95.0 outside"),
        ("EPSG:4979\n4 50 1 10 10 a.jpg p\n4 51 1 10 10 b.jpg p\n", "line 3: p has other"),
        ("EPSG:4979\n4 50 1 10 10 a.jpg p\n4 50 1 12 10 a.jpg p\n", "p in a.jpg is given twice"),
    ],
)
def test_a_wrong_gcp_list_is_named_by_line(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_gcp_list(text)


def test_a_csv_holds_points_bars_and_marks() -> None:
    control = parse_csv(
        "crs,EPSG:4979\n"
        "control,a,4.39,50.81,100,0.02,0.03\n"
        "check,b,4.40,50.82,101\n"
        "scale_bar,bar 1,e1,e2,1.5\n"
        "check_bar,bar 2,e3,e4,2.0,0.002\n"
        "mark,a,photo one.jpg,10.5,20.5,0.3\n"
    )
    assert [(p.name, p.role) for p in control.points] == [("a", "control"), ("b", "check")]
    assert control.points[0].sigma_m == (0.02, 0.02, 0.03)
    assert control.bars[0] == ScaleBar("bar 1", "e1", "e2", 1.5)
    assert control.bars[1].role == "check"
    assert control.marks == (Mark("a", "photo one.jpg", 10.5, 20.5, 0.3),)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("control,a,4,50,1", "line 1: a crs row must come before"),
        ("point,a,4,50,1", "line 1: 'point' is none of"),
        ("scale_bar,a,e1,e2", "line 1: scale_bar"),
        ("scale_bar,a,e1,e2,-1", "line 1: lengths and sigmas must be positive"),
        ("mark,a,photo.jpg,1", "line 1: mark"),
        ("scale_bar,a,e1,e2,1\nscale_bar,a,e1,e2,1", "scale bar a is given twice"),
    ],
)
def test_a_wrong_csv_row_is_named_by_line(row: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_csv(row)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.txt"):
        read_control(tmp_path / "nothing.txt")
    binary = tmp_path / "gcp_list.txt"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="cannot be read as text"):
        read_control(binary)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "gcp_list.txt"
    path.write_bytes(b"\xef\xbb\xbf" + GCP_LIST.encode())
    assert len(read_control(path).points) == 2


def test_marks_are_read_by_their_header(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_text("photo,point,x_px,y_px\na.jpg,p,1.5,2.5\n")
    assert read_marks(path) == (Mark("p", "a.jpg", 1.5, 2.5),)
    path.write_text("photo,point,x_px,y_px\na.jpg,p,1.5,?\n")
    with pytest.raises(InputError, match=r"marks\.csv: line 2"):
        read_marks(path)
    path.write_text("image,point,x,y\na.jpg,p,1.5,2\n")
    with pytest.raises(InputError, match="header"):
        read_marks(path)


def test_named_points_become_check_points() -> None:
    control = with_checks(parse_gcp_list(GCP_LIST), ["gcp_2"])
    assert [p.role for p in control.points] == ["control", "check"]
    with pytest.raises(InputError, match="gcp_9"):
        with_checks(control, ["gcp_9"])


def test_files_of_different_datums_are_not_mixed() -> None:
    ellipsoidal = parse_gcp_list(GCP_LIST)
    plain = parse_gcp_list("EPSG:31370\n150000 170000 61.5 1 1 a.jpg p\n")
    with pytest.raises(InputError, match="differ in datum"):
        merge(ellipsoidal, plain)
    assert len(merge(ellipsoidal, Control(bars=(ScaleBar("b", "x", "y", 1.0),))).points) == 2


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=200))
def test_any_text_below_a_header_is_read_or_refused_in_words(text: str) -> None:
    for parse, header in ((parse_gcp_list, "LOCAL\n"), (parse_csv, "crs,LOCAL\n")):
        try:
            control = parse(header + text)
        except InputError as error:
            refused = str(error)
            assert refused
        else:
            assert isinstance(control, Control)
