"""A list of the coming week: each line judged, all of it or an explicit part, never twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from droneteam.errors import InputError, NotAllowed
from droneteam.fleet import models, service
from droneteam.fleet.intake.listing import MAX_LINES, read_list
from tests.fleet.conftest import NOW, Actors

HEAD = "title;kind;priority;start;end;lat;lon;legal_basis;contact;sensitive"
MATCH = "Football match;event;P3;2026-05-09 20:00;2026-05-09 23:00;50.8340;4.2980;LFP 25/3;desk;no"
MARCH = "March;demonstration;p3;2026-05-10T14:00;2026-05-10T17:00;50,8467;4,3525;LFP 25/3;desk;yes"
WRONG = "Fair;party;P3;2026-05-10 10:00;2026-05-10 12:00;50.8;4.3;LFP;desk;no"


def text(*lines: str, head: str = HEAD) -> str:
    return "\r\n".join((head, *lines)) + "\r\n"


def count(session: Session) -> int:
    return session.query(models.Request).count()


def nowhere(address: str) -> tuple[float, float]:
    raise InputError(f"{address} is not known", field="address")


def test_lines_become_requests_at_their_local_times() -> None:
    one, other = read_list("\ufeff" + text(MATCH, "", MARCH), NOW, nowhere)
    assert one.draft is not None
    assert other.draft is not None
    assert one.draft.start_at == datetime(2026, 5, 9, 18, 0, tzinfo=UTC)
    assert (other.draft.priority, other.draft.lat_deg, other.draft.sensitive) == (
        "P3",
        50.8467,
        True,
    )
    assert (one.number, other.number) == (2, 4)


def test_checking_stores_nothing_and_storing_gives_each_line_its_number(
    session: Session, actors: Actors
) -> None:
    north = actors["north"]
    checked = service.import_list(session, north, text(MATCH, MARCH), NOW, store=False)
    assert (checked.stored, checked.counts) == (False, {"new": 2, "known": 0, "wrong": 0})
    assert count(session) == 0
    stored = service.import_list(session, north, text(MATCH, MARCH), NOW, store=True)
    ids = [line.request_id for line in stored.lines]
    assert stored.stored
    assert [service.get_request(session, north, i).title for i in ids if i] == [
        "Football match",
        "March",
    ]


def test_the_same_list_again_makes_no_second_request(session: Session, actors: Actors) -> None:
    first = service.import_list(session, actors["north"], text(MATCH), NOW, store=True)
    again = service.import_list(session, actors["north"], text(MARCH, MATCH), NOW, store=True)
    assert [line.verdict for line in again.lines] == ["new", "known"]
    assert again.lines[1].request_id == first.lines[0].request_id
    assert count(session) == 2
    theirs = service.import_list(session, actors["midi"], text(MATCH), NOW, store=False)
    assert theirs.lines[0].verdict == "new"  # another zone's requests are unknown here


def test_one_wrong_line_keeps_the_list_out_unless_a_part_is_asked_for(
    session: Session, actors: Actors
) -> None:
    lines = text(MATCH, WRONG, MARCH)
    whole = service.import_list(session, actors["north"], lines, NOW, store=True)
    assert (whole.stored, count(session)) == (False, 0)
    assert [line.verdict for line in whole.lines] == ["new", "wrong", "new"]
    assert "party" in whole.lines[1].problem
    part = service.import_list(session, actors["north"], lines, NOW, store=True, partial=True)
    assert (part.stored, count(session)) == (True, 2)
    with pytest.raises(NotAllowed):
        service.import_list(session, actors["pilot"], lines, NOW, store=False)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("event", "gala"), "kind"),
        (("P3", "P7"), "priority"),
        (("2026-05-09 20:00", "9 May"), "start"),
        (("2026-05-09 20:00", "2026-05-09 23:30"), "end_at"),
        (("2026-05-09", "2026-05-01"), "end_at"),
        (("50.8340", "north"), "lat"),
        (("50.8340", "nan"), "lat"),
        (("50.8340", "95"), "lat_deg"),
        (("LFP 25/3", " "), "legal_basis"),
        ((";no", ";perhaps"), "sensitive"),
        ((";no", ";no;more"), ""),
        (("Football match", "x" * 201), "title"),
    ],
)
def test_each_line_says_what_is_wrong_with_it(change: tuple[str, str], field: str) -> None:
    (line,) = read_list(text(MATCH.replace(*change)), NOW, nowhere)
    assert line.verdict == "wrong"
    assert line.problem
    if field != "lat_deg":
        assert line.field == field


def test_a_time_that_spring_skips_is_wrong_and_one_that_autumn_repeats_is_its_first_pass() -> None:
    spring = MATCH.replace("2026-05-09 20:00", "2027-03-28 02:30").replace("05-09 23", "05-09 23")
    (line,) = read_list(text(spring.replace("2026-05-09 23:00", "2027-03-28 05:00")), NOW, nowhere)
    assert (line.verdict, line.field) == ("wrong", "start")
    assert "skip it in spring" in line.problem
    autumn = MATCH.replace("2026-05-09 20:00", "2026-10-25 02:30")
    (line,) = read_list(text(autumn.replace("2026-05-09 23:00", "2026-10-25 05:00")), NOW, nowhere)
    assert line.draft is not None
    assert line.draft.start_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_repeated_line_is_wrong_and_names_the_first(session: Session, actors: Actors) -> None:
    found = service.import_list(
        session, actors["north"], text(MATCH, MARCH, MATCH), NOW, store=True
    )
    assert [line.verdict for line in found.lines] == ["new", "new", "wrong"]
    assert found.lines[2].problem == "the line repeats line 2"
    assert not found.stored


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("", "no line"),
        (HEAD, "no line"),
        (text(MATCH, head=HEAD.replace("legal_basis", "law")), "lacks legal_basis"),
        (text(MATCH, head=HEAD.replace("sensitive", "colour")), "colour"),
        (text(MATCH, head=HEAD + ";title"), "twice"),
        (text(*[MATCH] * (MAX_LINES + 1)), "501 lines"),
        ("x" * 1_000_001, "longer"),
        (text(MATCH).replace("Football", '"Football" x"'), "no CSV"),
    ],
)
def test_what_is_no_such_list_says_so(bad: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_list(bad, NOW, nowhere)


@given(st.text(max_size=400))
def test_any_text_is_a_list_or_an_input_error(noise: str) -> None:
    for candidate in (noise, text(noise), HEAD + "\n" + noise):
        try:
            read_list(candidate, NOW, nowhere)
        except InputError:
            continue
