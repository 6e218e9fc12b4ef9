"""What a calendar's entries say, in French, Dutch and English, in this order (pure).

A calendar is read by a program of its maker's, which has no page to translate it.
"""

from __future__ import annotations

from datetime import datetime

from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.terms import RequestKind, RequestState

LANGUAGES = ("fr", "nl", "en")

KINDS: dict[RequestKind, tuple[str, str, str]] = {
    RequestKind.EVENT: ("événement", "evenement", "event"),
    RequestKind.DEMONSTRATION: ("manifestation", "betoging", "demonstration"),
    RequestKind.SEARCH: (
        "recherche d’une personne", "zoeken naar een persoon", "search for a person",
    ),
    RequestKind.PHOTOGRAMMETRY: ("photogrammétrie", "fotogrammetrie", "photogrammetry"),
    RequestKind.RECONNAISSANCE: ("reconnaissance", "verkenning", "reconnaissance"),
    RequestKind.PLANTATION: (
        "recherche d’une plantation", "zoeken naar een plantage", "search for a plantation",
    ),
    RequestKind.TRAINING: ("entraînement", "training", "training"),
}  # fmt: skip

STATES: dict[RequestState, tuple[str, str, str]] = {
    RequestState.DRAFT: ("brouillon", "ontwerp", "draft"),
    RequestState.SUBMITTED: ("introduite", "ingediend", "submitted"),
    RequestState.ACKNOWLEDGED: ("reçue", "ontvangen", "received"),
    RequestState.TRIAGED: ("évaluée", "beoordeeld", "assessed"),
    RequestState.PLANNED: ("planifiée", "gepland", "planned"),
    RequestState.WAITLISTED: ("en liste d’attente", "op de wachtlijst", "on the waiting list"),
    RequestState.REFUSED: ("refusée", "geweigerd", "refused"),
    RequestState.CONFIRMED: ("confirmée", "bevestigd", "confirmed"),
    RequestState.DISPLACED: ("retirée du plan", "uit het plan gehaald", "taken out of the plan"),
    RequestState.IN_PROGRESS: ("en cours", "bezig", "in progress"),
    RequestState.FULFILLED: ("réalisée", "uitgevoerd", "done"),
    RequestState.PARTLY: ("réalisée en partie", "deels uitgevoerd", "partly done"),
    RequestState.CANCELLED: ("annulée", "geannuleerd", "cancelled"),
    RequestState.EXPIRED: ("expirée", "vervallen", "expired"),
}

_NUMBERED = ("{kind} n° {number}", "{kind} nr. {number}", "{kind} no. {number}")
_ON_SCENE = (
    "sur place {start} – {end}", "ter plaatse {start} – {end}", "on scene {start} – {end}",
)  # fmt: skip


def task_name(kind: str, number: int, language: str) -> str:
    """A task by its kind and number, which is all that a sensitive one shows."""
    at = _index(language)
    return _NUMBERED[at].format(kind=KINDS[RequestKind(kind)][at], number=number)


def state_name(state: RequestState, language: str) -> str:
    """A request's state."""
    return STATES[state][_index(language)]


def on_scene(start_at: datetime, end_at: datetime, language: str) -> str:
    """When the crew is on the scene, on the wall clock of Brussels with its zone."""
    start, end = to_local(start_at), to_local(end_at)
    words = _ON_SCENE[_index(language)]
    return words.format(start=f"{start:%H:%M}", end=f"{end:%H:%M} {end.tzname()}")


def _index(language: str) -> int:
    return LANGUAGES.index(language) if language in LANGUAGES else LANGUAGES.index("en")
