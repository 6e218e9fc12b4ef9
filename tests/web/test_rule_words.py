"""What the rules of a plan say, in three languages: complete, and with the same facts."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from flask_babel import force_locale

from droneteam import db
from droneteam.missions import service as missions
from droneteam.missions.airspace.clauses import CLAUSES
from droneteam.missions.airspace.rules import Finding, RulesUnmet, finding
from droneteam.missions.airspace.sentences import RANKS, SENTENCES, TITLES
from droneteam.missions.views import MissionView
from droneteam.web.rule_words import gravest_first, said, unmet
from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token
from tests.web.test_missions import load_zone

OTHERS = ("nl", "fr")


@pytest.fixture
def assigned(site: Site) -> Site:
    """An application with one assignment to plan for."""
    worlds.ask(site)
    worlds.publish(site)
    return site


@pytest.fixture
def mission(assigned: Site) -> MissionView:
    return worlds.plan_mission(assigned)


def facts_of(sentence: str) -> dict[str, str]:
    """A fact for each gap of a sentence, each of its own."""
    gaps = [name for _, name, _, _ in string.Formatter().parse(SENTENCES[sentence].text) if name]
    facts = {gap: f"{7 + number}.5" for number, gap in enumerate(gaps)}
    names = {"zone", "authority", "drone", "terrain", "reason"} & set(gaps)
    facts |= {gap: f"«{gap}»" for gap in names}
    if "rules" in facts:
        facts["rules"] = "height, geozone.prohibited"
    if "from" in facts:
        facts["from"] = datetime(2026, 6, 10, 20, 41, tzinfo=UTC).isoformat()
    return facts


@pytest.mark.parametrize("code", OTHERS)
def test_every_rule_speaks_the_language_and_tells_the_same_facts(site: Site, code: str) -> None:
    english = []
    for sentence in SENTENCES:
        one = finding(sentence, **facts_of(sentence))
        with site.app.test_request_context(), force_locale(code):
            shown = said(one)
        if one.text == shown.text or one.clause == shown.clause:
            english.append(sentence)
        assert shown.title
        assert shown.lang is None
        for gap, value in facts_of(sentence).items():
            if gap not in ("from", "rules"):
                assert value.replace(".", ",") in shown.text, (sentence, gap)
    assert english == []


def test_every_sentence_has_a_title_a_clause_and_a_severity() -> None:
    for key, one in SENTENCES.items():
        assert one.rule.partition(".")[0] in TITLES, key
        assert one.clause in CLAUSES, key
        assert one.severity in RANKS, key
    assert {one.clause for one in SENTENCES.values()} == set(CLAUSES)
    assert {one.rule.partition(".")[0] for one in SENTENCES.values()} == set(TITLES)


def test_every_clause_says_how_far_it_was_read_and_where() -> None:
    for key, clause in CLAUSES.items():
        assert bool(clause.source) == (clause.checked in ("read", "summary")), key
        assert ("Team's rule" in clause.text) or clause.checked != "own", key


@pytest.mark.parametrize(
    ("code", "caveat"),
    [
        ("en", "(not read in its own words)"),
        ("nl", "(niet in zijn eigen bewoording gelezen)"),
        ("fr", "(pas lu dans ses propres termes)"),
    ],
)
def test_a_clause_whose_wording_was_not_read_says_so_beside_its_finding(
    site: Site, code: str, caveat: str
) -> None:
    with site.app.test_request_context(), force_locale(code):
        for key in SENTENCES:
            shown = said(finding(key, **facts_of(key))).clause
            unread = CLAUSES[SENTENCES[key].clause].checked in ("summary", "unread")
            assert shown.endswith(caveat) == unread, key
    assert {one.checked for one in CLAUSES.values()} >= {"read", "summary", "own"}


def test_a_night_is_told_in_local_time_and_a_number_with_a_comma(site: Site) -> None:
    dusk = finding("daylight.night", **{"from": "2026-06-10T20:41:00+00:00"})
    assert "20:41 UTC" in dusk.text
    near = finding("weather.estimate", expected="9.5", planned="0")
    with site.app.test_request_context(), force_locale("nl"):
        assert "22:41 CEST" in said(dusk).text
        assert "9,5 m/s" in said(near).text
    with site.app.test_request_context(), force_locale("en"):
        assert "9.5 m/s" in said(near).text


def test_a_zones_message_is_quoted_and_its_braces_are_letters(site: Site) -> None:
    zone = finding(
        "geozone.conditional", zone="A {b}", message="Call {0} first 1.5 km", authority=""
    )
    assert zone.text.endswith("(“Call {0} first 1.5 km”)")
    with site.app.test_request_context(), force_locale("fr"):
        shown = said(zone)
    assert "A {b}" in shown.text
    assert shown.text.endswith("(“Call {0} first 1.5 km”)")


def test_what_was_stored_before_there_were_keys_is_shown_as_it_is(site: Site) -> None:
    old = Finding("warn", "geozone.unknown", "article 15", "no zones")
    with site.app.test_request_context(), force_locale("nl"):
        shown = said(old)
    assert (shown.text, shown.clause, shown.lang) == ("no zones", "article 15", "en")
    assert shown.title == "Geografische zones"


@pytest.mark.parametrize(
    ("code", "words"),
    [("nl", "er zijn geen geografische zones"), ("fr", "aucune zone géographique n’est chargée")],
)
def test_the_pages_and_the_api_speak_the_asked_language(
    assigned: Site, mission: MissionView, code: str, words: str
) -> None:
    client = assigned.client("pilot", code)
    page = client.get(f"/missions/{mission.id}").get_data(as_text=True)
    assert words in page
    assert "no geographical zones" not in page
    path = f"/api/v1/missions/{mission.id}"
    told = client.get(path, headers={"Accept-Language": code}).get_json()["findings"]
    (zones,) = [one for one in told if one["rule"] == "geozone.unknown"]
    assert zones["text"].startswith(words)
    assert zones["sentence"] == "geozone.unknown"
    english = client.get(path, headers={"Accept-Language": "en"}).get_json()["findings"]
    assert [one["rule"] for one in english] == [one["rule"] for one in told]
    assert [one["params"] for one in english] == [one["params"] for one in told]
    assert any(one["text"].startswith("no geographical zones") for one in english)


def test_what_no_rule_could_check_is_marked_so_and_never_a_go(
    assigned: Site, mission: MissionView
) -> None:
    unchecked = {one.rule for one in mission.findings if one.severity == "unchecked"}
    assert {"clearance.unknown", "people", "assembly"} <= unchecked
    page = assigned.client("pilot").get(f"/missions/{mission.id}").get_data(as_text=True)
    assert page.count('class="severity-unchecked"') == len(unchecked)
    assert 'name="acknowledged"' in page


def test_a_refusal_names_its_rules_to_a_program_and_its_words_to_a_person(
    assigned: Site, mission: MissionView
) -> None:
    client = assigned.client("pilot", "nl")
    token = csrf_token(client)
    answer = client.post(f"/missions/{mission.id}/approve", data={"csrf_token": token})
    assert answer.status_code == 422
    assert "Geef aan waarom" in answer.get_data(as_text=True)
    refused = client.post(
        f"/api/v1/missions/{mission.id}/approve",
        json={},
        headers={"Accept-Language": "fr", "X-CSRF-Token": token},
    )
    assert refused.status_code == 422
    told = refused.get_json()
    assert [one["rule"] for one in told["findings"]] == ["geozone.unknown"]
    assert told["detail"].startswith("Indiquez pourquoi")
    assert "reason" in told["errors"]


def test_a_plan_without_warnings_needs_the_tick_alone(assigned: Site) -> None:
    load_zone(assigned, "Reserve", north_deg=1.0)
    made = worlds.plan_mission(assigned)
    left = {one.severity for one in made.findings}
    assert left == {"pass", "unchecked"}
    with db.session_scope(assigned.engine) as session, pytest.raises(RulesUnmet) as error:
        missions.approve_mission(session, assigned.actor("pilot"), made.id, NOW)
    assert error.value.field == "acknowledged"
    with assigned.app.test_request_context(), force_locale("fr"):
        assert unmet(error.value).startswith("Confirmez avoir pris connaissance")
    client = assigned.client("pilot")
    data = {"csrf_token": csrf_token(client), "acknowledged": "1"}
    assert client.post(f"/missions/{made.id}/approve", data=data).status_code == 302


def test_what_stops_a_flight_is_read_first_and_the_rest_keeps_its_order(site: Site) -> None:
    found = [finding(name, **facts_of(name)) for name in SENTENCES]
    assert {one.severity for one in found} == set(RANKS)
    with site.app.test_request_context(), force_locale("en"):
        told, every = gravest_first(found), [said(one) for one in found]
    assert [one.severity for one in told] == [
        one for one in reversed(RANKS) for each in every if each.severity == one
    ]
    for severity in RANKS:
        kept = [one for one in every if one.severity == severity]
        assert [one for one in told if one.severity == severity] == kept
