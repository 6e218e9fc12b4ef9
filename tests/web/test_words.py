"""Every code that a service can send has a word in the pages."""

from __future__ import annotations

from typing import get_args

from droneteam.accounts import ROLES
from droneteam.fleet.sla import CLOCKS
from droneteam.fleet.terms import PRIORITIES, RequestKind, RequestState
from droneteam.missions.airspace import Severity
from droneteam.missions.views import MissionState
from droneteam.photogrammetry import targets
from droneteam.photogrammetry.marks import Role
from droneteam.photogrammetry.photos import Verdict
from droneteam.photogrammetry.products import KINDS
from droneteam.photogrammetry.scene import MeasureKind, MeasureMethod
from droneteam.photogrammetry.scene_params import STAGES
from droneteam.web import words


def test_no_code_of_a_service_is_without_a_word() -> None:
    kinds = {kind.kind for kind in KINDS.values()}
    pairs = [
        (ROLES, words.ROLES),
        (PRIORITIES, words.PRIORITIES),
        (CLOCKS, words.CLOCKS),
        ([kind.value for kind in RequestKind], words.KINDS),
        ([state.value for state in RequestState], words.REQUEST_STATES),
        ([state.value for state in MissionState], words.MISSION_STATES),
        (get_args(Severity), words.SEVERITIES),
        (STAGES, words.STAGES),
        (kinds, words.PRODUCTS),
        (get_args(MeasureKind), words.MEASURE_KINDS),
        (get_args(MeasureMethod), words.MEASURE_METHODS),
        (("hand", "file", *targets.KINDS), words.MARK_SOURCES),
        (get_args(Role), words.POINT_ROLES),
        (get_args(Verdict), words.PHOTO_VERDICTS),
        (("open", "done", "refused"), words.UPLOAD_STATES),
        (("new", "queued", "running", "done", "failed", "cancelled"), words.JOB_STATES),
    ]
    missing = [code for codes, known in pairs for code in codes if code not in known]
    assert missing == []


def test_an_unknown_code_is_shown_as_it_is() -> None:
    name = words.named(words.STAGES)
    assert name("a new stage") == "a new stage"
    assert name(None) == ""
