"""Geographical zones: what a source publishes is what missions are checked against."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from droneteam import audit, cli, db
from droneteam.missions import service, zonestore
from droneteam.missions.airspace.checks import Restriction
from tests.web.conftest import Site, csrf_token

PARK = [[4.39, 50.84], [4.40, 50.84], [4.40, 50.85], [4.39, 50.84]]


def publication(*identifiers: str, restriction: str = "PROHIBITED") -> dict[str, Any]:
    """An ED-269 document of triangles."""
    limits = {"lowerLimit": 0, "lowerVerticalReference": "AGL", "upperLimit": 120,
              "upperVerticalReference": "AGL", "uomDimensions": "M"}  # fmt: skip
    shape = {"horizontalProjection": {"type": "Polygon", "coordinates": [PARK]}, **limits}
    return {
        "title": "zones",
        "features": [
            {"identifier": name, "name": f"Zone {name}", "restriction": restriction,
             "geometry": [shape], "zoneAuthority": [{"name": "Authority", "phone": "+32 2"}]}
            for name in identifiers
        ],
    }  # fmt: skip


def in_force(site: Site) -> dict[str, str]:
    """Identifier → source."""
    with db.read_scope(site.engine) as session:
        rows = service.list_zones(session, site.actor("administrator"))
        return {row.zone.identifier: row.source for row in rows}


def load(site: Site, document: object, source: str = "skeyes", login: str = "administrator") -> Any:
    client = site.client(login)
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    data = {
        "csrf_token": csrf_token(client),
        "source": source,
        "file": (io.BytesIO(content), "zones.json"),
    }
    return client.post("/geozones/", data=data, content_type="multipart/form-data")


def test_a_publication_is_loaded_shown_and_checked(site: Site) -> None:
    assert load(site, publication("A1", "A2")).status_code == 302
    assert in_force(site) == {"A1": "skeyes", "A2": "skeyes"}
    page = site.client("pilot").get("/geozones/").get_data(as_text=True)
    assert "Zone A1" in page
    assert "0 m AGL – 120 m AGL" in page
    assert "Load a publication" not in page
    with db.read_scope(site.engine) as session:
        assert {zone.identifier for zone in service.stored_geozones(session)} == {"A1", "A2"}


def test_zones_are_parsed_once_and_a_changed_one_counts_at_once(site: Site) -> None:
    load(site, publication("A1", "A2"))
    in_force(site)
    before = zonestore.parsed_zones.cache_info()
    assert in_force(site) == {"A1": "skeyes", "A2": "skeyes"}
    after = zonestore.parsed_zones.cache_info()
    assert (after.hits, after.misses) == (before.hits + 2, before.misses)
    changed = publication("A1", "A2")
    changed["features"][1]["restriction"] = "CONDITIONAL"
    load(site, changed)
    with db.read_scope(site.engine) as session:
        zones = {zone.identifier: zone.restriction for zone in service.stored_geozones(session)}
    assert zones == {"A1": Restriction.PROHIBITED, "A2": Restriction.CONDITIONAL}
    misses = zonestore.parsed_zones.cache_info().misses
    assert misses == after.misses + 1, "what did not change is not parsed again"


def test_a_new_publication_withdraws_what_its_source_no_longer_holds(site: Site) -> None:
    load(site, publication("A1", "A2"))
    load(site, publication("B1"), source="city")
    load(site, publication("A2", "A3", restriction="CONDITIONAL"))
    assert in_force(site) == {"A2": "skeyes", "A3": "skeyes", "B1": "city"}
    with db.read_scope(site.engine) as session:
        (entry,) = audit.entries(session, action="geozones.withdraw")
    assert entry.facts == {"zones": ["A1"]}


@pytest.mark.parametrize(
    ("content", "source", "said"),
    [
        (b"\xff\xfe\x00", "skeyes", "no JSON in UTF-8"),
        (b"{", "skeyes", "no JSON in UTF-8"),
        (b"[]", "skeyes", "no list of features"),
        (json.dumps({"features": []}).encode(), "skeyes", "holds no zone"),
        (json.dumps(publication("A1", "A9") | {"features": [{"identifier": "A9"}]}).encode(),
         "skeyes", "zone A9"),
        (json.dumps(publication("A1")).encode(), "city", "published by skeyes"),
        (json.dumps(publication("C1")).encode(), "", "1 to 20 characters"),
        (json.dumps(publication("C1")).encode(), "x" * 21, "1 to 20 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_changes_nothing_and_is_named(
    site: Site, content: bytes, source: str, said: str
) -> None:
    load(site, publication("A1"))
    answer = load(site, content, source=source)
    assert answer.status_code == 422
    assert said in answer.get_data(as_text=True)
    assert in_force(site) == {"A1": "skeyes"}


def test_a_zone_is_withdrawn_with_a_reason_on_record(site: Site) -> None:
    load(site, publication("A1"))
    client = site.client("coordinator")
    token = csrf_token(client)
    refused = client.post("/geozones/1/withdraw", data={"csrf_token": token, "reason": " "})
    assert refused.status_code == 422
    assert in_force(site) == {"A1": "skeyes"}
    data = {"csrf_token": token, "reason": "lifted by telephone"}
    assert client.post("/geozones/1/withdraw", data=data).status_code == 302
    assert in_force(site) == {}
    with db.read_scope(site.engine) as session:
        (entry,) = audit.entries(session, action="geozones.withdraw")
    assert entry.reason == "lifted by telephone"
    assert entry.facts["document"]["features"][0]["identifier"] == "A1"
    assert client.post("/geozones/1/withdraw", data=data).status_code == 404


def test_the_api_publishes_lists_and_withdraws(site: Site) -> None:
    client = site.client("administrator")
    header = {"X-CSRFToken": csrf_token(client)}
    body = {"source": "skeyes", "document": publication("A1", "A2")}
    answer = client.put("/api/v1/geozones", json=body, headers=header)
    assert answer.json == {"count": 2, "withdrawn": []}
    items = client.get("/api/v1/geozones").json["items"]  # type: ignore[index]
    assert [(one["identifier"], one["restriction"]) for one in items] == [
        ("A1", "prohibited"),
        ("A2", "prohibited"),
    ]
    gone = client.delete(f"/api/v1/geozones/{items[0]['id']}?reason=over", headers=header)
    assert gone.status_code == 204
    assert set(in_force(site)) == {"A2"}
    wrong = client.put("/api/v1/geozones", json={**body, "document": {}}, headers=header)
    assert wrong.status_code == 422


def test_the_command_loads_and_lists(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRONETEAM_DATABASE", site.settings.database_url)
    monkeypatch.setenv("DRONETEAM_DATA", str(tmp_path / "data"))
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(publication("A1")))
    load_it = ["geozones", "load", str(path), "--source", "skeyes", "--user"]
    assert cli.main([*load_it, "administrator"]) == 0
    assert "1 zones of skeyes in force, 0 withdrawn" in capsys.readouterr().out
    assert cli.main(["geozones", "list"]) == 0
    assert capsys.readouterr().out == "skeyes\tA1\tprohibited\tZone A1\n"
    assert cli.main([*load_it, "pilot"]) == 1
    assert "coordinator or administrator" in capsys.readouterr().err
    path.write_text("{")
    assert cli.main([*load_it, "administrator"]) == 1
    assert "zones.json" in capsys.readouterr().err


def test_hundreds_of_zones_are_read_in_parts_and_searched(site: Site) -> None:
    names = [f"EB{i:03d}" for i in range(120)]
    assert load(site, publication(*names)).status_code == 302
    client = site.client("pilot")

    def rows(query: str) -> list[str]:
        text = client.get(f"/geozones/?{query}").get_data(as_text=True)
        return re.findall(r"<code>(EB\d{3})</code>", text)

    assert rows("") == names[:50]
    assert rows("from=50") == names[50:100]
    assert rows("from=100") == names[100:]
    assert rows("from=-7") == names[:50]
    assert rows("from=9999") == names[119:]
    assert rows("q=zone+eb11") == names[110:]
    assert rows("q=nowhere") == []
    first = client.get("/geozones/").get_data(as_text=True)
    assert "1 to 50 of 120" in first
    assert json.loads(first.split('id="zones-data">', 1)[1].split("</script>", 1)[0])["zones"][119]
