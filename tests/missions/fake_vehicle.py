"""A vehicle's side of the mission, command and parameter handshakes, and a bad link to it.

Written from the measured behaviour of ArduCopter 4.7, not from the controller's code: uploads
write item by item over the old list, duplicates are answered with 13, items after completion
with 1, reading during an upload is denied, a silent sender is dropped after eight seconds.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from droneteam.missions.items import MissionType, WireItem
from droneteam.missions.mavlink.messages import (
    CommandAck,
    CommandLong,
    MissionAck,
    MissionClear,
    MissionCount,
    MissionItemMessage,
    MissionRequest,
    MissionRequestList,
    ParamRead,
    ParamSet,
    ParamValue,
)


@dataclass
class FakeVehicle:
    """Stores lists and parameters, answers handshakes, re-requests on its own clock."""

    lists: dict[MissionType, list[WireItem]] = field(
        default_factory=lambda: {kind: [] for kind in MissionType}
    )
    params: dict[str, float] = field(default_factory=dict)
    stuck_params: set[str] = field(default_factory=set)
    reject_seq: int | None = None
    command_result: int = 0
    receiving: MissionType | None = None
    expected: int = 0
    total: int = 0
    heard_at_s: float = 0.0
    requested_at_s: float = 0.0
    silent_after: int | None = None
    commands: list[CommandLong] = field(default_factory=list)

    def hear(self, message: object, now_s: float) -> list[object]:
        """The vehicle's answers to one message."""
        match message:
            case MissionCount(count=count, mission_type=kind):
                return self._announced(count, kind, now_s)
            case MissionItemMessage(item=item):
                return self._item(item, now_s)
            case MissionRequestList(mission_type=kind):
                if self.receiving is not None:
                    return [MissionAck(14, kind)]
                return [MissionCount(len(self.lists[kind]), kind)]
            case MissionRequest(seq=seq, mission_type=kind):
                if self.receiving is not None:
                    return [MissionAck(14, kind)]
                stored = self.lists[kind]
                return [MissionItemMessage(stored[seq])] if seq < len(stored) else []
            case MissionClear(mission_type=kind):
                self.lists[kind].clear()
                return [MissionAck(0, kind)]
            case CommandLong():
                self.commands.append(message)
                return [CommandAck(message.command, self.command_result)]
            case ParamSet(name=name, value=value) if name in self.params:
                if name not in self.stuck_params:
                    self.params[name] = value
                return [ParamValue(name, self.params[name])]
            case ParamRead(name=name) if name in self.params:
                return [ParamValue(name, self.params[name])]
        return []

    def _announced(self, count: int, kind: MissionType, now_s: float) -> list[object]:
        if count > 650:
            return [MissionAck(4, kind)]
        self.receiving, self.expected, self.total = kind, 0, count
        self.heard_at_s = self.requested_at_s = now_s
        return [MissionRequest(0, kind)]

    def _item(self, item: WireItem, now_s: float) -> list[object]:
        kind = item.mission_type
        if self.receiving is not kind:
            return [MissionAck(1, kind)]
        self.heard_at_s = now_s
        if item.seq != self.expected:
            return [MissionAck(13, kind)]
        if item.seq == self.reject_seq:
            self.receiving = None
            return [MissionAck(3, kind)]
        stored = self.lists[kind]
        if item.seq < len(stored):
            stored[item.seq] = item
        else:
            stored.append(item)
        self.expected += 1
        self.requested_at_s = now_s
        if self.expected == self.total:
            del stored[self.total :]
            self.receiving = None
            return [MissionAck(0, kind)]
        return [MissionRequest(self.expected, kind)]

    def tick(self, now_s: float) -> list[object]:
        """What the vehicle says on its own: a repeated request, or giving the upload up."""
        if self.receiving is None:
            return []
        if now_s - self.heard_at_s > 8.0:
            kind, self.receiving = self.receiving, None
            return [MissionAck(15, kind)]
        if now_s - self.requested_at_s >= 1.0:
            self.requested_at_s = now_s
            return [MissionRequest(self.expected, self.receiving)]
        return []


@dataclass(frozen=True)
class BadLink:
    """Probabilities each way, and delays in seconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay_s: float = 0.05
    jitter_s: float = 0.0
    cut_s: tuple[float, float] = (1e9, 1e9)
    seed: int = 0


def converse(
    machine: object,
    first: tuple[object, ...],
    step: Callable[[object, object | None, float], tuple[object, tuple[object, ...]]],
    vehicle: FakeVehicle,
    link: BadLink,
    tick_s: float = 0.1,
    limit_s: float = 1000.0,
) -> tuple[object, float]:
    """Run a machine against the vehicle until it ends; its last state and the time taken."""
    random_ = random.Random(link.seed)
    order = itertools.count()
    queue: list[tuple[float, int, str, object]] = []

    def post(at_s: float, to: str, message: object) -> None:
        if link.cut_s[0] <= at_s < link.cut_s[1]:
            return
        for _ in range(2 if random_.random() < link.duplicate else 1):
            if random_.random() >= link.loss:
                arrival = at_s + link.delay_s + random_.random() * link.jitter_s
                heapq.heappush(queue, (arrival, next(order), to, message))

    for message in first:
        post(0.0, "vehicle", message)
    next_tick = tick_s
    sent = 0
    while machine.outcome is None:  # type: ignore[attr-defined]
        if queue and queue[0][0] <= next_tick:
            now_s, _, to, message = heapq.heappop(queue)
            if to == "vehicle":
                for answer in vehicle.hear(message, now_s):
                    post(now_s, "ground", answer)
                continue
            machine, sends = step(machine, message, now_s)
        else:
            now_s = next_tick
            next_tick += tick_s
            for answer in vehicle.tick(now_s):
                post(now_s, "ground", answer)
            machine, sends = step(machine, None, now_s)
        sent += len(sends)
        assert sent < 20_000, "the machine floods the link"
        for send in sends:
            post(now_s, "vehicle", send)
        assert now_s < limit_s, "the machine hangs"
    return machine, now_s
