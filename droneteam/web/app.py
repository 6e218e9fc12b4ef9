"""The application factory: settings and an engine in, one WSGI application out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from apiflask import APIFlask
from flask import Flask, request
from sqlalchemy import Engine

from droneteam.settings import Settings
from droneteam.web import keyring, looking, signin, timefmt
from droneteam.web.api import administration as api_administration
from droneteam.web.api import agreement as api_agreement
from droneteam.web.api import board as api_board
from droneteam.web.api import calendars as api_calendars
from droneteam.web.api import cases as api_cases
from droneteam.web.api import conditions as api_conditions
from droneteam.web.api import door
from droneteam.web.api import field as api_field
from droneteam.web.api import figures as api_figures
from droneteam.web.api import flights as api_flights
from droneteam.web.api import geozones as api_geozones
from droneteam.web.api import handling as api_handling
from droneteam.web.api import live as api_live
from droneteam.web.api import marking as api_marking
from droneteam.web.api import mission_plans as api_mission_plans
from droneteam.web.api import missions as api_missions
from droneteam.web.api import places as api_places
from droneteam.web.api import planning as api_planning
from droneteam.web.api import records as api_records
from droneteam.web.api import registry as api_registry
from droneteam.web.api import requests as api_requests
from droneteam.web.api import scenes as api_scenes
from droneteam.web.api import series as api_series
from droneteam.web.api import session as api_session
from droneteam.web.api import sorties as api_sorties
from droneteam.web.api import surface as api_surface
from droneteam.web.api import upkeep as api_upkeep
from droneteam.web.api import uploads as api_uploads
from droneteam.web.api import webhooks as api_webhooks
from droneteam.web.assets import island
from droneteam.web.audit_words import action_name
from droneteam.web.context import (
    EXTENSION,
    Context,
    context,
    now,
    signed_in,
    software_version,
    utc_now,
)
from droneteam.web.cookies import init_cookies
from droneteam.web.failures import init_failures
from droneteam.web.form_labels import init_form_labels
from droneteam.web.gate import init_gate
from droneteam.web.headers import init_headers
from droneteam.web.i18n import LANGUAGE_NAMES, init_i18n, language, sentences
from droneteam.web.kept import own_path
from droneteam.web.limiter import limiter
from droneteam.web.live_state import LiveFeeds
from droneteam.web.looks import LookBook
from droneteam.web.navigation import navigation
from droneteam.web.passkeys import Tickets
from droneteam.web.reason_words import init_reason_words
from droneteam.web.recorded_words import init_recorded_words
from droneteam.web.refusals import refusal
from droneteam.web.routing import init_routing
from droneteam.web.scene_looks import init_scene_looks
from droneteam.web.strict import init_strict
from droneteam.web.views import (
    account,
    agreement,
    alerts,
    audit_log,
    board,
    calendars,
    cases,
    comparison,
    coverage,
    crew,
    equipment,
    field,
    flown,
    geozones,
    handling,
    history,
    home,
    keys,
    live,
    marking,
    measurements,
    mission_live,
    missions,
    operations,
    organisations,
    own_password,
    people,
    planner,
    privacy,
    records,
    registry,
    requests,
    scene_documents,
    scenes,
    single_signon,
    sorties,
    statistics,
    terrains,
    uploads,
    viewing,
    weather,
    webhooks,
    whatif,
)
from droneteam.web.views.account import THEME_COOKIE, THEMES
from droneteam.web.views.single_signon import init_single_signon
from droneteam.web.words import init_words

MAX_FORM_BYTES = 2_000_000
"""Forms and API bodies; photos take their own, chunked way."""
SESSION_LIFETIME = timedelta(hours=12)

PAGES = (
    home.bp,
    account.bp,
    own_password.bp,
    keys.bp,
    single_signon.bp,
    requests.bp,
    board.bp,
    missions.bp,
    sorties.bp,
    mission_live.bp,
    planner.bp,
    geozones.bp,
    terrains.bp,
    field.bp,
    live.bp,
    history.bp,
    coverage.bp,
    alerts.bp,
    privacy.bp,
    scenes.bp,
    scene_documents.bp,
    comparison.bp,
    viewing.bp,
    uploads.bp,
    marking.bp,
    measurements.bp,
    cases.bp,
    people.bp,
    organisations.bp,
    operations.bp,
    audit_log.bp,
    records.bp,
    handling.bp,
    calendars.bp,
    registry.bp,
    equipment.bp,
    crew.bp,
    weather.bp,
    agreement.bp,
    statistics.bp,
    flown.bp,
    whatif.bp,
    webhooks.bp,
)


API = (
    api_session.bp,
    api_requests.bp,
    api_series.bp,
    api_handling.bp,
    api_registry.bp,
    api_upkeep.bp,
    api_conditions.bp,
    api_agreement.bp,
    api_calendars.bp,
    api_board.bp,
    api_planning.bp,
    api_figures.bp,
    api_missions.bp,
    api_mission_plans.bp,
    api_geozones.bp,
    api_places.bp,
    api_field.bp,
    api_flights.bp,
    api_sorties.bp,
    api_live.bp,
    api_scenes.bp,
    api_uploads.bp,
    api_marking.bp,
    api_surface.bp,
    api_cases.bp,
    api_records.bp,
    api_webhooks.bp,
    api_administration.bp,
)


def create_app(
    settings: Settings, engine: Engine, *, clock: Callable[[], datetime] = utc_now
) -> APIFlask:
    """The web application on that database."""
    app = APIFlask(
        "droneteam.web",
        title="droneteam",
        version=software_version(),
        spec_path=None,
        docs_path=None,
        json_errors=False,
        static_folder="static",
    )
    app.extensions[EXTENSION] = Context(settings, engine, clock)
    app.extensions[live.FEEDS] = LiveFeeds(engine, clock)
    app.extensions[live.LISTENERS] = signin.listeners(engine, clock)
    app.extensions[looking.EXTENSION] = LookBook(engine)
    app.extensions[keyring.EXTENSION] = Tickets(settings.secret_key)
    _configure(app, settings)
    init_cookies(app)
    init_routing(app)
    init_headers(app, settings)
    init_i18n(app)
    limiter.init_app(app)
    init_single_signon(app, settings)
    init_gate(app)
    init_scene_looks(app)
    init_strict(app)
    init_words(app)
    init_form_labels(app)
    app.jinja_env.filters |= {"refusal": refusal, "action_name": action_name}
    init_recorded_words(app)
    init_reason_words(app)
    _init_templates(app)
    door.init_api(app)
    init_failures(app)  # after the API's door, which would answer pages as it answers programs
    for blueprint in (*PAGES, *API):
        app.register_blueprint(blueprint)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SECRET_KEY=settings.secret_key,
        # Browsers take such a name from this very host only: no neighbour plants a session.
        SESSION_COOKIE_NAME="__Host-droneteam" if settings.https else "droneteam",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
    )


def _init_templates(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    for function in (
        timefmt.local,
        timefmt.local_short,
        timefmt.local_clock,
        timefmt.clock_of_iso,
        timefmt.local_day,
        timefmt.local_hour,
        timefmt.local_date,
        timefmt.day_name,
        timefmt.decimal,
        timefmt.degrees,
        timefmt.for_input,
        timefmt.for_second,
        timefmt.iso,
        timefmt.duration,
    ):
        app.jinja_env.filters[function.__name__] = function

    @app.context_processor
    def common() -> dict[str, Any]:
        theme = request.cookies.get(THEME_COOKIE, "auto")
        oidc = context().settings.oidc
        return {
            "actor": signed_in(),
            "directory": oidc.name if oidc else None,
            "lang": language(),
            "languages": LANGUAGE_NAMES,
            "theme": theme if theme in THEMES else "auto",
            "here": own_path(request.full_path.rstrip("?")),
            "now": now(),
            "navigation": navigation(signed_in()),
            "island": island,
            "version": software_version(),
            "basemap": basemap_data(context().settings),
            "zone_name": timefmt.zone_name(),
            "sentences": sentences,
        }


def basemap_data(settings: Settings) -> dict[str, str] | None:
    """What maps are told of the operator's basemap; None where the built-in one is all."""
    found = settings.basemap
    if found is None:
        return None
    url = "/basemap.pmtiles" if found.kind == "pmtiles" else found.url
    return {"kind": found.kind, "url": url, "attribution": found.attribution}
