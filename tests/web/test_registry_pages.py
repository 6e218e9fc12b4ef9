"""The registry's pages as people use them: licences, defects, batteries, payloads, weather."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta

from droneteam import db
from droneteam.accounts import SYSTEM
from droneteam.fleet import models
from droneteam.fleet import service as fleet
from droneteam.fleet.assets import records
from tests.web import worlds
from tests.web.conftest import NOW, Site
from tests.web.test_fleet_pages import FORM, post

LICENCE = {
    "kind": "STS-02",
    "number": "BEL-2",
    "valid_from": "2026-05-04",
    "valid_until": "2028-05-03",
}


def test_a_licence_is_entered_found_wrong_with_what_was_typed_and_ended(site: Site) -> None:
    client = site.client("coordinator")
    path = "/registry/pilots/6/credentials"
    status, text = post(client, path, **{**LICENCE, "valid_until": "2026-05-03"})
    assert status == 422
    assert "The last day is before the first one." in text
    assert 'value="BEL-2"' in text  # what was typed is kept
    assert post(client, path, **{**LICENCE, "valid_until": ""})[0] == 422
    assert post(client, path, **{**LICENCE, "number": ""})[0] == 422
    status, text = post(client, path, **LICENCE)
    assert (status, "Entered." in text) == (200, True)
    assert "STS-02" in text
    assert post(client, path, **LICENCE)[0] == 409
    end = re.findall(r"/registry/pilots/6/credentials/(\d+)/end", text)[-1]
    path = f"/registry/pilots/6/credentials/{end}/end"
    assert post(client, path, last_on="2029-01-01", reason="x")[0] == 422
    assert post(client, path, last_on="2026-05-04", reason="")[0] == 422
    status, text = post(client, path, last_on="2026-05-04", reason="suspended")
    assert (status, "Ended. It stays on record." in text) == (200, True)
    text = post(client, "/registry/pilots/6/credentials", **{**LICENCE, "other_kind": "night"})[1]
    assert "night" in text


def test_an_expired_licence_is_named_before_during_and_in_the_plan(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        for row in session.query(models.Credential):
            if row.kind == "photogrammetry":
                row.valid_until = NOW.date() - timedelta(days=1)
    asked = worlds.ask(site)
    worlds.publish(site)
    text = site.client("requester").get(f"/requests/{asked.id}").get_data(as_text=True)
    assert "is valid only until 03/05/2026" in text
    assert "expired" in site.client("coordinator").get("/registry/pilots/1").get_data(as_text=True)


def test_a_pilot_enters_the_own_absence_and_sees_no_other_pilots_page(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        session.get_one(models.Pilot, 2).user_id = site.actor("pilot").user_id
    client = site.client("pilot")
    assert client.get("/registry/pilots/1").status_code == 404
    times = {"start_at": "2026-05-05T08:00", "end_at": "2026-05-06T08:00", "kind": "leave"}
    assert post(client, "/registry/pilots/1/absences", **times)[0] == 404
    wrong = {**times, "end_at": "2026-05-05T07:00"}
    assert post(client, "/registry/pilots/2/absences", **wrong)[0] == 422
    gap = {**times, "start_at": "2027-03-28T02:30", "end_at": "2027-03-29T08:00"}
    status, text = post(client, "/registry/pilots/2/absences", **gap)
    assert (status, "the clocks go forward over it" in text) == (422, True)
    status, text = post(client, "/registry/pilots/2/absences", **times)
    assert (status, "Noted." in text) == (200, True)
    cut = re.search(r"/registry/pilots/2/absences/\d+/end", text)
    assert cut is not None
    assert "Back: this time may be planned again." in post(client, cut.group(0))[1]
    assert post(client, "/registry/pilots/2/credentials", **LICENCE)[0] == 403


def test_a_pilot_is_added_put_out_of_service_and_back(site: Site) -> None:
    client = site.client("coordinator")
    assert post(client, "/registry/pilots", name=" ")[0] == 422
    assert "Added." in post(client, "/registry/pilots", name="pilot 8")[1]
    status, text = post(client, "/registry/pilots", name="pilot 8")
    assert (status, "There is a pilot of this name already." in text) == (422, True)
    post(client, "/registry/pilots/8/active")
    assert "no longer active" in client.get("/registry/pilots").get_data(as_text=True)
    post(client, "/registry/pilots/8/active", active="1")
    assert "no longer active" not in client.get("/registry/pilots").get_data(as_text=True)


def test_a_drone_is_grounded_on_its_page_and_released_by_somebody_else(site: Site) -> None:
    pilot, coordinator = site.client("pilot"), site.client("coordinator")
    assert post(pilot, "/registry/drones/1/defects", text="")[0] == 422
    status, text = post(pilot, "/registry/drones/1/defects", text="cracked arm")
    assert (status, "cracked arm" in text, "not ready" in text) == (200, True, True)
    assert "You reported it: somebody else releases it." in text
    text = coordinator.get("/registry/drones/1").get_data(as_text=True)
    release = re.search(r"/registry/defects/\d+/release", text)
    assert release is not None
    status, text = post(coordinator, release.group(0), next="/registry/drones/1")
    assert (status, "released 4 May 10:00 by coordinator 1" in text) == (200, True)


def test_a_drones_facts_rules_and_limits_are_changed_within_reason(site: Site) -> None:
    client = site.client("coordinator")
    facts = {
        "firmware": "08.00",
        "base_name": "Etterbeek",
        "base_lat_deg": "50,8268",
        "base_lon_deg": "4.3956",
    }
    status, text = post(client, "/registry/drones/1", **facts)
    assert (status, "not for sensitive assignments" in text) == (200, True)
    assert post(client, "/registry/drones/1", **{**facts, "base_lat_deg": "95"})[0] == 422
    status, text = post(client, "/registry/drones/1/limits", max_gust_mps="8,5", max_rain_mm_h="")
    assert (status, "8.5 m/s" in text, "no limit entered" in text) == (200, True, True)
    assert post(client, "/registry/drones/1/limits", max_gust_mps="-1")[0] == 422
    rules = "inspection; 50; ; 182\nrotor; 25,5; 100;\n"
    status, text = post(client, "/registry/drones/1/rules", rules=rules)
    assert (status, "rotor" in text, "100 cycles" in text) == (200, True, True)
    for wrong in ("inspection; often", "; 50", "x; 1; 1; 1; 1"):
        status, text = post(client, "/registry/drones/1/rules", rules=wrong)
        assert (status, "Line 1 is not" in text) == (422, True), wrong
    status, text = post(client, "/registry/drones/1/rules", rules="idle")
    assert (status, "needs intervals above 0" in text) == (422, True)
    assert post(site.client("pilot"), "/registry/drones/1/rules", rules="")[0] == 403


def test_a_new_drone_is_whole_or_goes_back_with_what_is_wrong(site: Site) -> None:
    client = site.client("administrator")
    new = {
        "name": "drone-11",
        "model": "Mini 4 Pro",
        "serial": "SN-0011",
        "operator_registration": "BEL-1",
        "remote_id_serial": "1581F000000000000011",
        "firmware": "1",
        "base_name": "Etterbeek",
        "base_lat_deg": "50.82",
        "base_lon_deg": "4.39",
        "pack_type": "Mini 4",
        "in_service_since": "2026-05-01",
        "rule_name": "inspection",
        "low_noise": "1",
    }
    status, text = post(client, "/registry/drones", **{**new, "remote_id_serial": "11"})
    assert (status, "CTA-2063-A" in text, 'value="SN-0011"' in text) == (422, True, True)
    status, text = post(client, "/registry/drones", **{**new, "name": "drone-01"})
    assert (status, "two drones would have the name" in text) == (409, True)
    status, text = post(client, "/registry/drones", **new)
    assert (status, "drone-11" in text) == (200, True)


def test_batteries_are_added_measured_and_retired(site: Site) -> None:
    pilot, coordinator = site.client("pilot"), site.client("coordinator")
    path = "/registry/batteries/1"
    assert post(pilot, f"{path}/measurements", health_pct="101")[0] == 422
    assert post(pilot, f"{path}/measurements", health_pct="90.5")[0] == 422
    status, text = post(pilot, f"{path}/measurements", health_pct="90", cycles="1")
    assert (status, "has flown" in text) == (422, True)
    status, text = post(pilot, f"{path}/measurements", health_pct="79", cycles="300")
    assert (status, "79 %, 300 cycles" in text, "pilot 1" in text) == (200, True, True)
    assert "is worn" in text
    assert post(pilot, f"{path}/retire", reason="swollen")[0] == 403
    assert post(coordinator, f"{path}/retire", reason="")[0] == 422
    assert "Retired." in post(coordinator, f"{path}/retire", reason="swollen")[1]
    assert post(coordinator, f"{path}/retire", reason="swollen")[0] == 409
    new = {"label": "TB65 99", "type": "TB65"}
    assert "TB65 99" in post(coordinator, "/registry/batteries", **new)[1]
    assert coordinator.get("/registry/batteries/999").status_code == 404


def test_payloads_are_added_and_moved_where_they_fit(site: Site) -> None:
    pilot, coordinator = site.client("pilot"), site.client("coordinator")
    status, text = post(pilot, "/registry/payloads/11/mount", drone_id="9")
    assert (status, "fits Matrice 350 RTK" in text) == (409, True)
    status, text = post(pilot, "/registry/payloads/11/mount", drone_id="1")
    assert (status, "P1 PL-0101 → drone-01" in text) == (200, True)
    new = {
        "serial": "PL-0200",
        "model": "Speaker",
        "capabilities": "rgb",
        "fits_models": "Matrice 30T",
    }
    status, text = post(coordinator, "/registry/payloads", **new)
    assert (status, "PL-0200" in text) == (200, True)
    assert post(coordinator, "/registry/payloads", **{**new, "serial": ""})[0] == 422


WEATHER = {
    "source": "KMI",
    "issued_at": "2026-05-04T09:00",
    "start_at": "2026-05-04T11:00",
    "end_at": "2026-05-04T16:00",
    "gust_mps": "14,5",
    "rain_mm_h": "0",
}


def test_entered_weather_grounds_the_fleet_and_the_zone_reads_why(site: Site) -> None:
    coordinator = site.client("coordinator")
    status, text = post(coordinator, "/registry/weather", **WEATHER)
    assert (status, "all models" in text) == (200, True)
    asked = worlds.ask(site)
    worlds.publish(site)
    text = site.client("requester", "fr").get(f"/requests/{asked.id}").get_data(as_text=True)
    assert "Rafales de 14,5\u00a0m/s prévues" in text
    calm = {**WEATHER, "issued_at": "2026-05-04T09:30", "gust_mps": "5"}
    post(coordinator, "/registry/weather", **calm)
    worlds.publish(site)
    text = site.client("requester").get(f"/requests/{asked.id}").get_data(as_text=True)
    assert "drone-05" in text


BAD_WEATHER = (
    ({"start_at": "2027-05-04T11:00", "end_at": "2027-05-04T12:00"}, "more than 16 days"),
    ({"gust_mps": ""}, "Fill this in."),
    ({"gust_mps": "500"}, "Between 0 and 120."),
    ({"end_at": "2026-05-04T10:59"}, "The end must be after the start."),
    ({"issued_at": "2026-05-04T11:00"}, "This lies in the future."),
    ({"source": ""}, "Fill this in."),
    ({"start_at": "2027-03-28T02:30", "end_at": "2027-03-28T09:00"}, "does not exist"),
)


def test_weather_that_cannot_be_keeps_what_was_typed(site: Site) -> None:
    client = site.client("coordinator")
    for changed, problem in BAD_WEATHER:
        status, text = post(client, "/registry/weather", **{**WEATHER, **changed})
        assert (status, problem in text) == (422, True), problem
        assert "Nothing was changed yet." in text


def test_a_correction_with_the_same_time_of_issue_is_told_what_to_do(site: Site) -> None:
    client = site.client("coordinator")
    post(client, "/registry/weather", **WEATHER)
    status, text = post(client, "/registry/weather", **{**WEATHER, "gust_mps": "3"})
    assert (status, "give the correction a later time of issue" in text) == (409, True)


def test_a_forecast_file_is_read_whole_or_not_at_all(site: Site) -> None:
    client = site.client("pilot")
    rows = b"start,end,gust_mps,rain_mm_h\n2026-05-05 08:00,2026-05-05 09:00,6,0\n"
    bad = rows + b"2026-05-05 09:00,2026-05-05 08:00,6,0\n"
    more = {"source": "KMI", "issued_at": "2026-05-04T09:00"}

    def send(content: bytes) -> tuple[int, str]:
        return post(client, "/registry/weather/file", file=(io.BytesIO(content), "w.csv"), **more)

    status, text = send(bad)
    assert (status, "line 3: the end" in text) == (422, True)
    assert "No forecast is entered" in text
    assert send("é".encode("latin-1"))[0] == 422
    assert send(b"")[0] == 422
    assert "1 period read." in send(rows)[1]


def test_travel_times_are_the_managers_to_set_for_later(site: Site) -> None:
    client = site.client("manager")
    table = {
        "bands": "5 15\n20 30,5",
        "detour": "1.4",
        "emergency_factor": "1.3",
        "effective_from": "2026-05-05T00:00",
        "reason": "measured in April",
    }
    status, text = post(client, "/registry/travel", **table)
    assert (status, "up to 5 km: 15 km/h" in text, "in force" in text) == (200, True, True)
    for wrong in ("", "5", "5 15 2", "fast 15"):
        assert post(client, "/registry/travel", **{**table, "bands": wrong})[0] == 422
    status, text = post(client, "/registry/travel", **{**table, "bands": "20 30\n5 15"})
    assert (status, "must rise" in text) == (422, True)
    early = {**table, "effective_from": "2026-05-03T00:00"}
    assert post(client, "/registry/travel", **early)[0] == 422
    assert post(site.client("coordinator"), "/registry/travel", **table)[0] == 403


def test_an_airspace_approval_is_noted_on_the_request_and_binds_the_plan(site: Site) -> None:
    asked = worlds.ask(site)
    coordinator, zone = site.client("coordinator"), site.client("requester")
    path = f"/requests/{asked.id}/airspace"
    status, text = post(coordinator, path, state="granted", authority="skeyes", reference="7")
    assert (status, "a grant holds from a time until a time" in text) == (422, True)
    status, text = post(coordinator, path, state="refused", authority="skeyes", reference="SK-7")
    assert (status, "approval refused" in text) == (200, True)
    worlds.publish(site)
    text = zone.get(f"/requests/{asked.id}").get_data(as_text=True)
    assert "skeyes refused the airspace (SK-7)." in text
    assert "coordinator 1" not in text  # a zone reads the step, not who typed it
    assert post(zone, path, state="granted")[0] == 403


def test_notices_stand_on_the_board_and_the_registry_until_seen(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        session.get_one(models.Battery, 3).health_pct = 84
        fleet.raise_notices(session, SYSTEM, NOW)
    client = site.client("coordinator", "nl")
    board = client.get("/board/").get_data(as_text=True)
    assert "Vervalt of is binnenkort nodig" in board
    assert "TB30 03 nadert" in board or "nadert het einde" in board
    seen = re.search(r"/registry/notices/\d+/seen", board)
    assert seen is not None
    text = post(client, seen.group(0), next="/board/")[1]
    assert "Vervalt of is binnenkort nodig" not in text
    assert post(client, seen.group(0))[0] == 409


def test_the_registry_comes_back_from_its_own_archive(site: Site) -> None:
    administrator = site.client("administrator")
    archive = administrator.get("/registry/registry.zip").data
    file = (io.BytesIO(archive), "registry.zip")
    status, text = post(administrator, "/registry/import", file=file)
    assert (status, "Records added: 0; changed: 0" in text) == (200, True)
    with zipfile.ZipFile(io.BytesIO(archive)) as kept:
        assert set(kept.namelist()) == {f"{name}.csv" for name in records.KINDS}
    for broken in (archive[:200], b"PK\x03\x04nothing"):
        file = (io.BytesIO(broken), "registry.zip")
        assert post(administrator, "/registry/import", file=file)[0] == 422
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("../drones.csv", "name")
    file = (io.BytesIO(out.getvalue()), "registry.zip")
    assert post(administrator, "/registry/import", file=file)[0] == 422


def test_a_series_is_read_together_and_cancelled_together(site: Site) -> None:
    client = site.client("requester")
    _, text = post(client, "/requests/new", **FORM, repeat="WEEKLY", times="3")
    link = re.search(r"/requests/series/\w+", text)
    assert link is not None
    text = client.get(link.group(0)).get_data(as_text=True)
    assert text.count("submitted") == 3
    assert site.client("neighbour").get(link.group(0)).status_code == 404
    status, text = post(client, f"{link.group(0)}/cancel", code="event_cancelled")
    assert (status, text.count("cancelled") >= 3) == (200, True)


IMPOSSIBLE = (
    ({"end_at": "2026-05-24T08:00"}, "Het einde moet na het begin liggen."),
    ({"start_at": "2026-05-01T08:00", "end_at": "2026-05-01T09:00"}, "Deze tijd is al voorbij."),
    ({"end_at": "2026-06-30T09:00"}, "Hoogstens 7 dagen"),
    (
        {"start_at": "2027-03-28T02:30", "end_at": "2027-03-28T05:00"},
        "Dit uur bestaat niet",
    ),
    ({"polygon": "50.8, 4.3\n50.9, 4.3\n51.0, 4.3"}, "liggen op één lijn"),
)


def test_an_impossible_window_or_area_is_told_while_typing_and_keeps_what_was_typed(
    site: Site,
) -> None:
    client = site.client("requester", "nl")
    for changed, problem in IMPOSSIBLE:
        typed = {**FORM, **changed}
        status, text = post(client, "/requests/new", **typed)
        assert (status, problem in text) == (422, True), problem
        assert "Market square on Sunday" in text
        status, text = post(client, "/requests/answer", **typed)
        answer = json.loads(text)
        assert (status, answer["verdict"]) == (200, "incomplete")
        assert problem in answer["reasons"][0]
    past = {"start_at": "2026-05-01T08:00", "end_at": "2026-05-01T09:00"}
    assert post(client, "/requests/new", **{**FORM, **past}, how="draft")[0] == 200
