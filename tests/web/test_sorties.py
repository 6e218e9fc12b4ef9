"""A flown sortie in the pages: played back, in tables, as a report, for other programs."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pytest

from droneteam import db
from droneteam.errors import NotAllowed, NotFound
from droneteam.evidence import gather
from droneteam.missions import onboardlogs
from droneteam.missions import service as missions
from droneteam.missions.flight.runner import SortieResult
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.logstore import StoredLog
from droneteam.missions.mavlink.tlog import TlogReader
from droneteam.missions.sorties import record_sortie
from droneteam.missions.views import SortieView
from tests.missions import flown
from tests.web import worlds
from tests.web.conftest import NOW, Site

FORMATS = ("csv", "geojson", "kml", "gpx")


def record(
    site: Site,
    packets: bytes,
    *,
    onboard: bool = True,
    ending: Ending = Ending.RETURNED,
    reason: str = "the pilot asked to return",
) -> SortieView:
    """A sortie of a planned mission with these packets as its log."""
    worlds.ask(site)
    worlds.publish(site)
    mission = worlds.plan_mission(site)
    folder = site.settings.blob_dir("logs")
    tlog, journal = folder / "mission-1.tlog", folder / "mission-1.journal.jsonl"
    tlog.write_bytes(packets)
    lines = [
        {"at": entry.at.isoformat(), "kind": entry.kind, "detail": entry.detail}
        for entry in flown.journal()
    ]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = SortieResult(
        mission.id, mission.drone_id, ending, reason,
        NOW, NOW, tlog, journal, 1, _stored(folder) if onboard else None,
    )  # fmt: skip
    with db.session_scope(site.engine) as session:
        return record_sortie(session, site.actor("pilot"), result, site.settings.data_dir, NOW)


def _stored(folder: Path) -> StoredLog:
    path, data = folder / "mission-1.bin", flown.onboard_log()
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return StoredLog(path, digest, len(data), "LOG_DATA", "1", checked=False)


@pytest.fixture
def sortie(site: Site) -> SortieView:
    return record(site, flown.packet_log())


def island(page: str) -> dict[str, object]:
    found = re.search(r'id="replay-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


REASONS = {
    "nl": "de piloot vroeg terug te keren",
    "fr": "le pilote a demandé le retour",
    "en": "the pilot asked to return",
}


def test_the_page_tells_the_sortie_without_the_island(site: Site, sortie: SortieView) -> None:
    for language, reason in REASONS.items():
        page = site.client("pilot", language).get(f"/sorties/{sortie.id}").text
        assert reason in page
        assert ("the pilot asked to return" in page) == (language == "en")
        assert '<td class="what wide" lang="en">Arming motors</td>' in page
        assert sortie.log_sha256 in page
        assert sortie.onboard_log is not None
        assert sortie.onboard_log.sha256 in page
        rows = re.findall(r"<td>(AUTO|STABILIZE|GUIDED)</td>", page)
        assert 20 <= len(rows) <= 61
        assert "style=" not in page.split("<main", 1)[1]


def test_the_island_is_told_where_to_ask_and_gets_the_time_line(
    site: Site, sortie: SortieView
) -> None:
    client = site.client("pilot")
    data = island(client.get(f"/sorties/{sortie.id}").text)
    played = client.get(str(data["url"])).json
    lengths = {len(played[name]) for name in ("t_s", "lat_deg", "roll_deg", "battery_pct", "lost")}
    assert len(lengths) == 1
    assert len(played["photos"]) == len(flown._bench().shots)
    assert {event["source"] for event in played["events"]} == {"vehicle", "controller"}


def test_the_time_line_is_as_fine_as_asked_and_never_finer_than_the_bound(
    site: Site, sortie: SortieView
) -> None:
    client = site.client("auditor")
    url = f"/api/v1/sorties/{sortie.id}/replay"
    assert len(client.get(url, query_string={"samples": 10}).json["t_s"]) == 10
    for samples in (1, 5001, "many"):
        assert client.get(url, query_string={"samples": samples}).status_code == 422


def test_a_log_cut_in_mid_packet_is_played_as_far_as_it_goes_and_says_so(site: Site) -> None:
    whole = flown.packet_log()
    sortie = record(site, whole[: len(whole) // 2 + 5], onboard=False)
    page = site.client("pilot").get(f"/sorties/{sortie.id}").text
    assert "The log is not whole" in page
    assert "cut in mid-packet" in page
    assert "not fetched" in page
    played = site.client("pilot").get(str(island(page)["url"])).json
    assert not played["complete"]
    assert len(played["t_s"]) > 50
    assert site.client("pilot").get(f"/sorties/{sortie.id}/onboard.bin").status_code == 404


def test_a_log_in_which_nothing_was_heard_leaves_the_row(site: Site) -> None:
    sortie = record(site, b"", onboard=False)
    page = site.client("pilot").get(f"/sorties/{sortie.id}")
    assert page.status_code == 200
    assert "This sortie cannot be played back" in page.text
    assert "replay-data" not in page.text


def test_the_report_is_a_pdf_and_the_same_each_time(site: Site, sortie: SortieView) -> None:
    client = site.client("manager", "fr")
    answers = [client.get(f"/sorties/{sortie.id}/report.pdf") for _ in range(2)]
    assert answers[0].mimetype == "application/pdf"
    assert answers[0].data[:5] == b"%PDF-"
    assert answers[0].data == answers[1].data


def test_the_track_is_taken_away_in_every_format(site: Site, sortie: SortieView) -> None:
    for kind in FORMATS:
        answer = site.client("pilot").get(f"/sorties/{sortie.id}/track.{kind}")
        assert answer.status_code == 200
        assert f'filename="sortie-{sortie.id}.{kind}"' in answer.headers["Content-Disposition"]
        assert len(answer.data) > 1000


def test_other_formats_and_other_sorties_are_not_there(site: Site, sortie: SortieView) -> None:
    client = site.client("pilot")
    assert client.get(f"/sorties/{sortie.id}/track.exe").status_code == 404
    assert client.get("/sorties/999/track.csv").status_code == 404
    assert client.get("/api/v1/sorties/999/replay").status_code == 404


def test_the_onboard_log_comes_as_it_was_fetched(site: Site, sortie: SortieView) -> None:
    answer = site.client("investigator").get(f"/sorties/{sortie.id}/onboard.bin")
    assert answer.data == flown.onboard_log()


def test_the_missions_page_leads_to_its_sorties(site: Site, sortie: SortieView) -> None:
    page = site.client("pilot").get(f"/missions/{sortie.mission_id}").text
    assert f'href="/sorties/{sortie.id}"' in page


def test_the_row_holds_the_logs_times_and_the_photos_of_both_logs(
    site: Site, sortie: SortieView
) -> None:
    with db.read_scope(site.engine) as session:
        found = missions.get_sortie(session, site.actor("pilot"), sortie.id, site.settings.data_dir)
    log = found.onboard_log
    assert log is not None
    assert log.began_at is not None
    assert log.ended_at is not None
    assert found.took_off_at is not None
    assert log.began_at < found.took_off_at < log.ended_at
    assert log.note == ""
    assert [t.index for t in found.triggers] == [shot.index for shot in flown._bench().shots]


def test_a_flight_that_ended_while_the_controller_was_away_is_told_by_its_log(site: Site) -> None:
    reason = "this sortie was armed before the restart: it needs a new approval to fly again"
    sortie = record(site, flown.packet_log(), ending=Ending.REFUSED, reason=reason)
    assert sortie.ending == "returned"
    assert sortie.reason == f"landed while no controller watched; {reason}"


def test_a_sortie_that_never_flew_stays_refused(site: Site) -> None:
    sortie = record(site, flown.packet_log()[:4000], onboard=False, ending=Ending.REFUSED)
    assert (sortie.ending, sortie.took_off_at) == ("refused", None)


def test_everything_of_a_sortie_goes_into_its_case_once(site: Site, sortie: SortieView) -> None:
    me = site.actor("coordinator")
    with db.session_scope(site.engine) as session:
        mission = missions.get_mission(session, me, sortie.mission_id)
        case = gather.open_request_case(session, me, mission.request_id, NOW)
        first = gather.gather_request(session, me, case.id, site.settings, NOW)
        again = gather.gather_request(session, me, case.id, site.settings, NOW)
    kinds = Counter(item.kind for item in first)
    assert kinds["flight log"] == kinds["onboard log"] == kinds["controller journal"] == 1
    assert kinds["sortie report"] == 3
    assert kinds["track"] == 1
    assert sortie.onboard_log is not None
    (log,) = [item for item in first if item.kind == "onboard log"]
    assert log.sha256 == sortie.onboard_log.sha256
    assert [item.sha256 for item in again] == [item.sha256 for item in first]


def without_photos(packets: bytes) -> bytes:
    """The log as it is when the link lost every CAMERA_FEEDBACK."""
    records = TlogReader(packets).records()
    return b"".join(
        int(one.at.timestamp() * 1e6).to_bytes(8, "big") + one.frame.raw
        for one in records
        if one.frame.message_id != 180
    )


def test_a_log_that_is_fetched_later_brings_the_photos_that_the_radio_lost(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    sortie = record(site, without_photos(flown.packet_log()), onboard=False)
    assert (sortie.triggers, sortie.onboard_log) == ((), None)

    def fetched(_address: object, path: Path, *_args: object, **_more: object) -> StoredLog:
        return _stored(path.parent)

    monkeypatch.setattr(onboardlogs, "fetch_log", fetched)
    call = (site.engine, site.settings, site.actor("pilot"), sortie.id, "tcp:127.0.0.1:9")
    view = missions.fetch_onboard_log(*call)
    assert isinstance(view, missions.OnboardLogView)
    assert missions.fetch_onboard_log(*call) == replace(view, fetched_at=ANY)
    with db.read_scope(site.engine) as session:
        found = missions.get_sortie(session, site.actor("pilot"), sortie.id, site.settings.data_dir)
    shots = flown._bench().shots
    assert [trigger.index for trigger in found.triggers] == [shot.index for shot in shots]
    for trigger, shot in zip(found.triggers, shots, strict=True):
        assert trigger.pitch_deg == pytest.approx(shot.pitch_deg, abs=1.0)  # the gimbal's
        assert abs((trigger.at - shot.at).total_seconds()) < 0.01


def test_only_pilots_and_coordinators_fetch_and_only_what_they_may_see(
    site: Site, sortie: SortieView
) -> None:
    for login in ("auditor", "manager"):
        with pytest.raises(NotAllowed):
            missions.fetch_onboard_log(
                site.engine, site.settings, site.actor(login), sortie.id, "tcp:127.0.0.1:9"
            )
    with pytest.raises(NotFound):
        missions.fetch_onboard_log(
            site.engine, site.settings, site.actor("pilot"), 999, "tcp:127.0.0.1:9"
        )
