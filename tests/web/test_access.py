"""Every route × every role × own and other zone: who gets in, and who gets which answer.

The table below is written by hand from what each role needs.  A route that is not in it fails
the test, so that nobody adds a door without saying who may pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from droneteam import accounts, db
from droneteam.accounts import ROLES
from droneteam.evidence import service as evidence
from droneteam.fleet import service as fleet
from droneteam.fleet.views import RequestDraft
from droneteam.web.access import access_of
from tests.web import worlds
from tests.web.conftest import NOW, Site

EVERYONE = frozenset({"visitor", *ROLES})
SIGNED_IN = frozenset(ROLES)
TEAM = SIGNED_IN - {"requester"}


def roles(*names: str) -> frozenset[str]:
    assert set(names) <= SIGNED_IN
    return frozenset(names)


ASKERS = roles("requester", "coordinator")
BOARD = roles("coordinator", "manager", "pilot")
PLANS = roles("coordinator", "manager", "auditor")
ADMINISTRATORS = roles("administrator")
ZONES_READ = roles("coordinator", "administrator", "pilot", "manager", "auditor")
ZONES_KEEP = roles("coordinator", "administrator")
AUDIT = roles("auditor", "administrator", "manager")
SKY = roles("pilot", "coordinator", "manager", "administrator", "auditor", "investigator")
OPERATOR_SEERS = roles("pilot", "coordinator", "administrator", "investigator")
CASES = roles("investigator", "auditor", "manager", "administrator", "coordinator", "requester")
MISSIONS = roles("pilot", "coordinator", "manager", "auditor", "investigator")
PLANNERS = roles("pilot", "coordinator")
CASE_OPENERS = roles("investigator", "pilot", "coordinator", "administrator")
EXPORTERS = roles("investigator", "administrator")
SCENE_BUILDERS = roles("pilot", "investigator", "coordinator", "administrator")
MEASURERS = roles("investigator", "pilot", "coordinator")
MEASUREMENT = "<id:scene_id>/measurements/<id:measurement_id>"
PHOTO = "/scenes/<id:scene_id>/photos/<photo>"
ALERT_ANSWERERS = roles("pilot", "coordinator", "administrator")
ATTACHERS = roles("requester", "coordinator", "pilot")
KEEPERS = roles("coordinator", "administrator")
MECHANICS = roles("pilot", "coordinator", "administrator")
PILOT_PAGE = roles("pilot", "coordinator", "manager", "auditor", "administrator")
CALENDARS = roles("requester", "pilot", "coordinator")
FIGURES = roles("coordinator", "manager", "auditor", "administrator")

PASSES: dict[str, frozenset[str]] = {
    "GET /": SIGNED_IN,
    "GET /health": EVERYONE,
    "GET /favicon.ico": EVERYONE,
    "GET /static/<path:filename>": EVERYONE,
    "GET /sign-in": EVERYONE,
    "POST /sign-in": EVERYONE,
    "POST /sign-out": SIGNED_IN,
    "POST /preferences": EVERYONE,
    "GET /account": SIGNED_IN,
    "POST /account/password": SIGNED_IN,
    "GET /sw.js": EVERYONE,
    "GET /missions/<id:mission_id>/field": MISSIONS,
    "GET /missions/<id:mission_id>/field/log.json": MISSIONS,
    "POST /missions/<id:mission_id>/field": PLANNERS,
    "GET /api/v1/missions/<id:mission_id>/log": MISSIONS,
    "POST /api/v1/missions/<id:mission_id>/log": PLANNERS,
    "POST /account/passkeys/options": SIGNED_IN,
    "POST /account/passkeys/": SIGNED_IN,
    "POST /account/passkeys/<id:key_id>/name": SIGNED_IN,
    "POST /account/passkeys/<id:key_id>/remove": SIGNED_IN,
    "POST /sign-in/passkey": EVERYONE,
    "POST /sign-in/passkey/options": EVERYONE,
    "POST /account/second-factor": SIGNED_IN,
    "POST /account/second-factor/confirm": SIGNED_IN,
    "POST /account/end-sessions": SIGNED_IN,
    "GET /requests/": SIGNED_IN,
    "GET /requests/new": ASKERS,
    "POST /requests/new": ASKERS,
    "POST /requests/answer": ASKERS,
    "GET /requests/<id:request_id>": SIGNED_IN,
    "POST /requests/<id:request_id>/acknowledge": roles("coordinator"),
    "POST /requests/<id:request_id>/cancel": ASKERS,
    "POST /requests/<id:request_id>/submit": ASKERS,
    "POST /requests/<id:request_id>/triage": roles("coordinator"),
    "POST /requests/<id:request_id>/confirm": ASKERS,
    "POST /requests/<id:request_id>/refuse": roles("coordinator"),
    "POST /requests/<id:request_id>/book": ASKERS,
    "POST /requests/<id:request_id>/state": PLANNERS,
    "POST /requests/<id:request_id>/attach": ATTACHERS,
    "POST /requests/<id:request_id>/stop-clock": roles("coordinator"),
    "GET /requests/attachments/<id:attachment_id>": SIGNED_IN,
    "GET /requests/list": ASKERS,
    "POST /requests/list": ASKERS,
    "GET /calendars/": ATTACHERS,
    "POST /calendars/": ATTACHERS,
    "POST /calendars/<id:feed_id>/end": ATTACHERS,
    "GET /calendars/<token>.ics": EVERYONE,
    "GET /registry/": TEAM,
    "POST /registry/defects": ALERT_ANSWERERS,
    "POST /registry/defects/<id:defect_id>/release": ALERT_ANSWERERS,
    "POST /registry/notices/<id:notice_id>/seen": KEEPERS,
    "GET /registry/drones": TEAM,
    "POST /registry/drones": KEEPERS,
    "GET /registry/drones/<id:drone_id>": TEAM,
    "POST /registry/drones/<id:drone_id>": KEEPERS,
    "POST /registry/drones/<id:drone_id>/rules": KEEPERS,
    "POST /registry/drones/<id:drone_id>/limits": KEEPERS,
    "POST /registry/drones/<id:drone_id>/services": MECHANICS,
    "POST /registry/drones/<id:drone_id>/defects": MECHANICS,
    "GET /registry/batteries": TEAM,
    "POST /registry/batteries": KEEPERS,
    "GET /registry/batteries/<id:battery_id>": TEAM,
    "POST /registry/batteries/<id:battery_id>/measurements": MECHANICS,
    "POST /registry/batteries/<id:battery_id>/retire": KEEPERS,
    "GET /registry/payloads": TEAM,
    "POST /registry/payloads": KEEPERS,
    "POST /registry/payloads/<id:payload_id>/mount": MECHANICS,
    "GET /registry/pilots": TEAM,
    "POST /registry/pilots": KEEPERS,
    "GET /registry/pilots/<id:pilot_id>": PILOT_PAGE,
    "POST /registry/pilots/<id:pilot_id>/credentials": KEEPERS,
    "POST /registry/pilots/<id:pilot_id>/credentials/<id:credential_id>/end": KEEPERS,
    "POST /registry/pilots/<id:pilot_id>/absences": MECHANICS,
    "POST /registry/pilots/<id:pilot_id>/absences/<id:absence_id>/end": MECHANICS,
    "POST /registry/pilots/<id:pilot_id>/active": KEEPERS,
    "GET /registry/weather": TEAM,
    "POST /registry/weather": MECHANICS,
    "POST /registry/weather/file": MECHANICS,
    "GET /registry/travel": TEAM,
    "POST /registry/travel": roles("manager", "administrator"),
    "POST /requests/<id:request_id>/airspace": PLANNERS,
    "GET /requests/series/<series>": SIGNED_IN,
    "POST /requests/series/<series>/cancel": ASKERS,
    "POST /api/v1/requests/series": ASKERS,
    "GET /api/v1/requests/series/<series>": SIGNED_IN,
    "POST /api/v1/requests/series/<series>/cancel": ASKERS,
    "POST /api/v1/requests/drafts": ASKERS,
    "PUT /api/v1/requests/drafts/<id:request_id>": ASKERS,
    "POST /api/v1/requests/drafts/<id:request_id>/submit": ASKERS,
    "POST /api/v1/requests/list": ASKERS,
    "POST /api/v1/requests/<id:request_id>/triage": roles("coordinator"),
    "POST /api/v1/requests/<id:request_id>/confirm": ASKERS,
    "POST /api/v1/requests/<id:request_id>/refuse": roles("coordinator"),
    "POST /api/v1/requests/<id:request_id>/state": PLANNERS,
    "GET /api/v1/requests/<id:request_id>/history": SIGNED_IN,
    "GET /api/v1/requests/<id:request_id>/attachments": SIGNED_IN,
    "POST /api/v1/requests/<id:request_id>/attachments": ATTACHERS,
    "GET /api/v1/requests/attachments/<id:attachment_id>": SIGNED_IN,
    "POST /api/v1/requests/<id:request_id>/stops": roles("coordinator"),
    "GET /api/v1/requests/<id:request_id>/airspace": SIGNED_IN,
    "POST /api/v1/requests/<id:request_id>/airspace": PLANNERS,
    "GET /api/v1/registry": FIGURES,
    "POST /api/v1/registry/import": roles("administrator"),
    "PUT /api/v1/registry/records/<part>": KEEPERS,
    "GET /api/v1/registry/notices": TEAM,
    "POST /api/v1/registry/notices/<id:notice_id>/seen": KEEPERS,
    "GET /api/v1/registry/flights": TEAM,
    "GET /api/v1/registry/drones/<id:drone_id>": TEAM,
    "POST /api/v1/registry/drones/<id:drone_id>/defects": MECHANICS,
    "POST /api/v1/registry/defects/<id:defect_id>/release": MECHANICS,
    "POST /api/v1/registry/drones/<id:drone_id>/services": MECHANICS,
    "GET /api/v1/registry/models": TEAM,
    "PUT /api/v1/registry/models": KEEPERS,
    "GET /api/v1/registry/payloads": TEAM,
    "POST /api/v1/registry/payloads/<id:payload_id>/mount": MECHANICS,
    "GET /api/v1/registry/mountings": TEAM,
    "GET /api/v1/registry/batteries/<id:battery_id>/measurements": TEAM,
    "POST /api/v1/registry/batteries/<id:battery_id>/measurements": MECHANICS,
    "POST /api/v1/registry/batteries/<id:battery_id>/retire": KEEPERS,
    "GET /api/v1/registry/pilots/<id:pilot_id>": PILOT_PAGE,
    "POST /api/v1/registry/pilots/<id:pilot_id>/credentials": KEEPERS,
    "POST /api/v1/registry/credentials/<id:credential_id>/end": KEEPERS,
    "POST /api/v1/registry/pilots/<id:pilot_id>/absences": MECHANICS,
    "POST /api/v1/registry/absences/<id:absence_id>/end": MECHANICS,
    "GET /api/v1/weather": TEAM,
    "GET /api/v1/weather/expected": TEAM,
    "POST /api/v1/weather": MECHANICS,
    "GET /api/v1/plans/current/conflicts": TEAM,
    "GET /api/v1/speeds": TEAM,
    "POST /api/v1/speeds": roles("manager", "administrator"),
    "GET /api/v1/agreement/versions": SIGNED_IN,
    "POST /api/v1/agreement/versions": roles("manager", "administrator"),
    "PUT /api/v1/agreement/versions/<id:number>": roles("manager", "administrator"),
    "GET /api/v1/agreement/shares": SIGNED_IN,
    "POST /api/v1/agreement/loans": roles("manager", "requester"),
    "GET /api/v1/calendars": CALENDARS,
    "POST /api/v1/calendars": CALENDARS,
    "POST /api/v1/calendars/<id:feed_id>/end": CALENDARS,
    "GET /registry/registry.json": FIGURES,
    "GET /registry/registry.zip": FIGURES,
    "POST /registry/import": roles("administrator"),
    "GET /agreement/": SIGNED_IN,
    "POST /agreement/versions": roles("manager", "administrator"),
    "POST /agreement/loans": roles("manager", "requester"),
    "GET /statistics/": FIGURES,
    "GET /statistics/<int:year>": FIGURES,
    "GET /statistics/<int:year>/report.pdf": FIGURES,
    "GET /statistics/<int:year>/report.csv": FIGURES,
    "GET /statistics/<int:year>/sizes": FIGURES,
    "GET /statistics/<int:year>/map": FIGURES,
    "GET /api/v1/figures/places": FIGURES,
    "GET /what-if/": roles("coordinator"),
    "POST /what-if/": roles("coordinator"),
    "POST /what-if/place": roles("coordinator"),
    "POST /what-if/plans/<id:plan_id>/discard": roles("coordinator"),
    "GET /what-if/compare": PLANS,
    "POST /what-if/plans/<id:plan_id>/publish": roles("coordinator"),
    "POST /board/escalations/<id:escalation_id>/seen": roles("coordinator"),
    "GET /api/v1/displaced": SIGNED_IN,
    "GET /api/v1/escalations": roles("coordinator", "manager", "pilot", "administrator", "auditor"),
    "GET /board/": BOARD,
    "POST /board/solve": roles("coordinator"),
    "GET /board/plans/<id:plan_id>": PLANS,
    "POST /board/plans/<id:plan_id>/publish": roles("coordinator"),
    "GET /missions/": MISSIONS,
    "GET /missions/new/<id:assignment_id>": PLANNERS,
    "POST /missions/new/<id:assignment_id>": PLANNERS,
    "POST /missions/new/<id:assignment_id>/preview": PLANNERS,
    "GET /missions/<id:mission_id>/volumes.json": MISSIONS,
    "GET /missions/<id:mission_id>/pack-<int:number>.<kind>": MISSIONS,
    "GET /missions/terrains/": PLANNERS,
    "POST /missions/terrains/": PLANNERS,
    "POST /missions/new/<id:assignment_id>/places": PLANNERS,
    "POST /missions/new/<id:assignment_id>/chances": PLANNERS,
    "GET /missions/<id:mission_id>": MISSIONS,
    "POST /missions/<id:mission_id>/approve": PLANNERS,
    "POST /missions/<id:mission_id>/cancel": PLANNERS,
    "POST /missions/<id:mission_id>/sign": PLANNERS,
    "GET /missions/<id:mission_id>/mission.<kind>": MISSIONS,
    "GET /sorties/<id:sortie_id>": MISSIONS,
    "GET /sorties/<id:sortie_id>/report.pdf": MISSIONS,
    "GET /sorties/<id:sortie_id>/track.<kind>": MISSIONS,
    "GET /sorties/<id:sortie_id>/onboard.bin": MISSIONS,
    "GET /missions/<id:mission_id>/live": MISSIONS,
    "POST /missions/<id:mission_id>/ask": PLANNERS,
    "GET /api/v1/missions/<id:mission_id>/asks": MISSIONS,
    "POST /api/v1/missions/<id:mission_id>/asks": PLANNERS,
    "GET /live/": SKY,
    "POST /live/purpose": OPERATOR_SEERS,
    "GET /live/history/": SKY,
    "GET /live/history/data.json": SKY,
    "GET /live/coverage/": SKY,
    "GET /live/coverage/data.json": SKY,
    "GET /privacy/": AUDIT,
    "POST /privacy/": roles("administrator"),
    "GET /alerts/<id:alert_id>/evidence.json": OPERATOR_SEERS,
    "POST /alerts/<id:alert_id>/case": roles("coordinator", "investigator", "administrator"),
    "GET /live/events": SKY,
    "GET /live/state.json": SKY,
    "GET /alerts/": SKY,
    "GET /alerts/<id:alert_id>": SKY,
    "POST /alerts/<id:alert_id>/acknowledge": ALERT_ANSWERERS,
    "GET /scenes/": SIGNED_IN,
    "GET /scenes/<id:scene_id>": SIGNED_IN,
    "GET /scenes/<id:scene_id>/compare": SIGNED_IN,
    "GET /scenes/<id:scene_id>/compare/<id:other_id>/<name>.png": SIGNED_IN,
    "POST /scenes/<id:scene_id>/build": SCENE_BUILDERS,
    "POST /scenes/<id:scene_id>/cancel": SCENE_BUILDERS,
    "GET /scenes/<id:scene_id>/progress.json": SIGNED_IN,
    "GET /scenes/<id:scene_id>/ortho/<int:level>/<int:column>/<int:row>.png": SIGNED_IN,
    "GET /scenes/<id:scene_id>/points.bin": SIGNED_IN,
    "GET /scenes/<id:scene_id>/view/cloud.copc.laz": SIGNED_IN,
    "GET /scenes/<id:scene_id>/view/mesh.glb": SIGNED_IN,
    "GET /scenes/<id:scene_id>/overlay-<name>/<int:level>/<int:column>/<int:row>.png": SIGNED_IN,
    "GET /scenes/<id:scene_id>/cloud-<view>.png": SIGNED_IN,
    "GET /scenes/<id:scene_id>/products/<kind>": SIGNED_IN,
    "GET /scenes/<id:scene_id>/report-measured.pdf": SIGNED_IN,
    "GET /scenes/<id:scene_id>/diagram-measured.pdf": SIGNED_IN,
    "GET /scenes/<id:scene_id>/diagram-measured.dxf": SIGNED_IN,
    "GET /scenes/new": SCENE_BUILDERS,
    "POST /scenes/new": SCENE_BUILDERS,
    "GET /scenes/<id:scene_id>/photos": SIGNED_IN,
    "POST /scenes/<id:scene_id>/photos": SCENE_BUILDERS,
    "POST /scenes/<id:scene_id>/control": SCENE_BUILDERS,
    "GET /scenes/<id:scene_id>/marks": SIGNED_IN,
    "POST /scenes/<id:scene_id>/marks": MEASURERS,
    "POST /scenes/<id:scene_id>/marks/remove": MEASURERS,
    f"GET {PHOTO}/tiles/<int:level>/<int:column>/<int:row>.jpg": SIGNED_IN,
    f"GET {PHOTO}/cut.png": SIGNED_IN,
    f"GET {PHOTO}/preview.jpg": SIGNED_IN,
    f"GET {PHOTO}/thumb.jpg": SIGNED_IN,
    "POST /scenes/<id:scene_id>/measurements": MEASURERS,
    f"POST /scenes/{MEASUREMENT}/rename": MEASURERS,
    f"POST /scenes/{MEASUREMENT}/remove": MEASURERS,
    f"POST /scenes/{MEASUREMENT}/recompute": MEASURERS,
    "GET /scenes/<id:scene_id>/measurements.csv": SIGNED_IN,
    "GET /scenes/<id:scene_id>/measurements.geojson": SIGNED_IN,
    "GET /cases/": CASES,
    "GET /cases/new": CASE_OPENERS,
    "POST /cases/new": CASE_OPENERS,
    "GET /cases/<id:case_id>": CASES,
    "POST /cases/<id:case_id>/export": EXPORTERS,
    "POST /cases/<id:case_id>/export/stop": EXPORTERS,
    "GET /cases/<id:case_id>/progress.json": CASES,
    "POST /cases/<id:case_id>/gather": CASE_OPENERS,
    "POST /cases/<id:case_id>/retention": roles("administrator", "manager"),
    "GET /cases/exports/<id:export_id>": CASES,
    "GET /cases/exports/<id:export_id>/bag.zip": CASES,
    "GET /cases/exports/<id:export_id>/progress.json": CASES,
    "POST /cases/exports/<id:export_id>/verify": CASES,
    "POST /cases/items/<id:item_id>/content": CASES,
    "GET /webhooks/": roles("administrator"),
    "POST /webhooks/": roles("administrator"),
    "POST /webhooks/<id:webhook_id>/test": roles("administrator"),
    "POST /webhooks/<id:webhook_id>/resume": roles("administrator"),
    "POST /webhooks/<id:webhook_id>/end": roles("administrator"),
    "GET /api/v1/webhooks": roles("administrator"),
    "POST /api/v1/webhooks": roles("administrator"),
    "POST /api/v1/webhooks/<id:webhook_id>/test": roles("administrator"),
    "DELETE /api/v1/webhooks/<id:webhook_id>": roles("administrator"),
    "GET /people/": roles("administrator"),
    "POST /people/": roles("administrator"),
    "GET /people/<id:user_id>": roles("administrator"),
    "POST /people/<id:user_id>/roles": roles("administrator"),
    "POST /people/<id:user_id>/password": roles("administrator"),
    "POST /people/<id:user_id>/active": roles("administrator"),
    "POST /people/<id:user_id>/pilot": roles("administrator"),
    "POST /people/<id:user_id>/second-factor": roles("administrator"),
    "GET /geozones/": ZONES_READ,
    "POST /geozones/": ZONES_KEEP,
    "POST /geozones/<id:zone_id>/withdraw": ZONES_KEEP,
    "GET /api/v1/geozones": ZONES_READ,
    "GET /api/v1/places": SIGNED_IN,
    "PUT /api/v1/geozones": ZONES_KEEP,
    "DELETE /api/v1/geozones/<id:zone_id>": ZONES_KEEP,
    "GET /records/<kind>/<path:record>": AUDIT,
    "GET /api/v1/records/<kind>/<path:record>": AUDIT,
    "GET /organisations/": ADMINISTRATORS,
    "POST /organisations/": ADMINISTRATORS,
    "POST /organisations/<code>/names": ADMINISTRATORS,
    "GET /operations/": roles("administrator", "auditor"),
    "GET /api/v1/people": ADMINISTRATORS,
    "POST /api/v1/people": ADMINISTRATORS,
    "PUT /api/v1/people/<id:user_id>/roles": ADMINISTRATORS,
    "PUT /api/v1/people/<id:user_id>/active": ADMINISTRATORS,
    "GET /api/v1/organisations": ADMINISTRATORS,
    "POST /api/v1/organisations": ADMINISTRATORS,
    "PUT /api/v1/organisations/<code>/names": ADMINISTRATORS,
    "GET /api/v1/operations": roles("administrator", "auditor"),
    "GET /basemap.pmtiles": SIGNED_IN,
    "GET /audit/": AUDIT,
    "GET /audit/check": AUDIT,
    "GET /api/openapi.json": EVERYONE,
    "POST /api/v1/tokens": EVERYONE,
    "GET /sign-in/directory": EVERYONE,
    "GET /sign-in/directory/back": EVERYONE,
    "POST /sign-in/go-on": EVERYONE,
    "GET /api/v1/sessions": SIGNED_IN,
    "DELETE /api/v1/sessions/<id:session_id>": SIGNED_IN,
    "POST /account/programs": SIGNED_IN,
    "POST /account/sessions/<id:session_id>/end": SIGNED_IN,
    "GET /api/v1/me": SIGNED_IN,
    "GET /api/v1/requests/": SIGNED_IN,
    "POST /api/v1/requests/": ASKERS,
    "POST /api/v1/requests/answer": ASKERS,
    "GET /api/v1/requests/<id:request_id>": SIGNED_IN,
    "POST /api/v1/requests/<id:request_id>/acknowledge": roles("coordinator"),
    "POST /api/v1/requests/<id:request_id>/book": ASKERS,
    "POST /api/v1/requests/<id:request_id>/cancel": ASKERS,
    "GET /api/v1/drones": TEAM,
    "GET /api/v1/pilots": TEAM,
    "GET /api/v1/batteries": TEAM,
    "GET /api/v1/plans/current": BOARD,
    "POST /api/v1/plans": roles("coordinator"),
    "GET /api/v1/plans": PLANS,
    "GET /api/v1/plans/compare": PLANS,
    "GET /api/v1/plans/<id:plan_id>/scenario": PLANS,
    "POST /api/v1/plans/<id:plan_id>/discard": roles("coordinator"),
    "POST /api/v1/what-if": roles("coordinator"),
    "POST /api/v1/escalations/<id:escalation_id>/seen": roles("coordinator"),
    "GET /api/v1/requests/<id:request_id>/explanation": SIGNED_IN,
    "GET /api/v1/figures": FIGURES,
    "GET /api/v1/figures/report.csv": FIGURES,
    "GET /api/v1/figures/report.pdf": FIGURES,
    "GET /api/v1/figures/sizes": FIGURES,
    "GET /api/v1/plans/<id:plan_id>": PLANS,
    "POST /api/v1/plans/<id:plan_id>/publish": roles("coordinator"),
    "GET /api/v1/assignments/<id:assignment_id>": BOARD,
    "GET /api/v1/missions": MISSIONS,
    "POST /api/v1/assignments/<id:assignment_id>/accuracy": PLANNERS,
    "GET /api/v1/terrains": PLANNERS,
    "POST /api/v1/terrains": PLANNERS,
    "GET /api/v1/assignments/<id:assignment_id>/missions": PLANNERS,
    "POST /api/v1/assignments/<id:assignment_id>/missions": PLANNERS,
    "POST /api/v1/chance-maps": PLANNERS,
    "GET /api/v1/missions/<id:mission_id>": MISSIONS,
    "POST /api/v1/missions/<id:mission_id>/approve": PLANNERS,
    "POST /api/v1/missions/<id:mission_id>/cancel": PLANNERS,
    "POST /api/v1/missions/<id:mission_id>/sign": PLANNERS,
    "GET /api/v1/missions/<id:mission_id>/file": MISSIONS,
    "GET /api/v1/missions/<id:mission_id>/clearance": MISSIONS,
    "GET /api/v1/sorties": MISSIONS,
    "GET /api/v1/sorties/<id:sortie_id>": MISSIONS,
    "GET /api/v1/sorties/<id:sortie_id>/replay": MISSIONS,
    "GET /api/v1/live": SKY,
    "GET /api/v1/live/events": SKY,
    "GET /api/v1/tracks/points": SKY,
    "GET /api/v1/coverage": SKY,
    "GET /api/v1/alerts/<id:alert_id>/evidence": OPERATOR_SEERS,
    "GET /api/v1/tracks": SKY,
    "GET /api/v1/receivers": SKY,
    "GET /api/v1/alerts": SKY,
    "GET /api/v1/alerts/<id:alert_id>": SKY,
    "POST /api/v1/alerts/<id:alert_id>/acknowledge": ALERT_ANSWERERS,
    "GET /api/v1/scenes": SIGNED_IN,
    "GET /api/v1/scenes/<id:scene_id>": SIGNED_IN,
    "POST /api/v1/scenes/<id:scene_id>/build": SCENE_BUILDERS,
    "POST /api/v1/scenes/<id:scene_id>/cancel": SCENE_BUILDERS,
    "GET /api/v1/scenes/<id:scene_id>/products/<kind>": SIGNED_IN,
    "GET /api/v1/scenes/<id:scene_id>/uploads": SCENE_BUILDERS,
    "POST /api/v1/scenes/<id:scene_id>/uploads": SCENE_BUILDERS,
    "POST /api/v1/scenes/<id:scene_id>/uploads/room": SCENE_BUILDERS,
    "PUT /api/v1/scenes/<id:scene_id>/uploads/<id:upload_id>": SCENE_BUILDERS,
    "GET /api/v1/scenes/<id:scene_id>/points": SIGNED_IN,
    "GET /api/v1/scenes/<id:scene_id>/sheet": SIGNED_IN,
    "POST /api/v1/scenes/<id:scene_id>/marks": MEASURERS,
    "POST /api/v1/scenes/<id:scene_id>/marks/remove": MEASURERS,
    "POST /api/v1/scenes/<id:scene_id>/targets": MEASURERS,
    "POST /api/v1/scenes/<id:scene_id>/measure": SIGNED_IN,
    "POST /api/v1/scenes/<id:scene_id>/measurements": MEASURERS,
    f"POST /api/v1/scenes/{MEASUREMENT}/rename": MEASURERS,
    f"POST /api/v1/scenes/{MEASUREMENT}/remove": MEASURERS,
    f"POST /api/v1/scenes/{MEASUREMENT}/recompute": MEASURERS,
    "GET /api/v1/scenes/<id:scene_id>/cameras": SIGNED_IN,
    "POST /api/v1/scenes/<id:scene_id>/surface/behind": SIGNED_IN,
    "POST /api/v1/scenes/<id:scene_id>/surface/photos": SIGNED_IN,
    "POST /api/v1/scenes/<id:scene_id>/surface/measure": SIGNED_IN,
    "POST /api/v1/scenes/<id:scene_id>/surface/measurements": MEASURERS,
    "GET /api/v1/cases": CASES,
    "POST /api/v1/cases": CASE_OPENERS,
    "GET /api/v1/cases/<id:case_id>": CASES,
    "GET /api/v1/cases/<id:case_id>/exports": CASES,
    "POST /api/v1/cases/<id:case_id>/exports": EXPORTERS,
    "POST /api/v1/cases/<id:case_id>/exports/stop": EXPORTERS,
    "GET /api/v1/exports/<id:export_id>": CASES,
    "POST /api/v1/exports/<id:export_id>/verify": CASES,
    "GET /api/v1/audit": AUDIT,
    "GET /api/v1/audit/chain": AUDIT,
}

BODIES = {
    "cancel": {"code": "weather"},
    "exports": {"reason": "curious"},
    "content": {"reason": "curious"},
}

DRAFT_BODY = {
    "kind": "event",
    "title": "market",
    "priority": "P3",
    "start_at": "2026-05-20T08:00:00Z",
    "end_at": "2026-05-20T10:00:00Z",
    "lat_deg": 50.8,
    "lon_deg": 4.4,
}
WHOLE_BODIES = {"PUT /api/v1/requests/drafts/<id:request_id>": DRAFT_BODY}
QUERIES = {"POST /api/v1/requests/<id:request_id>/attachments": "?name=note.txt"}

ASKS_FOR_A_PASSWORD = {
    "POST /sign-in",
    "POST /sign-in/go-on",
    "POST /sign-in/passkey",
    "POST /api/v1/tokens",
}
CHANGES_WHO_IS_SIGNED_IN = {
    "POST /sign-in",
    "POST /sign-out",
    "POST /account/end-sessions",
    "POST /sign-in/passkey",
    "GET /sign-in/directory/back",
}
"""After these a new session is opened; one that is missing here fails the route after it."""


def routes(site: Site) -> Iterator[tuple[str, str, str, str]]:
    """(method, rule, endpoint, name) of every route of the application."""
    for rule in site.app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule.rule, rule.endpoint, f"{method} {rule.rule}"


def address(rule: str, record_id: int) -> str:
    """The rule with every number filled in."""
    filled = re.sub(r"<id:\w+>", str(record_id), rule)
    filled = re.sub(r"<int:\w+>", "0", filled)
    return (
        filled.replace("<path:filename>", "mark.svg")
        .replace("<view>", "top")
        .replace("<token>", "nobodys")
        .replace("<kind>", "orthophoto")
        .replace("<series>", "nobodys")
        .replace("<path:record>", "1")
        .replace("<code>", "nobody")
        .replace("<part>", "drones")
    )


def test_every_route_is_known_and_says_who_may_pass(site: Site) -> None:
    known = {name for *_, name in routes(site)}
    assert sorted(known - set(PASSES)) == [], "say in PASSES who may use these"
    assert sorted(set(PASSES) - known) == [], "these are gone"
    for _, _, endpoint, name in routes(site):
        access = access_of(site.app.view_functions[endpoint])
        assert access is not None, name


@pytest.mark.parametrize("role", sorted(EVERYONE))
def test_a_role_passes_exactly_its_own_doors(site: Site, role: str) -> None:
    """Outside: 401 for visitors, 403 for other roles; inside: anything else but 5xx."""
    site.app.config["WTF_CSRF_METHODS"] = set()
    login = None if role == "visitor" else role
    client = site.client(login)
    for method, rule, _, name in routes(site):
        if rule.endswith("/live/events") and role in PASSES[name]:
            continue  # a stream does not end; test_live reads it
        with client.open(address(rule, 999_999), method=method) as answer:
            status = answer.status_code
        if role in PASSES[name]:
            assert status < 500, name
            assert status != 403, name
            assert status != 401 or name in ASKS_FOR_A_PASSWORD, name
        else:
            assert status == (401 if role == "visitor" else 403), (name, status)
        if name in CHANGES_WHO_IS_SIGNED_IN:
            client = site.client(login)


@pytest.fixture
def owned(site: Site, tmp_path: Path) -> dict[str, int]:
    """One record of zone 5339 of each owned kind; ids by the name in the route."""
    content = tmp_path / "photo.jpg"
    content.write_bytes(b"\xff\xd8 evidence")
    zone = site.actor("requester").organisation_id
    with db.session_scope(site.engine) as session:
        made = fleet.submit_request(session, site.actor("requester"), draft(), NOW)
        attached = fleet.add_attachment(
            session,
            site.actor("requester"),
            made.id,
            "order.txt",
            b"Collision: orders",
            site.settings.blob_dir("request-files"),
            NOW,
        )
        feed, _ = fleet.make_feed(session, site.actor("requester"), "zone", zone, NOW)
        other_feed, _ = fleet.make_feed(session, site.actor("requester"), "zone", zone, NOW)
        investigator = site.actor("investigator")
        case = evidence.open_case(
            session, investigator, evidence.CaseDraft(zone, "case", "basis", made.id), NOW
        )
        item = evidence.add_item(
            session,
            investigator,
            case.id,
            evidence.NewItem(content, "photos", "photo.jpg", "photo", "test", {}),
            site.settings.blob_dir("evidence"),
            NOW,
        )
    export_id = worlds.export_case(site, case.id, "for the court")
    return {
        "request_id": made.id,
        "case_id": case.id,
        "item_id": item.id,
        "export_id": export_id,
        "attachment_id": attached.id,
        "feed_id": feed.id,
        "api_feed_id": other_feed.id,  # the page closes the first one
    }


def draft() -> RequestDraft:
    return RequestDraft(
        kind=fleet.RequestKind.PHOTOGRAMMETRY,
        title="Collision of two cars",
        priority="P1",
        start_at=NOW + timedelta(hours=3),
        end_at=NOW + timedelta(hours=5),
        lat_deg=50.8197,
        lon_deg=4.3908,
        polygon=(),
        legal_basis="CPP 44/11",
        contact="officer 3",
    )


def test_another_zones_record_is_answered_as_if_it_did_not_exist(
    site: Site, owned: dict[str, int]
) -> None:
    site.app.config["WTF_CSRF_METHODS"] = set()
    tried = 0
    for method, rule, _, name in routes(site):
        names = set(re.findall(r"<id:(\w+)>", rule)) & owned.keys()
        if not names or "requester" not in PASSES[name]:
            continue
        tried += 1
        (kind,) = names
        body = WHOLE_BODIES.get(name) or BODIES.get(rule.rsplit("/", 1)[1], {})
        for login, expected in (("neighbour", True), ("requester", False)):
            client = site.client(login)
            record = "api_feed_id" if rule.startswith("/api/v1/calendars") else kind
            path = address(rule, owned[record]) + QUERIES.get(name, "")
            json = rule.startswith("/api/")
            with client.open(
                path,
                method=method,
                **({"json": body} if json and method in ("POST", "PUT") else {"data": body}),
            ) as answer:
                assert (answer.status_code == 404) is expected, (login, name, answer.status_code)
                if expected:
                    assert "Collision" not in answer.get_data(as_text=True)
                    assert "photo.jpg" not in answer.get_data(as_text=True)
    assert tried >= 8


def test_another_zones_lists_are_empty(site: Site, owned: dict[str, int]) -> None:
    assert owned
    for path in ("/requests/", "/cases/", "/scenes/"):
        text = site.client("neighbour").get(path).get_data(as_text=True)
        assert "Collision" not in text
    client = site.client("neighbour")
    for path in ("/api/v1/requests/", "/api/v1/cases"):
        assert client.get(path).get_json() == {"items": []}


def test_the_answer_to_another_zones_number_says_what_may_be_wrong(
    site: Site, owned: dict[str, int]
) -> None:
    answer = site.client("neighbour").get(f"/requests/{owned['request_id']}")
    text = answer.get_data(as_text=True)
    assert "There is no such page or record for you" in text
    assert "It may belong to another zone" in text


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "1e3", "١", "1%00"])
def test_strange_numbers_are_unknown_addresses(site: Site, number: str) -> None:
    assert site.client("coordinator").get(f"/requests/{number}").status_code == 404


def test_a_user_without_any_role_of_use_sees_a_page_that_says_so(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        row = accounts.user_by_login(session, "pilot")
        assert row is not None
        row.roles = []
    answer = site.client("pilot").get("/")
    assert answer.status_code == 200
    assert "no role yet" in answer.get_data(as_text=True)
