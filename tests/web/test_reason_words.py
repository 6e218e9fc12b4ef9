"""Why, in the audit chain: the system's words in the visitor's language, people's as typed."""

from __future__ import annotations

import pytest
from flask_babel import force_locale

from droneteam import audit, db
from droneteam.evidence import service as evidence
from droneteam.web.reason_words import entry_reason
from tests.web.conftest import NOW, Site

SYSTEM_WROTE = [
    ("evidence.add", "photo from sortie:1", "photo originale, provenant de : sortie 1"),
    ("evidence.erase", "retention has run out", "le délai de conservation est écoulé"),
    ("request.cancelled", "weather", "météo"),
    ("request.planned", "booked", "réservé"),
    (
        "operator.look",
        "intervention: PV 1",
        "intervention auprès du télépilote : PV 1",
    ),
]


@pytest.mark.parametrize(("action", "reason", "french"), SYSTEM_WROTE)
def test_what_the_system_wrote_is_said_in_french(
    site: Site, action: str, reason: str, french: str
) -> None:
    with site.app.test_request_context(), force_locale("fr"):
        said = entry_reason(reason, action)
    assert said.replace("\N{NO-BREAK SPACE}", " ").replace("\u202f", " ") == french


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("evidence.export", "booked"),
        ("evidence.add", "a parcel from the station"),
        ("evidence.retain", "because the magistrate said so"),
        ("mission.approve", "weather"),
        ("request.planned", "booked by telephone"),
        ("operator.look", "a reason of an older release"),
    ],
)
def test_what_a_person_typed_is_left_alone(site: Site, action: str, reason: str) -> None:
    with site.app.test_request_context(), force_locale("nl"):
        assert entry_reason(reason, action) == reason


def test_every_reason_that_a_case_writes_itself_is_known(site: Site) -> None:
    """The service's own sentences, as it writes them now, against what is recognised."""
    with db.session_scope(site.engine) as session:
        admin = site.actor("administrator")
        draft = evidence.CaseDraft(admin.organisation_id, "Crossing", "Art. 28bis")
        case = evidence.open_case(session, admin, draft, NOW)
        evidence.set_retention(
            session, admin, case.id, keep_until=NOW, basis="archive", legal_hold=True, now=NOW
        )
    with db.read_scope(site.engine) as session:
        (entry,) = audit.entries(session, action="evidence.retain")
    with site.app.test_request_context(), force_locale("fr"):
        said = entry_reason(str(entry.reason), entry.action)
    assert said != entry.reason
    assert "archive" in said
    page = site.client("auditor", "fr").get("/audit/?action=evidence.retain")
    assert "legal hold" not in page.get_data(as_text=True)
