"""The mission protocol's vehicle side: stores for mission, fence and rally, and the exchange.

The exchange is a state machine without clock or sockets.  Its answers are those measured on a
real ArduCopter: an upload writes each item in place as it comes (nothing is rolled back), the
vehicle asks with the old MISSION_REQUEST, asks again every second, gives up after eight, and
answers a duplicate with 13 and a straggler after the end with 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sitl.items import (
    FENCE_SPECS,
    MISSION_SPECS,
    RALLY_SPECS,
    Cmd,
    MissionItem,
    Result,
    Spec,
    as_stored,
    refusal,
)

MISSION_TYPE, FENCE_TYPE, RALLY_TYPE = 0, 1, 2
MISSION_CAPACITY = 650
FENCE_CAPACITY = 84
RALLY_CAPACITY = 42

REQUEST_AGAIN_S = 1.0
UPLOAD_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True)
class Peer:
    """Who speaks: a system and component on one channel."""

    channel: int
    sysid: int
    compid: int


@dataclass(frozen=True, slots=True)
class Ask:
    """MISSION_REQUEST for one item."""

    seq: int


@dataclass(frozen=True, slots=True)
class Ack:
    """MISSION_ACK."""

    result: Result


@dataclass(frozen=True, slots=True)
class Count:
    """MISSION_COUNT, the start of a download."""

    count: int


@dataclass(frozen=True, slots=True)
class ItemAt:
    """One downloaded item; `as_int` tells in which of the two messages it was asked for."""

    seq: int
    item: MissionItem
    as_int: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send to whom."""

    peer: Peer
    body: Ask | Ack | Count | ItemAt


class ItemStore(Protocol):
    """What the exchange needs of a store."""

    capacity: int

    def count(self) -> int:
        """How many items there are."""

    def at(self, seq: int) -> MissionItem:
        """The item at a place below `count`."""

    def write(self, seq: int, item: MissionItem) -> Result:
        """Replaces the item at a place, or appends it at `count`."""

    def truncate(self, count: int) -> None:
        """Forgets what lies beyond."""

    def clear(self) -> bool:
        """Forgets everything, unless it is in use."""

    def finish(self) -> Result:
        """Checks and activates what was uploaded."""


Say = Callable[[int, str], None]
"""Tells a text of a severity to everybody."""


class MissionItems:
    """The mission; item 0 is home and reads back as home."""

    capacity = MISSION_CAPACITY

    def __init__(self, home: Callable[[], MissionItem], busy: Callable[[], bool], say: Say) -> None:
        self._home, self._busy, self._say = home, busy, say
        self.items: list[MissionItem] = []
        self.changes = 0
        """Counts every write, so that a running mission notices."""

    def count(self) -> int:
        """How many items there are, home included."""
        return len(self.items)

    def at(self, seq: int) -> MissionItem:
        """The item at a place; place 0 is home as it is now."""
        return self._home() if seq == 0 else self.items[seq]

    def write(self, seq: int, item: MissionItem) -> Result:
        """Stores one item as it came."""
        if why := refusal(item, MISSION_SPECS):
            return why
        stored = as_stored(item, MISSION_SPECS)
        if seq == len(self.items):
            self.items.append(stored)
        else:
            self.items[seq] = stored
        self.changes += 1
        return Result.ACCEPTED

    def truncate(self, count: int) -> None:
        """Forgets what lies beyond."""
        del self.items[count:]

    def clear(self) -> bool:
        """Forgets the mission, unless it is being flown."""
        if self._busy():
            return False
        self.items.clear()
        self.changes += 1
        return True

    def finish(self) -> Result:
        """Tells that the plan is there."""
        self._say(6, "Flight plan received")
        return Result.ACCEPTED


class FenceItems:
    """The fence's zones; what fails validation stays stored but protects nothing."""

    capacity = FENCE_CAPACITY

    def __init__(self, say: Say) -> None:
        self._say = say
        self.items: list[MissionItem] = []
        self.valid = False

    def count(self) -> int:
        """How many items there are."""
        return len(self.items)

    def at(self, seq: int) -> MissionItem:
        """The item at a place."""
        return self.items[seq]

    def write(self, seq: int, item: MissionItem) -> Result:
        """Stores one item; the fence sleeps until the upload is complete."""
        return _write(self.items, seq, item, FENCE_SPECS)

    def truncate(self, count: int) -> None:
        """Forgets what lies beyond."""
        self.valid = False
        del self.items[count:]

    def clear(self) -> bool:
        """Forgets the fence."""
        self.items.clear()
        self.valid = False
        self._say(7, "Fence Indexed OK")
        return True

    def finish(self) -> Result:
        """Checks that every polygon has the vertices that it claims."""
        self.valid = _polygons_whole(self.items)
        if self.valid:
            self._say(7, "Fence Indexed OK")
            return Result.ACCEPTED
        self._say(6, "Incorrect item count")
        self._say(4, "Fence validation failed")
        return Result.ERROR


class RallyItems:
    """Places to return to instead of home."""

    capacity = RALLY_CAPACITY

    def __init__(self) -> None:
        self.items: list[MissionItem] = []

    def count(self) -> int:
        """How many items there are."""
        return len(self.items)

    def at(self, seq: int) -> MissionItem:
        """The item at a place."""
        return self.items[seq]

    def write(self, seq: int, item: MissionItem) -> Result:
        """Stores one point."""
        return _write(self.items, seq, item, RALLY_SPECS)

    def truncate(self, count: int) -> None:
        """Forgets what lies beyond."""
        del self.items[count:]

    def clear(self) -> bool:
        """Forgets the points."""
        self.items.clear()
        return True

    def finish(self) -> Result:
        """Nothing to check."""
        return Result.ACCEPTED


def _write(items: list[MissionItem], seq: int, item: MissionItem, specs: dict[int, Spec]) -> Result:
    if why := refusal(item, specs):
        return why
    stored = as_stored(item, specs)
    if seq == len(items):
        items.append(stored)
    else:
        items[seq] = stored
    return Result.ACCEPTED


def _polygons_whole(items: list[MissionItem]) -> bool:
    polygon = (Cmd.FENCE_POLYGON_VERTEX_INCLUSION, Cmd.FENCE_POLYGON_VERTEX_EXCLUSION)
    place = 0
    while place < len(items):
        first = items[place]
        if first.command not in polygon:
            place += 1
            continue
        claimed = int(first.param1)
        vertices = items[place : place + claimed]
        same = all(v.command == first.command and v.param1 == first.param1 for v in vertices)
        if claimed < 3 or len(vertices) < claimed or not same:
            return False
        place += claimed
    return True


@dataclass(slots=True)
class _Upload:
    peer: Peer
    next_seq: int
    last_seq: int
    heard_at_s: float
    asked_at_s: float


class MissionExchange:
    """One mission type's uploads and downloads."""

    def __init__(self, store: ItemStore, say: Say) -> None:
        self.store = store
        self._say = say
        self._upload: _Upload | None = None

    @property
    def receiving(self) -> bool:
        """Whether an upload is under way."""
        return self._upload is not None

    def on_count(
        self, peer: Peer, count: int, now_s: float, *, storage_ready: bool = True
    ) -> list[Reply]:
        """MISSION_COUNT: somebody wants to upload."""
        if self._taken_by_another(peer):
            return [Reply(peer, Ack(Result.DENIED))]
        self._upload = None
        if not storage_ready:
            return [Reply(peer, Ack(Result.NO_SPACE))]
        if count > self.store.capacity:
            self._say(4, f"Only {self.store.capacity} items are supported")
            return [Reply(peer, Ack(Result.NO_SPACE))]
        self.store.truncate(count)
        if count == 0:
            return [Reply(peer, Ack(self.store.finish()))]
        return self._start(peer, 0, count - 1, now_s)

    def on_partial(self, peer: Peer, first: int, last: int, now_s: float) -> list[Reply]:
        """MISSION_WRITE_PARTIAL_LIST: somebody wants to replace some items."""
        if self._taken_by_another(peer):
            return [Reply(peer, Ack(Result.DENIED))]
        if not 0 <= first <= last < self.store.count():
            return [Reply(peer, Ack(Result.ERROR))]
        return self._start(peer, first, last, now_s)

    def on_item(self, peer: Peer, seq: int, item: MissionItem, now_s: float) -> list[Reply]:
        """MISSION_ITEM or MISSION_ITEM_INT."""
        upload = self._upload
        if upload is None:
            return [Reply(peer, Ack(Result.ERROR))]
        if upload.peer != peer:
            return [Reply(peer, Ack(Result.DENIED))]
        if seq != upload.next_seq:
            return [Reply(peer, Ack(Result.INVALID_SEQUENCE))]
        result = self.store.write(seq, item)
        if result is not Result.ACCEPTED:
            return [Reply(peer, Ack(result))]
        upload.heard_at_s = upload.asked_at_s = now_s
        upload.next_seq += 1
        if upload.next_seq > upload.last_seq:
            self._upload = None
            return [Reply(peer, Ack(self.store.finish()))]
        return [Reply(peer, Ask(upload.next_seq))]

    def on_request_list(self, peer: Peer) -> list[Reply]:
        """MISSION_REQUEST_LIST: how many items there are."""
        if self._upload is not None:
            return [Reply(peer, Ack(Result.DENIED))]
        return [Reply(peer, Count(self.store.count()))]

    def on_request(self, peer: Peer, seq: int, *, as_int: bool) -> list[Reply]:
        """MISSION_REQUEST(_INT): one item, please."""
        if self._upload is not None:
            return [Reply(peer, Ack(Result.DENIED))]
        if not 0 <= seq < self.store.count():
            return [Reply(peer, Ack(Result.INVALID_SEQUENCE))]
        return [Reply(peer, ItemAt(seq, self.store.at(seq), as_int))]

    def on_clear(self, peer: Peer) -> list[Reply]:
        """MISSION_CLEAR_ALL."""
        if self._taken_by_another(peer):
            return [Reply(peer, Ack(Result.DENIED))]
        self._upload = None
        return [Reply(peer, Ack(Result.ACCEPTED if self.store.clear() else Result.ERROR))]

    def on_ack(self, peer: Peer) -> None:
        """MISSION_ACK of the ground station: the download's end, or an upload cancelled.

        A real one takes no notice of a cancelled upload; it runs into its timeout.
        """

    def poll(self, now_s: float) -> list[Reply]:
        """What time alone brings: the request again, or the end of waiting."""
        upload = self._upload
        if upload is None:
            return []
        if now_s - upload.heard_at_s > UPLOAD_TIMEOUT_S:
            self._upload = None
            self._say(4, "Mission upload timeout")
            return [Reply(upload.peer, Ack(Result.OPERATION_CANCELLED))]
        if now_s - upload.asked_at_s > REQUEST_AGAIN_S:
            upload.asked_at_s = now_s
            return [Reply(upload.peer, Ask(upload.next_seq))]
        return []

    def on_gone(self, channel: int) -> None:
        """The channel closed: nobody is left to answer a request."""
        if self._upload is not None and self._upload.peer.channel == channel:
            self._upload = None

    def _taken_by_another(self, peer: Peer) -> bool:
        return self._upload is not None and self._upload.peer != peer

    def _start(self, peer: Peer, first: int, last: int, now_s: float) -> list[Reply]:
        self._upload = _Upload(peer, first, last, now_s, now_s)
        return [Reply(peer, Ask(first))]
