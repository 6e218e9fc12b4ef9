"""The sortie report says what the log says, in three languages, to the byte the same each time."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.missions.mavlink.messages import CommandId, CommandLong
from droneteam.missions.planner.chances import RegionOutlook, SearchOutlook
from droneteam.missions.record.replay import ReplayEvent, replay
from droneteam.missions.record.report.sketch import chart, round_above, round_below, sketch_map
from droneteam.missions.record.report.sortie import (
    LANGUAGES,
    SortieFacts,
    report_data,
    sortie_pdf,
    words,
)
from droneteam.missions.record.sentences import told
from droneteam.missions.record.sortie import sortie_from_bytes
from droneteam.missions.views import OnboardLogView, SortieView
from tests.missions import flown
from tests.sitl.bench import HOME

FENCE = tuple(
    HOME.degrees(east, north) for east, north in ((-50, -50), (80, -50), (80, 80), (-50, 80))
)
HASHES = ("a" * 64, "b" * 64)


@functools.cache
def facts() -> SortieFacts:
    log = sortie_from_bytes(flown.packet_log(), drone="drone-01")
    assert log.took_off_at is not None
    assert log.landed_at is not None
    onboard = OnboardLogView(
        Path("mission-1.bin"), HASHES[1], 1000, "LOG_DATA", "1", log.landed_at, None, None, None, ""
    )
    sortie = SortieView(
        id=7, organisation_id=1, mission_id=1, drone_id=1, ending="completed", reason="",
        started_at=log.took_off_at, ended_at=log.landed_at, took_off_at=log.took_off_at,
        landed_at=log.landed_at, log_path=Path("mission-1.tlog"), log_sha256=HASHES[0],
        log_complete=True, packets=log.packets, distance_m=log.distance_m,
        max_alt_home_m=log.max_alt_home_m, triggers=log.triggers, checklist=(),
        onboard_log=onboard,
    )  # fmt: skip
    events = replay(log, flown.journal(), samples=2).events
    return SortieFacts(sortie, log, events, "drone-01", FENCE, 45.0, 12)


WOOD = RegionOutlook("wood, north", 0.6, 2_000.0, 50.82, 4.39, 0.15)
SEARCH = SearchOutlook(None, ((20.0, 0.0), (60.0, 0.1), (240.0, 0.18)), (WOOD,), by_blocks=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_search_is_reported_with_its_parts_and_its_planned_chance(language: str) -> None:
    t = words(language)
    with_search = replace(facts(), search=SEARCH)
    text = text_of(sortie_pdf(with_search, language)).replace("\n", " ")
    decimal = "." if language == "en" else ","
    assert t["search"] in text
    assert f"wood, north 60{decimal}0 % 15{decimal}0 % 25{decimal}0 %" in text
    assert t["chance"] in text
    (curve,) = [
        one for one in report_data(with_search, language)["charts"] if one["title"] == t["chance"]
    ]
    (line,) = curve["lines"]
    assert [x for x, _ in line] == pytest.approx([0.0, 155.0 / 12, 155.0 / 4, 155.0], abs=0.5)
    heights = [y for _, y in line]
    assert heights == sorted(heights, reverse=True), "it never falls"
    assert heights[0] == heights[1] > heights[2] > heights[3]


def test_a_flight_that_searched_nobody_says_nothing_of_a_search() -> None:
    data = report_data(facts(), "en")
    assert data["search"] == []
    assert words("en")["chance"] not in {one["title"] for one in data["charts"]}
    assert words("en")["search"] not in text_of(sortie_pdf(facts(), "en"))


def text_of(pdf: bytes) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is missing")
    done = subprocess.run(
        ["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True
    )
    return done.stdout.decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_holds_the_flight_in_every_language(language: str) -> None:
    pdf = sortie_pdf(facts(), language)
    text = text_of(pdf).replace("\n", "")
    assert f"/Lang({language}".encode() in pdf.replace(b" ", b"")
    assert b"/Marked true" in pdf
    for word in ("title", "map", "profiles", "events", "logs", "completed", "controller"):
        assert words(language)[word] in text
    for digest in HASHES:
        assert digest in text
    assert told("the pilot asked to return", language) in text
    assert ("the pilot asked to return" in text) == (language == "en")
    shown = len(facts().sortie.triggers)
    assert f"{words(language)['photos_taken']} {shown}".replace(" ", "") in text.replace(" ", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_controllers_commands_are_told_in_words_and_not_as_the_program_prints_them(
    language: str,
) -> None:
    line = f"{CommandLong(CommandId.COMPONENT_ARM_DISARM, (1.0,))} because: every check passed"
    arming = ReplayEvent(-1.0, facts().sortie.started_at, "controller", "arming", line)
    text = text_of(sortie_pdf(replace(facts(), events=(arming,)), language)).replace("\n", " ")
    assert told("arming commanded", language) in text
    assert "CommandLong" not in text


def test_times_are_those_of_brussels_with_the_zone_shown() -> None:
    sortie = replace(
        facts().sortie,
        took_off_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
        landed_at=datetime(2026, 12, 1, 8, 5, 6, tzinfo=UTC),
    )
    event = ReplayEvent(61.0, datetime(2026, 7, 1, 22, 31, 1, 250_000, UTC), "vehicle", "text", "x")
    data = report_data(replace(facts(), sortie=sortie, events=(event,)), "fr")
    told_facts = dict(data["facts"])
    assert told_facts["Décollage"] == "2 juillet 2026 à 00:30:00 CEST"
    assert told_facts["Atterrissage"] == "1er décembre 2026 à 09:05:06 CET"
    assert data["date"] == [2026, 7, 2], "the day there, not in Greenwich"
    assert data["events"][0][:2] == ("00:31:01.2 CEST", "1:01.0")


def test_the_same_sortie_gives_the_same_bytes() -> None:
    assert sortie_pdf(facts(), "nl") == sortie_pdf(facts(), "nl")


def test_a_language_that_is_not_spoken_is_refused() -> None:
    with pytest.raises(InputError, match="nl, fr, en"):
        sortie_pdf(facts(), "de")


def test_every_word_stands_in_all_three_languages() -> None:
    source = resources.files("droneteam.missions.record.report") / "sortie.json"
    for key, row in json.loads(source.read_text()).items():
        assert set(row) == set(LANGUAGES), key
        assert all(row.values()), key


def test_what_is_not_known_says_so_and_a_sortie_that_stayed_down_has_a_report() -> None:
    log = sortie_from_bytes(flown.packet_log()[:4000])
    sortie = replace(
        facts().sortie, took_off_at=None, landed_at=None, triggers=(), onboard_log=None,
        log_complete=False, ending="refused", reason="not ready after 180 s",
    )  # fmt: skip
    bare = SortieFacts(sortie, log, (), "drone-01")
    text = text_of(sortie_pdf(bare, "en"))
    for expected in ("unknown", "not fetched", "did not take off", "not ready after 180 s", "cut"):
        assert expected in text


def test_checks_are_left_to_the_record_and_a_long_list_says_how_much_it_leaves_out() -> None:
    data = report_data(facts(), "en")
    assert "check" not in {row[3] for row in data["events"]}
    many = replace(facts(), events=tuple(facts().events) * 50)
    data = report_data(many, "en")
    assert len(data["events"]) == 400
    assert data["more_events"] > 0


def test_words_of_a_vehicle_are_never_markup() -> None:
    (event, *_rest) = facts().events
    nasty = replace(event, kind="text", detail='#panic("x") *b* $1$ <a> "quoted" \\ [c]')
    text = text_of(sortie_pdf(replace(facts(), events=(nasty,)), "en"))
    assert '#panic("x") *b* $1$ <a>' in text.replace("“", '"').replace("”", '"')


# Drawings


places = st.lists(st.tuples(st.floats(50.0, 50.01), st.floats(4.0, 4.01)), min_size=1, max_size=30)


@given(places)
def test_a_map_keeps_everything_on_the_paper_and_its_scale(path: list[tuple[float, float]]) -> None:
    drawn = sketch_map(path, (), path[:2], path[0])
    assert drawn is not None
    for x, y in (*drawn.path, *drawn.photos):
        assert -0.01 <= x <= drawn.width_mm + 0.01
        assert -0.01 <= y <= drawn.height_mm + 0.01
    metres = float(drawn.bar_text.split()[0])
    assert metres * 1000.0 / drawn.scale == pytest.approx(drawn.bar_mm, abs=0.01)
    assert drawn.bar_mm <= 0.3 * drawn.width_mm + 0.01


def test_north_is_up_and_east_is_right() -> None:
    drawn = sketch_map([(50.0, 4.0), (50.001, 4.001)], (), (), None)
    assert drawn is not None
    (west, south), (east, north) = drawn.path
    assert east > west
    assert north < south
    assert sketch_map((), (), (), None) is None


def test_a_chart_breaks_where_nothing_is_known_and_shows_its_limits() -> None:
    x = np.arange(6.0)
    y = np.array([0.0, 10.0, np.nan, 20.0, 30.0, 5.0])
    drawn = chart("t", "a", x, y, limits=(40.0,))
    assert [len(line) for line in drawn.lines] == [2, 3]
    heights = [point[1] for line in drawn.lines for point in line]
    assert min(heights) > drawn.limits[0] >= 0.0
    assert drawn.y_ticks[0] == (drawn.height_mm, "0")
    assert [text for _, text in drawn.x_ticks] == ["0", "1", "2", "3", "4", "5"]
    empty = chart("t", "a", np.zeros(0), np.zeros(0))
    assert empty.lines == ()


@given(st.floats(1e-6, 1e6))
def test_round_numbers_enclose_the_value(value: float) -> None:
    low, high = round_below(value), round_above(value)
    assert low <= value * (1 + 1e-6)
    assert high >= value * (1 - 1e-6)
    assert high <= 5.0 * low * (1 + 1e-6)
