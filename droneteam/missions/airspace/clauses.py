"""The clauses that the rules of a plan come from, and how far each was read.

Police flights are outside Regulation (EU) 2018/1139 (article 2(3)(a)); in Belgium the ministerial
circular of 8 April 2022 on drones of police and rescue services (numac 2022040594, published on
4 May 2022) governs them: its introduction was read, its provisions were not.  The team holds
itself to Implementing Regulation (EU) 2019/947 nevertheless, and a coordinator may depart from it
with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from droneteam.errors import marked

Checked = Literal["read", "summary", "unread", "own"]

CAVEAT = marked("not read in its own words")


@dataclass(frozen=True, slots=True)
class Clause:
    """Where a rule comes from.

    checked : "read" where the wording of the point was read, "summary" where an authority's
    summary of it was, "unread" where neither was at hand, "own" for a rule of the team;
    source : where it was read.
    """

    text: str
    checked: Checked
    source: str = ""

    @property
    def caveat(self) -> str:
        """What stands beside a clause whose wording nobody of the team read; else nothing."""
        return CAVEAT if self.checked in ("summary", "unread") else ""


CLAUSES: dict[str, Clause] = {
    "geozone": Clause(
        marked("Implementing Regulation (EU) 2019/947, article 15: geographical zones"),
        "read",
        "article 15 as retained in United Kingdom law, the same wording in paragraph 1",
    ),
    "height": Clause(
        marked(
            "Implementing Regulation (EU) 2019/947, annex, UAS.OPEN.010(2): "
            "120 m from the closest point of the earth's surface"
        ),
        "read",
        "EASA, Easy Access Rules for Unmanned Aircraft Systems",
    ),
    "volume": Clause(
        marked(
            "Implementing Regulation (EU) 2019/947, annex, UAS.SPEC.050(1): "
            "within the limits of the authorisation"
        ),
        "summary",
        "letters (a) to (d) as retained in United Kingdom law were read; the one on the limits of "
        "the authorisation in a summary of the operator's duties only",
    ),
    "containment": Clause(
        marked(
            "Implementing Regulation (EU) 2019/947, article 11; AMC1 (SORA): "
            "flight geography and contingency volume"
        ),
        "summary",
        "AMC1 Article 11 (ED Decision 2025/018/R), annex A, chapter A.5 on the flight area",
    ),
    "buffer": Clause(
        marked(
            "Implementing Regulation (EU) 2019/947, article 11; AMC1 (SORA): ground-risk buffer"
        ),
        "summary",
        "AMC1 Article 11 (ED Decision 2025/018/R); the 1:1 rule's own paragraph was not at hand",
    ),
    "people": Clause(
        marked(
            "Implementing Regulation (EU) 2019/947, annex, UAS.OPEN.060(1): "
            "look for obstacles and uninvolved persons before the flight"
        ),
        "summary",
        "EASA, frequently asked question 116468",
    ),
    "assembly": Clause(
        marked(
            "Implementing Regulation (EU) 2019/947, article 4(1)(c): "
            "never over assemblies of people"
        ),
        "read",
        "article 4 as consolidated in CAP 1789A",
    ),
    "night": Clause(
        marked(
            "Implementing Regulation (EU) 2019/947, annex, UAS.OPEN.060(2)(g): "
            "green flashing light at night"
        ),
        "summary",
        "the letter as the United Kingdom's authority cites it for the same regulation; its "
        "wording was not at hand",
    ),
    "sight": Clause(
        marked("Implementing Regulation (EU) 2019/947, article 4(1)(d): in visual line of sight"),
        "read",
        "article 4 as consolidated in CAP 1789A",
    ),
    "weather": Clause(
        marked(
            "Maker's limits; Implementing Regulation (EU) 2019/947, annex, UAS.OPEN.060(2): "
            "flown as the maker's manual says"
        ),
        "summary",
        "EASA, frequently asked question 116468",
    ),
    "separation": Clause(marked("Team's rule: own drones keep 15 m apart"), "own"),
    "clearance": Clause(marked("Team's rule: 5 m over everything that the terrain knows"), "own"),
    "terrain": Clause(
        marked("Team's rule: heights come from a terrain or from a look at the place"), "own"
    ),
    "override": Clause(
        marked(
            "Regulation (EU) 2018/1139, article 2(3)(a): police flights; "
            "team's rule on who may lift a stop"
        ),
        "read",
        "EASA, page on article 2(6): activities of article 2(3)(a)",
    ),
}
