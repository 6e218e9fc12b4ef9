"""Where the team flew: every flight of the year at its place, counted once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from droneteam import db
from droneteam.fleet import service as fleet
from droneteam.fleet.assets.logbook import FlightEntry
from tests.web.conftest import NOW, Site
from tests.web.test_access import draft

TAKE_OFFS = (
    datetime(2026, 5, 4, 11, 0, tzinfo=UTC),
    datetime(2026, 5, 4, 12, 0, tzinfo=UTC),
    # 1 June in Brussels, still May in UTC.
    datetime(2026, 5, 31, 22, 30, tzinfo=UTC),
)


def fly(site: Site) -> None:
    """Two flights for request 1, one for request 2, one for none and one of the year before."""
    with db.session_scope(site.engine) as session:
        for _ in range(2):
            fleet.submit_request(session, site.actor("requester"), draft(), NOW)
    site.clock.at = datetime(2026, 7, 1, tzinfo=UTC)
    flown = [(1, TAKE_OFFS[0]), (1, TAKE_OFFS[1]), (2, TAKE_OFFS[2]), (None, TAKE_OFFS[0])]
    flown.append((None, datetime(2025, 12, 31, 22, 59, tzinfo=UTC)))
    with db.session_scope(site.engine) as session:
        for n, (request_id, at) in enumerate(flown):
            entry = FlightEntry(
                key=f"flight-{n}", sortie=f"s{n}", drone_id=1 + n % 2, pilot_id=1,
                took_off_at=at, landed_at=at + timedelta(minutes=12), request_id=request_id,
            )  # fmt: skip
            fleet.log_flight(session, site.actor("coordinator"), entry, site.clock())


def test_the_api_gives_each_place_once_with_its_flights(site: Site) -> None:
    fly(site)
    answer = site.client("manager").get("/api/v1/figures/places?year=2026").json
    assert answer is not None
    first, second = answer["places"]
    assert (first["request_id"], first["flights"], first["minutes"]) == (1, 2, 24.0)
    assert first["drones"] == ["drone-01", "drone-02"]
    assert (second["request_id"], second["flights"]) == (2, 1)
    assert (second["lat_deg"], second["lon_deg"]) == (draft().lat_deg, draft().lon_deg)
    assert answer["unplaced"] == 1


def test_the_page_holds_the_map_in_a_table_by_local_month(site: Site) -> None:
    fly(site)
    client = site.client("manager")
    year = client.get("/statistics/2026/map").get_data(as_text=True)
    assert "3 flights" in year
    assert "1 more flight that no request asked for" in year
    may = client.get("/statistics/2026/map?month=5").get_data(as_text=True)
    assert "2 flights, May" in may
    june = client.get("/statistics/2026/map?month=6").get_data(as_text=True)
    assert "1 flight, June" in june
    table = june.split('aria-labelledby="places"', 1)[1]
    assert "/requests/2" in table
    assert "/requests/1" not in table
    assert '"month": 6' in june.replace("&#34;", '"')


def test_a_year_without_flights_says_so(site: Site) -> None:
    page = site.client("auditor").get("/statistics/2025/map?month=13").get_data(as_text=True)
    assert "0 flights" in page
    assert "None yet." in page
