"""What the controller was about to send is read as a sentence, in three languages."""

from __future__ import annotations

import math

import pytest

from droneteam.missions.flight.runner import _intent_kind
from droneteam.missions.flight.state import PilotWants
from droneteam.missions.items import MissionType
from droneteam.missions.mavlink.messages import (
    CommandId,
    CommandLong,
    CopterMode,
    MissionClear,
    MissionCount,
    Outbound,
    ParamSet,
)
from droneteam.missions.record.intents import in_words
from droneteam.missions.record.sentences import told
from droneteam.sentences import UNTRANSLATED
from tests.missions.fake_copter import FakeCopter, fly_fake
from tests.missions.test_flight import a_flight

WORDS: list[tuple[Outbound, str, str, str]] = [
    (
        CommandLong(CommandId.DO_SET_MODE, (1.0, float(CopterMode.GUIDED))),
        "mode GUIDED commanded",
        "modus GUIDED bevolen",
        "mode GUIDED commandé",
    ),
    (
        CommandLong(CommandId.COMPONENT_ARM_DISARM, (1.0,)),
        "arming commanded",
        "starten van de motoren bevolen",
        "armement des moteurs commandé",
    ),
    (
        CommandLong(CommandId.COMPONENT_ARM_DISARM, (0.0,), 2),
        "disarming commanded, attempt 3",
        "uitzetten van de motoren bevolen, poging 3",
        "désarmement des moteurs commandé, essai 3",
    ),
    (
        CommandLong(CommandId.TAKEOFF, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 16.64)),
        "climb to 16.64 m commanded",
        "klim tot 16,64 m bevolen",
        "montée à 16,64 m commandée",
    ),
    (
        CommandLong(CommandId.SET_MESSAGE_INTERVAL, (33.0, 200_000.0)),
        "telemetry message 33 asked for at 5 Hz",
        "telemetriebericht 33 gevraagd aan 5 Hz",
        "message de télémétrie 33 demandé à 5 Hz",
    ),
    (
        CommandLong(CommandId.DO_GIMBAL_MANAGER_PITCHYAW, (-90.0, 0.0, math.nan, math.nan)),
        "the camera turned to -90 degrees",
        "camera gedraaid naar -90 graden",
        "caméra tournée à -90 degrés",
    ),
    (
        ParamSet("RTL_ALT", 1886.0),
        "parameter RTL_ALT set to 1886",
        "parameter RTL_ALT ingesteld op 1886",
        "paramètre RTL_ALT réglé à 1886",
    ),
    (
        MissionCount(21, MissionType.FENCE),
        "upload of the fence begun, 21 items",
        "opladen van de geofence begonnen, 21 punten",
        "envoi de la clôture virtuelle commencé, 21 éléments",
    ),
    (
        MissionClear(MissionType.RALLY),
        "the rally points on the vehicle deleted",
        "verzamelpunten op het toestel gewist",
        "points de ralliement effacés de l'appareil",
    ),
]


@pytest.mark.parametrize(("message", "en", "nl", "fr"), WORDS, ids=[row[1] for row in WORDS])
def test_a_message_is_a_sentence_with_its_facts(message: object, en: str, nl: str, fr: str) -> None:
    line = f"{message} because: every check passed"
    assert told(line, "en") == f"{en} because: every check passed"
    assert told(line, "nl") == f"{nl}, omdat: elke controle is geslaagd"
    assert told(line, "fr") == f"{fr}, parce que : tous les contrôles sont réussis"


def test_a_line_says_who_asked_for_it() -> None:
    line = "ParamSet(name='RTL_ALT', value=1886.0) because: profiling (asked by user 3 (pilot))"
    assert told(line, "en") == (
        "parameter RTL_ALT set to 1886 because: profiling (asked by user 3 (pilot))"
    )
    assert told(line, "nl").startswith("parameter RTL_ALT ingesteld op 1886")
    assert told(line, "nl").endswith("(gevraagd door gebruiker 3 (piloot))")


@pytest.mark.parametrize("command", CommandId)
def test_every_command_that_is_ever_sent_has_words(command: CommandId) -> None:
    message = CommandLong(command, (1.0, 4.0, 0.0, 0.0, 0.0, 0.0, 12.5))
    assert "CommandLong" not in in_words(f"{message} because: flying")


@pytest.mark.parametrize("wish", ["rtl", "land", "pause", "look_down"])
def test_every_intent_of_a_flight_is_told_without_the_programs_own_notation(wish: str) -> None:
    asked: list[float] = []

    def meddle(now_s: float, copter: FakeCopter) -> PilotWants | None:
        if not asked and copter.seq >= 2:
            asked.append(now_s)
            return PilotWants(wish, now_s)
        late = asked and now_s > asked[0] + 30.0 and copter.armed
        return PilotWants("rtl", now_s) if late and wish == "pause" else None

    sent = [message for _, message in fly_fake(a_flight(), FakeCopter(), meddle=meddle).sent]
    lines = {f"{one} because: flying" for one in sent if _intent_kind(one) is not None}
    assert len(lines) > 10
    for line in lines:
        for language in ("en", "nl", "fr"):
            form = told(line, language)
            assert UNTRANSLATED not in form
            assert not set("<>=") & set(form), form


@pytest.mark.parametrize(
    "line",
    [
        "the parameters hold (12 of 12)",
        "Reboot(hard=True) because: flying",
        "CommandLong(command=9999, params=()) because: flying",
        "CommandLong(command=<CommandId.TAKEOFF: 22>, params=()) because: flying",
        "CommandLong(command=511, params=(33.0, 0.0)) because: flying",
        "ParamSet(name='RTL_ALT') because: flying",
        "ParamSet(name=open('x'), value=1) because: flying",
        "ParamSet(name='RTL_ALT', value= because: flying",
    ],
)
def test_what_is_no_known_message_stays_as_it_was_written(line: str) -> None:
    assert in_words(line) == line
