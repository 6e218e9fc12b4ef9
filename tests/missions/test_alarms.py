"""What falls silent or is lost beside the flight bars the arming, and in flight is told once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from droneteam.missions.flight.control import step
from droneteam.missions.flight.packvolts import CELL_MIN_V, PACKS, cells_of, thresholds
from droneteam.missions.flight.preflight import REMOTE_ID_SILENT_S
from droneteam.missions.flight.state import Barred, Ending, Flight, Heard, Note, Phase, Tick
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.messages import Heartbeat, RemoteIdHeartbeat, RemoteIdStatus
from droneteam.missions.record.journal import read_journal
from sitl.modes import Mode
from sitl.ridtransmitter import Health
from tests.missions.fake_copter import FakeCopter, fly_fake
from tests.missions.fake_vehicle import BadLink
from tests.missions.test_flight import ORDER as FAKE_ORDER
from tests.missions.test_flight import a_flight, commands, notes
from tests.missions.test_link_faults import ORDER
from tests.missions.virtual import Air, Flown, fly_in, in_folder

ARM, TAKE_OFF = 400, 22


# Remote ID, before arming


def test_a_transmitter_that_falls_silent_before_arming_bars_it() -> None:
    copter = FakeCopter(remote_id=RemoteIdStatus(healthy=True), ekf_ready_s=40.0)

    def meddle(now_s: float, copter: FakeCopter) -> None:
        if now_s > 20.0:
            copter.remote_id = None

    outcome = fly_fake(a_flight(), copter, meddle=meddle)
    assert outcome.flight.ending is Ending.REFUSED
    assert "Remote ID (the transmitter has fallen silent)" in outcome.flight.reason
    assert ARM not in commands(outcome)


def test_one_that_only_sends_heartbeats_bars_it_too() -> None:
    def meddle(now_s: float, copter: FakeCopter) -> Heard | None:
        due = abs(now_s % 1.0) < 0.05
        return Heard(RemoteIdHeartbeat(), now_s) if due else None

    outcome = fly_fake(a_flight(), FakeCopter(), meddle=meddle)
    assert outcome.flight.ending is Ending.REFUSED
    assert "does not say whether it is ready" in outcome.flight.reason


def test_one_that_speaks_again_lets_it_take_off() -> None:
    copter = FakeCopter(remote_id=RemoteIdStatus(healthy=True), ekf_ready_s=30.0)

    def meddle(now_s: float, copter: FakeCopter) -> None:
        well = RemoteIdStatus(healthy=True)
        copter.remote_id = None if 10.0 < now_s < 60.0 else well

    outcome = fly_fake(a_flight(), copter, meddle=meddle)
    assert outcome.flight.ending is Ending.COMPLETED
    armed_s = next(at for at, m in outcome.sent if getattr(m, "command", 0) == ARM)
    assert armed_s >= 60.0


# Remote ID, in flight


def silent_from(height_m: float) -> tuple[FakeCopter, object]:
    copter = FakeCopter(remote_id=RemoteIdStatus(healthy=True))

    def meddle(now_s: float, copter: FakeCopter) -> None:
        if copter.alt_m > height_m:
            copter.remote_id = None

    return copter, meddle


def test_one_that_falls_silent_in_flight_is_told_once_and_nothing_is_commanded() -> None:
    copter, meddle = silent_from(14.0)
    outcome = fly_fake(a_flight(), copter, meddle=meddle)  # type: ignore[arg-type]
    assert outcome.flight.ending is Ending.COMPLETED
    (alarm,) = notes(outcome, "alarm")
    assert alarm.startswith("Remote ID: the transmitter has fallen silent")


@pytest.mark.parametrize("seed", range(6))
def test_loss_delay_and_disorder_are_not_taken_for_a_silent_transmitter(seed: int) -> None:
    link = BadLink(loss=0.3, duplicate=0.2, delay_s=0.5, jitter_s=1.5, seed=seed)
    outcome = fly_fake(a_flight(), FakeCopter(remote_id=RemoteIdStatus(healthy=True)), link)
    assert not any("Remote ID" in text for text in notes(outcome, "alarm"))


@pytest.mark.parametrize("seed", range(8))
def test_a_heartbeat_that_was_overtaken_ends_no_sortie_whose_motors_turn(seed: int) -> None:
    """Heartbeats are a second apart: a link with 2 s of disorder turns them round."""
    link = BadLink(loss=0.1, duplicate=0.3, delay_s=0.1, jitter_s=1.9, seed=seed)
    ended_armed: list[Phase] = []

    def watch(copter: FakeCopter, flight: Flight) -> None:
        if flight.phase is Phase.ENDED and copter.armed:
            ended_armed.append(flight.phase)

    outcome = fly_fake(a_flight(), FakeCopter(), link, watch=watch)
    assert ended_armed == []
    assert "disarmed while" not in outcome.flight.reason
    assert outcome.copter.takeoffs <= 1


def test_a_vehicle_that_lands_while_it_is_being_adopted_ends_the_watch() -> None:
    flight = replace(a_flight(), phase=Phase.ADOPTING, armed=True, adopted=True)
    for second in range(6):
        flight, _ = step(flight, Heard(Heartbeat(3, armed=False), float(second)))
    assert flight.ending is Ending.RETURNED


def test_a_cut_of_the_link_is_not_the_transmitters_silence() -> None:
    copter = FakeCopter(remote_id=RemoteIdStatus(healthy=True))
    outcome = fly_fake(a_flight(), copter, BadLink(cut_s=(40.0, 44.0)))
    assert notes(outcome, "alarm") == []
    cut = fly_fake(
        a_flight(), FakeCopter(remote_id=RemoteIdStatus(healthy=True)), BadLink(cut_s=(40.0, 70.0))
    )
    assert not any("Remote ID" in text for text in notes(cut, "alarm"))


def test_its_own_word_that_it_fails_is_told_in_flight_and_its_recovery_too() -> None:
    copter = FakeCopter(remote_id=RemoteIdStatus(healthy=True))
    airborne: list[float] = []

    def meddle(now_s: float, copter: FakeCopter) -> None:
        if copter.alt_m > 14.0:
            airborne.append(now_s)
            ill = now_s - airborne[0] < 5.0
            copter.remote_id = RemoteIdStatus(not ill, "no satellites" if ill else "")

    outcome = fly_fake(a_flight(), copter, meddle=meddle)
    (alarm,) = notes(outcome, "alarm")
    assert "no satellites" in alarm
    assert len(notes(outcome, "remote id")) == 1


# What bars from outside the vehicle


def test_a_bar_keeps_a_ready_vehicle_on_the_ground_and_its_wait_is_not_held_against_it() -> None:
    """Longer than a vehicle that is not ready would be waited for."""

    def meddle(now_s: float, copter: FakeCopter) -> Barred:
        return Barred(("the crew's checklist: weather",) if now_s < 400.0 else (), now_s)

    outcome = fly_fake(a_flight(), FakeCopter(), meddle=meddle)
    assert outcome.flight.ending is Ending.COMPLETED
    assert notes(outcome, "alarm") == ["not armed yet: the crew's checklist: weather"]
    assert min(at for at, m in outcome.sent if getattr(m, "command", 0) == ARM) >= 400.0


def test_a_bar_that_comes_in_flight_changes_nothing() -> None:
    def meddle(now_s: float, copter: FakeCopter) -> Barred | None:
        return Barred(("late",), now_s) if copter.alt_m > 5.0 else None

    outcome = fly_fake(a_flight(), FakeCopter(), meddle=meddle)
    assert outcome.flight.ending is Ending.COMPLETED
    assert notes(outcome, "alarm") == []


# The pack


@pytest.mark.parametrize("cells", PACKS)
def test_a_charged_pack_is_known_by_its_voltage_and_no_other_is_taken_for_it(cells: int) -> None:
    for per_cell_v in (CELL_MIN_V, 3.85, 4.0, 4.2, 4.24):
        assert cells_of(cells * per_cell_v) == cells
    low, critical = (param.value for param in thresholds(cells))
    assert cells * 3.2 <= critical < low <= cells * 3.6


@pytest.mark.parametrize("voltage_v", [0.0, 5.0, 21.7, 25.7, 70.0])
def test_a_voltage_of_no_charged_pack_is_refused_and_not_guessed_at(voltage_v: float) -> None:
    assert cells_of(voltage_v) is None
    copter = _with_voltage(voltage_v or 1.0)
    outcome = fly_fake(a_flight(), copter)
    assert outcome.flight.ending is Ending.REFUSED
    assert f"{voltage_v or 1.0:.1f} V" in outcome.flight.reason
    assert ARM not in commands(outcome)


def _with_voltage(voltage_v: float) -> FakeCopter:
    class Weak(FakeCopter):
        def tick(self, now_s: float) -> list[object]:
            said = super().tick(now_s)
            return [
                replace(one, voltage_v=voltage_v) if hasattr(one, "voltage_v") else one
                for one in said
            ]

    return Weak()


def test_the_packs_thresholds_and_every_arming_check_are_in_the_vehicle_before_it_is_armed() -> (
    None
):
    outcome = fly_fake(a_flight(), FakeCopter())
    params = outcome.copter.params
    assert params["ARMING_CHECK"] == 1.0
    assert (params["BATT_LOW_VOLT"], params["BATT_CRT_VOLT"]) == (14.0, 13.2)  # 15.0 V: four cells
    assert any("4 cells" in text for text in notes(outcome, "check"))


def test_named_cells_count_and_a_pack_that_has_less_is_refused() -> None:
    six = Flight(replace(FAKE_ORDER, cells=6), Timing())
    outcome = fly_fake(six, _with_voltage(23.0))
    assert outcome.copter.params["BATT_LOW_VOLT"] == 21.0
    flat = fly_fake(six, _with_voltage(21.0))
    assert flat.flight.ending is Ending.REFUSED


@pytest.mark.parametrize(
    ("known", "flies"), [("ARMING_CHECK", True), ("ARMING_SKIPCHK", True), ("", False)]
)
def test_one_of_the_two_names_of_the_arming_checks_must_be_known(known: str, flies: bool) -> None:
    copter = FakeCopter()
    del copter.params["ARMING_CHECK"]
    if known:
        copter.params[known] = 5.0
    outcome = fly_fake(a_flight(), copter)
    assert (outcome.flight.ending is Ending.COMPLETED) is flies
    if not flies:
        assert "ARMING_CHECK" in outcome.flight.reason


def test_the_height_of_the_way_home_is_set_in_metres_where_the_vehicle_counts_in_metres() -> None:
    old, new = FakeCopter(), FakeCopter()
    for name in ("RTL_ALT", "RTL_ALT_FINAL"):
        new.params[f"{name}_M"] = new.params.pop(name) / 100.0
    flown = [fly_fake(a_flight(), copter) for copter in (old, new)]
    assert [one.flight.ending for one in flown] == [Ending.COMPLETED] * 2
    assert new.params["RTL_ALT_M"] == pytest.approx(old.params["RTL_ALT"] / 100.0, abs=0.005)
    assert new.params["RTL_ALT_M"] == pytest.approx(FAKE_ORDER.rtl_alt_m, abs=0.005)


def test_a_vehicle_that_never_tells_its_voltage_is_refused_by_name() -> None:
    flight = replace(a_flight(), phase=Phase.PROFILING, boot_s=0.0, phase_since_s=0.0)
    position = FakeCopter()._position()
    for second in range(40):
        flight, _ = step(flight, Heard(replace(position, boot_s=float(second)), float(second)))
        flight, _ = step(flight, Tick(float(second)))
    assert flight.ending is Ending.REFUSED
    assert "battery's voltage" in flight.reason


# Through the simulator


def flown(air: Air, folder: Path) -> tuple[Flown, list[Note]]:
    order = in_folder(ORDER, 1, folder)
    result = fly_in(air, [order])
    return result, [Note(one.kind, one.detail) for one in read_journal(order.journal_path)]


def test_a_transmitter_that_comes_and_goes_is_waited_for_told_and_the_sortie_completed(
    tmp_path: Path,
) -> None:
    air = Air()
    ap = air.vehicles[0]
    armed_s: list[float] = []

    def meddle(now_s: float) -> None:
        if ap.armed:
            armed_s.append(now_s)
        flying_s = now_s - armed_s[0] if armed_s else 0.0
        silent = 15.0 < now_s < 70.0 or 15.0 < flying_s < 40.0
        ap.params.set("SIM_ODID", Health.SILENT if silent else Health.READY_WITH_HEARTBEAT)

    air.meddle = meddle
    result, said = flown(air, tmp_path)
    assert result.results[0].ending is Ending.COMPLETED
    assert armed_s[0] >= 70.0, "armed while the transmitter was silent"
    (alarm,) = [note.detail for note in said if note.kind == "alarm"]
    assert "fallen silent" in alarm
    assert sum(note.kind == "remote id" for note in said) == 1
    assert REMOTE_ID_SILENT_S < 25.0


def test_gps_that_fails_in_flight_lands_the_vehicle_and_the_pilot_is_told_why(
    tmp_path: Path,
) -> None:
    """Measured on ArduCopter: "EKF variance", and LAND 8.0 s after the loss."""
    air, lost_s, landing_s = Air(), [], []
    ap = air.vehicles[0]

    def meddle(now_s: float) -> None:
        if ap.mode is Mode.AUTO and ap.body.east_m > -20.0 and not lost_s:
            lost_s.append(now_s)
            ap.params.set("SIM_GPS1_ENABLE", 0)
        if lost_s and ap.mode is Mode.LAND and not landing_s:
            landing_s.append(now_s)

    air.meddle = meddle
    result, said = flown(air, tmp_path)
    (sortie,) = result.results
    assert sortie.ending is Ending.RETURNED
    assert "EKF" in sortie.reason
    assert landing_s[0] - lost_s[0] == pytest.approx(8.0, abs=0.3)
    alarms = [note.detail for note in said if note.kind == "alarm"]
    assert len([text for text in alarms if "lost its position" in text]) == 1
    texts = [note.detail for note in said if note.kind == "text"]
    assert texts.index("EKF variance") < texts.index("EKF Failsafe: changed to LAND Mode")
    returning = [note.detail for note in said if note.kind == "returning"]
    assert any("LAND" in text and "EKF" in text for text in returning)
    kinds = [note.kind for note in said]
    assert "intent" not in kinds[kinds.index("returning") :], "commanded into a failsafe"
    assert not ap.armed
    assert ap.body.on_ground
    assert sortie.packets > 1000
