"""Calendar feeds: valid iCalendar, read back by another reader; no zone sees another's rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from icalendar import Calendar, Event
from sqlalchemy.orm import Session

from droneteam import accounts
from droneteam.errors import InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.intake import calendar_words
from droneteam.fleet.intake.ical import Entry, calendar_text
from droneteam.fleet.terms import BRUSSELS, RequestKind, RequestState
from tests.fleet.conftest import ACCIDENT, DEMONSTRATION, NOW, Actors

Submit = Callable[..., int]


def events(text: bytes) -> dict[str, Event]:
    """Read back by the library's parser, by uid."""
    calendar = Calendar.from_ical(text)
    assert calendar["version"] == "2.0"
    return {str(event["uid"]): event for event in calendar.walk("VEVENT")}


def zone_feed(session: Session, actors: Actors, who: str) -> str:
    actor = actors[who]
    return service.make_feed(session, actor, "zone", actor.organisation_id, NOW)[1]


def test_a_zones_calendar_holds_its_own_requests_with_their_state(
    session: Session, actors: Actors, submit: Submit
) -> None:
    waiting, planned, dropped = submit("north"), submit("north", ACCIDENT), submit("north")
    foreign = submit("midi", title="Not for North")
    service.book_request(session, actors["north"], planned, NOW)
    service.cancel_request(session, actors["north"], dropped, "event_cancelled", NOW)
    text = service.feed_text(session, zone_feed(session, actors, "north"), NOW)
    found = events(text)
    assert {uid: str(event["status"]) for uid, event in found.items()} == {
        f"request-{waiting}@droneteam": "TENTATIVE",
        f"request-{planned}@droneteam": "CONFIRMED",
        f"request-{dropped}@droneteam": "CANCELLED",
    }
    assert f"request-{foreign}" not in text.decode()
    assert b"Not for North" not in text
    event = found[f"request-{planned}@droneteam"]
    assert event.decoded("dtstart") == ACCIDENT.start_at
    assert event.decoded("dtend") == ACCIDENT.end_at
    assert (event["geo"].latitude, event["geo"].longitude) == (50.8197, 4.3908)


def test_a_closed_request_leaves_the_calendar_after_a_month(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit("north")
    token = zone_feed(session, actors, "north")
    service.cancel_request(session, actors["north"], request_id, "weather", NOW)
    assert len(events(service.feed_text(session, token, NOW + timedelta(days=30)))) == 1
    assert events(service.feed_text(session, token, NOW + timedelta(days=32))) == {}


def test_drones_and_pilots_calendars_run_from_departure_to_return(
    session: Session, actors: Actors, submit: Submit
) -> None:
    coordinator = actors["coordinator"]
    given = service.book_request(session, coordinator, submit("north"), NOW).assignment
    other = service.book_request(session, coordinator, submit("midi"), NOW).assignment
    assert given is not None
    assert other is not None
    for kind, subject in (("drone", given.drone_id), ("pilot", given.pilot_id)):
        _, token = service.make_feed(session, coordinator, kind, subject, NOW)  # type: ignore[arg-type]
        found = events(service.feed_text(session, token, NOW))
        assert list(found) == [f"assignment-{given.request_id}@droneteam"]
        (event,) = found.values()
        assert event.decoded("dtstart") == given.depart_at
        assert event.decoded("dtend") == given.free_at


def test_a_sensitive_task_leaves_the_system_without_its_title(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit("north", title="Surveillance at a named house", sensitive=True)
    text = service.feed_text(session, zone_feed(session, actors, "north"), NOW)
    assert b"named house" not in text
    assert b"demonstration no." in text


def test_whom_a_calendar_is_not_for(session: Session, actors: Actors) -> None:
    midi_id = actors["midi"].organisation_id
    pilot_id = service.list_pilots(session, actors["pilot"], NOW)[0].id
    drone_id = service.list_drones(session, actors["pilot"], NOW)[0].id
    for who, kind, subject in (
        ("north", "zone", midi_id),
        ("pilot", "zone", midi_id),
        ("north", "drone", drone_id),
        ("north", "pilot", pilot_id),
        ("pilot", "pilot", pilot_id),  # not this pilot's own
    ):
        with pytest.raises(NotAllowed):
            service.make_feed(session, actors[who], kind, subject, NOW)  # type: ignore[arg-type]
    session.get_one(models.Pilot, pilot_id).user_id = actors["pilot"].user_id
    session.flush()
    assert service.make_feed(session, actors["pilot"], "pilot", pilot_id, NOW)
    for kind in ("zone", "drone", "pilot"):
        with pytest.raises(NotFound):
            service.make_feed(session, actors["coordinator"], kind, 999, NOW)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        service.make_feed(session, actors["coordinator"], "crew", 1, NOW)  # type: ignore[arg-type]


def test_an_address_dies_with_its_feed_its_makers_account_or_right(
    session: Session, actors: Actors
) -> None:
    north, coordinator = actors["north"], actors["coordinator"]
    view, token = service.make_feed(session, north, "zone", north.organisation_id, NOW)
    assert token not in str(session.query(models.CalendarFeed.token_hash).all())
    with pytest.raises(NotFound):
        service.end_feed(session, actors["midi"], view.id, NOW)
    service.end_feed(session, north, view.id, NOW)
    with pytest.raises(NotFound):
        service.end_feed(session, north, view.id, NOW)
    second = zone_feed(session, actors, "north")
    _, third = service.make_feed(session, coordinator, "zone", north.organisation_id, NOW)
    assert [feed.subject_name for feed in service.list_feeds(session, north)] == [
        "Brussels North (Polbruno)"
    ]
    session.get_one(accounts.User, north.user_id).active = False
    session.get_one(accounts.User, coordinator.user_id).roles = []
    session.flush()
    for dead in (token, second, third, "", "guess"):
        with pytest.raises(NotFound, match="at this address"):
            service.feed_text(session, dead, NOW)


def test_lines_are_folded_and_commas_escaped_as_the_rfc_asks() -> None:
    entry = Entry(
        uid="x@droneteam",
        summary="Émeute, place de la Bourse; " + "très long " * 20,
        description="a\nb",
        start_at=NOW,
        end_at=NOW + timedelta(hours=1),
        lat_deg=50.8,
        lon_deg=4.3,
        status="CONFIRMED",
        sequence=3,
        changed_at=NOW,
    )
    text = calendar_text("n", [entry], NOW)
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))
    assert text.endswith(b"END:VCALENDAR\r\n")
    (event,) = events(text).values()
    assert str(event["summary"]) == entry.summary
    assert str(event["description"]) == "a\nb"
    assert DEMONSTRATION.title not in text.decode()


@pytest.mark.parametrize(
    ("language", "summary", "state", "calendar"),
    [
        ("fr", "manifestation n° ", "introduite", "Bruxelles-Nord (Polbruno)"),
        ("nl", "betoging nr. ", "ingediend", "Brussel-Noord (Polbruno)"),
    ],
)
def test_a_calendar_speaks_its_makers_language(
    session: Session,
    actors: Actors,
    submit: Submit,
    language: str,
    summary: str,
    state: str,
    calendar: str,
) -> None:
    number = submit("north")
    session.get_one(accounts.User, actors["north"].user_id).language = language
    session.flush()
    text = service.feed_text(session, zone_feed(session, actors, "north"), NOW)
    (event,) = events(text).values()
    assert f"({summary}{number})" in str(event["summary"])
    assert str(event["description"]) == f"P3, {state}"
    assert str(Calendar.from_ical(text)["x-wr-calname"]) == f"droneteam: {calendar}"


def test_a_crews_times_are_those_of_brussels_with_the_zone(
    session: Session, actors: Actors, submit: Submit
) -> None:
    coordinator = actors["coordinator"]
    given = service.book_request(session, coordinator, submit("north"), NOW).assignment
    assert given is not None
    _, token = service.make_feed(session, coordinator, "drone", given.drone_id, NOW)
    (event,) = events(service.feed_text(session, token, NOW)).values()
    start, end = (at.astimezone(BRUSSELS) for at in (given.start_at, given.end_at))
    told = f"on scene {start:%H:%M} – {end:%H:%M} {end.tzname()};"
    assert told in str(event["description"])
    assert start.utcoffset() != timedelta(0)


def test_every_kind_and_state_has_its_words_in_three_languages() -> None:
    assert set(calendar_words.KINDS) == set(RequestKind)
    assert set(calendar_words.STATES) == set(RequestState)
    rows = [*calendar_words.KINDS.values(), *calendar_words.STATES.values()]
    assert all(len(row) == len(calendar_words.LANGUAGES) and all(row) for row in rows)
