"""How far lost persons were found from where they were last known, by category.

R. J. Koester, "Lost Person Behavior" (dbS Productions, 2008), tables "Distance (horizontal) from
the IPP": distances in miles within which 25, 50, 75 and 95 % were found, for temperate flat country
and for towns.  The book itself was not at hand.  The rows of dementia were compared in two
transcriptions that do not depend on each other, one of them of the chapter that the publisher has
put on its site; the others stand in one transcription (the SAR Bayes project's list of distances)
and are marked so.  Whoever has the book types its distances over them.
"""

from __future__ import annotations

from dataclasses import dataclass

MILE_M = 1609.344


@dataclass(frozen=True, slots=True)
class Category:
    """Distances of one category of lost persons; compared : in two transcriptions, not in one."""

    within_miles: tuple[float, float, float, float]
    compared: bool = False

    @property
    def within_m(self) -> tuple[float, ...]:
        """The distances in metres, to ten of them: the table has no finer ones."""
        return tuple(round(miles * MILE_M, -1) for miles in self.within_miles)


CATEGORIES: dict[str, Category] = {
    "dementia_town": Category((0.2, 0.7, 2.0, 7.8), compared=True),
    "dementia_flat": Category((0.2, 0.6, 1.5, 7.9), compared=True),
    "despondent_town": Category((0.06, 0.3, 0.9, 8.1)),
    "despondent_flat": Category((0.2, 0.5, 1.4, 10.7)),
    "child_1_3_town": Category((0.1, 0.3, 0.5, 0.7)),
    "child_1_3_flat": Category((0.1, 0.2, 0.6, 2.0)),
    "child_4_6_town": Category((0.06, 0.3, 0.6, 2.1)),
    "child_4_6_flat": Category((0.1, 0.4, 0.9, 4.1)),
    "child_7_9_town": Category((0.1, 0.3, 0.9, 3.2)),
    "child_7_9_flat": Category((0.1, 0.5, 1.3, 5.0)),
    "hiker_flat": Category((0.4, 1.1, 2.0, 6.1)),
}
