"""Every sentence that a rule of a plan can say: its rule, its severity and its clause.

English is the source language; the pages and the API show the same sentence in the reader's, from
the catalogues of `droneteam/web/translations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from droneteam.errors import marked

Severity = Literal["pass", "unchecked", "warn", "stop"]
"""`unchecked`: what the rule looks at is not known, so that nobody may take it for a go."""
RANKS: tuple[Severity, ...] = get_args(Severity)

TITLES: dict[str, str] = {
    "height": marked("Height"),
    "geozone": marked("Geographical zones"),
    "volume": marked("Agreed volume"),
    "clearance": marked("Height over the terrain"),
    "home": marked("Take-off point"),
    "fence": marked("Fence"),
    "return": marked("Way home"),
    "buffer": marked("Ground-risk buffer"),
    "people": marked("Uninvolved persons"),
    "assembly": marked("Assemblies of people"),
    "daylight": marked("Daylight"),
    "sight": marked("Line of sight"),
    "weather": marked("Weather"),
    "separation": marked("Own drones"),
    "override": marked("Lifted stop"),
}
"""What a rule is about, by the part of its name before the first dot."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing that a rule can say; clause : its key in `CLAUSES`."""

    rule: str
    severity: Severity
    clause: str
    text: str


SENTENCES: dict[str, Sentence] = {
    "height.ground": Sentence(
        "height", "pass", "height", marked("highest point {height_m} m above the ground")
    ),
    "height.takeoff": Sentence(
        "height", "pass", "height", marked("highest point {height_m} m above take-off")
    ),
    "height.ground.exceeded": Sentence(
        "height",
        "stop",
        "height",
        marked(
            "highest point {height_m} m above the ground; the ceiling is {limit_m} m: fly lower"
        ),
    ),
    "height.takeoff.exceeded": Sentence(
        "height",
        "stop",
        "height",
        marked("highest point {height_m} m above take-off; the ceiling is {limit_m} m: fly lower"),
    ),
    "geozone": Sentence(
        "geozone", "pass", "geozone", marked("none of {known} known geographical zones is touched")
    ),
    "geozone.unknown": Sentence(
        "geozone.unknown",
        "warn",
        "geozone",
        marked("no geographical zones are loaded; consult the authority's map before flying"),
    ),
    "geozone.prohibited": Sentence(
        "geozone.prohibited",
        "stop",
        "geozone",
        marked("the flight enters the forbidden zone {zone}: move it out or obtain an exemption"),
    ),
    "geozone.prohibited.asks": Sentence(
        "geozone.prohibited",
        "stop",
        "geozone",
        marked(
            "the flight enters the forbidden zone {zone}: move it out or obtain an exemption "
            "from {authority}"
        ),
    ),
    "geozone.authorisation": Sentence(
        "geozone.authorisation", "warn", "geozone", marked("zone {zone} needs an authorisation")
    ),
    "geozone.authorisation.asks": Sentence(
        "geozone.authorisation",
        "warn",
        "geozone",
        marked("zone {zone} needs an authorisation from {authority}"),
    ),
    "geozone.conditional": Sentence(
        "geozone.conditional",
        "warn",
        "geozone",
        marked("zone {zone} sets conditions: fulfil them before flying"),
    ),
    "geozone.information": Sentence(
        "geozone.information", "pass", "geozone", marked("zone {zone} has no restriction")
    ),
    "volume": Sentence("volume", "pass", "volume", marked("the path stays in the agreed volume")),
    "volume.left": Sentence(
        "volume",
        "stop",
        "volume",
        marked("the path leaves the agreed volume: shrink the area or have the volume enlarged"),
    ),
    "clearance.unknown": Sentence(
        "clearance.unknown",
        "unchecked",
        "terrain",
        marked(
            "planned over level ground, no terrain was chosen: look for trees, masts and slopes "
            "at the place"
        ),
    ),
    "clearance": Sentence(
        "clearance",
        "pass",
        "clearance",
        marked(
            "the flight keeps {clearance_m} m over {terrain}, least on leg {leg} at "
            "{lat_deg}, {lon_deg}"
        ),
    ),
    "clearance.short": Sentence(
        "clearance",
        "stop",
        "clearance",
        marked(
            "the flight comes within {clearance_m} m of {terrain} on leg {leg} at {lat_deg}, "
            "{lon_deg}; {limit_m} m are needed: fly higher, move the area or the take-off"
        ),
    ),
    "clearance.bare": Sentence(
        "clearance.bare",
        "warn",
        "terrain",
        marked("the terrain is bare ground: trees, masts and buildings are not in it"),
    ),
    "home.height": Sentence(
        "home.height",
        "warn",
        "terrain",
        marked(
            "the take-off point is given {given_m} m above sea level, the terrain says "
            "{known_m} m: limits above sea level are compared with the first"
        ),
    ),
    "fence": Sentence(
        "fence",
        "pass",
        "containment",
        marked(
            "every leg and every way home stays inside the fence, {aside_m} m beside them and "
            "{ceiling_m} m above take-off"
        ),
    ),
    "fence.left": Sentence(
        "fence.left",
        "stop",
        "containment",
        marked(
            "item {item} leaves the fence by {distance_m} m: plan the mission anew with its fence"
        ),
    ),
    "fence.return": Sentence(
        "fence.left",
        "stop",
        "containment",
        marked(
            "the straight way home from item {item} leaves the fence by {distance_m} m: move the "
            "take-off point or plan the mission anew"
        ),
    ),
    "fence.height": Sentence(
        "fence.height",
        "stop",
        "containment",
        marked("item {item} is {height_m} m above take-off, the fence ends at {ceiling_m} m"),
    ),
    "return.height": Sentence(
        "return.height",
        "pass",
        "height",
        marked("an early way home is flown {return_m} m above take-off"),
    ),
    "return.high": Sentence(
        "return.height",
        "warn",
        "height",
        marked(
            "an early way home is flown {return_m} m above take-off, higher than {limit_m} m: "
            "plan {excess_m} m lower"
        ),
    ),
    "return.clearance": Sentence(
        "return.clearance",
        "pass",
        "clearance",
        marked("every straight way home keeps {clearance_m} m over {terrain}"),
    ),
    "return.unknown": Sentence(
        "return.unknown",
        "unchecked",
        "clearance",
        marked("{terrain} has no height below some ways home: look along them at the place"),
    ),
    "return.obstacle": Sentence(
        "return.clearance",
        "stop",
        "clearance",
        marked(
            "the straight way home comes within {clearance_m} m of {terrain} at {lat_deg}, "
            "{lon_deg}; {limit_m} m are needed: fly higher or move the take-off point"
        ),
    ),
    "buffer": Sentence(
        "buffer",
        "pass",
        "buffer",
        marked(
            "keep the ground free {buffer_m} m beyond the contingency volume, which reaches "
            "{contingency_m} m beside the flight and {top_m} m above the ground"
        ),
    ),
    "buffer.short": Sentence(
        "buffer.short",
        "warn",
        "buffer",
        marked(
            "the buffer of {buffer_m} m beyond the contingency volume is too narrow in this wind: "
            "a falling drone reaches {ballistic_m} m; widen it"
        ),
    ),
    "people.unknown": Sentence(
        "people",
        "unchecked",
        "people",
        marked("no place of an uninvolved person is entered: see that the buffer is free"),
    ),
    "people": Sentence(
        "people",
        "pass",
        "people",
        marked("of the places of uninvolved persons entered ({entered}), none is in the buffer"),
    ),
    "people.below": Sentence(
        "people.below",
        "stop",
        "people",
        marked(
            "places of uninvolved persons within the contingency volume: {below}; clear the "
            "ground or move the flight"
        ),
    ),
    "people.beside": Sentence(
        "people.beside",
        "warn",
        "people",
        marked(
            "places of uninvolved persons within the ground-risk buffer: {beside}; have them "
            "leave or take shelter while the drone is up"
        ),
    ),
    "assembly.unknown": Sentence(
        "assembly",
        "unchecked",
        "assembly",
        marked("no assembly of people is entered: see that there is none before take-off"),
    ),
    "assembly": Sentence(
        "assembly",
        "pass",
        "assembly",
        marked("of the assemblies of people entered ({entered}), none is in the buffer"),
    ),
    "assembly.within": Sentence(
        "assembly",
        "stop",
        "assembly",
        marked("assemblies of people within the ground-risk buffer: {within}; keep away from them"),
    ),
    "daylight": Sentence("daylight", "pass", "night", marked("the whole time lies in daylight")),
    "daylight.night": Sentence(
        "daylight.night",
        "warn",
        "night",
        marked(
            "night from {from}: green flashing light on, and a pilot who flies by night; photos "
            "need light"
        ),
    ),
    "sight": Sentence(
        "sight",
        "pass",
        "sight",
        marked("farthest point {distance_m} m from the take-off, within sight"),
    ),
    "sight.beyond": Sentence(
        "sight.beyond",
        "warn",
        "sight",
        marked(
            "farthest point {distance_m} m from the take-off, out of sight beyond {limit_m} m: "
            "post an observer or stand nearer"
        ),
    ),
    "weather.unknown": Sentence(
        "weather.unknown",
        "unchecked",
        "weather",
        marked("no forecast covers the flight: look at the sky and the anemometer"),
    ),
    "weather.gust": Sentence(
        "weather.gust",
        "pass",
        "weather",
        marked("gusts of {expected} m/s expected, the drone flies in up to {limit} m/s"),
    ),
    "weather.gust.unlimited": Sentence(
        "weather.gust",
        "unchecked",
        "weather",
        marked("gusts of {expected} m/s expected; no limit of this drone is on record"),
    ),
    "weather.gust.exceeded": Sentence(
        "weather.gust",
        "stop",
        "weather",
        marked("gusts of {expected} m/s expected, the drone flies in up to {limit} m/s: wait"),
    ),
    "weather.rain": Sentence(
        "weather.rain",
        "pass",
        "weather",
        marked("rain of {expected} mm/h expected, the drone flies in up to {limit} mm/h"),
    ),
    "weather.rain.unlimited": Sentence(
        "weather.rain",
        "unchecked",
        "weather",
        marked("rain of {expected} mm/h expected; no limit of this drone is on record"),
    ),
    "weather.rain.exceeded": Sentence(
        "weather.rain",
        "stop",
        "weather",
        marked("rain of {expected} mm/h expected, the drone flies in up to {limit} mm/h: wait"),
    ),
    "weather.estimate": Sentence(
        "weather.estimate",
        "warn",
        "weather",
        marked(
            "gusts of {expected} m/s are expected, time and packs are reckoned with a wind of "
            "{planned} m/s"
        ),
    ),
    "separation": Sentence(
        "separation",
        "pass",
        "separation",
        marked("{drone}, taking off at the same time, keeps {distance_m} m away"),
    ),
    "separation.others": Sentence(
        "separation.others",
        "pass",
        "separation",
        marked(
            "none of {known} other sorties that may be in the air then comes within {limit_m} m, "
            "whenever each takes off"
        ),
    ),
    "separation.crossing": Sentence(
        "separation.crossing",
        "warn",
        "separation",
        marked(
            "{drone} (mission {mission}, another request) may come within {distance_m} m near "
            "{lat_deg}, {lon_deg} at {height_m} m above take-off; {limit_m} m are needed: agree "
            "on times with its pilot, or move one of the flights"
        ),
    ),
    "separation.alone": Sentence(
        "separation",
        "pass",
        "separation",
        marked("{drone} is never in the air at the same time"),
    ),
    "separation.near": Sentence(
        "separation.near",
        "warn",
        "separation",
        marked(
            "{drone}, taking off at the same time, comes within {distance_m} m; {limit_m} m are "
            "needed: part the take-off points, or fly one after the other"
        ),
    ),
    "separation.turns": Sentence(
        "separation.time",
        "warn",
        "separation",
        marked(
            "kept apart from {drone} by time: the controller arms the later part only when the "
            "earlier one has landed, about {minutes} minutes after its take-off"
        ),
    ),
    "override": Sentence(
        "override", "warn", "override", marked("lifted: {rules}; reason: {reason}")
    ),
}
