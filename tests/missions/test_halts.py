"""A pause of the mission and going on are one command: their acknowledgements look alike."""

from __future__ import annotations

from dataclasses import replace

from droneteam.missions.flight.control import step
from droneteam.missions.flight.preflight import Readings
from droneteam.missions.flight.state import Command, Flight, Heard, Phase, PilotWants, Send, Tick
from droneteam.missions.mavlink.messages import (
    CommandAck,
    CommandId,
    CommandLong,
    CopterMode,
    Position,
)
from tests.missions.test_flight import a_flight

PLACE = (50.8199, 4.3908, 65.0, 15.0)
YES = CommandAck(CommandId.DO_PAUSE_CONTINUE, 0)
HOLD, GO_ON = 0.0, 1.0


def halts(commands: list[Command]) -> list[float]:
    """What was asked for by the command that holds and goes on."""
    sent = [one.message for one in commands if isinstance(one, Send)]
    calls = [one for one in sent if isinstance(one, CommandLong)]
    return [one.params[0] for one in calls if one.command == CommandId.DO_PAUSE_CONTINUE]


def paused_at(now_s: float) -> Flight:
    """A flight on its mission that was asked to pause, and whose vehicle said yes at once."""
    flying = replace(
        a_flight(),
        phase=Phase.FLYING,
        armed=True,
        commanded_mode=int(CopterMode.AUTO),
        mode_confirmed=True,
        heard_at_s=now_s,
        readings=Readings(position=Position(100.0, *PLACE, 0.0, 0.0, 0.0, 0.0)),
    )
    flight, commands = step(flying, PilotWants("pause", now_s))
    assert halts(commands) == [HOLD]
    flight, _ = step(flight, Heard(YES, now_s + 0.1))
    assert flight.phase is Phase.PAUSED
    return flight


def test_a_late_echo_of_a_pauses_acknowledgement_does_not_say_that_the_mission_goes_on() -> None:
    flight, _ = step(paused_at(100.0), PilotWants("resume", 100.5))
    flight, _ = step(flight, Heard(YES, 101.0))  # the pause's, repeated on the way
    assert flight.phase is Phase.PAUSED
    flight, commands = step(flight, Tick(101.6))
    assert halts(commands) == [GO_ON]
    flight, _ = step(flight, Heard(YES, 102.2))
    assert flight.phase is Phase.FLYING


def test_a_pause_is_as_deaf_to_the_echo_of_going_on() -> None:
    flight, _ = step(paused_at(100.0), PilotWants("resume", 110.0))
    flight, _ = step(flight, Heard(YES, 110.1))
    assert flight.phase is Phase.FLYING  # long after the pause nothing is taken for its echo
    flight, _ = step(flight, PilotWants("pause", 110.4))
    flight, _ = step(flight, Heard(YES, 110.9))
    assert flight.phase is Phase.FLYING
    flight, _ = step(flight, Heard(YES, 112.2))
    assert flight.phase is Phase.PAUSED
