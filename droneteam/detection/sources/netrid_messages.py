"""Network Remote ID flights as the messages that a broadcast would have carried.

From there on a flight is followed like any other: the tracker joins what the network and the
radio say of one identity.  A network position is dated by its provider, not by us: providers may
be a minute late by the standard, and a late position holds where it was, not where we read it.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime

from droneteam.detection import rid
from droneteam.detection.records import Received
from droneteam.detection.sources import values
from droneteam.detection.sources.netrid_types import Details, Flight, State
from droneteam.errors import DecodeError

TRANSPORT = "network"
_SESSION_BYTES = 20
_SELF_ID_BYTES = 23
_EU_CLASSIFICATION = 1
_MAX_TIME_ACCURACY_S = 1.5


def receptions(
    flight: Flight,
    details: Details | None,
    *,
    receiver: str,
    transmitter: str,
    after: datetime | None,
) -> list[Received]:
    """What a flight says that is newer than `after`: its last places, then the whole of it."""
    if flight.state is None:
        return []
    now = flight.state.at
    between = [
        one for one in flight.recent if one.at < now and after is not None and one.at > after
    ]
    found = [
        Received(one.at, receiver, TRANSPORT, transmitter, rid.encode(_location(one)))
        for one in between
    ]
    if after is None or now > after:
        payload = _pack(flight, flight.state, details)
        found.append(Received(now, receiver, TRANSPORT, transmitter, payload))
    return found


def _pack(flight: Flight, state: State, details: Details | None) -> bytes:
    messages: list[rid.Message] = []
    if details is not None:
        messages += identities(details, flight.ua_type)
    messages.append(_location(state))
    if details is not None:
        messages += _operator(details, state.at)
    return rid.encode_pack(tuple(messages))


def _location(state: State) -> rid.Location:
    accuracy_s = state.time_accuracy_s
    return rid.Location(
        status=state.status,
        lat_deg=state.lat_deg,
        lon_deg=state.lon_deg,
        direction_deg=state.track_deg,
        speed_mps=state.speed_mps,
        vertical_speed_mps=state.vertical_speed_mps,
        alt_pressure_m=state.alt_pressure_m,
        alt_ellipsoid_m=state.alt_ellipsoid_m,
        height_m=state.height_m,
        height_reference=state.height_reference,
        horizontal_accuracy_m=state.horizontal_accuracy_m,
        vertical_accuracy_m=state.vertical_accuracy_m,
        speed_accuracy_mps=state.speed_accuracy_mps,
        second_of_hour_s=(state.at.timestamp() % 3600.0),
        time_accuracy_s=None
        if accuracy_s is None or accuracy_s > _MAX_TIME_ACCURACY_S
        else accuracy_s,
    )


def identities(details: Details, ua_type: int) -> list[rid.Message]:
    """Basic IDs of what is known, the serial number last: it is what a track is followed by.

    An identity that no broadcast could carry is left out.
    """
    claimed = (
        (rid.IdType.REGISTRATION, details.registration_id),
        (rid.IdType.SESSION_ID, _session(details.session_id)),
        (rid.IdType.UTM_UUID, _uuid(details.utm_id)),
        (rid.IdType.SERIAL_NUMBER, details.serial_number),
    )
    messages: list[rid.Message] = []
    for kind, name in claimed:
        if name is None:
            continue
        message = rid.BasicId(kind, ua_type, name)
        try:
            rid.decode_message(values.encoded(message))
        except DecodeError:
            continue
        messages.append(message)
    return messages


def _session(text: str | None) -> str | None:
    if text is None:
        return None
    digits = re.sub(r"^0x|-", "", text)
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    return raw.ljust(_SESSION_BYTES, b"\0").hex() if len(raw) <= _SESSION_BYTES else None


def _uuid(text: str | None) -> str | None:
    try:
        return None if text is None else str(uuid.UUID(text))
    except ValueError:
        return None


def _operator(details: Details, at: datetime) -> list[rid.Message]:
    classified = details.eu_category is not None
    messages: list[rid.Message] = []
    if details.operator_lat_deg is not None or classified:
        messages.append(
            rid.System(
                operator_lat_deg=details.operator_lat_deg,
                operator_lon_deg=details.operator_lon_deg,
                operator_location_type=details.operator_place,
                classification=_EU_CLASSIFICATION if classified else 0,
                ua_category=details.eu_category or 0,
                ua_class=details.eu_class or 0,
                operator_alt_ellipsoid_m=details.operator_alt_ellipsoid_m,
                at=at,
            )
        )
    if details.operator_id is not None and details.operator_id.isascii():
        messages.append(rid.OperatorId(0, details.operator_id))
    if details.description is not None:
        text = details.description.encode("ascii", "replace")[:_SELF_ID_BYTES].decode("ascii")
        messages.append(rid.SelfId(0, text))
    return messages
