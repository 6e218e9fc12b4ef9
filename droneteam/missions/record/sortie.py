"""A sortie as its packet log tells it: the track, the camera's triggers and what happened.

The log may hold the packets of several vehicles and of the ground station, may start in the
middle of a packet and may be cut in one; it is read up to the cut, and the result says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from droneteam.errors import DecodeError
from droneteam.geo import FloatArray, great_circle_distance_m
from droneteam.missions.mavlink import codec
from droneteam.missions.mavlink.camerawatch import LATE_S, SAME_PHOTO
from droneteam.missions.mavlink.channels import Channels, Samples, channels_of
from droneteam.missions.mavlink.messages import (
    Attitude,
    CameraFeedback,
    CameraInformation,
    CaptureStatus,
    GimbalAttitude,
    Heartbeat,
    ImageCaptured,
    Inbound,
    Position,
    StatusText,
    SystemStatus,
    SystemTime,
    TimeSync,
    mode_name,
)
from droneteam.missions.mavlink.tlog import Record, TlogReader
from droneteam.missions.record.dataflash import LoggedPhoto
from droneteam.missions.record.timebinding import (
    CalendarSample,
    SyncSample,
    TimeBinding,
    bind_time,
)

_MAX_LOG_BYTES = 2_000_000_000
_AIRBORNE_M = 0.5
_AROUND = timedelta(seconds=30)
"""Photos so long before the first and after the last position still belong to the sortie."""
_NO_CLOCK = datetime(1970, 1, 1, tzinfo=UTC)
"""Of a camera that has no clock each photo is taken then: its numbers alone tell photos apart."""
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""An earlier time counts from the vehicle's start, not from 1970."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One photo as the vehicle reported it; pitch -90 is straight down, yaw from north.

    index : the vehicle's own counter.  The attitude is the camera's where a gimbal reports one,
    else the vehicle's.
    """

    index: int
    at: datetime
    lat_deg: float
    lon_deg: float
    alt_amsl_m: float
    alt_home_m: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float


@dataclass(frozen=True, slots=True)
class SortieEvent:
    """Something that happened: a mode, arming, a text of the vehicle."""

    at: datetime
    kind: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The flown path; all arrays (n,) float64.

    t_s : vehicle time since take-off, or since the first sample of a vehicle that stayed on the
    ground; yaw_deg clockwise from true north.
    """

    t_s: FloatArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    alt_amsl_m: FloatArray
    alt_home_m: FloatArray
    yaw_deg: FloatArray
    speed_mps: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SortieLog:
    """What a packet log says about one vehicle's sortie.

    mission_id, drone : given by the caller, who knows whose log it is; complete : False when
    the log was cut or damaged, with the reason in note; channels : attitude, battery
    and link; started_at : of the first position; time : how its times stand to UTC.
    """

    mission_id: int | None
    drone: str
    system_id: int
    took_off_at: datetime | None
    landed_at: datetime | None
    track: Track
    triggers: tuple[Trigger, ...]
    events: tuple[SortieEvent, ...]
    min_battery_pct: float | None
    packets: int
    complete: bool
    note: str
    channels: Channels
    started_at: datetime | None = None
    time: TimeBinding | None = None

    @property
    def distance_m(self) -> float:
        """Length of the flown path over ground."""
        points = zip(self.track.lat_deg.tolist(), self.track.lon_deg.tolist(), strict=True)
        return sum(great_circle_distance_m(*a, *b) for a, b in itertools.pairwise(points))

    @property
    def max_alt_home_m(self) -> float:
        """Highest point above take-off, 0 without a track."""
        return float(np.max(self.track.alt_home_m, initial=0.0))


def read_sortie(
    path: Path,
    *,
    mission_id: int | None = None,
    drone: str = "",
    photos: Sequence[LoggedPhoto] = (),
) -> SortieLog:
    """The sortie in a log file.

    photos : from the vehicle's onboard log; those that the link lost are taken over.

    Raises
    ------
    DecodeError
        When the file holds no packet of a vehicle.
    """
    if path.stat().st_size > _MAX_LOG_BYTES:
        raise DecodeError(f"{path.name} is larger than {_MAX_LOG_BYTES / 1e9:.0f} GB")
    data = path.read_bytes()
    return sortie_from_bytes(data, mission_id=mission_id, drone=drone, photos=photos)


def sortie_from_bytes(
    data: bytes,
    *,
    mission_id: int | None = None,
    drone: str = "",
    photos: Sequence[LoggedPhoto] = (),
) -> SortieLog:
    """The sortie in a log's bytes."""
    reader = TlogReader(data)
    story = _Story()
    for record in reader.records():
        story.take(record)
    if story.system_id is None:
        raise DecodeError("no vehicle's heartbeat in this log")
    notes = []
    if reader.cut_bytes:
        notes.append(f"cut in mid-packet: the last {reader.cut_bytes} bytes are left out")
    if reader.skipped_bytes:
        notes.append(f"{reader.skipped_bytes} damaged bytes are left out")
    complete = not notes
    time = story.time()
    times = story.position_times(time)
    recovered = story.recover(photos, times)
    if recovered:
        notes.append(f"{recovered} photos are known from the onboard log only")
    untold = story.untold_photos()
    if untold:
        notes.append(f"the camera counted {untold} photos more than are known")
    took_off_at, landed_at = story.flown(times)
    return SortieLog(
        mission_id=mission_id,
        drone=drone,
        system_id=story.system_id,
        took_off_at=took_off_at,
        landed_at=landed_at,
        track=_track(story.positions),
        triggers=story.pointed_triggers(time),
        events=story.dated_events(times, time),
        min_battery_pct=story.min_battery_pct,
        packets=story.packets,
        complete=complete,
        note="; ".join(notes),
        channels=story.channels(),
        started_at=times[0] if times else None,
        time=time,
    )


@dataclass(slots=True)
class _Story:
    """What has been read so far of the first vehicle in a log.

    boot_at : calendar time at which the vehicle's own clock was zero, once it told; zeros : the
    same as it was known at each position; notes : (time of receipt, positions so far, kind,
    detail) of each event, dated when the whole log is known; told : when each photo was taken, by
    who says so (the camera itself or not) and its number; counted : the camera's own count of
    its photos and its clock then; photos_counted : by how much it grew.
    """

    system_id: int | None = None
    packets: int = 0
    positions: list[Position] = field(default_factory=list)
    received_s: list[float] = field(default_factory=list)
    zeros: list[datetime | None] = field(default_factory=list)
    samples: Samples = field(default_factory=Samples)
    gimbal: list[GimbalAttitude] = field(default_factory=list)
    feedback: list[CameraFeedback] = field(default_factory=list)
    told: dict[tuple[bool, int], datetime] = field(default_factory=dict)
    notes: list[tuple[datetime, int, str, str]] = field(default_factory=list)
    mode: int | None = None
    armed: bool | None = None
    boot_at: datetime | None = None
    calendar: list[CalendarSample] = field(default_factory=list)
    syncs: list[SyncSample] = field(default_factory=list)
    min_battery_pct: float | None = None
    camera: CameraInformation | None = None
    counted: tuple[int, float] | None = None
    photos_counted: int = 0

    def take(self, record: Record) -> None:
        """Add one packet."""
        self.packets += 1
        frame = record.frame
        if self.system_id is None and codec.heartbeat_of_autopilot(frame):
            self.system_id = frame.system_id
        if frame.system_id != self.system_id:
            return
        self.samples.link.take(frame, record.at.timestamp())
        if frame.message_id == 0 and not codec.heartbeat_of_autopilot(frame):
            return
        try:
            message = codec.decode(frame)
        except DecodeError as error:
            self._note(record.at, "damaged", str(error))
            return
        if message is not None:
            self._hear(message, record.at)

    def _hear(self, message: Inbound, received_at: datetime) -> None:
        match message:
            case Heartbeat():
                self._heartbeat(message, received_at)
            case Position(lat_deg=lat_deg, lon_deg=lon_deg) if lat_deg or lon_deg:
                # Before its first fix a vehicle reports 0, 0.
                self.positions.append(message)
                self.zeros.append(self.boot_at)
                self.received_s.append(received_at.timestamp())
            case Attitude():
                self.samples.attitudes.append(message)
            case GimbalAttitude():
                self.gimbal.append(message)
            case SystemTime(unix_at=unix_at, boot_s=boot_s) if unix_at is not None:
                self.boot_at = unix_at - timedelta(seconds=boot_s)
                told = CalendarSample(unix_at.timestamp(), boot_s, received_at.timestamp())
                self.calendar.append(told)
            case TimeSync(theirs_ns=theirs_ns, ours_ns=ours_ns) if theirs_ns:
                sync = SyncSample(theirs_ns / 1e9, ours_ns / 1e9, received_at.timestamp())
                self.syncs.append(sync)
            case CameraFeedback():
                self._triggered(message, by_camera=False)
            case ImageCaptured(shot=shot, saved=saved):
                self._captured(shot, saved, received_at)
            case CameraInformation() if message != self.camera:
                self.camera = message
                self._note(received_at, "camera", camera_words(message))
            case CaptureStatus(images=images, boot_s=boot_s):
                self._counted(images, boot_s or 0.0)
            case StatusText(text=text):
                self._note(received_at, "text", text)
            case SystemStatus(battery_pct=left, voltage_v=volts):
                sample = (_known(left), _known(volts))
                self.samples.battery.append((received_at.timestamp(), *sample))
                if left is not None:
                    before = self.min_battery_pct
                    self.min_battery_pct = left if before is None else min(left, before)

    def _captured(self, shot: CameraFeedback, saved: bool, received_at: datetime) -> None:
        """A photo as the camera tells it; the autopilot's word for the same one stands."""
        if not saved:
            self._note(received_at, "camera", f"photo {shot.index} was not saved")
        else:
            self._triggered(shot, by_camera=True)

    def _triggered(self, shot: CameraFeedback, *, by_camera: bool) -> None:
        """One more photo, unless it was told before: by its number, and when it was taken.

        A camera that was restarted gives its numbers anew, to photos of another time.
        """
        told = self.told.get((by_camera, shot.index))
        others = self.told.get((not by_camera, shot.index))
        known = told if told is not None else others
        again = known is not None and abs(shot.at - known) <= SAME_PHOTO
        if told is None or shot.at <= _NO_CLOCK:
            recent = any(shot.index == earlier.index for earlier in self.feedback[-3:])
            again = recent or (again and shot.at > _NO_CLOCK)
        if not again:
            self.feedback.append(shot)
        self.told[by_camera, shot.index] = shot.at

    def untold_photos(self) -> int:
        """How many photos the camera counted that neither the link nor the onboard log brought."""
        return max(0, self.photos_counted - len(self.feedback))

    def _counted(self, images: int, boot_s: float) -> None:
        """What the camera's count grew by, from nought again where its clock went back."""
        before, before_s = self.counted or (images, boot_s)
        restarted = boot_s < before_s - LATE_S
        self.photos_counted += images if restarted else max(0, images - before)
        if restarted or images >= before:
            self.counted = (images, boot_s)

    def _heartbeat(self, heartbeat: Heartbeat, received_at: datetime) -> None:
        if heartbeat.mode != self.mode:
            self._note(received_at, "mode", mode_name(heartbeat.mode))
        if heartbeat.armed != self.armed and (self.armed is not None or heartbeat.armed):
            self._note(received_at, "vehicle", "armed" if heartbeat.armed else "disarmed")
        self.mode, self.armed = heartbeat.mode, heartbeat.armed

    def _note(self, received_at: datetime, kind: str, detail: str) -> None:
        self.notes.append((received_at, len(self.positions), kind, detail))

    def position_times(self, time: TimeBinding | None) -> list[datetime]:
        """Calendar time of each position: as the vehicle told, before it told as it then did."""
        later = time.zero_at if time is not None else datetime.fromtimestamp(0, UTC)
        known = next((zero for zero in self.zeros if zero is not None), later)
        zeros = (zero or known for zero in self.zeros)
        pairs = zip(zeros, self.positions, strict=True)
        return [zero + timedelta(seconds=position.boot_s) for zero, position in pairs]

    def dated_events(
        self, times: Sequence[datetime], time: TimeBinding | None
    ) -> tuple[SortieEvent, ...]:
        """What happened, each at the time of the last position before it."""
        events = []
        for received_at, count, kind, detail in self.notes:
            at = received_at
            if times:
                place = max(0, count - 1)
                early_s = min(0.0, received_at.timestamp() - self.received_s[place])
                at = times[place] + timedelta(seconds=early_s)
            events.append(SortieEvent(at, kind, detail))
        for at, jump_s in () if time is None else time.jumps:
            text = f"the vehicle's calendar jumped by {jump_s:+.3f} s"
            events.append(SortieEvent(at, "clock", text))
        return tuple(events)

    def flown(self, times: Sequence[datetime]) -> tuple[datetime | None, datetime | None]:
        """When the vehicle left the ground and when it was back on it."""
        up = [n for n, position in enumerate(self.positions) if position.alt_home_m > _AIRBORNE_M]
        if not up:
            return None, None
        landed = times[up[-1] + 1] if up[-1] + 1 < len(times) else None
        return times[up[0]], landed

    def time(self) -> TimeBinding | None:
        """How the log's times stand to UTC."""
        pairs = zip(self.received_s, self.positions, strict=True)
        late_s = [received_s - position.boot_s for received_s, position in pairs]
        return bind_time(self.calendar, self.syncs, late_s)

    def channels(self) -> Channels:
        """The series beside the track."""
        boot_s = [position.boot_s for position in self.positions]
        return channels_of(self.samples, self.received_s, boot_s, _zero_s(self.positions))

    def recover(self, photos: Sequence[LoggedPhoto], times: Sequence[datetime]) -> int:
        """Take over photos of the onboard log that the link lost; how many those were."""
        if not times:
            return 0
        known = {shot.index for shot in self.feedback}
        first, last = times[0] - _AROUND, times[-1] + _AROUND
        lost = [
            CameraFeedback(
                at=photo.at,
                index=photo.index,
                lat_deg=photo.lat_deg,
                lon_deg=photo.lon_deg,
                alt_amsl_m=photo.alt_amsl_m,
                alt_home_m=photo.alt_home_m,
                roll_deg=photo.roll_deg,
                pitch_deg=photo.pitch_deg,
                yaw_deg=photo.yaw_deg,
            )
            for photo in photos
            if photo.index not in known and first <= photo.at <= last
        ]
        self.feedback = sorted((*self.feedback, *lost), key=lambda shot: (shot.at, shot.index))
        return len(lost)

    def pointed_triggers(self, time: TimeBinding | None) -> tuple[Trigger, ...]:
        """The triggers with the gimbal's attitude at their time, where there is a gimbal."""
        if time is not None:  # a vehicle without a calendar stamps them with its own clock
            self.feedback = [
                replace(shot, at=time.at(shot.at.timestamp())) if shot.at < _EARLIEST else shot
                for shot in self.feedback
            ]
        times = np.array([sample.boot_s for sample in self.gimbal])
        headings = np.array([sample.boot_s for sample in self.samples.attitudes])
        return tuple(self._pointed(shot, times, headings) for shot in self.feedback)

    def _pointed(self, shot: CameraFeedback, times: FloatArray, headings: FloatArray) -> Trigger:
        angles = (shot.yaw_deg, shot.pitch_deg, shot.roll_deg)
        if len(times) and self.boot_at is not None:
            boot_s = (shot.at - self.boot_at).total_seconds()
            sample = self.gimbal[_nearest(times, boot_s)]
            base_deg = 0.0
            if not sample.yaw_from_north:
                heading = (
                    self.samples.attitudes[_nearest(headings, boot_s)] if len(headings) else None
                )
                base_deg = heading.yaw_deg if heading is not None else shot.yaw_deg
            angles = ((base_deg + sample.yaw_deg) % 360.0, sample.pitch_deg, sample.roll_deg)
        return Trigger(
            index=shot.index,
            at=shot.at,
            lat_deg=shot.lat_deg,
            lon_deg=shot.lon_deg,
            alt_amsl_m=shot.alt_amsl_m,
            alt_home_m=shot.alt_home_m,
            yaw_deg=angles[0],
            pitch_deg=angles[1],
            roll_deg=angles[2],
        )


def camera_words(camera: CameraInformation) -> str:
    """A camera in one line."""
    lens = "" if camera.focal_mm is None else f", {camera.focal_mm:g} mm"
    return f"{camera.vendor} {camera.model}{lens}, {camera.width_px} × {camera.height_px} px"


def _nearest(times: FloatArray, wanted_s: float) -> int:
    return int(np.argmin(np.abs(times - wanted_s)))


def _track(positions: Sequence[Position]) -> Track:
    rows = np.array(
        [
            (
                p.boot_s,
                p.lat_deg,
                p.lon_deg,
                p.alt_amsl_m,
                p.alt_home_m,
                p.yaw_deg,
                float(np.hypot(p.north_mps, p.east_mps)),
            )
            for p in positions
        ],
        dtype=np.float64,
    ).reshape(-1, 7)
    times = rows[:, 0] - _zero_s(positions)
    return Track(times, *(rows[:, column] for column in range(1, 7)))


def _zero_s(positions: Sequence[Position]) -> float:
    """The vehicle's clock at take-off, or at the first position of one that stayed down."""
    for position in positions:
        if position.alt_home_m > _AIRBORNE_M:
            return position.boot_s
    return positions[0].boot_s if positions else 0.0


def _known(value: float | None) -> float:
    return float("nan") if value is None else value
