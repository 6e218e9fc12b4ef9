"""The words of the registry and of lists: licences, absences, abilities, approvals, verdicts."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

_Words = dict[str, object]

CREDENTIALS: _Words = {
    "A2": _l("A2 certificate"),
    "STS-01": _l("STS-01"),
    "STS-02": _l("STS-02"),
    "national": _l("national police licence"),
    "photogrammetry": _l("photogrammetry training"),
}

ABSENCES: _Words = {
    "leave": _l("leave"),
    "illness": _l("illness"),
    "course": _l("course"),
    "other_duty": _l("other duty"),
}

MAINTENANCE: _Words = {"service": _l("service"), "defect": _l("defect")}

CAPABILITIES: _Words = {
    "rgb": _l("colour camera"),
    "thermal": _l("thermal camera"),
    "zoom": _l("zoom camera"),
    "photogrammetry": _l("photogrammetry"),
    "low_noise": _l("low noise"),
    "sensitive": _l("sensitive assignments"),
}

AIRSPACE: _Words = {
    "needed": _l("approval needed"),
    "asked": _l("approval asked"),
    "granted": _l("approval granted"),
    "refused": _l("approval refused"),
    "not_needed": _l("no approval needed"),
}

VERDICTS: _Words = {
    "new": _l("new"),
    "known": _l("there already"),
    "wrong": _l("wrong"),
}

TOLD: _Words = {
    "coordinator": _l("coordinator"),
    "duty_officer": _l("duty officer"),
    "crisis_centre": _l("crisis centre"),
}
