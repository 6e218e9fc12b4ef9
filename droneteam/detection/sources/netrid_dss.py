"""The discovery service of network Remote ID: who answers for flights in an area (F3411-22a, A4).

Service areas are found by asking (search), and, with a subscription, by being told.  A
subscription lasts 24 hours at most and is renewed; it is deleted when the receiver ends.
"""

from __future__ import annotations

import urllib.parse
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from droneteam.detection.sources.https import Client, Refused
from droneteam.detection.sources.netrid_area import View
from droneteam.detection.sources.netrid_types import moment
from droneteam.detection.sources.oauth import Tokens
from droneteam.errors import DecodeError, InputError

SCOPE = "rid.display_provider"
SUBSCRIBED_FOR = timedelta(hours=1)
RENEW_BEFORE = timedelta(minutes=10)
MAX_AREAS = 1000
_UNAUTHORISED, _CONFLICT, _GONE = 401, 409, 404


@dataclass(frozen=True, slots=True)
class ServiceArea:
    """A provider says that it answers for flights somewhere in our area."""

    id: str
    uss_url: str
    ends_at: datetime
    version: str


@dataclass(slots=True)
class Asker:
    """Asks servers with the token that each wants."""

    client: Client
    tokens: Tokens

    def ask(self, verb: str, url: str, body: Any = None) -> Any:
        """The answer's JSON; a refused token is asked for anew, once."""
        for last in (False, True):
            headers = self.tokens.header(SCOPE, url)
            try:
                return self.client.ask(verb, url, headers=headers, body=body)
            except Refused as error:
                self.tokens.forget(SCOPE, url)
                if last or error.status != _UNAUTHORISED:
                    raise
        raise AssertionError("unreachable")


def read_area(part: Any, client: Client) -> ServiceArea:
    """A service area as the standard writes it.

    Raises
    ------
    DecodeError
        It is none, or its provider's address is not one that we would ask.
    """
    try:
        url = str(part["uss_base_url"]).rstrip("/")
        client.check(url)
        return ServiceArea(
            str(uuid.UUID(part["id"])), url, moment(part["time_end"]), str(part["version"])
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DecodeError(f"a service area: {type(error).__name__}: {error}") from None


@dataclass(slots=True)
class Discovery:
    """What is known of an area's providers.

    dss_url : with the version in it (".../rid/v2"). callback_url : where we are told of changes,
    "" when we are not.
    """

    dss_url: str
    area: View
    asker: Asker
    callback_url: str = ""
    areas: dict[str, ServiceArea] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _subscription: tuple[str, str, datetime] | None = None
    """Its id, version and end."""
    _index: int | None = None

    def search(self, now: datetime) -> None:
        """Learn who answers now; what was known stays when the service does not answer."""
        corners = ",".join(f"{lat:.7f},{lon:.7f}" for lat, lon in self.area.outline)
        query = urllib.parse.urlencode(
            {"area": corners, "earliest_time": _text(now), "latest_time": _text(now)}, safe=",:"
        )
        answer = self.asker.ask("GET", f"{self.dss_url}/dss/identification_service_areas?{query}")
        self._replace(_part(answer, "service_areas"))

    def expire(self, now: datetime) -> None:
        """Forget the areas that are over."""
        self.areas = {one.id: one for one in self.areas.values() if one.ends_at > now}

    def keep_subscription(self, now: datetime) -> bool:
        """Subscribe, or renew when it is time to; whether that was done."""
        held = self._subscription
        if not self.callback_url or (held is not None and now < held[2] - RENEW_BEFORE):
            return False
        name, version = (str(uuid.uuid4()), "") if held is None else held[:2]
        path = f"/dss/subscriptions/{name}" + (f"/{version}" if version else "")
        body = {"extents": self._extents(now), "uss_base_url": self.callback_url}
        try:
            answer = self.asker.ask("PUT", self.dss_url + path, body)
        except Refused as error:
            if held is not None and error.status in (_GONE, _CONFLICT):
                self._subscription = None  # it is another one now: begin anew next time
            raise
        made = answer.get("subscription") if isinstance(answer, Mapping) else None
        if not isinstance(made, Mapping) or "version" not in made:
            raise DecodeError("the discovery service answers a subscription without a version")
        ends_at = moment(made["time_end"]) if made.get("time_end") else now + SUBSCRIBED_FOR
        self._subscription = (name, str(made["version"]), ends_at)
        self._index = _index(made)
        self._replace(_part(answer, "service_areas"))
        return True

    def drop_subscription(self) -> None:
        """Delete it, so that providers need not tell us any more."""
        held, self._subscription = self._subscription, None
        if held is not None:
            self.asker.ask("DELETE", f"{self.dss_url}/dss/subscriptions/{held[0]}/{held[1]}")

    def told(self, area_id: str, content: Any) -> bool:
        """Take a provider's notification; False when one before it was missed.

        Raises
        ------
        DecodeError
            It is none, or for a subscription that is not ours.
        """
        states = _part(content, "subscriptions")
        held = self._subscription
        mine = [one for one in states if isinstance(one, Mapping)]
        mine = [one for one in mine if held and one.get("subscription_id") == held[0]]
        if not mine:
            raise DecodeError("a notification for a subscription that is not ours")
        part = content.get("service_area")
        if part is None:
            self.areas.pop(area_id, None)
        else:
            area = read_area(part, self.asker.client)
            if area.id != area_id:
                raise DecodeError(f"a notification of {area_id} that tells of {area.id}")
            if len(self.areas) < MAX_AREAS or area.id in self.areas:
                self.areas[area.id] = area
        before, self._index = self._index, _index(mine[0])
        return before is None or self._index is None or self._index <= before + 1

    def _replace(self, parts: list[Any]) -> None:
        found = {}
        for part in parts[:MAX_AREAS]:
            try:
                area = read_area(part, self.asker.client)
            except (DecodeError, InputError) as error:
                self.problems.append(str(error))
                continue
            found[area.id] = area
        self.areas = found

    def _extents(self, now: datetime) -> dict[str, Any]:
        vertices = [{"lat": lat, "lng": lon} for lat, lon in self.area.outline]
        return {
            "volume": {
                "outline_polygon": {"vertices": vertices},
                "altitude_lower": {"value": -500.0, "reference": "W84", "units": "M"},
                "altitude_upper": {"value": 10000.0, "reference": "W84", "units": "M"},
            },
            "time_start": _time(now),
            "time_end": _time(now + SUBSCRIBED_FOR),
        }


def _index(part: Mapping[str, Any]) -> int | None:
    value = part.get("notification_index")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _part(answer: Any, name: str) -> list[Any]:
    if not isinstance(answer, Mapping):
        raise DecodeError(f"an answer without {name}")
    part = answer.get(name) or []
    if not isinstance(part, list):
        raise DecodeError(f"{name} is no list")
    return part


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(at: datetime) -> dict[str, str]:
    return {"value": _text(at), "format": "RFC3339"}
