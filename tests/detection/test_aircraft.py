"""Transponders against the published examples of the field's textbook, and damaged streams."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.detection import adsb
from droneteam.detection.aircraft import BeastParser, SbsParser
from droneteam.errors import DecodeError
from tests.detection.radio import START

# J. Sun: The 1090 Megahertz Riddle (2nd edition, TU Delft 2021), worked examples.
NAMED = bytes.fromhex("8D4840D6202CC371C32CE0576098")
EVEN = bytes.fromhex("8D40621D58C382D690C8AC2863A7")
ODD = bytes.fromhex("8D40621D58C386435CC412692AD6")
MOVING = bytes.fromhex("8D485020994409940838175B284F")


def test_the_published_identification() -> None:
    assert adsb.decode(NAMED) == adsb.Identification("4840d6", "KLM1023")


def test_the_published_position() -> None:
    even, odd = adsb.decode(EVEN), adsb.decode(ODD)
    assert isinstance(even, adsb.CprPosition)
    assert isinstance(odd, adsb.CprPosition)
    assert (even.odd, odd.odd) == (False, True)
    assert even.alt_pressure_m == pytest.approx(38000 * 0.3048)
    place = adsb.position(even, odd, newest_odd=False)
    assert place == pytest.approx((52.25720214843750, 3.91937255859375), abs=1e-9)
    place = adsb.position(even, odd, newest_odd=True)
    assert place == pytest.approx((52.26578017412606, 3.938912527901786), abs=1e-9)


def test_the_published_velocity() -> None:
    found = adsb.decode(MOVING)
    assert isinstance(found, adsb.Velocity)
    knots = math.hypot(found.east_mps, found.north_mps) / adsb.KNOT_MPS
    assert knots == pytest.approx(159.20, abs=0.01)
    course = math.degrees(math.atan2(found.east_mps, found.north_mps)) % 360.0
    assert course == pytest.approx(182.88, abs=0.01)
    assert found.climb_mps == pytest.approx(-832 * 0.3048 / 60.0)


@given(st.integers(0, 111))
def test_every_single_wrong_bit_is_noticed(bit: int) -> None:
    wrong = bytearray(EVEN)
    wrong[bit // 8] ^= 1 << bit % 8
    if wrong[0] >> 3 != 17:
        assert adsb.decode(bytes(wrong)) is None
        return
    with pytest.raises(DecodeError, match="parity"):
        adsb.decode(bytes(wrong))


def cpr(lat_deg: float, lon_deg: float, odd: bool) -> adsb.CprPosition:
    """A position encoded as Doc 9871 says: an encoder that knows nothing of the decoder."""
    zone_deg = 360.0 / (59 if odd else 60)
    lat = math.floor(2**17 * (lat_deg % zone_deg) / zone_deg + 0.5)
    rounded_deg = zone_deg * (lat / 2**17 + math.floor(lat_deg / zone_deg))
    count = max(zones(rounded_deg) - odd, 1)
    width_deg = 360.0 / count
    lon = math.floor(2**17 * (lon_deg % width_deg) / width_deg + 0.5)
    return adsb.CprPosition("44ce6f", odd, lat % 2**17 / 2**17, lon % 2**17 / 2**17, None, None)


def zones(lat_deg: float) -> int:
    """NL from the table's defining inequality, by search instead of by its inverse."""
    if abs(lat_deg) > 87.0:
        return 1
    for count in range(59, 1, -1):
        part = (1.0 - math.cos(math.pi / 30.0)) / (1.0 - math.cos(2.0 * math.pi / count))
        if abs(lat_deg) <= math.degrees(math.acos(math.sqrt(part))):
            return count
    return 1


@given(st.floats(-86.0, 86.0), st.floats(-180.0, 179.99), st.booleans())
def test_every_place_comes_back(lat_deg: float, lon_deg: float, newest_odd: bool) -> None:
    found = adsb.position(cpr(lat_deg, lon_deg, False), cpr(lat_deg, lon_deg, True), newest_odd)
    if found is None:  # the two roundings fell on two sides of a zone's edge
        assert any(zones(lat_deg + d) != zones(lat_deg - d) for d in (1e-4, 1e-3))
        return
    assert found[0] == pytest.approx(lat_deg, abs=5e-5)
    turn_deg = (found[1] - lon_deg + 180.0) % 360.0 - 180.0
    assert abs(turn_deg) * math.cos(math.radians(lat_deg)) < 2e-4


def beast(frame: bytes, kind: int = 0x33) -> bytes:
    body = bytes(6) + b"\x1a" + frame
    return bytes((0x1A, kind)) + body.replace(b"\x1a", b"\x1a\x1a")


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_stream_gives_plots_however_it_is_cut(step: int) -> None:
    stream = beast(NAMED) + beast(bytes(7), 0x32) + beast(EVEN) + beast(ODD) + beast(EVEN)
    parser = BeastParser("roof")
    plots = []
    for start in range(0, len(stream), step):
        plots += parser.feed(stream[start : start + step], START)
    assert [plot.identity for plot in plots] == ["icao:40621d"] * 2
    assert plots[1].lat_deg == pytest.approx(52.2572021484375)
    assert plots[1].manned
    assert parser.refused == 0


def test_halves_that_are_too_far_apart_make_no_place() -> None:
    parser = BeastParser("roof")
    assert parser.feed(beast(EVEN), START) == []
    assert parser.feed(beast(ODD), START + timedelta(seconds=11)) == []
    assert len(parser.feed(beast(EVEN), START + timedelta(seconds=12))) == 1


def test_a_cut_frame_costs_only_itself() -> None:
    parser = BeastParser("roof")
    stream = beast(EVEN)[:12] + beast(EVEN) + beast(ODD)
    assert len(parser.feed(stream, START)) == 1
    assert parser.refused == 1


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_any_bytes_are_survived_in_bounded_memory(parts: list[bytes]) -> None:
    for parser in (BeastParser("a"), SbsParser("b")):
        for part in parts:
            parser.feed(b"\x1a3" + part, START)
        assert len(parser._held) <= 600


SBS = (
    b"MSG,1,,,44CE6F,,,,,,BEL7MG  ,,,,,,,,,,,0\r\n"
    b"MSG,4,,,44CE6F,,,,,,,,150.0,90.0,,,640,,,,,0\r\n"
    b"MSG,3,,,44CE6F,,,,,,,3500,,,50.9,4.5,,,0,0,0,0\r\n"
)


def test_sbs_lines_make_one_plot_of_what_is_known() -> None:
    (plot,) = SbsParser("roof").feed(SBS, START)
    assert (plot.identity, plot.callsign) == ("icao:44ce6f", "BEL7MG")
    assert (plot.lat_deg, plot.lon_deg) == (50.9, 4.5)
    assert plot.speed_mps == pytest.approx(77.167, abs=0.001)
    assert plot.course_deg == 90.0
    assert plot.alt_pressure_m == pytest.approx(1066.8)


@pytest.mark.parametrize(
    "line",
    [
        b"MSG,3\n",
        b"MSG,3,,,XYZ,,,,,,,3500,,,50.9,4.5,,,0,0,0,0\n",
        b"MSG,3,,,44CE6F,,,,,,,3500,,,95.0,4.5,,,0,0,0,0\n",
        b"MSG,3,,,44CE6F,,,,,,,3500,,,nan,4.5,,,0,0,0,0\n",
        b"\xff\xfe\n",
        b"x" * 600,
    ],
)
def test_a_bad_line_is_counted_and_passed_over(line: bytes) -> None:
    parser = SbsParser("roof")
    parser.feed(line, START)
    assert parser.refused == 1
    assert len(parser.feed(b"\n" + SBS, START)) == 1
