"""Every code that a service can send has a word in the pages."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

from droneteam.accounts import ROLES
from droneteam.detection import alert, conformance, health, match, zones
from droneteam.detection.heights import Frame
from droneteam.detection.suspicion import WEIGHTS
from droneteam.fleet.agreement.sla import CLOCKS
from droneteam.fleet.airspace import AirspaceState
from droneteam.fleet.requirements import PAYLOADS, requirement
from droneteam.fleet.terms import PRIORITIES, RequestKind, RequestState
from droneteam.missions.airspace.checks import Restriction
from droneteam.missions.airspace.sentences import Severity
from droneteam.missions.flight.state import Ending
from droneteam.missions.views import MissionState
from droneteam.photogrammetry import targets
from droneteam.photogrammetry.ingest.photos import Verdict
from droneteam.photogrammetry.marks import Role
from droneteam.photogrammetry.products import KINDS
from droneteam.photogrammetry.scene import MeasureKind, MeasureMethod
from droneteam.photogrammetry.scene_params import STAGES
from droneteam.web import registry_words, sky_words, words


def test_no_code_of_a_service_is_without_a_word() -> None:
    kinds = {kind.kind for kind in KINDS.values()}
    pairs = [
        (ROLES, words.ROLES),
        (PRIORITIES, words.PRIORITIES),
        (CLOCKS, words.CLOCKS),
        ([kind.value for kind in RequestKind], words.KINDS),
        ([state.value for state in RequestState], words.REQUEST_STATES),
        ([state.value for state in MissionState], words.MISSION_STATES),
        ([state.value for state in AirspaceState], registry_words.AIRSPACE),
        (capabilities(), registry_words.CAPABILITIES),
        (get_args(Severity), words.SEVERITIES),
        ([ending.value for ending in Ending], words.ENDINGS),
        (STAGES, words.STAGES),
        (kinds, words.PRODUCTS),
        (get_args(MeasureKind), words.MEASURE_KINDS),
        (get_args(MeasureMethod), words.MEASURE_METHODS),
        (("hand", "file", *targets.KINDS), words.MARK_SOURCES),
        (get_args(alert.Kind), sky_words.ALERT_KINDS),
        (get_args(match.Kind), sky_words.MATCHES),
        (get_args(health.State), sky_words.RECEIVER_STATES),
        (get_args(conformance.State), sky_words.CONFORMANCE),
        (get_args(zones.Vertical)[:1], sky_words.FACT_CODES),
        (get_args(Frame), sky_words.FACT_CODES),
        (get_args(Role), words.POINT_ROLES),
        (get_args(Verdict), words.PHOTO_VERDICTS),
        (("open", "done", "refused"), words.UPLOAD_STATES),
        (("new", "queued", "running", "done", "failed", "cancelled"), words.JOB_STATES),
    ]
    missing = [code for codes, known in pairs for code in codes if code not in known]
    assert missing == []


def capabilities() -> set[str]:
    """What a request of any kind may ask a drone to offer."""
    return {
        able
        for kind in RequestKind
        for payload in PAYLOADS
        for able in requirement(kind, payload=payload, sensitive=True, low_noise=True).capabilities
    }


def evidence_of_tracks() -> set[str]:
    """Every string that a rule can give as evidence, found in the syntax tree of `match.py`."""
    tree = ast.parse(Path(match.__file__).read_text())
    codes = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            codes |= set(re.findall(r"^[a-z]+(?:_[a-z]+)+$", node.value))
    return codes


def test_no_evidence_of_the_detection_is_without_a_word() -> None:
    asked = (Restriction.PROHIBITED, Restriction.AUTHORISATION)
    codes = evidence_of_tracks()
    assert {"own_serial", "outside_volume", "no_identity", "operator_registered"} <= codes
    codes |= set(WEIGHTS)
    codes |= {f"zone_{one.value}" for one in asked}
    codes |= {f"heights_{one}" for one in (*get_args(zones.Vertical), "close", "separated")}
    codes |= {"no_heartbeat", "airborne_when_lost", "outside_volume", "transponder"}
    codes.discard("heights_outside")  # never in an alert: a track above a zone is not in it
    assert {code for code in codes if code not in sky_words.EVIDENCE} == set()


def test_an_unknown_code_is_shown_as_it_is() -> None:
    name = words.named(words.STAGES)
    assert name("a new stage") == "a new stage"
    assert name(None) == ""
