"""Lists on a vehicle (mission, fence, rally): read, written and emptied, without I/O.

The machines keep the rules of ``handshake.py``.  What a vehicle really does decides theirs
(measured on ArduCopter 4.7):

- An upload is not transactional: what is cut short leaves a mixture of old and new items.  A
  failed upload is therefore reported as *corrupt*, and only an upload that was read back and
  found identical is done.
- The announcement is repeated every 1.5 s until the first request; every request is answered;
  the last item sent is repeated after max(0.2 s, 1.5 round trips).  Starting over at the
  announcement, as a literal reading of the specification does, fails at 20 % loss.
- INVALID_SEQUENCE (13) answers a duplicate while the upload goes on: never an error.
- ERROR (1) answers an item after completion, so the acknowledgement was lost: ambiguous, like
  silence after the last item.  Both lead to reading back.
- OPERATION_CANCELLED (15), or 10 s of silence while sending, is the only reason to start over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from droneteam.errors import InputError
from droneteam.missions.items import MissionType, WireItem, differences
from droneteam.missions.mavlink.handshake import Done, Failed, Outcome, Sends, Timing
from droneteam.missions.mavlink.messages import (
    Handshake,
    MissionAck,
    MissionClear,
    MissionCount,
    MissionItemMessage,
    MissionRequest,
    MissionRequestList,
    MissionResult,
)

_WINDOW = 8
"""Items asked for at once when reading back; a vehicle answers each request on its own."""
_LAST_ITEM_REPEATS = 5
"""Unanswered repeats of the last item before reading back decides."""


# Reading a list from the vehicle


@dataclass(frozen=True, slots=True)
class Download:
    """Reading a mission, fence or rally list."""

    mission_type: MissionType
    timing: Timing
    started_at_s: float
    count: int | None = None
    items: tuple[WireItem | None, ...] = ()
    asked_at_s: float = 0.0
    rtt_s: float = 0.0
    outcome: Outcome | None = None


def start_download(
    mission_type: MissionType, timing: Timing, now_s: float
) -> tuple[Download, Sends]:
    """A download and its first message."""
    state = Download(mission_type, timing, started_at_s=now_s, asked_at_s=now_s)
    return state, (MissionRequestList(mission_type),)


def download_step(
    state: Download, message: Handshake | None, now_s: float
) -> tuple[Download, Sends]:
    """The next state and what to send."""
    if state.outcome is not None:
        return state, ()
    match message:
        case MissionCount(count=count, mission_type=kind) if kind is state.mission_type:
            return _count_received(state, count, now_s)
        case MissionItemMessage(item=item) if item.mission_type is state.mission_type:
            return _item_received(state, item, now_s)
        case MissionAck(result=result, mission_type=kind) if kind is state.mission_type:
            if result == MissionResult.ACCEPTED or state.count is not None:
                return state, ()  # a late echo of the upload before
            name = "download-refused"
            return replace(state, outcome=Failed(name, _result_name(result))), ()
        case None:
            return _download_tick(state, now_s)
    return state, ()


def _count_received(state: Download, count: int, now_s: float) -> tuple[Download, Sends]:
    if state.count is not None:
        return state, ()
    if count == 0:
        return replace(state, count=0, outcome=Done()), (
            MissionAck(MissionResult.ACCEPTED, state.mission_type),
        )
    state = replace(
        state, count=count, items=(None,) * count, rtt_s=now_s - state.asked_at_s, asked_at_s=now_s
    )
    return state, _requests(state, first=0)


def _item_received(state: Download, item: WireItem, now_s: float) -> tuple[Download, Sends]:
    if not 0 <= item.seq < len(state.items) or state.items[item.seq] is not None:
        return state, ()
    items = (*state.items[: item.seq], item, *state.items[item.seq + 1 :])
    complete = tuple(one for one in items if one is not None)
    if len(complete) == len(items):
        return replace(state, items=items, outcome=Done(complete)), (
            MissionAck(MissionResult.ACCEPTED, state.mission_type),
        )
    state = replace(state, items=items, asked_at_s=now_s)
    missing = [seq for seq, one in enumerate(items) if one is None]
    if len(missing) >= _WINDOW:  # the window moves on by one
        return state, (MissionRequest(missing[_WINDOW - 1], state.mission_type),)
    return state, ()


def _requests(state: Download, first: int) -> Sends:
    missing = [seq for seq, one in enumerate(state.items) if one is None and seq >= first]
    return tuple(MissionRequest(seq, state.mission_type) for seq in missing[:_WINDOW])


def _download_tick(state: Download, now_s: float) -> tuple[Download, Sends]:
    if now_s - state.started_at_s >= state.timing.deadline_s:
        got = sum(one is not None for one in state.items)
        detail = f"{got} of {state.count} items" if state.count is not None else "no answer"
        return replace(state, outcome=Failed("download-timeout", detail)), ()
    waited = now_s - state.asked_at_s
    if state.count is None:
        if waited < state.timing.list_s:
            return state, ()
        return replace(state, asked_at_s=now_s), (MissionRequestList(state.mission_type),)
    if waited < max(state.timing.resend_s, 1.5 * state.rtt_s):
        return state, ()
    return replace(state, asked_at_s=now_s), _requests(state, first=0)


# Writing a list to the vehicle, and making sure


@dataclass(frozen=True, slots=True)
class Upload:
    """Writing a mission, fence or rally list, then reading it back.

    phase : announcing, sending or verifying; sent_seq, sent_at_s : the last item sent; repeats :
    of it; guessed : whether it was sent without having been asked for; echoes : answers that may
    still come to repeats of the item before a guessed one; heard_at_s : when the
    vehicle last took part; touched : whether it may have stored something, so that a failure
    leaves a corrupt list.
    """

    items: tuple[WireItem, ...]
    timing: Timing
    started_at_s: float
    phase: str = "announcing"
    sent_seq: int = -1
    sent_at_s: float = 0.0
    heard_at_s: float = 0.0
    repeats: int = 0
    guessed: bool = False
    echoes: int = 0
    rtt_s: float = 0.0
    touched: bool = False
    restarts: int = 0
    refusal: str = ""
    download: Download | None = None
    outcome: Outcome | None = None

    @property
    def mission_type(self) -> MissionType:
        """Which list is written."""
        return self.items[0].mission_type

    @property
    def corrupt(self) -> bool:
        """Whether the vehicle may hold a mixture of old and new items."""
        return self.touched and isinstance(self.outcome, Failed)


def start_upload(items: Sequence[WireItem], timing: Timing, now_s: float) -> tuple[Upload, Sends]:
    """An upload and its announcement.

    Raises
    ------
    InputError
        For an empty list: clearing is a handshake of its own.
    """
    if not items:
        raise InputError("nothing to upload; use the clear handshake", field="items")
    state = Upload(tuple(items), timing, started_at_s=now_s)
    return _announce(state, now_s)


def _announce(state: Upload, now_s: float) -> tuple[Upload, Sends]:
    state = replace(
        state,
        phase="announcing",
        sent_seq=-1,
        sent_at_s=now_s,
        heard_at_s=now_s,
        repeats=0,
        download=None,
    )
    return state, (MissionCount(len(state.items), state.mission_type),)


def upload_step(state: Upload, message: Handshake | None, now_s: float) -> tuple[Upload, Sends]:
    """The next state and what to send."""
    if state.outcome is not None:
        return state, ()
    match message:
        case MissionRequest(seq=seq, mission_type=kind) if kind is state.mission_type:
            return _answer(state, seq, now_s)
        case MissionAck(result=result, mission_type=kind) if kind is state.mission_type:
            if state.phase == "verifying":
                return _verify(state, message, now_s)
            return _acknowledged(state, result, now_s)
        case None:
            return _upload_tick(state, now_s)
        case _ if state.phase == "verifying":
            return _verify(state, message, now_s)
    return state, ()


def _answer(state: Upload, seq: int, now_s: float) -> tuple[Upload, Sends]:
    """Send the item asked for.

    While reading back, a request is a late echo: a vehicle that still wants items denies the
    reading, which leads back here.  An echo of a request just answered would double the traffic
    at every duplicate, so it is left to the repetition of the last item.
    """
    if not 0 <= seq < len(state.items) or state.phase == "verifying":
        return state, ()
    fresh = seq == state.sent_seq + 1
    if not fresh and now_s - state.sent_at_s < 0.5 * state.timing.resend_s:
        return state, ()
    waited_s = now_s - state.sent_at_s
    # The shortest one seen: longer ones are the vehicle's own repetition after a loss.
    rtt_s = min(waited_s, state.rtt_s or waited_s) if fresh else state.rtt_s
    state = replace(
        state,
        phase="sending",
        sent_seq=seq,
        sent_at_s=now_s,
        heard_at_s=now_s,
        repeats=0,
        guessed=False,
        rtt_s=rtt_s,
        touched=True,
    )
    return state, (MissionItemMessage(state.items[seq]),)


def _acknowledged(state: Upload, result: int, now_s: float) -> tuple[Upload, Sends]:
    if result == MissionResult.INVALID_SEQUENCE:
        return _duplicate_noticed(state, now_s)
    if result in (MissionResult.ACCEPTED, MissionResult.ERROR):
        if state.sent_seq < len(state.items) - 1:
            return state, ()  # a late echo: this attempt cannot have been completed
        return _start_verifying(state, now_s)
    if result == MissionResult.OPERATION_CANCELLED:
        return _announce(replace(state, restarts=state.restarts + 1), now_s)
    if result == MissionResult.DENIED or (
        result == MissionResult.NO_SPACE and state.phase == "announcing"
    ):
        # Passing: another ground station's upload, a late answer to reading back, or storage
        # that is not ready just after boot.  The next announcement or repeat asks again.
        return replace(state, refusal=_result_name(result)), ()
    item = state.items[max(0, state.sent_seq)]
    detail = f"{_result_name(result)} at item {item.seq} (command {item.command})"
    return replace(state, outcome=Failed("upload-rejected", detail)), ()


def _duplicate_noticed(state: Upload, now_s: float) -> tuple[Upload, Sends]:
    """The vehicle already had a repeated item, so its request for the next one was lost.

    Sending the next one now saves waiting for the vehicle's own repetition (1 s).  An answer may
    also be a late echo of an earlier repeat: after an item that was sent unasked, only answers
    beyond those echoes count, so that we never run ahead of the vehicle.
    """
    state = replace(state, heard_at_s=now_s)
    last = state.sent_seq >= len(state.items) - 1
    if state.phase != "sending" or state.repeats == 0 or last:
        return state, ()
    if state.guessed and state.echoes > 0:
        return replace(state, echoes=state.echoes - 1), ()
    echoes = state.repeats - 1
    seq = state.sent_seq + 1
    state = replace(state, sent_seq=seq, sent_at_s=now_s, repeats=0, guessed=True, echoes=echoes)
    return state, (MissionItemMessage(state.items[seq]),)


def _start_verifying(state: Upload, now_s: float) -> tuple[Upload, Sends]:
    remaining = replace(
        state.timing, deadline_s=max(0.0, state.timing.deadline_s - (now_s - state.started_at_s))
    )
    download, sends = start_download(state.mission_type, remaining, now_s)
    return replace(state, phase="verifying", download=download, heard_at_s=now_s), sends


def _verify(state: Upload, message: Handshake | None, now_s: float) -> tuple[Upload, Sends]:
    assert state.download is not None
    before = state.download
    download, sends = download_step(before, message, now_s)
    heard_at_s = now_s if download.items != before.items else state.heard_at_s
    state = replace(state, download=download, heard_at_s=heard_at_s)
    match download.outcome:
        case Done(items=theirs):
            if not differences(state.items, theirs):
                return replace(state, outcome=Done(theirs)), sends
            again, announcement = _announce(replace(state, restarts=state.restarts + 1), now_s)
            return again, (*sends, *announcement)
        case Failed(name="download-refused", detail=detail):
            # The vehicle still waits for items: repeat the last one until it asks for another.
            back = replace(state, phase="sending", sent_at_s=now_s, repeats=0, refusal=detail)
            return replace(back, download=None), ()
        case Failed(name=name, detail=detail):
            return replace(state, outcome=Failed(name, f"while reading back: {detail}")), ()
    return state, sends


def _upload_tick(state: Upload, now_s: float) -> tuple[Upload, Sends]:
    if now_s - state.started_at_s >= state.timing.deadline_s:
        return replace(state, outcome=_upload_timeout(state)), ()
    # Silence while reading back is no reason to write again what is probably there.
    if now_s - state.heard_at_s >= state.timing.silence_s and state.phase == "sending":
        return _announce(replace(state, restarts=state.restarts + 1), now_s)
    waited = now_s - state.sent_at_s
    if state.phase == "announcing":
        if waited < state.timing.announce_s:
            return state, ()
        return replace(state, sent_at_s=now_s), (
            MissionCount(len(state.items), state.mission_type),
        )
    if state.phase == "verifying":
        return _verify(state, None, now_s)
    if waited < max(state.timing.resend_s, 1.5 * state.rtt_s):
        return state, ()
    if state.sent_seq == len(state.items) - 1 and state.repeats >= _LAST_ITEM_REPEATS:
        return _start_verifying(state, now_s)
    state = replace(state, sent_at_s=now_s, repeats=state.repeats + 1)
    return state, (MissionItemMessage(state.items[state.sent_seq]),)


def _upload_timeout(state: Upload) -> Failed:
    detail = f"{state.phase} after {state.restarts} restarts, item {max(0, state.sent_seq)} of "
    detail += f"{len(state.items)} sent last"
    if state.refusal:
        detail += f"; the vehicle answered {state.refusal}"
    return Failed("upload-timeout", detail)


# Emptying a list, and making sure


@dataclass(frozen=True, slots=True)
class Clear:
    """Emptying a mission, fence or rally list, then reading back that it is empty.

    download : the reading back, once the vehicle has said that it emptied the list; left : items
    that it still held then.
    """

    mission_type: MissionType
    timing: Timing
    started_at_s: float
    sent_at_s: float = 0.0
    download: Download | None = None
    left: int = 0
    outcome: Outcome | None = None


def start_clear(mission_type: MissionType, timing: Timing, now_s: float) -> tuple[Clear, Sends]:
    """A clear handshake and its first message."""
    return Clear(mission_type, timing, now_s, now_s), (MissionClear(mission_type),)


def clear_step(state: Clear, message: Handshake | None, now_s: float) -> tuple[Clear, Sends]:
    """The next state and what to send."""
    if state.outcome is not None:
        return state, ()
    if state.download is not None:
        return _clear_read_back(state, state.download, message, now_s)
    match message:
        case MissionAck(result=result, mission_type=kind) if kind is state.mission_type:
            if result == MissionResult.ACCEPTED:
                download, sends = start_download(state.mission_type, state.timing, now_s)
                return replace(state, download=download), sends
            return replace(state, outcome=Failed("clear-refused", _result_name(result))), ()
        case None:
            limit_s = state.timing.deadline_s if state.left else state.timing.command_deadline_s
            if now_s - state.started_at_s >= limit_s:
                return replace(state, outcome=_clear_failed(state)), ()
            if now_s - state.sent_at_s >= state.timing.announce_s:
                return replace(state, sent_at_s=now_s), (MissionClear(state.mission_type),)
    return state, ()


def _clear_read_back(
    state: Clear, download: Download, message: Handshake | None, now_s: float
) -> tuple[Clear, Sends]:
    """A count is enough: items that are there are not read, but emptied again."""
    download, sends = download_step(download, message, now_s)
    if download.count == 0:
        return replace(state, download=download, outcome=Done()), sends
    if download.count is not None:
        return replace(state, download=None, left=download.count, sent_at_s=now_s), (
            MissionClear(state.mission_type),
        )
    match download.outcome:
        case Failed(name=name, detail=detail):
            return replace(state, outcome=Failed(name, f"while reading back: {detail}")), ()
    return replace(state, download=download), sends


def _clear_failed(state: Clear) -> Failed:
    if state.left:
        return Failed("clear-differs", f"{state.left} items stay on the vehicle")
    return Failed("clear-timeout", "no answer")


def _result_name(result: int) -> str:
    try:
        return f"{MissionResult(result).name} ({result})"
    except ValueError:
        return f"result {result}"
