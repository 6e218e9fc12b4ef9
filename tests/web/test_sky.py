"""The sky's pages: filters without scripts, history, coverage, evidence, and who saw operators."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from droneteam import audit, db
from droneteam.accounts import ROLES
from droneteam.detection import coverage, suspicion
from droneteam.detection.advice import Manoeuvre
from droneteam.detection.history import PathPoint
from droneteam.detection.models import AlertRow, RidMessage, TrackRow
from droneteam.detection.retention import KINDS, kept_for
from droneteam.detection.service import SEES_OPERATORS
from droneteam.evidence import bag
from droneteam.evidence import service as evidence
from droneteam.missions.airspace.checks import Geozone, Restriction, ZoneVolume
from droneteam.web import looks, sky_words
from droneteam.web.looking import EXTENSION
from droneteam.web.looks import LookBook, Purpose
from droneteam.web.sky_filter import CLASSES, SkyFilter
from droneteam.web.views.history import moment_row
from tests.web import sky_world, worlds
from tests.web.conftest import NOW, Site, csrf_token

OPERATOR_LAT = "50.8181"
SEERS = frozenset(SEES_OPERATORS)


@pytest.fixture
def sky(site: Site) -> Site:
    """One of everything in the air."""
    sky_world.fill(site)
    return site


def text(site: Site, login: str, path: str, language: str = "en") -> str:
    answer = site.client(login, language).get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.get_data(as_text=True)


def shown(page: str) -> set[str]:
    """The keys of the drones and tracks in a page's tables."""
    return set(re.findall(r'<tr data-key="((?:drone|track):\d+)"', page))


# ---- filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"drone:1", *(f"track:{n}" for n in range(11, 16))}),
        ("class=manned&class=suspect", {"track:14", "track:15"}),
        ("class=own", {"drone:1"}),
        ("receiver=van", {"track:11", "track:13", "track:15"}),
        ("low_m=55&high_m=75", {"track:13", "track:14"}),
        ("low_m=55,5", {"track:13", "track:14", "track:15"}),
        ("alerted=1", {"drone:1", "track:13", "track:14"}),
        ("q=bnd00", {"track:11", "track:12", "track:13", "track:14"}),
        ("q=G-POLC", {"track:15"}),
        ("zone=EBDAY", set()),
        ("zone=unknown", set()),
        ("class=nonsense&low_m=x&high_m=nan", {"drone:1", *(f"track:{n}" for n in range(11, 16))}),
    ],
)
def test_a_filter_works_without_scripts(sky: Site, query: str, expected: set[str]) -> None:
    assert shown(text(sky, "coordinator", f"/live/?{query}")) == expected


corner = st.tuples(st.floats(50.0, 51.0), st.floats(4.0, 5.0))


@given(st.lists(corner, min_size=3, max_size=7, unique=True), st.lists(corner, max_size=20))
def test_a_zones_filter_keeps_what_lies_in_it(
    ring: list[tuple[float, float]], places: list[tuple[float, float]]
) -> None:
    rows = [
        {"key": str(n), "match": "unknown", "lat_deg": lat, "lon_deg": lon}
        for n, (lat, lon) in enumerate(places)
    ]
    zone = Geozone("Z", "Z", Restriction.NONE, (ZoneVolume(tuple(ring)),))
    kept = SkyFilter(zone="Z").keep(rows, [zone], frozenset())
    corners = [(lon, lat) for lat, lon in ring]
    area, outline = shapely.make_valid(shapely.Polygon(corners)), shapely.LinearRing(corners)
    for row in rows:
        point = shapely.Point(row["lon_deg"], row["lat_deg"])
        if outline.distance(point) > 1e-9:
            assert (row in kept) is area.contains(point)


def test_classes_are_told_apart_by_more_than_colour(sky: Site) -> None:
    page = text(sky, "coordinator", "/live/")
    legend = page.split('class="legend"')[1].split("</ul>")[0]
    marks = dict(re.findall(r'class="mark (\w+)" aria-hidden="true">(.)<', legend))
    assert set(CLASSES) <= set(marks)
    assert len(set(marks.values())) == len(marks)
    table = page.split('data-kind="track"')[1].split("</tbody>")[0]
    assert "suspected false identity" in table
    assert "manned aircraft" in table


def test_a_zone_shows_its_hours_and_whether_it_is_in_force(sky: Site) -> None:
    page = text(sky, "pilot", "/live/")
    assert "daily 20:00 UTC–05:00 UTC" in page
    assert page.count("not in force") == 1
    night = text(sky, "pilot", "/live/history/?at=2026-05-03T22:00:00Z")
    assert "not in force" not in night


# ---- history


def test_a_moment_is_shown_without_scripts(sky: Site) -> None:
    at = NOW - timedelta(minutes=4)
    page = text(sky, "auditor", f"/live/history/?at={at:%Y-%m-%dT%H:%M:%S}Z")
    _, lon_deg = sky_world.place(1, 240.0)
    assert f"{lon_deg:.5f}" in page
    assert "1581F4BND002" in page
    assert "09:56:00" in page
    local = text(sky, "auditor", "/live/history/?at=2026-05-04T09:56:00")
    assert f"{lon_deg:.5f}" in local


def test_a_moment_that_is_none_is_said_and_the_page_still_works(sky: Site) -> None:
    for query in ("at=soon", "from=2026-05-04T08:00Z&until=2026-05-03T08:00Z", "at=9999-99-99"):
        page = text(sky, "pilot", f"/live/history/?{query}")
        assert 'role="alert"' in page
    page = text(sky, "pilot", "/live/history/?from=2026-05-01T00:00Z&until=2026-05-02T00:00Z")
    assert "Only the first 6 hours" in page


def test_pieces_of_the_history_hold_tracks_points_and_alerts(sky: Site) -> None:
    client = sky.client("coordinator")
    query = {"from": "2026-05-04T07:50:00Z", "until": "2026-05-04T08:00:00Z"}
    body = client.get("/live/history/data.json", query_string=query).get_json()
    assert {row["id"] for row in body["tracks"]} == set(sky_world.CLASSES)
    assert {row["match"] for row in body["tracks"]} == set(CLASSES) - {"own"}
    assert {row["id"] for row in body["alerts"]} == {41, 42, 43}
    assert len(body["points"]) == 5 * 481
    assert body["next"] is None
    track_id, unix_s, lat_deg, _, height_m, speed_mps, *_ = body["points"][-1]
    assert unix_s == NOW.timestamp()
    assert lat_deg == pytest.approx(sky_world.place(track_id - 11, 0.0)[0])
    assert (height_m, speed_mps) == (40.0 + 10.0 * (track_id - 11), 8.0)
    api = client.get(
        "/api/v1/tracks/points", query_string={"since": query["from"], "until": query["until"]}
    ).get_json()
    assert len(api["items"]) == len(body["points"])


@pytest.mark.parametrize(
    ("drawn", "then", "shown"),
    [
        ("registered", "unknown", "unknown"),
        ("unknown", "registered", "registered"),
        ("registered", None, "registered"),
        ("suspect", "registered", "suspect"),
        ("manned", "unknown", "manned"),
    ],
)
def test_a_moment_shows_what_a_track_was_held_to_be_then(
    drawn: str, then: str | None, shown: str
) -> None:
    point = PathPoint(1, 7, NOW, 50.8, 4.4, None, None, None, None, then)
    assert moment_row({"key": "track:7", "match": drawn}, point)["match"] == shown


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"from": "2026-05-04T07:50:00Z"},
        {"from": "x", "until": "y"},
        {"from": "2026-05-04T07:50:00Z", "until": "2026-05-06T08:00:00Z"},
        {"from": "2026-05-04T07:50:00Z", "until": "2026-05-04T08:00:00Z", "cursor": "x"},
    ],
)
def test_a_span_that_cannot_be_is_refused(sky: Site, query: dict[str, str]) -> None:
    answer = sky.client("pilot").get("/live/history/data.json", query_string=query)
    assert answer.status_code == 422


def test_an_alert_opens_in_the_history_at_its_moment(sky: Site) -> None:
    page = text(sky, "pilot", f"/alerts/{sky_world.CONFLICT}")
    (link,) = re.findall(r'href="(/live/history/\?[^"]+)"', page)
    then = text(sky, "pilot", link.replace("&amp;", "&"))
    assert "09:58:00" in then
    assert f"{sky_world.place(2, 120.0)[1]:.5f}" in then


def test_a_replay_is_shown_as_one(sky: Site) -> None:
    assert 'id="replaying" hidden' in text(sky, "pilot", "/live/")
    with db.session_scope(sky.engine) as session:
        session.get_one(TrackRow, 12).origin = "replay"
        session.get_one(AlertRow, sky_world.SPOOF).origin = "replay"
    sky.clock.forward(seconds=1)
    later = text(sky, "pilot", "/alerts/41")
    assert "replay" in later.split("</h1>")[0].rsplit("<h1>", 1)[1]
    rows = sky.client("pilot").get("/api/v1/tracks").get_json()["items"]
    assert {row["id"] for row in rows if row["origin"] == "replay"} == {12}


# ---- who sees operators, and who has looked


WAYS = (
    "/live/",
    "/live/state.json",
    "/api/v1/live",
    "/api/v1/tracks",
    "/live/history/?at=2026-05-04T08:00:00Z",
    "/live/history/data.json?from=2026-05-04T07:50:00Z&until=2026-05-04T08:00:00Z",
    f"/api/v1/alerts/{sky_world.CONFLICT}/evidence",
    f"/alerts/{sky_world.CONFLICT}/evidence.json",
)
"""Every way on which an operator's place can leave the server, but the stream."""


@pytest.mark.parametrize("role", [role for role in ROLES if role != "requester"])
def test_an_operators_place_goes_to_those_who_need_it_and_every_look_is_kept(
    sky: Site, role: str
) -> None:
    purposes = {"investigator": "investigation", "administrator": "administration"}
    kept = 0
    for path in WAYS:
        sky.app.extensions[EXTENSION] = LookBook(sky.engine)  # has noted nothing yet
        answer = sky.client(role).get(path)
        assert answer.status_code == (200 if role in SEERS or "evidence" not in path else 403)
        data = answer.get_data(as_text=True)
        # A page draws operators from its data; its tables do not show them.
        in_page = path == "/live/" or path.startswith("/live/history/?")
        assert (OPERATOR_LAT in data) is (role in SEERS and not in_page)
        assert ("BEL87" in data) is (role in SEERS and path == "/api/v1/tracks")
        with db.read_scope(sky.engine) as session:
            entries = audit.entries(session, action=looks.ACTION)
        if role not in SEERS:
            assert entries == []
            continue
        kept += 1
        assert len(entries) == kept
        assert entries[0].actor == f"{role} 1"
        assert 13 in entries[0].facts["tracks"]
        assert entries[0].reason == purposes.get(role, "flight_safety")


def test_a_stream_keeps_the_look_before_it_shows_anything(sky: Site) -> None:
    with sky.client("pilot").get("/live/events", buffered=False) as answer:
        blocks = iter(answer.response)
        next(blocks)
        assert OPERATOR_LAT.encode() in next(blocks)  # type: ignore[operator]
        with db.read_scope(sky.engine) as session:
            (look,) = audit.entries(session, action=looks.ACTION)
    assert (look.subject, look.facts["tracks"]) == ("operators:stream", [13])


def test_a_stream_without_operators_keeps_nothing(sky: Site) -> None:
    with sky.client("manager").get("/live/events", buffered=False) as answer:
        blocks = iter(answer.response)
        next(blocks)
        assert OPERATOR_LAT.encode() not in next(blocks)  # type: ignore[operator]
        with db.read_scope(sky.engine) as session:
            assert audit.entries(session, action=looks.ACTION) == []


def test_a_reason_that_is_said_is_kept_with_the_looks(sky: Site) -> None:
    client = sky.client("coordinator")
    said = {"purpose": "intervention", "reference": "BR.1/2026", "csrf_token": csrf_token(client)}
    assert client.post("/live/purpose", data=said).status_code == 302
    client.get("/live/state.json")
    client.get("/live/state.json")
    sky.client("coordinator").get("/api/v1/live", headers={"X-Purpose": "investigation: PV 7"})
    wrong = {"purpose": "curiosity", "csrf_token": csrf_token(client)}
    client.post("/live/purpose", data=wrong)
    with db.read_scope(sky.engine) as session:
        reasons = [entry.reason for entry in audit.entries(session, action=looks.ACTION)]
        assert audit.verify(session) == []
    assert reasons[0] == "investigation: PV 7"
    assert reasons.count("intervention: BR.1/2026") == 1
    page = text(sky, "auditor", "/privacy/")
    assert "intervention with the operator: BR.1/2026" in page
    assert "coordinator 1" in page


def test_a_look_is_noted_again_after_a_while_and_when_writing_failed(sky: Site) -> None:
    book, pilot = LookBook(sky.engine), sky.actor("pilot")
    why = Purpose("flight_safety")

    def entries() -> int:
        with db.read_scope(sky.engine) as session:
            return len(audit.entries(session, action=looks.ACTION))

    for minutes, expected in ((0, 1), (14, 1), (15, 2), (16, 2)):
        book.note(pilot, why, [13, 12], "live", NOW + timedelta(minutes=minutes))
        assert entries() == expected
    book.note(pilot, why, [14], "live", NOW + timedelta(minutes=16))
    assert entries() == 3
    broken = LookBook(db.make_engine(f"sqlite:///{Path('/nowhere') / 'x.db'}"))
    for _ in range(2):  # what failed is tried again: nobody looks without a trace
        with pytest.raises(Exception, match="unable to open"):
            broken.note(pilot, why, [13], "live", NOW)


# ---- evidence


def test_an_alerts_evidence_can_be_checked_by_hand(sky: Site) -> None:
    answer = sky.client("investigator").get(f"/alerts/{sky_world.CONFLICT}/evidence.json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="alert-42.json"'
    found = json.loads(answer.get_data())
    assert found["alert"]["kind"] == "conflict"
    cause, course = found["messages"]
    assert (cause["part"], course["part"]) == ("cause", "course")
    payload = bytes.fromhex(cause["payload_hex"])
    assert hashlib.sha256(payload).hexdigest() == cause["sha256"]
    (field,) = cause["fields"]
    assert (field["type"], field["uas_id"]) == ("BasicId", "1581F4BND003")
    lines = b""
    for one in found["messages"]:
        at = one["at"].replace("+00:00", ".000000+00:00")
        where = f"{one['receiver']}|{one['transport']}|{one['transmitter']}|{one['rssi_dbm']}"
        lines += f"{at}|{where}|{one['payload_hex']}|{one['sha256']}\n".encode()
    assert hashlib.sha256(lines).hexdigest() == found["sha256"]
    assert len(found["way"]) == 481


def test_a_payload_that_cannot_be_decoded_is_still_evidence(sky: Site) -> None:
    with db.session_scope(sky.engine) as session:
        for row in session.query(RidMessage).filter_by(track_id=13):
            row.payload_hex = "ff00"
    found = json.loads(sky.client("pilot").get("/alerts/42/evidence.json").get_data())
    assert [one["fields"] for one in found["messages"]] == [[], []]
    assert all(one["problems"] for one in found["messages"])
    assert found["messages"][0]["sha256"] == hashlib.sha256(b"\xff\x00").hexdigest()


def test_an_alert_goes_into_the_sealed_bag_and_verification_covers_it(
    sky: Site, tmp_path: Path
) -> None:
    case_id = worlds.case_with_item(sky, tmp_path)
    client = sky.client("investigator")
    page = client.get("/alerts/42").get_data(as_text=True)
    assert f'<option value="{case_id}">' in page
    for _ in range(2):  # twice is the same item
        sent = {"case_id": case_id, "csrf_token": csrf_token(client)}
        assert client.post("/alerts/42/case", data=sent).status_code == 302
    worlds.export_case(sky, case_id, "court")
    with db.read_scope(sky.engine) as session:
        case = evidence.get_case(session, sky.actor("investigator"), case_id)
    names = [item.path for item in case.items if "alert" in item.path]
    assert names == ["documents/alert-42.json"]
    folder = sky.settings.blob_dir("bags") / case.exports[-1].folder
    (inside,) = folder.glob("data/**/alert-42.json")
    assert bag.verify_bag(folder).ok
    content = inside.read_text()
    inside.write_text(content.replace('"rssi_dbm": -70', '"rssi_dbm": -71', 1))
    report = bag.verify_bag(folder)
    assert not report.ok
    assert any("alert-42.json" in str(problem.path) for problem in report.problems)


def test_an_alert_cannot_go_into_no_case_or_by_the_wrong_hands(sky: Site) -> None:
    client = sky.client("investigator")
    token = csrf_token(client)
    assert client.post("/alerts/42/case", data={"csrf_token": token}).status_code == 302
    missing = client.post("/alerts/42/case", data={"case_id": 999, "csrf_token": token})
    assert missing.status_code == 404
    for login in ("pilot", "manager", "auditor"):
        other = sky.client(login)
        sent = {"case_id": 1, "csrf_token": csrf_token(other)}
        assert other.post("/alerts/42/case", data=sent).status_code == 403


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "roof heard 40 messages within 0.4 dB over 812 m"),
        ("fr", "roof a entendu 40 messages à 0,4 dB près sur 812\u00a0m"),
        ("nl", "roof hoorde 40 berichten binnen 0,4 dB over 812\u00a0m"),
    ],
)
def test_the_numbers_behind_a_doubt_are_in_the_readers_language(
    sky: Site, language: str, sentence: str
) -> None:
    assert sentence in text(sky, "auditor", f"/alerts/{sky_world.SPOOF}", language)


def test_every_sentence_has_the_numbers_of_its_sign(sky: Site) -> None:
    with sky.app.test_request_context("/"):
        for name, english in suspicion.SENTENCES.items():
            asked = set(re.findall(r"{(\w+)}", english))
            assert set(re.findall(r"{(\w+)}", str(sky_words.SIGNS[name]))) == asked
    assert set(get_args(Manoeuvre)) == set(sky_words.ADVICE)
    assert set(KINDS) == set(sky_words.KEPT_KINDS)
    assert {str(band) for band in range(coverage.MANNED_BAND + 1)} == set(sky_words.BANDS)


# ---- coverage, retention, the pilot's page


def test_coverage_is_shown_as_picture_table_and_data(sky: Site) -> None:
    page = text(sky, "manager", "/live/coverage/")
    assert page.count("<polygon") >= 4
    assert "Declared" in page
    assert "3000 m" in page
    assert "Where it stands was not declared" in page  # the van
    one = sky.client("manager").get("/live/coverage/data.json?receiver=roof&band=2").get_json()
    (roof,) = one["receivers"]
    assert {cell[2] for cell in roof["cells"]} == {2}
    assert sum(cell[3] for cell in roof["cells"]) == roof["n"] > 0
    api = sky.client("manager").get("/api/v1/coverage?receiver=roof&band=2").get_json()
    assert api["items"][0]["n"] == roof["n"]
    assert sky.client("manager").get("/api/v1/coverage?band=6").status_code == 422


def test_how_long_data_is_kept_is_set_on_a_page(sky: Site) -> None:
    client = sky.client("administrator")
    said = {"broadcast": "6", "network": "12", "operator": "2", "way": "48"}
    answer = client.post("/privacy/", data={**said, "csrf_token": csrf_token(client)})
    assert answer.status_code == 302
    with db.read_scope(sky.engine) as session:
        kept = kept_for(session)
        (first, *_) = audit.entries(session, action="detection.keep")
    assert [kept.of(kind) / timedelta(hours=1) for kind in KINDS] == [6, 12, 2, 48]
    assert first.actor == "administrator 1"
    wrong = client.post(
        "/privacy/", data={**said, "network": "25", "csrf_token": csrf_token(client)}
    )
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.get_data(as_text=True)
    page = text(sky, "auditor", "/privacy/")
    assert "administrator 1" in page
    assert '<button class="primary">' not in page


def test_a_pilots_page_shows_the_conflict_without_scripts(sky: Site) -> None:
    worlds.ask(sky)
    worlds.publish(sky)
    mission = worlds.plan_mission(sky)
    with db.session_scope(sky.engine) as session:
        alert = session.get_one(AlertRow, sky_world.CONFLICT)
        alert.facts = {**alert.facts, "drone": mission.drone_name}
    client = sky.client("pilot")
    page = client.get(f"/missions/{mission.id}/live").get_data(as_text=True)
    assert "Proposal: Turn right by 90°. You decide." in page
    sent = {"csrf_token": csrf_token(client), "next": f"/missions/{mission.id}/live"}
    answer = client.post(f"/alerts/{sky_world.CONFLICT}/acknowledge", data=sent)
    assert answer.headers["Location"].endswith(f"/missions/{mission.id}/live")
    outside = client.post(
        f"/alerts/{sky_world.CONFLICT}/acknowledge",
        data={**sent, "next": "https://elsewhere.example/"},
    )
    assert "elsewhere" not in outside.headers["Location"]
    assert "Seen</button>" not in client.get(f"/missions/{mission.id}/live").get_data(as_text=True)
