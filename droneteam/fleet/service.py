"""The fleet's door: everything that the packages above may ask of it.

Each function takes the session and the actor first and leaves the transaction to its caller.
The work is done in the modules imported here, each named after its subject.
"""

from __future__ import annotations

from droneteam.fleet.agreement.agreements import (
    add_version,
    current_document,
    edit_version,
    list_versions,
)
from droneteam.fleet.agreement.escalations import (
    EscalationView,
    due_escalations,
    list_escalations,
    raise_escalations,
    see_escalation,
)
from droneteam.fleet.agreement.lending import (
    ShareView,
    lend_minutes,
    list_shares,
)
from droneteam.fleet.airspace import (
    AirspaceNote,
    AirspaceState,
    AirspaceView,
    list_airspace,
    set_airspace,
)
from droneteam.fleet.assets.crew import (
    AbsenceView,
    DutyView,
    PilotDetail,
    add_absence,
    add_credential,
    cut_absence,
    end_credential,
    pilot_detail,
)
from droneteam.fleet.assets.exchange import (
    Imported,
    export_registry,
    import_registry,
)
from droneteam.fleet.assets.inventory import (
    list_batteries,
    list_drones,
    list_pilots,
    release_defect,
    report_defect,
)
from droneteam.fleet.assets.logbook import (
    FlightEntry,
    FlightView,
    list_flights,
    log_flight,
)
from droneteam.fleet.assets.notices import (
    NoticeView,
    due_notices,
    due_now,
    list_notices,
    raise_notices,
    see_notice,
)
from droneteam.fleet.assets.packs import (
    PackMeasurementView,
    list_measurements,
    measure_pack,
    retire_pack,
)
from droneteam.fleet.assets.pilots import (
    assign_pilot_user,
)
from droneteam.fleet.assets.register import (
    change_record,
    save_record,
)
from droneteam.fleet.assets.upkeep import (
    DroneDetail,
    ModelView,
    MountingView,
    PayloadView,
    RuleView,
    drone_detail,
    list_models,
    list_mountings,
    list_payloads,
    mount_payload,
    open_defect_rows,
    record_service,
    set_model_limits,
)
from droneteam.fleet.comparing import (
    Change,
    Compared,
    compare_plans,
)
from droneteam.fleet.conflicts import (
    ConflictView,
    plan_conflicts,
)
from droneteam.fleet.displacing import (
    DisplacedView,
    list_displaced,
)
from droneteam.fleet.explaining import (
    explain_request,
)
from droneteam.fleet.explanations.pins import (
    Refusal,
)
from droneteam.fleet.explanations.suppositions import (
    Supposition,
)
from droneteam.fleet.forecasts import (
    ExpectedView,
    ForecastView,
    add_forecasts,
    expected_weather,
    list_forecasts,
)
from droneteam.fleet.intake.attachments import (
    AttachmentView,
    add_attachment,
    attachment_file,
    list_attachments,
)
from droneteam.fleet.intake.booking import (
    book_request,
    instant_answer,
)
from droneteam.fleet.intake.calendars import (
    FeedView,
    end_feed,
    feed_text,
    list_feeds,
    make_feed,
)
from droneteam.fleet.intake.handling import (
    confirm_request,
    drop_draft,
    save_draft,
    send_draft,
    submit_draft,
    triage_request,
)
from droneteam.fleet.intake.listing import (
    ListImport,
    import_list,
)
from droneteam.fleet.intake.recurrence import (
    occurrences,
)
from droneteam.fleet.intake.requests import (
    acknowledge_request,
    cancel_request,
    due_expiries,
    expire_requests,
    get_request,
    last_contact,
    list_open_requests,
    list_requests,
    mark_request_state,
    refuse_request,
    request_history,
    request_piece,
    request_titles,
    stop_clock,
    submit_request,
)
from droneteam.fleet.intake.series import (
    cancel_series,
    sent_before,
    series_requests,
    submit_series,
)
from droneteam.fleet.performance.figures import (
    organisation_names,
    recorded_years,
    yearly_figures,
)
from droneteam.fleet.performance.flown import Flown, FlownPlace, flown_places
from droneteam.fleet.performance.sizing import (
    simulate_year,
)
from droneteam.fleet.planning import (
    current_plan,
    draft_plan,
    get_assignment,
    get_plan,
)
from droneteam.fleet.reference import (
    seed_reference,
)
from droneteam.fleet.schedule import (
    Schedule,
    plan_schedule,
)
from droneteam.fleet.speeds import (
    SpeedView,
    list_speeds,
    set_speeds,
)
from droneteam.fleet.terms import (
    RequestKind,
    RequestState,
)
from droneteam.fleet.views import (
    Answer,
    AssignmentView,
    BatteryView,
    Booking,
    ClockView,
    DroneView,
    PilotView,
    PlanView,
    ReasonView,
    RequestDraft,
    RequestView,
)
from droneteam.fleet.whatif import (
    PlanSummary,
    Scenario,
    discard_plan,
    list_plans,
    publish_plan,
    scenario_of,
    solve_supposed,
)

__all__ = [
    "AbsenceView",
    "AirspaceNote",
    "AirspaceState",
    "AirspaceView",
    "Answer",
    "AssignmentView",
    "AttachmentView",
    "BatteryView",
    "Booking",
    "Change",
    "ClockView",
    "Compared",
    "ConflictView",
    "DisplacedView",
    "DroneDetail",
    "DroneView",
    "DutyView",
    "EscalationView",
    "ExpectedView",
    "FeedView",
    "FlightEntry",
    "FlightView",
    "Flown",
    "FlownPlace",
    "ForecastView",
    "Imported",
    "ListImport",
    "ModelView",
    "MountingView",
    "NoticeView",
    "PackMeasurementView",
    "PayloadView",
    "PilotDetail",
    "PilotView",
    "PlanSummary",
    "PlanView",
    "ReasonView",
    "Refusal",
    "RequestDraft",
    "RequestKind",
    "RequestState",
    "RequestView",
    "RuleView",
    "Scenario",
    "Schedule",
    "ShareView",
    "SpeedView",
    "Supposition",
    "acknowledge_request",
    "add_absence",
    "add_attachment",
    "add_credential",
    "add_forecasts",
    "add_version",
    "assign_pilot_user",
    "attachment_file",
    "book_request",
    "cancel_request",
    "cancel_series",
    "change_record",
    "compare_plans",
    "confirm_request",
    "current_document",
    "current_plan",
    "cut_absence",
    "discard_plan",
    "draft_plan",
    "drone_detail",
    "drop_draft",
    "due_escalations",
    "due_expiries",
    "due_notices",
    "due_now",
    "edit_version",
    "end_credential",
    "end_feed",
    "expected_weather",
    "expire_requests",
    "explain_request",
    "export_registry",
    "feed_text",
    "flown_places",
    "get_assignment",
    "get_plan",
    "get_request",
    "import_list",
    "import_registry",
    "instant_answer",
    "last_contact",
    "lend_minutes",
    "list_airspace",
    "list_attachments",
    "list_batteries",
    "list_displaced",
    "list_drones",
    "list_escalations",
    "list_feeds",
    "list_flights",
    "list_forecasts",
    "list_measurements",
    "list_models",
    "list_mountings",
    "list_notices",
    "list_open_requests",
    "list_payloads",
    "list_pilots",
    "list_plans",
    "list_requests",
    "list_shares",
    "list_speeds",
    "list_versions",
    "log_flight",
    "make_feed",
    "mark_request_state",
    "measure_pack",
    "mount_payload",
    "occurrences",
    "open_defect_rows",
    "organisation_names",
    "pilot_detail",
    "plan_conflicts",
    "plan_schedule",
    "publish_plan",
    "raise_escalations",
    "raise_notices",
    "record_service",
    "recorded_years",
    "refuse_request",
    "release_defect",
    "report_defect",
    "request_history",
    "request_piece",
    "request_titles",
    "retire_pack",
    "save_draft",
    "save_record",
    "scenario_of",
    "see_escalation",
    "see_notice",
    "seed_reference",
    "send_draft",
    "sent_before",
    "series_requests",
    "set_airspace",
    "set_model_limits",
    "set_speeds",
    "simulate_year",
    "solve_supposed",
    "stop_clock",
    "submit_draft",
    "submit_request",
    "submit_series",
    "triage_request",
    "yearly_figures",
]
