"""The list of missions: what is still to come says whether it may be flown."""

from __future__ import annotations

import re

from droneteam import db
from droneteam.missions.airspace.rules import RANKS
from droneteam.missions.models import Mission
from tests.web import worlds
from tests.web.conftest import Site

NAMES = {"pass": "go", "unchecked": "not checked", "warn": "with care", "stop": "no go"}


def badges(site: Site) -> list[str]:
    """The badges of the only mission in the list."""
    page = site.client("pilot").get("/missions/").get_data(as_text=True)
    row = page.split('id="planned"', 1)[1].split("<tbody>", 1)[1].split("</tr>", 1)[0]
    return re.findall(r'<span class="badge \w+">([^<]+)</span>', row)


def test_a_coming_mission_shows_the_gravest_of_its_findings_and_a_flown_one_none(
    site: Site,
) -> None:
    worlds.ask(site)
    worlds.publish(site)
    mission = worlds.plan_mission(site)
    finding = {"rule": "r", "severity": "pass", "text": "t", "clause": "c"}
    seen = {}
    for severity in RANKS:
        with db.session_scope(site.engine) as session:
            row = session.get_one(Mission, mission.id)
            row.findings = [finding, {**finding, "severity": severity}, finding]
        seen[severity] = badges(site)[1:]
    assert seen == {severity: [NAMES[severity]] for severity in RANKS}
    with db.session_scope(site.engine) as session:
        session.get_one(Mission, mission.id).state = "flown"
    assert len(badges(site)) == 1
