"""A sortie ends landed or handed to the pilot, whatever the link and people do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.missions.flight.control import step
from droneteam.missions.flight.preflight import FlightOrder, flight_order
from droneteam.missions.flight.state import (
    Ending,
    Event,
    Flight,
    Heard,
    Note,
    Phase,
    PilotWants,
    Tick,
)
from droneteam.missions.items import (
    HomePoint,
    MissionCommand,
    MissionItem,
    MissionType,
    wire_mission,
)
from droneteam.missions.mavlink.calls import start_call
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.messages import (
    CommandAck,
    CommandLong,
    CopterMode,
    Heartbeat,
    MissionCount,
    ParamSet,
    Position,
    RemoteIdStatus,
    StatusText,
    SystemStatus,
)
from tests.missions.fake_copter import FakeCopter, Outcome, fly_fake, holds_approved_mission
from tests.missions.fake_vehicle import BadLink

HOME = HomePoint(50.8197, 4.3908, 50.0)


def mission_items(alt_home_m: float = 15.0) -> tuple[MissionItem, ...]:
    corners = ((50.8199, 4.3908), (50.8199, 4.3912), (50.8197, 4.3912))
    waypoints = (
        MissionItem(MissionCommand.WAYPOINT, lat_deg=lat, lon_deg=lon, alt_home_m=alt_home_m)
        for lat, lon in corners
    )
    takeoff = MissionItem(MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=alt_home_m)
    return (takeoff, *waypoints, MissionItem(MissionCommand.RETURN_TO_LAUNCH))


ORDER = flight_order(7, mission_items(), HOME)


def a_flight(order: FlightOrder = ORDER) -> Flight:
    return Flight(order, Timing())


def notes(outcome: Outcome, kind: str) -> list[str]:
    return [note.detail for note in outcome.notes if note.kind == kind]


def commands(outcome: Outcome) -> list[int]:
    return [m.command for _, m in outcome.sent if isinstance(m, CommandLong)]


def modes_asked(outcome: Outcome) -> list[float]:
    sent = [m for _, m in outcome.sent if isinstance(m, CommandLong)]
    return [m.params[1] for m in sent if m.command == 176]


def changing(outcome: Outcome) -> list[object]:
    """What was sent that changes the vehicle: modes, arming, parameters, lists."""
    wanted = (MissionCount, ParamSet)
    return [
        m
        for _, m in outcome.sent
        if isinstance(m, wanted) or (isinstance(m, CommandLong) and m.command != 511)
    ]


def test_a_sortie_on_a_good_link_is_completed_in_order() -> None:
    outcome = fly_fake(a_flight(), FakeCopter())
    assert outcome.flight.ending is Ending.COMPLETED
    assert outcome.copter.takeoffs == 1
    one_of_each = list(dict.fromkeys(commands(outcome)))
    assert one_of_each == [511, 176, 400, 22, 300]
    modes = [
        m.params[1] for _, m in outcome.sent if isinstance(m, CommandLong) and m.command == 176
    ]
    assert list(dict.fromkeys(modes)) == [CopterMode.GUIDED, CopterMode.AUTO]


def test_the_safety_profile_is_on_the_vehicle_before_it_is_armed() -> None:
    def watch(copter: FakeCopter, flight: Flight) -> None:
        if copter.armed:
            assert copter.params["FS_GCS_ENABLE"] == 1.0
            assert copter.params["FENCE_ENABLE"] == 1.0
            assert copter.params["BATT_FS_LOW_ACT"] == 2.0
            assert copter.params["RTL_ALT"] == 2000.0
            assert len(copter.lists[MissionType.FENCE]) >= 4

    assert fly_fake(a_flight(), FakeCopter(), watch=watch).flight.ending is Ending.COMPLETED


SPOILS_THE_WAY_HOME = {
    "FS_OPTIONS": (18.0, 16.0),  # AUTO flies on without a ground station
    "FS_EKF_ACTION": (0.0, 1.0),
    "MAV_GCS_SYSID": (250.0, 255.0),  # our heartbeats would not count
    "RTL_ALT_TYPE": (1.0, 0.0),
    "RTL_ALT_FINAL": (1000.0, 0.0),  # it would hover for ever
    "RTL_CONE_SLOPE": (3.0, 0.0),
}


def test_what_would_spoil_the_checked_way_home_is_gone_before_arming() -> None:
    copter = FakeCopter()
    copter.params |= {name: before for name, (before, _) in SPOILS_THE_WAY_HOME.items()}
    elsewhere = MissionItem(MissionCommand.WAYPOINT, lat_deg=50.83, lon_deg=4.4, alt_home_m=20.0)
    copter.lists[MissionType.RALLY] = list(wire_mission((elsewhere,), HOME))
    seen: list[bool] = []

    def watch(copter: FakeCopter, flight: Flight) -> None:
        if copter.armed:
            seen.append(copter.lists[MissionType.RALLY] == [])
            assert all(
                copter.params[name] == after for name, (_, after) in SPOILS_THE_WAY_HOME.items()
            )

    assert fly_fake(a_flight(), copter, watch=watch).flight.ending is Ending.COMPLETED
    assert seen
    assert all(seen)


@pytest.mark.parametrize("status", [None, RemoteIdStatus(True)])
def test_a_remote_id_transmitter_that_is_well_or_not_wired_bars_nothing(
    status: RemoteIdStatus | None,
) -> None:
    outcome = fly_fake(a_flight(), FakeCopter(remote_id=status))
    assert outcome.flight.ending is Ending.COMPLETED
    told = [note for note in notes(outcome, "check") if note.startswith("Remote ID")]
    assert len(told) == 1
    assert (told == ["Remote ID: no transmitter reports to the autopilot"]) == (status is None)


def test_a_remote_id_transmitter_that_is_not_ready_bars_arming_with_its_own_word() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(remote_id=RemoteIdStatus(False, "no UAS ID set")))
    assert outcome.flight.ending is Ending.REFUSED
    assert "Remote ID (no UAS ID set)" in outcome.flight.reason
    assert 400 not in commands(outcome)


def test_arming_waits_for_the_position_estimate_although_the_pre_arm_bit_of_stabilize_is_set() -> (
    None
):
    copter = FakeCopter(ekf_ready_s=60.0)
    outcome = fly_fake(a_flight(), copter)
    first_arm = next(
        at for at, m in outcome.sent if isinstance(m, CommandLong) and m.command == 400
    )
    assert first_arm >= 60.0
    assert outcome.flight.ending is Ending.COMPLETED


def test_a_vehicle_that_never_finds_its_position_is_refused_with_the_missing_checks() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(ekf_ready_s=1e9))
    assert outcome.flight.ending is Ending.REFUSED
    assert "position estimate (EKF on GPS)" in outcome.flight.reason
    assert "GPS (fix 1" in outcome.flight.reason
    assert 400 not in commands(outcome)


def test_a_vehicle_far_from_the_planned_take_off_point_is_refused() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(lat_deg=50.83))
    assert outcome.flight.ending is Ending.REFUSED
    assert "m from the planned point, outside the fence" in outcome.flight.reason


def test_a_half_empty_battery_is_refused_before_take_off() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(battery_pct=30.0))
    assert outcome.flight.ending is Ending.REFUSED
    assert "battery (30 %, needs 40 %)" in outcome.flight.reason


def test_a_battery_that_runs_low_brings_the_vehicle_home_once() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(battery_pct=42.0, drain_pct_per_s=1.0))
    assert outcome.flight.ending is Ending.RETURNED
    assert "battery at" in outcome.flight.reason
    assert commands(outcome).count(176) == 3  # GUIDED, AUTO, RTL


def test_a_parameter_that_does_not_hold_bars_the_flight() -> None:
    copter = FakeCopter()
    copter.stuck_params.add("FENCE_ENABLE")
    outcome = fly_fake(a_flight(), copter)
    assert outcome.flight.ending is Ending.REFUSED
    assert "FENCE_ENABLE stays 0, wanted 1" in outcome.flight.reason


def test_a_rejected_item_leaves_a_corrupt_mission_and_auto_barred() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(reject_seq=3))
    assert outcome.flight.ending is Ending.REFUSED
    assert "corrupt, AUTO is barred" in outcome.flight.reason
    assert CopterMode.AUTO not in modes_asked(outcome)


@pytest.mark.parametrize("mode", [CopterMode.LOITER, CopterMode.STABILIZE, CopterMode.BRAKE])
def test_when_the_pilot_changes_the_mode_nothing_more_is_commanded(mode: CopterMode) -> None:
    taken: list[float] = []

    def meddle(now_s: float, copter: FakeCopter) -> Event | None:
        if copter.mode == CopterMode.AUTO and copter.seq == 3 and not taken:
            taken.append(now_s)
            copter.set_mode(mode)
        if taken and now_s > taken[0] + 60.0:
            copter.set_mode(CopterMode.LAND)
        return None

    outcome = fly_fake(a_flight(), FakeCopter(), meddle=meddle)
    assert outcome.flight.ending is Ending.HANDED_OVER
    assert mode.name in outcome.flight.reason
    assert [m for at, m in outcome.sent if at > taken[0]] == []


def test_heartbeats_go_on_after_a_hand_over_so_that_the_failsafe_stays_quiet() -> None:
    flight = replace(a_flight(), phase=Phase.HANDED_OVER, armed=True)
    heartbeats = 0
    for tenth in range(100):
        flight, sent = step(flight, Tick(tenth * 0.1))
        heartbeats += len(sent)
    assert heartbeats == pytest.approx(20, abs=1)


def test_one_late_heartbeat_of_the_mode_before_is_no_hand_over() -> None:
    copter = FakeCopter()

    def meddle(now_s: float, copter: FakeCopter) -> Event | None:

        if copter.mode == CopterMode.AUTO and copter.seq == 2:
            return (
                Heard(Heartbeat(int(CopterMode.GUIDED), True), now_s) if now_s % 1 < 0.1 else None
            )
        return None

    assert fly_fake(a_flight(), copter, meddle=meddle).flight.ending is Ending.COMPLETED


def test_a_link_lost_in_mid_mission_ends_safe_and_is_not_answered_with_commands() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(), BadLink(cut_s=(32.0, 1e9)))
    assert outcome.copter.alt_m == 0.0
    assert outcome.copter.mode == CopterMode.RTL
    assert outcome.flight.ending is Ending.LINK_GONE
    assert "bringing it home" in outcome.flight.reason
    assert any(text.startswith("silent for 5") for text in notes(outcome, "link"))


def test_a_link_that_comes_back_finds_the_vehicle_returning_and_leaves_it_so() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(), BadLink(cut_s=(32.0, 40.0)))
    assert outcome.flight.ending is Ending.RETURNED
    assert outcome.flight.reason == "RTL: the link had been lost"
    assert "heard again" in notes(outcome, "link")
    assert [m for at, m in outcome.sent if at > 40.0] == []


def test_a_vehicle_found_landed_after_an_outage_is_told_with_its_likely_cause() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(), BadLink(cut_s=(32.0, 70.0)))
    assert outcome.flight.ending is Ending.RETURNED
    assert outcome.flight.reason == "landed early: the link had been lost"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("GCS Failsafe", True),
        ("Battery Failsafe", True),
        ("EKF Failsafe: changed to LAND Mode", True),
        ("Circle fence breached", True),
        ("GCS Failsafe Cleared", False),
        ("Fence breach cleared", False),
        ("Fence Indexed OK", False),
        ("Battery 1 is low 10.60V used 1084 mAh", False),
    ],
)
def test_the_texts_of_a_real_copter_are_told_apart(text: str, is_one: bool) -> None:
    flight, _ = step(a_flight(), Heard(StatusText(4, text), 1.0))
    assert (flight.failsafe_text == text) == is_one


def test_a_short_outage_is_flown_through() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(), BadLink(cut_s=(32.0, 35.0)))
    assert outcome.flight.ending is Ending.COMPLETED


def test_a_vehicle_that_never_answers_ends_named() -> None:
    flight = a_flight()
    now_s = 0.0
    while flight.phase is not Phase.ENDED:
        now_s += 1.0
        flight, _ = step(flight, Tick(now_s))
    assert flight.ending is Ending.LINK_GONE
    assert now_s <= Timing().link_gone_s + 2.0


def test_the_pilot_can_call_the_vehicle_back() -> None:
    asked: list[bool] = []

    def meddle(now_s: float, copter: FakeCopter) -> Event | None:
        if copter.seq == 3 and not asked:
            asked.append(True)
            return PilotWants("rtl", now_s)
        return None

    outcome = fly_fake(a_flight(), FakeCopter(), meddle=meddle)
    assert outcome.flight.ending is Ending.RETURNED
    assert outcome.flight.reason == "the pilot asked to return"


def test_a_refused_take_off_disarms_on_the_ground() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(refuse=frozenset({22})))
    assert not outcome.copter.armed
    assert outcome.copter.alt_m == 0.0
    assert "command-refused" in outcome.flight.reason


def test_a_refused_mission_start_brings_the_vehicle_home() -> None:
    outcome = fly_fake(a_flight(), FakeCopter(refuse=frozenset({300})))
    assert outcome.flight.ending is Ending.RETURNED
    assert outcome.copter.alt_m == 0.0


# Restarts


def flying_copter(order: FlightOrder = ORDER) -> FakeCopter:
    copter = FakeCopter(
        boot_s=100.0, mode=CopterMode.AUTO, armed=True, alt_m=15.0, seq=2, started=True
    )
    copter.params["FS_GCS_ENABLE"] = 1.0
    copter.item_since_s = 100.0
    copter.lists[MissionType.MISSION] = list(order.items)
    return copter


def test_a_restart_in_mid_flight_adopts_the_vehicle_and_changes_nothing() -> None:
    outcome = fly_fake(a_flight(replace(ORDER, may_arm=False)), flying_copter())
    assert outcome.flight.ending is Ending.COMPLETED
    assert notes(outcome, "adopted") == ["in AUTO, mission identical"]
    assert changing(outcome) == []


def test_a_vehicle_that_flies_another_mission_is_left_to_its_pilot() -> None:
    copter = flying_copter()
    copter.lists[MissionType.MISSION] = list(wire_mission(mission_items(30.0), HOME))
    outcome = fly_fake(a_flight(), copter)
    assert outcome.flight.ending is Ending.HANDED_OVER
    assert "not the approved one" in outcome.flight.reason
    assert changing(outcome) == []


def test_an_armed_vehicle_in_another_mode_is_left_to_its_pilot() -> None:
    copter = flying_copter()
    copter.mode = CopterMode.LOITER

    def meddle(now_s: float, copter: FakeCopter) -> Event | None:
        if now_s > 60.0:
            copter.set_mode(CopterMode.LAND)
        return None

    outcome = fly_fake(a_flight(), copter, meddle=meddle)
    assert outcome.flight.ending is Ending.HANDED_OVER
    assert changing(outcome) == []


def test_after_a_restart_a_disarmed_vehicle_is_not_armed_again() -> None:
    outcome = fly_fake(a_flight(replace(ORDER, may_arm=False)), FakeCopter())
    assert outcome.flight.ending is Ending.REFUSED
    assert "needs a new approval" in outcome.flight.reason
    assert outcome.sent == []


# Random schedules

schedules = st.builds(
    BadLink,
    loss=st.sampled_from([0.0, 0.1, 0.3]),
    duplicate=st.sampled_from([0.0, 0.2]),
    delay_s=st.sampled_from([0.01, 0.1, 0.5]),
    jitter_s=st.sampled_from([0.0, 0.3, 2.0]),
    cut_s=st.tuples(st.floats(0.0, 120.0), st.floats(0.0, 60.0)).map(lambda c: (c[0], c[0] + c[1])),
    seed=st.integers(0, 2**32),
)


def flies_only_what_was_approved(copter: FakeCopter, flight: Flight) -> None:
    if copter.mode == CopterMode.AUTO:
        assert flight.verified
        assert holds_approved_mission(copter, flight)
    assert copter.takeoffs <= 1


@settings(max_examples=50, deadline=None)
@given(link=schedules)
def test_every_schedule_of_loss_delay_and_cuts_ends_landed(link: BadLink) -> None:
    outcome = fly_fake(a_flight(), FakeCopter(), link, watch=flies_only_what_was_approved)
    assert outcome.flight.ending is not None
    assert not outcome.copter.armed
    assert outcome.copter.alt_m == 0.0


@settings(max_examples=25, deadline=None)
@given(link=schedules, at_s=st.floats(20.0, 60.0))
def test_a_pilot_who_takes_over_on_a_bad_link_keeps_the_vehicle(link: BadLink, at_s: float) -> None:
    def meddle(now_s: float, copter: FakeCopter) -> Event | None:
        if at_s <= now_s < at_s + 20.0 and copter.armed:
            copter.set_mode(CopterMode.LOITER)
            copter.ignore_modes = True  # the transmitter's switch wins
        elif now_s >= at_s + 20.0 and copter.ignore_modes:
            copter.set_mode(CopterMode.LAND)
        return None

    outcome = fly_fake(a_flight(), FakeCopter(), link, meddle=meddle)
    assert not outcome.copter.armed


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(link=schedules)
def test_a_thousand_schedules_end_landed(link: BadLink) -> None:
    outcome = fly_fake(a_flight(), FakeCopter(), link, watch=flies_only_what_was_approved)
    assert not outcome.copter.armed
    assert outcome.copter.alt_m == 0.0


NORTH_2_KM = 50.8377
EMPTY_SOON = 30.0


def flying_at(lat_deg: float, battery_pct: float) -> Flight:
    """A flight in AUTO at a place north of home."""
    flight = replace(
        a_flight(),
        phase=Phase.FLYING,
        armed=True,
        verified=True,
        commanded_mode=int(CopterMode.AUTO),
        mode_confirmed=True,
    )
    flight, _ = step(flight, Heard(position_at(lat_deg, 100.0), 1.0))
    flight, _ = step(flight, Heard(SystemStatus(battery_pct, 22.0, True), 1.1))
    return flight


def position_at(lat_deg: float, boot_s: float) -> Position:
    return Position(boot_s, lat_deg, 4.3908, 65.0, 15.0, 0.0, 0.0, 0.0, 0.0)


def test_the_farther_away_the_more_charge_is_kept_for_the_way_home() -> None:
    """2 km at 10 - 6 m/s are 500 s of 1,500: a third of the pack, and 15 % besides."""
    assert flying_at(HOME.lat_deg, EMPTY_SOON).phase is Phase.FLYING
    away = flying_at(NORTH_2_KM, EMPTY_SOON)
    assert away.phase is Phase.RETURNING
    assert "the way home needs 5" in away.reason
    assert flying_at(NORTH_2_KM, 60.0).phase is Phase.FLYING


@pytest.mark.parametrize(("minutes", "phase"), [(14.0, Phase.FLYING), (17.0, Phase.RETURNING)])
def test_a_charge_that_is_no_longer_told_is_reckoned_on_and_brings_the_vehicle_home(
    minutes: float, phase: Phase
) -> None:
    """At 1/15 % a second 90 % are 34 after 14 minutes and 22 after 17; at home 25 are needed."""
    flight = flying_at(HOME.lat_deg, 90.0)
    for half_minute in range(1, int(2 * minutes) + 1):
        at_s = 30.0 * half_minute
        flight, _ = step(flight, Heard(position_at(HOME.lat_deg, 100.0 + at_s), 2.0 + at_s))
        flight, _ = step(flight, Heard(SystemStatus(None, 22.0, True), 2.1 + at_s))
    assert flight.phase is phase
    assert ("reckoned" in flight.reason) == (phase is Phase.RETURNING)


@pytest.mark.parametrize(("minutes", "phase"), [(14.0, Phase.FLYING), (17.0, Phase.RETURNING)])
def test_a_status_that_stays_away_is_no_full_pack(minutes: float, phase: Phase) -> None:
    """The same with positions alone: the charge that was told last is not believed for ever."""
    flight = flying_at(HOME.lat_deg, 90.0)
    for second in range(1, int(60 * minutes) + 1):
        flight, _ = step(flight, Heard(position_at(HOME.lat_deg, 100.0 + second), 2.0 + second))
    assert flight.phase is phase
    assert ("reckoned" in flight.reason) == (phase is Phase.RETURNING)


@pytest.mark.parametrize(
    ("wind_mps", "needed_pct"), [(0.0, 50.0), (6.0, 50.0), (7.5, 70.0), (12.0, 83.0)]
)
def test_the_planned_wind_is_taken_against_the_way_home(wind_mps: float, needed_pct: float) -> None:
    """2 km at 4, 2.5 and (at least) 2 m/s over ground are 500, 800 and 1,000 s of 1,500."""
    order = flight_order(7, mission_items(), HOME, wind_mps=wind_mps)
    flight = replace(flying_at(NORTH_2_KM, 90.0), order=order)
    assert needed_pct <= flight.battery_needed_pct(90.0) <= needed_pct + 6.0


def test_one_that_armed_and_disarmed_behind_a_cut_of_the_link_is_not_waited_for() -> None:
    """Its armed heartbeats were lost, so that no heartbeat will ever tell a change."""
    flight = replace(a_flight(), phase=Phase.CLIMBING, armed=False, boot_s=40.0, phase_since_s=40.0)
    on_ground = replace(position_at(HOME.lat_deg, 131.0), alt_home_m=0.0)
    flight, sent = step(flight, Heard(on_ground, 92.0))
    assert flight.ending is Ending.REFUSED
    assert "disarmed while climbing" in flight.reason
    assert [one for one in sent if not isinstance(one, Note)] == []


def test_a_charge_that_was_never_told_is_not_made_up() -> None:
    flight = replace(a_flight(), phase=Phase.FLYING, armed=True)
    flight, _ = step(flight, Heard(position_at(HOME.lat_deg, 5000.0), 1.0))
    flight, _ = step(flight, Heard(SystemStatus(None, 22.0, True), 1.1))
    assert flight.battery_left_pct() is None
    assert flight.phase is Phase.FLYING


def test_a_pack_that_drains_fast_is_believed() -> None:
    flight = flying_at(50.8242, 80.0)  # 500 m away, 42 % in two minutes: 0.35 % a second
    flight, _ = step(flight, Heard(position_at(50.8242, 220.0), 121.0))
    flight, _ = step(flight, Heard(SystemStatus(60.0, 21.0, True), 121.1))
    assert flight.phase is Phase.FLYING
    flight, _ = step(flight, Heard(SystemStatus(38.0, 21.0, True), 121.2))
    assert flight.phase is Phase.RETURNING


@pytest.mark.parametrize(("duration_s", "wanted"), [(60.0, 40.0), (600.0, 55.0), (6000.0, 90.0)])
def test_take_off_needs_the_charge_of_the_flight_and_its_reserve(
    duration_s: float, wanted: float
) -> None:
    order = flight_order(7, mission_items(), HOME, duration_s=duration_s)
    assert order.min_battery_pct == pytest.approx(wanted)


def climbing(confirmation: int) -> Flight:
    """A flight whose take-off command is under way, sent so many times before."""
    flight = replace(a_flight(), phase=Phase.CLIMBING, armed=True, commanded_mode=4)
    call, _ = start_call(CommandLong(22, (0.0,) * 7, confirmation), Timing(), 0.0)
    return replace(flight, task=call)


def test_a_repeated_take_off_that_is_refused_is_judged_by_the_height() -> None:
    """Its first acknowledgement was lost: a vehicle in the air refuses to take off again."""
    refused = Heard(CommandAck(22, 4), 1.0)
    again, commands = step(climbing(1), refused)
    assert (again.phase, again.task) == (Phase.CLIMBING, None)
    assert [one.kind for one in commands if isinstance(one, Note)] == ["climbing"]
    first, _ = step(climbing(0), refused)
    assert first.phase is not Phase.CLIMBING
