"""Writing a parameter profile and reading it back, as a state machine without I/O.

A vehicle does not answer for a parameter that it does not know (measured on ArduCopter 4.7),
so silence is a result: fatal for a required parameter, noted for an optional one.  A value
counts as written only when a separate read returns it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from droneteam.missions.mavlink.handshake import Done, Failed, Outcome, Sends, Timing
from droneteam.missions.mavlink.messages import Handshake, ParamRead, ParamSet, ParamValue

_TRIES = 12
"""Sends per parameter and step: at 30 % loss each way all 12 fail once in 7,000 times."""
_TOGETHER = 4
"""Parameters in flight at once."""


@dataclass(frozen=True, slots=True)
class WantedParam:
    """A value that the vehicle shall hold.

    or_else : the parameter that other versions have in its place; one of the two must be held, and
    the other is then not asked for any more.
    """

    name: str
    value: float
    required: bool = True
    or_else: str = ""


@dataclass(frozen=True, slots=True)
class _Slot:
    wanted: WantedParam
    step: str = "write"  # write → read → held | unknown | differs | spared
    tries: int = 0
    sent_at_s: float = -math.inf
    seen: float | None = None

    @property
    def open(self) -> bool:
        return self.step in ("write", "read")


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of parameters on its way into the vehicle."""

    slots: tuple[_Slot, ...]
    timing: Timing
    outcome: Outcome | None = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Optional parameters that the vehicle did not answer for."""
        return tuple(slot.wanted.name for slot in self.slots if slot.step == "unknown")


def start_profile(
    wanted: Sequence[WantedParam], timing: Timing, now_s: float
) -> tuple[Profile, Sends]:
    """A profile and its first messages."""
    return _send_due(Profile(tuple(_Slot(one) for one in wanted), timing), now_s)


def profile_step(state: Profile, message: Handshake | None, now_s: float) -> tuple[Profile, Sends]:
    """The next state and what to send."""
    if state.outcome is not None:
        return state, ()
    if isinstance(message, ParamValue):
        slots = tuple(_heard(slot, message) for slot in state.slots)
        return _send_due(replace(state, slots=slots), now_s)
    if message is None:
        return _send_due(state, now_s)
    return state, ()


def _heard(slot: _Slot, message: ParamValue) -> _Slot:
    if message.name != slot.wanted.name or not slot.open or slot.tries == 0:
        return slot
    same = math.isclose(message.value, slot.wanted.value, rel_tol=1e-5, abs_tol=1e-6)
    if slot.step == "write" and same:
        return _Slot(slot.wanted, step="read", seen=message.value)
    if slot.step == "read":
        return replace(slot, step="held" if same else "write", seen=message.value)
    return replace(slot, seen=message.value)


def _send_due(state: Profile, now_s: float) -> tuple[Profile, Sends]:
    sends: list[ParamRead | ParamSet] = []
    slots = []
    in_flight = 0
    for slot in _spared(state.slots):
        if slot.open and in_flight < _TOGETHER:
            in_flight += 1
            if now_s - slot.sent_at_s >= state.timing.param_retry_s:
                slot = _next_send(slot, now_s)
                if slot.step == "write":
                    sends.append(ParamSet(slot.wanted.name, slot.wanted.value))
                elif slot.step == "read":
                    sends.append(ParamRead(slot.wanted.name))
        slots.append(slot)
    state = replace(state, slots=tuple(slots))
    return replace(state, outcome=_outcome(state)), tuple(sends)


def _spared(slots: Sequence[_Slot]) -> list[_Slot]:
    """The slots, those left alone in whose place another version's parameter is held."""
    held = {slot.wanted.name for slot in slots if slot.step == "held"}
    stood_for = {slot.wanted.or_else for slot in slots if slot.step == "held"}
    return [
        replace(slot, step="spared")
        if slot.open and (slot.wanted.or_else in held or slot.wanted.name in stood_for)
        else slot
        for slot in slots
    ]


def _next_send(slot: _Slot, now_s: float) -> _Slot:
    if slot.tries < _TRIES:
        return replace(slot, tries=slot.tries + 1, sent_at_s=now_s)
    return replace(slot, step="unknown" if slot.seen is None else "differs")


def _outcome(state: Profile) -> Outcome | None:
    steps = {slot.wanted.name: slot.step for slot in state.slots}
    for slot in state.slots:
        name, value = slot.wanted.name, slot.wanted.value
        if slot.step == "differs":
            return Failed("parameter-differs", f"{name} stays {slot.seen:g}, wanted {value:g}")
        other = steps.get(slot.wanted.or_else, "unknown")
        if slot.step == "unknown" and slot.wanted.required and other == "unknown":
            return Failed("parameter-unknown", f"the vehicle does not answer for {name}")
    return None if any(slot.open for slot in state.slots) else Done()
