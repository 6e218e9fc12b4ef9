"""What was recorded in English, as a page shows it in the visitor's language.

The sentences and their forms lie with those who record them (`droneteam/sentences.py`); a piece
that has no form, which is what a vehicle itself said, is shown in its own words and marked as
English for those who listen to the page.
"""

from __future__ import annotations

import re

from flask import Flask
from markupsafe import Markup

from droneteam.evidence import sentences as bags
from droneteam.missions.record import sentences as sorties
from droneteam.photogrammetry.export.numbers import LANGUAGES
from droneteam.photogrammetry.export.sentences import translated
from droneteam.sentences import UNTRANSLATED
from droneteam.web.i18n import language
from droneteam.web.refusals import refusal
from droneteam.web.typography import colon, typeset
from droneteam.web.words import STAGES

_OTHERS = re.compile(re.escape(UNTRANSLATED) + r"(.+?)(?=; |$)", re.DOTALL)


def sortie_words(text: str) -> str:
    """What a sortie's record says, as plain text."""
    return _whole(sorties.told(text, language()).replace(UNTRANSLATED, ""))


def sortie_said(text: str) -> Markup:
    """The same for a page: what the vehicle said in its own words is marked as English."""
    return _marked(sorties.told(text, language()))


def scene_words(text: str) -> Markup:
    """What a scene's stages say, for a page."""
    return _marked(_scene_form(text))


def scene_text(text: str) -> str:
    """The same as plain text."""
    return _whole(_scene_form(text).replace(UNTRANSLATED, ""))


def job_said(error: str) -> Markup:
    """Why a job failed: what a stage said, under its name, or what a service refused."""
    stage, between, reason = error.partition(": ")
    if between and stage in STAGES:
        return Markup("{}{} {}").format(str(STAGES[stage]), colon(language()), job_said(reason))
    form = _scene_form(error)
    told = refusal(error) if UNTRANSLATED in form else None
    return _marked(form) if told is None or told.lang == "en" else Markup.escape(told.text)


def _scene_form(text: str) -> str:
    return translated(text, next((one for one in LANGUAGES if one == language()), "en"))


def event_kind(code: str) -> str:
    """The kind of an event of a sortie."""
    return sorties.kind_told(code, language())


def bag_said(text: str) -> Markup:
    """What a check found wrong with a bag."""
    return _marked(bags.told(text, language()))


def _marked(form: str) -> Markup:
    at, built = 0, Markup("")
    for other in _OTHERS.finditer(form):
        built += _whole(form[at : other.start()])
        built += Markup('<span lang="en">{}</span>').format(other[1])
        at = other.end()
    return built + _whole(form[at:])


def _whole(text: str) -> str:
    """The text as the language sets it; English as it was recorded, letter for letter."""
    code = language()
    return text if code == "en" else typeset(text, code)


def init_recorded_words(app: Flask) -> None:
    """The words as template filters."""
    for function in (sortie_said, sortie_words, event_kind, scene_words, job_said, bag_said):
        app.jinja_env.filters[function.__name__] = function
