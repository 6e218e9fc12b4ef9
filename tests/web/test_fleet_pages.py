"""The fleet's pages per role: drafts to figures, each without scripts, each zone for itself."""

from __future__ import annotations

import copy
import html
import io
import json
import re
import zipfile

import pytest
from flask.testing import FlaskClient
from icalendar import Calendar

from droneteam import db
from droneteam.accounts import SYSTEM
from droneteam.fleet import service as fleet
from droneteam.fleet.assets import records
from droneteam.fleet.reference import SLA_V1
from droneteam.web import agreement_words
from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token

FORM = {
    "title": "Market square on Sunday",
    "kind": "event",
    "priority": "P3",
    "start_at": "2026-05-24T09:00",
    "end_at": "2026-05-24T12:00",
    "lat_deg": "50.8467",
    "lon_deg": "4.3525",
    "legal_basis": "LFP 25/3",
    "contact": "desk",
}
LIST = (
    "title;kind;priority;start;end;lat;lon;legal_basis;contact\n"
    "Match;event;P3;2026-05-20 20:00;2026-05-20 23:00;50.834;4.298;LFP;desk\n"
    "Fair;party;P3;2026-05-21 10:00;2026-05-21 12:00;50.8;4.3;LFP;desk\n"
)


def post(client: FlaskClient, path: str, **data: object) -> tuple[int, str]:
    """(status, text) of a form that was sent, redirects followed."""
    sent = {"csrf_token": csrf_token(client), **data}
    answer = client.post(path, data=sent, follow_redirects=True)
    return answer.status_code, answer.get_data(as_text=True)


def send_file(client: FlaskClient, path: str, content: bytes, name: str) -> tuple[int, str]:
    """(status, text) of a form with a large file, made by hand so that no test file stays open."""
    edge = "a-line-between-parts"
    token = csrf_token(client)
    body = (
        (
            f'--{edge}\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        ).encode()
        + content
        + f"\r\n--{edge}--\r\n".encode()
    )
    answer = client.post(path, data=body, content_type=f"multipart/form-data; boundary={edge}")
    with answer:
        if answer.status_code != 302:
            return answer.status_code, answer.get_data(as_text=True)
    page = client.get(answer.headers["Location"])
    return page.status_code, page.get_data(as_text=True)


def test_a_draft_is_kept_gone_on_with_and_sent(site: Site) -> None:
    client = site.client("requester")
    status, text = post(client, "/requests/new", **{**FORM, "legal_basis": "", "how": "draft"})
    assert status == 200
    assert "Kept as a draft" in text
    assert "Still missing before it can be sent" in text
    number = re.search(r"no\. (\d+)", text)
    assert number is not None
    request_id = int(number.group(1))
    assert site.client("coordinator").get(f"/requests/{request_id}").status_code == 404
    assert post(client, f"/requests/{request_id}/submit")[0] == 422
    form = client.get(f"/requests/new?draft={request_id}").get_data(as_text=True)
    assert 'value="2026-05-24T09:00"' in form
    post(client, "/requests/new", **FORM, how="draft", draft_id=request_id)
    status, text = post(client, f"/requests/{request_id}/submit")
    assert (status, "the clocks run from now" in text) == (200, True)
    assert site.client("coordinator").get(f"/requests/{request_id}").status_code == 200


def test_a_repeated_request_becomes_a_series_and_a_bad_number_keeps_what_was_typed(
    site: Site,
) -> None:
    client = site.client("requester")
    post(client, "/requests/new", **FORM, repeat="WEEKLY", times="4", submit_key="k1")
    post(client, "/requests/new", **FORM, repeat="WEEKLY", times="4", submit_key="k1")
    with db.read_scope(site.engine) as session:
        found = fleet.list_requests(session, site.actor("requester"), NOW)
    assert len(found) == 4
    assert len({row.series for row in found}) == 1
    status, text = post(client, "/requests/new", **FORM, repeat="WEEKLY", times="900")
    assert status == 422
    assert "Market square on Sunday" in text


def test_a_list_is_checked_refused_and_sent_in_part(site: Site) -> None:
    client = site.client("requester")
    status, text = post(client, "/requests/list", text=LIST, how="check")
    assert (status, "1 new, 0 there already, 1 wrong" in text) == (200, True)
    assert "party" in text
    status, text = post(client, "/requests/list", text=LIST, how="all")
    assert (status, "Nothing was sent yet" in text) == (422, True)
    file = (io.BytesIO(LIST.encode("utf-8-sig")), "week.csv")
    status, text = post(client, "/requests/list", file=file, how="part")
    assert (status, "The new ones were sent" in text) == (200, True)
    latin = (io.BytesIO("é".encode("latin-1")), "week.csv")
    assert post(client, "/requests/list", file=latin, how="check")[0] == 422


def test_lines_that_are_no_list_stay_in_the_form_and_rows_are_judged_in_dutch(site: Site) -> None:
    client = site.client("requester", "nl")
    status, text = post(client, "/requests/list", text="titel;soort\nFeest;event", how="all")
    assert status == 422
    assert "In de kop ontbreekt: title, kind" in text
    assert "Feest;event</textarea>" in text
    status, text = post(client, "/requests/list", text=LIST, how="check")
    assert "is geen van: event, demonstration" in text
    assert "is none of" not in text


def test_the_next_request_knows_the_persons_contact_and_nobody_elses(site: Site) -> None:
    worlds.ask(site, contact="Desk 12, 02 123 45 67")
    mine = site.client("requester").get("/requests/new").get_data(as_text=True)
    assert 'value="Desk 12, 02 123 45 67"' in mine
    other = site.client("neighbour").get("/requests/new").get_data(as_text=True)
    assert "Desk 12" not in other


def test_a_refused_form_leads_back_to_its_page(site: Site) -> None:
    made, client = worlds.ask(site), site.client("coordinator", "fr")
    page = f"/requests/{made.id}"
    data = {"csrf_token": csrf_token(client), "reason": " "}
    sent = client.post(f"{page}/refuse", data=data, headers={"Referer": f"http://localhost{page}"})
    assert sent.status_code == 422
    assert f'href="{page}"' in sent.get_data(as_text=True)
    assert "Un refus demande un motif." in sent.get_data(as_text=True)
    away = client.post(f"{page}/refuse", data=data, headers={"Referer": "https://evil.example/x"})
    assert "evil.example" not in away.get_data(as_text=True)


def test_the_coordinator_assesses_refuses_and_sees_why_it_takes_a_reason(site: Site) -> None:
    one, other = worlds.ask(site), worlds.ask(site)
    client = site.client("coordinator")
    assert post(client, f"/requests/{one.id}/triage", priority="P0")[0] == 422
    status, text = post(client, f"/requests/{one.id}/triage", priority="P0", reason="child lost")
    assert status == 200
    assert "P1 → P0" in text
    assert post(client, f"/requests/{other.id}/refuse", reason=" ")[0] == 422
    _, text = post(client, f"/requests/{other.id}/refuse", reason="no-fly zone")
    assert "refused" in text


def test_booking_confirming_flying_and_breaking_off(site: Site) -> None:
    asked = worlds.ask(site)
    zone, coordinator = site.client("requester"), site.client("coordinator")
    assert "Booked: drone-" in post(zone, f"/requests/{asked.id}/book")[1]
    assert "Confirmed." in post(zone, f"/requests/{asked.id}/confirm")[1]
    pilot = site.client("pilot")
    assert post(pilot, f"/requests/{asked.id}/state", state="submitted")[0] == 422
    assert "Noted." in post(pilot, f"/requests/{asked.id}/state", state="in_progress")[1]
    cancel = f"/requests/{asked.id}/cancel"
    assert post(coordinator, cancel, code="weather")[0] == 422
    status, text = post(coordinator, cancel, code="weather", confirmed_by="commander on site")
    assert (status, "cancelled" in text) == (200, True)


def test_without_a_free_drone_a_booking_says_so(site: Site) -> None:
    asked = [worlds.ask(site) for _ in range(3)]
    client = site.client("requester")
    texts = [post(client, f"/requests/{row.id}/book")[1] for row in asked]
    assert sum("Booked" in text for text in texts) == 2  # two drones take photogrammetry
    assert "Nothing is free for it now" in texts[2]


def test_a_file_is_attached_read_and_proves_a_stopped_clock(site: Site) -> None:
    asked = worlds.ask(site)
    zone, coordinator = site.client("requester"), site.client("coordinator")
    pdf = b"%PDF-1.7 " + b"x" * 3_000_000  # more than other forms may send
    path = f"/requests/{asked.id}/attach"
    status, text = send_file(zone, path, pdf, "../KMI report.pdf")
    assert (status, "The file is attached" in text) == (200, True)
    link = re.search(r"/requests/attachments/(\d+)", text)
    assert link is not None
    with zone.get(link.group(0)) as answer:
        assert answer.data == pdf
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert site.client("neighbour").get(link.group(0)).status_code == 404
    assert send_file(zone, path, b"MZ\x90\x00", "report.pdf")[0] == 422
    stop = {
        "clock": "on_scene",
        "code": "weather",
        "from_at": "2026-05-04T10:00",
        "to_at": "2026-05-04T11:00",
    }
    path = f"/requests/{asked.id}/stop-clock"
    assert post(coordinator, path, **stop, attachment_id="999")[0] == 422
    status, text = post(coordinator, path, **stop, attachment_id=link.group(1))
    assert (status, "The clock stands" in text) == (200, True)


def test_a_body_beyond_a_files_limit_is_too_large(site: Site) -> None:
    asked = worlds.ask(site)
    client = site.client("requester")
    big = b"%PDF-" + b"x" * 11_000_000
    assert send_file(client, f"/requests/{asked.id}/attach", big, "big.pdf")[0] == 413


def test_a_calendar_address_is_shown_once_read_by_anybody_and_closed(site: Site) -> None:
    asked = worlds.ask(site)
    client = site.client("requester")
    own = site.actor("requester").organisation_id
    other = site.actor("neighbour").organisation_id
    assert post(client, "/calendars/", of=f"zone-{other}")[0] == 403
    for wrong in ("", "zone", "zone-x", "drone-1-2"):
        assert post(client, "/calendars/", of=wrong)[0] in (403, 404, 422)
    _, text = post(client, "/calendars/", of=f"zone-{own}")
    address = re.search(r"/calendars/[\w-]+\.ics", text)
    assert address is not None
    assert address.group(0) not in client.get("/calendars/").get_data(as_text=True)
    answer = site.client(None).get(address.group(0))
    assert answer.mimetype == "text/calendar"
    (event,) = Calendar.from_ical(answer.data).walk("VEVENT")
    assert str(event["uid"]) == f"request-{asked.id}@droneteam"
    closing = re.search(r"/calendars/(\d+)/end", text)
    assert closing is not None
    assert post(site.client("neighbour"), closing.group(0))[0] == 404
    assert post(client, closing.group(0))[0] == 200
    assert site.client(None).get(address.group(0)).status_code == 404


def test_defects_take_two_people(site: Site) -> None:
    pilot, coordinator = site.client("pilot"), site.client("coordinator")
    _, text = post(pilot, "/registry/defects", drone_id="1", text="cracked arm")
    assert "cracked arm" in text
    release = re.search(r"/registry/defects/(\d+)/release", text)
    assert release is not None
    assert post(pilot, release.group(0))[0] == 403
    assert "Released." in post(coordinator, release.group(0))[1]
    status, text = post(pilot, "/registry/drones/1/services", rule="inspection", text="all screws")
    assert (status, "Noted." in text) == (200, True)
    assert post(pilot, "/registry/drones/1/services", rule="paint", text="red")[0] == 422


def test_the_registry_leaves_as_json_and_csv_and_comes_back_whole(site: Site) -> None:
    manager, administrator = site.client("manager"), site.client("administrator")
    document = manager.get("/registry/registry.json").data
    archive = zipfile.ZipFile(io.BytesIO(manager.get("/registry/registry.zip").data))
    files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert records.from_csv_files(files) == records.from_json(document.decode())
    file = (io.BytesIO(document), "registry.json")
    status, text = post(administrator, "/registry/import", file=file)
    assert (status, "Records added: 0; changed: 0" in text) == (200, True)
    for bad in (b"{", b"\xff", json.dumps({"format": "x"}).encode()):
        file = (io.BytesIO(bad), "registry.json")
        assert post(administrator, "/registry/import", file=file)[0] == 422


def test_a_zone_sees_its_own_share_and_lends_only_its_own(site: Site) -> None:
    zone = site.client("requester")
    text = zone.get("/agreement/").get_data(as_text=True)
    assert "Brussels-Capital-Ixelles" in text
    shares = text.split("<h2>Versions</h2>")[0].split("<tbody>")[1].split("</tbody>")[0]
    assert shares.count("<tr>") == 1
    other = str(site.actor("neighbour").organisation_id)
    loan = {"borrower_id": other, "hours": "2", "reason": "quiet spring"}
    assert "Lent." in post(zone, "/agreement/loans", **loan)[1]
    assert post(zone, "/agreement/loans", **loan, lender_id=other)[0] in (403, 422)
    assert post(zone, "/agreement/loans", **{**loan, "hours": "99999"})[0] == 422


def test_a_used_version_is_never_edited_and_a_new_one_is_stored(site: Site) -> None:
    worlds.ask(site)
    manager = site.client("manager")
    document = json.dumps(SLA_V1)
    assert post(manager, "/agreement/versions", document=document, number="1")[0] == 409
    later = {"document": document, "effective_from": "2026-06-01T00:00"}
    for bad in ("{", "[]", "{}"):
        assert post(manager, "/agreement/versions", **{**later, "document": bad})[0] == 422
    assert post(manager, "/agreement/versions", document=document)[0] == 422  # from when?
    assert "Version 2 is stored" in post(manager, "/agreement/versions", **later)[1]


@pytest.mark.parametrize(
    ("language", "promises"),
    [
        ("fr", ("dans les 3\u00a0min", "hors des heures de service 1\u00a0h", "1 jour ouvrable")),
        ("nl", ("binnen 3\u00a0min", "buiten de diensturen 1\u00a0u", "1 werkdag")),
        ("en", ("within 3\u00a0min", "outside service hours 1\u00a0h", "1 working day")),
    ],
)
def test_the_agreement_is_read_in_words(
    site: Site, language: str, promises: tuple[str, ...]
) -> None:
    text = site.client("requester", language).get("/agreement/").get_data(as_text=True)
    assert [words for words in promises if words not in text] == []
    with site.app.test_request_context(headers={"Accept-Language": language}):
        read = agreement_words.readable(SLA_V1, {})
    assert len(read.classes) == 5
    assert all(row.acknowledge and row.decision and row.on_scene for row in read.classes)


def test_a_malformed_agreement_names_its_member_and_keeps_what_was_typed(site: Site) -> None:
    manager = site.client("manager", "fr")
    document = copy.deepcopy(SLA_V1)
    document["classes"]["P1"]["decision"]["seconds"] = "300"
    typed = json.dumps(document)
    data = {"document": typed, "effective_from": "2027-01-01T00:00"}
    status, text = post(manager, "/agreement/versions", **data)
    assert status == 422
    assert "classes.P1.decision.seconds" in text
    assert "n’est pas un nombre entier de 0 à" in text
    assert html.escape(typed, quote=True) in text.replace("&#34;", "&quot;")


def test_escalations_stand_on_the_board_until_somebody_saw_them(site: Site) -> None:
    worlds.ask(site)
    site.clock.forward(minutes=2)
    with db.session_scope(site.engine) as session:
        fleet.raise_escalations(session, SYSTEM, site.clock())
    client = site.client("coordinator")
    text = client.get("/board/").get_data(as_text=True)
    assert "Escalations" in text
    assert "crisis centre" in text
    items = client.get("/api/v1/escalations").get_json()["items"]
    assert [item["fraction"] for item in items] == [0.5, 0.8, 1.0]
    for item in items:
        post(client, f"/board/escalations/{item['id']}/seen")
    assert "Escalations" not in client.get("/board/").get_data(as_text=True)


def test_what_if_shows_plans_side_by_side_and_publishes_with_a_reason(site: Site) -> None:
    asked = worlds.ask(site)
    plan = worlds.publish(site)
    given = plan.assignments[0]
    client = site.client("coordinator")
    supposed = {
        "drone": str(given.drone_id),
        "start_at": "2026-05-04T10:00",
        "end_at": "2026-05-06T10:00",
    }
    assert post(client, "/what-if/", **supposed)[0] == 422  # no reason
    assert post(client, "/what-if/", reason="x", **{**supposed, "drone": ""})[0] == 422
    assert (
        post(client, "/what-if/", reason="x", **{**supposed, "end_at": "2026-05-03T10:00"})[0]
        == 422
    )
    status, text = post(client, "/what-if/", reason="rotor noise", **supposed)
    assert status == 200
    assert "rotor noise" in text
    assert "Plans side by side" in text
    publish = re.search(r"/what-if/plans/(\d+)/publish", text)
    assert publish is not None
    base = {"base": str(plan.id)}
    assert post(client, publish.group(0), **base)[0] == 422
    status, text = post(client, publish.group(0), reason="agreed", **base)
    assert (status, "Published." in text) == (200, True)
    with db.read_scope(site.engine) as session:
        after = fleet.get_request(session, site.actor("requester"), asked.id, NOW).assignment
    assert after is not None
    assert after.drone_id != given.drone_id


def test_a_supposed_p0_is_compared_and_not_published(site: Site) -> None:
    worlds.ask(site)
    worlds.publish(site)
    client = site.client("coordinator")
    _, text = post(
        client,
        "/what-if/",
        priority="P0",
        kind="search",
        lat_deg="50.84",
        lon_deg="4.35",
        start_at="2026-05-04T10:00",
        end_at="2026-05-04T14:00",
        reason="exercise",
    )
    assert "Send the supposed request first." in text
    assert "/publish" not in text
    assert client.get("/what-if/compare?plan=99").status_code == 404
    assert client.get("/what-if/compare").status_code == 422


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
def test_the_yearly_report_is_a_page_a_pdf_and_a_csv(site: Site, language: str) -> None:
    worlds.ask(site)
    client = site.client("manager", language)
    titles = {"fr": "Rapport annuel 2026", "nl": "Jaarverslag 2026", "en": "Yearly report 2026"}
    text = client.get("/statistics/").get_data(as_text=True)
    assert titles[language] in text
    assert "<svg" in text
    pdf = client.get("/statistics/2026/report.pdf")
    assert (pdf.mimetype, pdf.data[:5]) == ("application/pdf", b"%PDF-")
    table = client.get("/statistics/2026/report.csv").data.decode("utf-8-sig")
    assert table.startswith(titles[language])
    assert client.get("/statistics/1066").status_code == 422


def test_fleets_of_other_sizes_are_compared(site: Site) -> None:
    worlds.ask(site)
    client = site.client("manager")
    text = client.get("/statistics/2026/sizes?drones=8&drones=12").get_data(as_text=True)
    assert "Fleets of other sizes" in text
    assert text.count("1 / 1") >= 2
    assert client.get("/statistics/2026/sizes?drones=0").status_code == 422
    many = "&".join(f"drones={n}" for n in range(1, 9))
    assert client.get(f"/statistics/2026/sizes?{many}").status_code == 422


def test_a_document_that_is_no_json_is_told_where_in_the_readers_language(site: Site) -> None:
    """Dutch, and without a word of the reader's own English."""
    client = site.client("administrator", "nl")
    typed = '{\n "classes": oops}'
    data = {"csrf_token": csrf_token(client), "document": typed}
    answer = client.post("/agreement/versions", data=data)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "vanaf regel 2, kolom 13" in text
    assert "Expecting" not in text
    assert "oops" in text, "what was typed is kept"
