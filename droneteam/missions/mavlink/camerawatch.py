"""A camera's photos counted by the camera protocol, version 2, as a state machine without I/O.

The camera tells each photo once (CAMERA_IMAGE_CAPTURED) and how many there are since power-on
(CAMERA_CAPTURE_STATUS).  A number that was left out, or a count beyond the last one known, is a
photo whose report was lost: it is asked for again by its number (MAV_CMD_REQUEST_MESSAGE), a few
at a time, until it comes or is given up with a name.  What camera it is, and how it is set, is
asked for first.  Photos before the first report are not of this watch.  An autopilot's own
report (CAMERA_FEEDBACK) counts too; that it is never repeated is found out by the first missing.

A camera that restarts counts from nought again.  It is found out by the first of three: a number
that is told again with another time of taking, a count whose clock went back, or a count that
stays below what was known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from droneteam.missions.mavlink.handshake import Done, Failed, Outcome, Sends, Timing
from droneteam.missions.mavlink.messages import (
    CameraFeedback,
    CameraInformation,
    CameraSettings,
    CaptureStatus,
    CommandId,
    CommandLong,
    ImageCaptured,
    Inbound,
)

EVERY_COMPONENT = 0
"""A camera is the autopilot's own or a component of its own; whichever it is answers."""
TRIES = 12
"""Requests per photo or fact: at 30 % loss each way all fail once in 7,000 times."""
TOGETHER = 4
"""Photos asked for at once."""
MOST = 5_000
"""Photos in a gap that are believed; a larger one is a camera that was exchanged."""
LATE_S = 10.0
"""No report comes later: fewer photos than were known so long ago are a restarted camera's."""
SAME_PHOTO = timedelta(seconds=1)
"""Between what two reports of one number say of when it was taken; two cameras may share it."""
_INFORMATION, _SETTINGS, _IMAGE = 259, 260, 263
_Told = Mapping[tuple[bool, int], datetime]
"""When a photo was taken, by who says so (the camera itself or the autopilot) and its number."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A photo whose report is missing; number : from 1; asked_at_s : or when it was missed."""

    number: int
    asked_at_s: float
    tries: int = 0


@dataclass(frozen=True, slots=True)
class CameraWatch:
    """What is known of a vehicle's camera and its photos.

    begun_at : photos that there were before the watch, None before the camera said so; highest :
    of the photos known; raised_at_s : when that number last grew; again : numbers that were told
    a second time since, which a restarted camera's are; lost : given up; repeats : whether the
    camera tells a photo again, None before that was tried; introduced : whether information and
    settings came, or how asking for them failed; boot_s : the latest time of the camera's clock;
    told : the photos that were told, former : those of before its restart at restarted_at_s.
    """

    timing: Timing
    information: CameraInformation | None = None
    settings: CameraSettings | None = None
    asked: int = 0
    asked_at_s: float = float("-inf")
    introduced: Outcome | None = None
    boot_s: float = float("-inf")
    told: _Told = field(default_factory=dict)
    former: _Told = field(default_factory=dict)
    former_highest: int = 0
    restarted_at_s: float = float("-inf")
    begun_at: int | None = None
    highest: int = 0
    raised_at_s: float = float("-inf")
    again: frozenset[int] = frozenset()
    gaps: tuple[Gap, ...] = ()
    lost: tuple[int, ...] = ()
    repeats: bool | None = None

    @property
    def outcome(self) -> Outcome:
        """Whether every photo since the beginning is known; which are not."""
        missing = [*self.lost, *(gap.number for gap in self.gaps)]
        if not missing:
            return Done()
        numbers = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
        return Failed("photo-unreported", f"{len(missing)} photos without a report: {numbers}")


CameraStep = tuple[CameraWatch, Sends, tuple[str, ...]]
"""The next state, what to send, and what is worth a note."""


def camera_step(state: CameraWatch, message: Inbound | None, now_s: float) -> CameraStep:
    """The next state, what to send and to note."""
    match message:
        case CameraInformation():
            known = state.information == message
            state = replace(state, information=message)
            note = f"camera {message.vendor} {message.model}, {message.width_px} px wide"
            return _introduced(state), (), () if known else (note,)
        case CameraSettings():
            return _introduced(replace(state, settings=message)), (), ()
        case ImageCaptured(shot=shot):
            return _told(state, (True, shot.index), shot.at, now_s)
        case CameraFeedback():
            return _told(state, (False, message.index), message.at, now_s)
        case CaptureStatus(images=images, boot_s=boot_s):
            return _counted(state, images, boot_s, now_s)
        case None:
            return _tick(state, now_s)
    return state, (), ()


def _introduced(state: CameraWatch) -> CameraWatch:
    if state.information is None or state.settings is None:
        return state
    return replace(state, introduced=Done())


def _told(state: CameraWatch, photo: tuple[bool, int], at: datetime, now_s: float) -> CameraStep:
    """A photo by its number, and by the time it was taken: told twice, both are the same."""
    if _dated(state.former) and state.former.get(photo) == at:
        return state, (), ()  # of before the restart, on a slow way
    before, number = state.told.get(photo, at), photo[1]
    notes: tuple[str, ...] = ()
    if abs(at - before) > SAME_PHOTO:
        notes = (f"the camera took a photo {number} again: it was restarted",)
        state = _restarted(state, number, now_s)
        gaps = tuple(gap for gap in state.gaps if gap.number != number)
        state = replace(state, gaps=gaps)
    else:
        state = _captured(state, number, now_s)
    return replace(state, told={**state.told, photo: at}), (), notes


def _dated(told: _Told) -> bool:
    """Whether the times of taking tell photos apart; a camera without a clock says always one."""
    return len(set(told.values())) > 1


def _captured(state: CameraWatch, number: int, now_s: float) -> CameraWatch:
    if state.begun_at is None:
        state = replace(state, begun_at=number - 1, highest=number - 1)
    if number <= state.highest and number not in _missing(state):
        return replace(state, again=state.again | {number})
    repeated = any(gap.number == number and gap.tries for gap in state.gaps)
    state = replace(state, repeats=True if repeated else state.repeats)
    gaps = tuple(gap for gap in state.gaps if gap.number != number)
    lost = tuple(one for one in state.lost if one != number)  # late is not lost
    return _up_to(replace(state, gaps=gaps, lost=lost), number, now_s, known=True)


def _missing(state: CameraWatch) -> frozenset[int]:
    return frozenset((*state.lost, *(gap.number for gap in state.gaps)))


def _counted(state: CameraWatch, images: int, boot_s: float | None, now_s: float) -> CameraStep:
    new_run = now_s - state.restarted_at_s <= LATE_S
    back = not new_run and boot_s is not None and boot_s < state.boot_s - LATE_S
    if boot_s is not None:
        state = replace(state, boot_s=boot_s if new_run or back else max(state.boot_s, boot_s))
    if new_run and state.highest < images <= state.former_highest:
        return state, (), ()  # perhaps of before the restart; the next count tells
    if state.begun_at is None:
        return replace(state, begun_at=images, highest=images, raised_at_s=now_s), (), ()
    overdue = now_s - state.raised_at_s > LATE_S
    if back or images < state.begun_at or (images < state.highest and overdue):
        note = f"the camera counts {images} photos after {state.highest}: it was restarted"
        return _restarted(state, images, now_s), (), (note,)
    return _up_to(state, images, now_s, known=False), (), ()


def _restarted(state: CameraWatch, images: int, now_s: float) -> CameraWatch:
    """Counting from nought again: what was told since is known, the rest is asked for."""
    begun_at = 0 if images <= MOST else images
    untold = [one for one in range(begun_at + 1, images + 1) if one not in state.again]
    return replace(
        state,
        begun_at=begun_at,
        highest=images,
        raised_at_s=now_s,
        restarted_at_s=now_s,
        former=state.told,
        former_highest=state.highest,
        told={},
        again=frozenset(),
        gaps=tuple(Gap(one, now_s) for one in untold),
        lost=(*state.lost, *(gap.number for gap in state.gaps)),
    )


def _up_to(state: CameraWatch, number: int, now_s: float, *, known: bool) -> CameraWatch:
    """Every photo up to a number exists; the last one is known or missing, too."""
    if not state.highest < number <= state.highest + MOST:
        return state
    last = number if known else number + 1
    gaps = tuple(Gap(one, now_s) for one in range(state.highest + 1, last))
    state = replace(state, highest=number, raised_at_s=now_s, again=frozenset())
    return replace(state, gaps=state.gaps + gaps)


def _tick(state: CameraWatch, now_s: float) -> CameraStep:
    state, asks = _introduce(state, now_s)
    due = [
        gap
        for gap in state.gaps[:TOGETHER]
        if now_s - gap.asked_at_s >= state.timing.command_retry_s
    ]
    most = 0 if state.repeats is False else TRIES
    given_up = tuple(gap.number for gap in due if gap.tries >= most)
    asked = {gap.number for gap in due if gap.tries < most}
    if given_up and state.repeats is None:
        state = replace(state, repeats=False)
    gaps = tuple(
        replace(gap, tries=gap.tries + 1, asked_at_s=now_s) if gap.number in asked else gap
        for gap in state.gaps
        if gap.number not in given_up
    )
    requests = tuple(_request(_IMAGE, float(number - 1)) for number in sorted(asked))
    notes = tuple(f"photo {number}: its report did not come" for number in given_up)
    state = replace(state, gaps=gaps, lost=state.lost + given_up)
    return state, (*asks, *requests), notes


def _introduce(state: CameraWatch, now_s: float) -> tuple[CameraWatch, Sends]:
    """Ask what camera it is; a vehicle without one answers nothing, and is left alone then."""
    if state.introduced is not None or now_s - state.asked_at_s < state.timing.command_retry_s:
        return state, ()
    if state.asked >= TRIES:
        missing = "information" if state.information is None else "settings"
        return replace(state, introduced=Failed("camera-silent", f"no camera {missing}")), ()
    wanted = [_INFORMATION] * (state.information is None) + [_SETTINGS] * (state.settings is None)
    asks = tuple(_request(message_id) for message_id in wanted)
    return replace(state, asked=state.asked + 1, asked_at_s=now_s), asks


def _request(message_id: int, index: float = 0.0) -> CommandLong:
    params = (float(message_id), index)
    return CommandLong(CommandId.REQUEST_MESSAGE, params, component=EVERY_COMPONENT)
