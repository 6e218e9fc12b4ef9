"""What speaks against a plan today and did not when it was made (pure).

A plan keeps its findings, but zones are published and withdrawn and forecasts change.  What is
only worth a look when planning is asked again before an approval and before take-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from droneteam.missions.airspace import checks as airspace
from droneteam.missions.airspace.groundrisk import Weather, weather_findings
from droneteam.missions.airspace.rules import Finding
from droneteam.missions.airspace.sentences import RANKS
from droneteam.missions.planner.plan import MissionPlan

_OF_THE_WORLD = frozenset({"geozone", "weather"})
"""What rules are about whose answer can change while the plan does not."""
_NEWS = frozenset({"warn", "stop"})


def came_since(
    plan: MissionPlan,
    stored: Sequence[Finding],
    zones: Sequence[airspace.Geozone],
    weather: Weather,
    start: datetime,
    until: datetime,
) -> tuple[Finding, ...]:
    """Warnings and stops of today that the stored findings do not hold as gravely.

    start, until : when the flight may begin.
    """
    known = {_what(one): RANKS.index(one.severity) for one in stored}
    found = (*airspace.check(plan, zones, start, until=until), *weather_findings(plan, weather))
    return tuple(
        one
        for one in found
        if one.severity in _NEWS
        and one.subject in _OF_THE_WORLD
        and known.get(_what(one), -1) < RANKS.index(one.severity)
    )


def _what(one: Finding) -> tuple[str, str]:
    """What a finding is about: gusts, rain, or a zone however it restricts."""
    return one.rule if one.subject == "weather" else one.subject, one.params.get("identifier", "")
