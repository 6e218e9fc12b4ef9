"""A display provider against a discovery service and service providers of our own."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from droneteam.detection import rid
from droneteam.detection.feeds import Inbox
from droneteam.detection.records import Alive, Leave
from droneteam.detection.sources import network
from droneteam.detection.sources.netrid_area import View
from droneteam.detection.sources.network import NetworkRemoteId
from droneteam.errors import InputError
from tests.detection.sources.netrid_servers import Authority, Dss, Provider, Sky, bearer_of
from tests.detection.sources.waiting import complained, followed, gather, heard, troubles


def test_a_flight_is_followed_with_its_details(
    utm: NetworkRemoteId, provider: Provider, inbox: Inbox
) -> None:
    with followed(utm, inbox):
        records = gather(inbox, lambda found: len(heard(found)) >= 2)
    received = heard(records)[0]
    host = provider.server.url.removeprefix("http://")
    assert (received.receiver, received.transport) == (f"utm/{host}", "network")
    assert received.transmitter == f"utm/{host}/flight-1"
    registration, serial, location, system, operator, described = rid.decode(
        received.payload
    ).messages
    assert registration == rid.BasicId(rid.IdType.REGISTRATION, 2, "BE.123456")
    assert serial == rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280")
    assert isinstance(location, rid.Location)
    assert (location.lat_deg, location.lon_deg) == (50.8197, 4.3908)
    assert (location.direction_deg, location.speed_mps) == (123.0, 10.25)
    assert (location.vertical_speed_mps, location.alt_ellipsoid_m) == (-2.5, 144.0)
    assert (location.height_m, location.alt_pressure_m) == (44.5, None)
    assert (location.horizontal_accuracy_m, location.vertical_accuracy_m) == (3.0, 10.0)
    assert (location.speed_accuracy_mps, location.time_accuracy_s) == (1.0, 0.1)
    assert location.second_of_hour_s == pytest.approx(received.at.timestamp() % 3600, abs=0.051)
    assert isinstance(system, rid.System)
    assert (system.operator_lat_deg, system.operator_lon_deg) == (50.82, 4.391)
    assert (system.operator_alt_ellipsoid_m, system.operator_location_type) == (100.0, 1)
    assert (system.classification, system.ua_category, system.ua_class) == (1, 1, 3)
    assert operator == rid.OperatorId(0, "BELoperator00001")
    assert described == rid.SelfId(0, "roof inspection")
    assert troubles(records) == []
    kinds = {one.receiver: one.kind for one in records if isinstance(one, Alive)}
    assert kinds == {"utm": "network", f"utm/{host}": "network"}


def test_every_position_is_told_once_and_dated_by_its_provider(
    utm: NetworkRemoteId, provider: Provider, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.sky[0].late_s = 20.0
    with followed(utm, inbox):
        records = gather(inbox, lambda found: len(heard(found)) >= 3)
    times = [one.at for one in heard(records)]
    assert times == sorted(set(times))
    assert all(19.0 < (datetime.now(UTC) - at).total_seconds() < 110.0 for at in times)
    asked = [one for one in provider.server.asked if one.path == "/uss/flights"]
    details = [one for one in provider.server.asked if one.path.endswith("/details")]
    assert len(asked) >= 3
    assert len(details) == 1, "asked once per flight, and again only after a while"


def test_a_provider_is_asked_no_more_than_once_a_second(
    utm: NetworkRemoteId, provider: Provider, inbox: Inbox
) -> None:
    with followed(utm, inbox):
        gather(inbox, lambda found: len(heard(found)) >= 3)
        seen = {one.payload for one in heard(inbox.drain())}
    assert len(seen) <= 1
    with pytest.raises(InputError, match=r"poll_s 0\.5 outside"):
        replace(utm, poll_s=0.5)


def test_a_large_area_is_asked_for_in_views_that_providers_answer(
    utm: NetworkRemoteId, provider: Provider, inbox: Inbox
) -> None:
    provider.sky = [Sky("west", 50.75, 4.21), Sky("east", 50.85, 4.49)]
    large = replace(utm, area=View(50.7, 4.2, 50.9, 4.5))
    with followed(large, inbox):
        records = gather(inbox, lambda found: len({one.transmitter for one in heard(found)}) == 2)
    assert {one.transmitter[-4:] for one in heard(records)} == {"west", "east"}
    views = {one.query["view"] for one in provider.server.asked if "view" in one.query}
    assert len(views) > 10


def test_simulated_flights_and_flights_without_a_place_are_not_in_the_air(
    utm: NetworkRemoteId, provider: Provider, inbox: Inbox
) -> None:
    provider.sky = [Sky("not", simulated=True), Sky("yes")]
    with followed(utm, inbox):
        records = gather(inbox, lambda found: len(heard(found)) >= 2)
    assert {one.transmitter[-3:] for one in heard(records)} == {"yes"}


def test_a_provider_that_is_down_is_named_and_the_others_are_heard(
    utm: NetworkRemoteId, provider: Provider, dss: Dss, inbox: Inbox
) -> None:
    other = Provider()
    other.broken = (503, {"message": "maintenance"})
    other.sky.append(Sky("flight-2"))
    dss.add(other.server.url)
    try:
        with followed(utm, inbox) as feed:
            records = gather(
                inbox, lambda found: len(heard(found)) >= 2 and complained("maintenance")(found)
            )
            other.broken = None
            gather(
                inbox,
                lambda found: any(one.transmitter.endswith("flight-2") for one in heard(found)),
            )
            assert feed.connections == 1
    finally:
        other.server.close()
    assert all(f"{other.server.url}/uss/flights: 503" in one for one in troubles(records))


def test_a_provider_that_never_answers_delays_nobody(
    utm: NetworkRemoteId, provider: Provider, dss: Dss, inbox: Inbox
) -> None:
    stuck, free = Provider(), threading.Event()
    answer = stuck._answer

    def wait(request: Any) -> Any:
        free.wait(60.0)
        return answer(request)

    stuck.server.close()
    from tests.detection.sources.netrid_servers import Server

    stuck.server = Server(wait)
    dss.add(stuck.server.url)
    try:
        with followed(utm, inbox):
            records = gather(
                inbox, lambda found: len(heard(found)) >= 4 and complained("timed out")(found)
            )
    finally:
        free.set()
        stuck.server.close()
    assert len(heard(records)) >= 4


def test_positions_that_are_too_late_are_named_and_left_out(
    utm: NetworkRemoteId, provider: Provider, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(seconds=60) == network.LATE
    monkeypatch.setattr(network, "LATE", timedelta(seconds=3))
    provider.sky[0].late_s = 10.0

    def questions() -> int:
        return sum(one.path == "/uss/flights" for one in provider.server.asked)

    with followed(utm, inbox):
        records = gather(inbox, lambda _found: questions() >= 2)
        assert heard(records) == [], "what is late at first sight has ended before we came"
        provider.sky[0].late_s = 0.0
        gather(inbox, lambda found: bool(heard(found)))
        provider.sky[0].late_s = 3.5
        late = gather(inbox, complained("s late"))
        assert heard(late)[1:] == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, b"<html>"), "its answer is no JSON"),
        ((200, []), "flights are an object"),
        ((413, {"message": "too large"}), "413"),
        ((302, "http://127.0.0.1:1/elsewhere"), "302"),
        ((200, b"x" * (9 << 20)), "more than"),
    ],
)
def test_an_answer_that_is_none_is_named(
    utm: NetworkRemoteId, provider: Provider, inbox: Inbox, answer: Any, words: str
) -> None:
    provider.broken = answer
    with followed(utm, inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
    assert words in troubles(records)[0]
    assert heard(records) == []


@pytest.mark.slow
def test_known_providers_are_asked_on_while_discovery_is_down(
    utm: NetworkRemoteId, provider: Provider, dss: Dss, inbox: Inbox
) -> None:
    with followed(utm, inbox) as feed:
        gather(inbox, lambda found: bool(heard(found)))
        dss.broken = (500, {"message": "overloaded"})
        records = gather(inbox, complained("overloaded"))
        gather(inbox, lambda found: len(heard(found)) >= 2)
        assert feed.connections == 1
    assert "the discovery service: GET" in troubles(records)[-1]


def test_a_discovery_service_that_is_not_there_is_named_and_tried_again(
    utm: NetworkRemoteId, dss: Dss, inbox: Inbox
) -> None:
    dss.broken = (500, {"message": "starting"})
    with followed(utm, inbox) as feed:
        records = gather(inbox, lambda found: len(troubles(found)) >= 2)
        dss.broken = None
        gather(inbox, lambda _found: feed.connections == 1)
    assert "/rid/v2/dss/identification_service_areas: 500" in troubles(records)[0]


@pytest.mark.slow
def test_a_provider_whose_service_is_over_is_asked_no_more_and_missed_by_nobody(
    utm: NetworkRemoteId, provider: Provider, dss: Dss, inbox: Inbox
) -> None:
    with followed(utm, inbox):
        gather(inbox, lambda found: bool(heard(found)))
        dss.areas.clear()
        records = gather(inbox, lambda found: any(isinstance(one, Leave) for one in found))
    (left,) = [one for one in records if isinstance(one, Leave)]
    assert left.receiver == f"utm/{provider.server.url.removeprefix('http://')}"


@pytest.mark.slow
def test_a_provider_that_serves_nothing_here_is_left_alone_until_discovery_changes(
    utm: NetworkRemoteId, provider: Provider, dss: Dss, inbox: Inbox
) -> None:
    provider.served, provider.sky = False, []

    def questions() -> int:
        return sum(one.path == "/uss/flights" for one in provider.server.asked)

    with followed(utm, inbox):
        gather(inbox, lambda found: questions() == 1)
        provider.served, provider.sky = True, [Sky()]
        searches = len(dss.server.asked)
        gather(inbox, lambda found: bool(heard(found)))
        assert len(dss.server.asked) > searches, "asked again only after discovery"


def test_a_wrong_secret_is_named_and_never_shown(
    utm: NetworkRemoteId, authority: Authority, inbox: Inbox
) -> None:
    authority.secret = "another"
    with followed(utm, inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
    assert "401" in troubles(records)[0]
    assert "invalid_client" in troubles(records)[0]
    assert "right" not in troubles(records)[0]


def test_a_token_is_kept_and_one_that_is_refused_is_renewed(
    utm: NetworkRemoteId, authority: Authority, provider: Provider, inbox: Inbox
) -> None:
    with followed(utm, inbox):
        gather(inbox, lambda found: len(heard(found)) >= 2)
        assert authority.given == 1, "one audience, one scope, one token"
        provider.broken = (401, {"message": "revoked"})
        gather(inbox, complained("revoked"))
        provider.broken = None
        gather(inbox, lambda found: bool(heard(found)))
    numbers = {bearer_of(one)[0] for one in provider.server.asked}
    assert len(numbers) >= 2


def test_an_address_that_a_token_must_not_go_to_is_refused(
    utm: NetworkRemoteId, provider: Provider, dss: Dss, inbox: Inbox
) -> None:
    dss.add("http://provider.example.org")
    dss.add("file:///etc/passwd")
    with followed(utm, inbox) as feed:
        gather(inbox, lambda found: bool(heard(found)))
        assert feed.counts.refused == 2
    with pytest.raises(InputError, match="is not an https://"):
        replace(utm, dss_url="ftp://dss.example.org")
