"""A discovery service, an authorisation server and service providers, on loopback.

Requests and answers pass through the types of `uas_standards`, generated from the standard's own
OpenAPI: what those types cannot hold, a real server would not have said.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from implicitdict import ImplicitDict
from uas_standards.astm.f3411.v22a import api

PATHS = {
    name: re.compile(re.sub(r"\{\w+\}", r"([^/]+)", operation.path))
    for name, operation in api.OPERATIONS.items()
}
VERBS = {name: operation.verb for name, operation in api.OPERATIONS.items()}


@dataclass(frozen=True)
class Request:
    verb: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


Answer = tuple[int, Any]


class Server:
    """Answers with what a function says; keeps what it was asked."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        asked: list[Request] = []
        self.asked = asked

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                form = "urlencoded" in self.headers.get("Content-Type", "")
                body = (
                    dict(urllib.parse.parse_qsl(raw.decode())) if form else raw and json.loads(raw)
                )
                request = Request(
                    self.command,
                    parts.path,
                    dict(urllib.parse.parse_qsl(parts.query)),
                    {name.lower(): value for name, value in self.headers.items()},
                    body,
                )
                asked.append(request)
                status, content = answer(request)
                out = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", content)
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 (http.server's names)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def operation(request: Request, base: str) -> tuple[api.OperationID, tuple[str, ...]]:
    """Which of the standard's operations a request is, and the parts of its path."""
    for name, path in PATHS.items():
        found = path.fullmatch(request.path.removeprefix(base))
        if found and VERBS[name] == request.verb:
            return name, found.groups()
    raise AssertionError(f"{request.verb} {request.path} is no operation of the standard")


def time_of(at: datetime) -> dict[str, str]:
    return {"value": at.isoformat().replace("+00:00", "Z"), "format": "RFC3339"}


class Authority:
    """Gives tokens that say whom they are for."""

    def __init__(self) -> None:
        self.server = Server(self._answer)
        self.secret = "right"
        self.given = 0
        self.life_s: float = 3600

    def _answer(self, request: Request) -> Answer:
        import base64

        form = request.body
        expected = "Basic " + base64.b64encode(f"watch:{self.secret}".encode()).decode()
        if request.headers.get("authorization") != expected:
            return 401, {"error": "invalid_client"}
        assert form["grant_type"] == "client_credentials"
        self.given += 1
        token = f"{self.given}|{form['scope']}|{form['audience']}"
        return 200, {"access_token": token, "expires_in": self.life_s, "token_type": "Bearer"}


def bearer_of(request: Request) -> tuple[int, str, str]:
    number, scope, audience = request.headers["authorization"].removeprefix("Bearer ").split("|")
    return int(number), scope, audience


@dataclass
class Sky:
    """One flight of a provider, where it is told to be."""

    id: str = "flight-1"
    lat_deg: float = 50.8197
    lon_deg: float = 4.3908
    late_s: float = 0.5
    simulated: bool = False
    change: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        at = datetime.now(UTC) - timedelta(seconds=self.late_s)
        state = {
            "timestamp": time_of(at),
            "timestamp_accuracy": 0.1,
            "operational_status": "Airborne",
            "position": {
                "lat": self.lat_deg,
                "lng": self.lon_deg,
                "alt": 144.0,
                "accuracy_h": "HA3m",
                "accuracy_v": "VA10m",
                "height": {"distance": 44.5, "reference": "TakeoffLocation"},
            },
            "track": 123.0,
            "speed": 10.25,
            "speed_accuracy": "SA1mps",
            "vertical_speed": -2.5,
        }
        flight = {
            "id": self.id,
            "aircraft_type": "Helicopter",
            "simulated": self.simulated,
            "current_state": state | self.change,
        }
        ImplicitDict.parse(flight, api.RIDFlight)
        return flight


DETAILS: dict[str, Any] = {
    "uas_id": {"serial_number": "1581F4BND2280", "registration_id": "BE.123456"},
    "operator_id": "BELoperator00001",
    "operator_location": {
        "position": {"lat": 50.82, "lng": 4.391},
        "altitude": {"value": 100.0, "reference": "W84", "units": "M"},
        "altitude_type": "Dynamic",
    },
    "eu_classification": {"category": "Open", "class": "Class2"},
    "operation_description": "roof inspection",
}


class Provider:
    """A service provider; `broken` makes it answer something else."""

    def __init__(self) -> None:
        self.server = Server(self._answer)
        self.sky: list[Sky] = []
        self.broken: Answer | None = None
        self.served = True
        self.details = dict(DETAILS)

    def _answer(self, request: Request) -> Answer:
        name, (*parts,) = operation(request, "")
        _, scope, audience = bearer_of(request)
        assert (scope, audience) == ("rid.display_provider", "127.0.0.1")
        if self.broken is not None:
            return self.broken
        if name is api.OperationID.GetFlightDetails:
            told: Any = {"details": {"id": parts[0]} | self.details}
            return 200, ImplicitDict.parse(told, api.GetFlightDetailsResponse)
        assert name is api.OperationID.SearchFlights
        south, west, north, east = map(float, request.query["view"].split(","))
        seen = [
            one.told()
            for one in self.sky
            if south <= one.lat_deg <= north and west <= one.lon_deg <= east
        ]
        told = {"timestamp": time_of(datetime.now(UTC)), "flights": seen}
        if not self.served:
            told["no_isas_present"] = True
        return 200, ImplicitDict.parse(told, api.GetFlightsResponse)


class Dss:
    """A discovery service that knows some providers."""

    def __init__(self) -> None:
        self.server = Server(self._answer)
        self.base = "/rid/v2"
        self.url = self.server.url + self.base
        self.areas: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.broken: Answer | None = None
        self.versions = 0

    def add(self, url: str, name: str | None = None) -> str:
        name = name or str(uuid.uuid4())
        self.versions += 1
        self.areas[name] = {
            "id": name,
            "uss_base_url": url,
            "owner": "provider",
            "time_start": time_of(datetime.now(UTC)),
            "time_end": time_of(datetime.now(UTC) + timedelta(hours=1)),
            "version": f"v{self.versions}",
        }
        return name

    def _answer(self, request: Request) -> Answer:
        name, parts = operation(request, self.base)
        _, scope, audience = bearer_of(request)
        assert (scope, audience) == ("rid.display_provider", "127.0.0.1")
        if self.broken is not None:
            return self.broken
        match name:
            case api.OperationID.SearchIdentificationServiceAreas:
                corners = request.query["area"].split(",")
                assert len(corners) == 8
                datetime.fromisoformat(request.query["earliest_time"])
                told = {"service_areas": list(self.areas.values())}
                return 200, ImplicitDict.parse(told, api.SearchIdentificationServiceAreasResponse)
            case api.OperationID.CreateSubscription | api.OperationID.UpdateSubscription:
                return self._subscribed(request, *parts)
            case api.OperationID.DeleteSubscription:
                gone = self.subscriptions.pop(parts[0])
                assert gone["version"] == parts[1]
                return 200, {"subscription": gone}
        raise AssertionError(f"{name} is not for display providers")

    def _subscribed(self, request: Request, name: str, version: str = "") -> Answer:
        asked = ImplicitDict.parse(request.body, api.CreateSubscriptionParameters)
        vertices = asked.extents.volume.outline_polygon.vertices
        assert len(vertices) == 4
        known = self.subscriptions.get(name)
        if known is not None and known["version"] != version:
            return 409, {"message": "another version"}
        self.versions += 1
        self.subscriptions[name] = {
            "id": name,
            "uss_base_url": asked.uss_base_url,
            "owner": "watch",
            "notification_index": 0,
            "time_end": request.body["extents"]["time_end"],
            "version": f"v{self.versions}",
        }
        told = {
            "subscription": self.subscriptions[name],
            "service_areas": list(self.areas.values()),
        }
        return 200, ImplicitDict.parse(told, api.PutSubscriptionResponse)
