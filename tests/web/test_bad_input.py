"""What no browser sends: bodies and files that are too deep, too large, broken or full of tricks.

Each is answered with words and a status of its own, and nothing of it stays.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from benchmarks import api_fuzz
from droneteam.photogrammetry import upload_files
from droneteam.web import strict
from tests.web import scene_world, worlds
from tests.web.conftest import Site, csrf_token, open_site

DEEP_LIST = b"[" * 100_000 + b"]" * 100_000
DEEP_OBJECT = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
TRICKS = {
    "deep list": (DEEP_LIST, "deep"),
    "deep object": (DEEP_OBJECT, "deep"),
    "just too deep": (b"[" * 42 + b"]" * 42, "deep"),
    "endless digits": (b'{"a": ' + b"9" * 6_000 + b"}", "not JSON"),
    "more than 64 bits": (b'{"a": 9223372036854775808}', "too large"),
    "beyond every float": (b'{"a": -1e999}', "too large"),
    "not a number": (b'{"a": NaN}', "no number"),
    "infinity": (b'{"a": -Infinity}', "no number"),
    "a character no database holds": (b'{"a": ["x\\u0000"]}', "U+0000"),
    "the same in a name": (b'{"x\\u0000": 1}', "U+0000"),
    "half a character": (b'{"a": "\\ud800"}', "surrogate"),
    "no UTF-8": (b'{"a": "\xff"}', "not JSON"),
    "cut short": (b'{"a": ', "not JSON"),
}
EXECUTABLE = b"MZ\x90\x00" + bytes(3_000)
SCRIPTED_SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


@pytest.mark.parametrize("trick", TRICKS)
def test_a_body_that_no_view_should_see_is_answered_in_words(site: Site, trick: str) -> None:
    body, words = TRICKS[trick]
    headers = api_fuzz.authorization(site, "requester")
    answer = site.app.test_client().post(
        "/api/v1/requests/drafts", data=body, content_type="application/json", headers=headers
    )
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert words in answer.get_json()["detail"]


def test_no_operation_falls_over_a_deep_body(site: Site) -> None:
    headers = {login: api_fuzz.authorization(site, login) for login in api_fuzz.LOGINS}
    client, tried = site.app.test_client(), 0
    for operation in api_fuzz.operations(site):
        if "application/json" not in operation.get_request_payload_content_types():
            continue
        login = next(who for who in api_fuzz.LOGINS if api_fuzz.may_call(operation, who))
        path = re.sub(r"\{\w+\}", "1", operation.path)
        answer = client.open(
            path,
            method=operation.method.upper(),
            data=DEEP_OBJECT,
            content_type="application/json",
            headers=headers[login],
        )
        assert answer.status_code == 400, (operation.label, answer.status_code)
        tried += 1
    assert 50 < tried < 150


def test_what_is_just_within_the_bounds_is_read() -> None:
    deepest = b"[" * strict.MAX_DEPTH + b"1" + b"]" * strict.MAX_DEPTH
    assert json.dumps(strict.strict_json(deepest)).encode() == deepest
    kept = {"n": strict.MAX_INTEGER, "m": -strict.MAX_INTEGER, "x": 1e308, "t": "é😀\t", "b": True}
    assert strict.strict_json(json.dumps(kept).encode()) == kept
    assert strict.strict_json(b"") is None


def test_a_body_is_judged_after_who_sent_it(site: Site) -> None:
    """A stranger is told to sign in, and costs no more than that."""
    answer = site.app.test_client().post(
        "/api/v1/requests/drafts", data=DEEP_LIST, content_type="application/json"
    )
    assert answer.status_code == 401


def test_a_body_larger_than_any_form_is_refused_unread(site: Site) -> None:
    answer = site.app.test_client().post(
        "/api/v1/requests/drafts",
        data=b'"' + b"x" * 2_000_001 + b'"',
        content_type="application/json",
        headers=api_fuzz.authorization(site, "requester"),
    )
    assert answer.status_code == 413


def test_an_address_that_is_none_is_answered_as_whoever_asks_reads_it(site: Site) -> None:
    page = site.client("requester", language="fr").get("/nowhere")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "Cette page ou ce dossier n’existe pas pour vous" in page.get_data(as_text=True)
    told = site.app.test_client().get("/api/v1/nowhere")
    assert (told.status_code, told.mimetype) == (404, "application/problem+json")
    method = site.client("requester").post("/board/")
    assert (method.status_code, method.mimetype) == (405, "text/html")
    assert "GET" in method.headers["Allow"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/requests/?q=%00", 400),
        ("/requests/series/%00", 404),
        ("/api/v1/requests/?state=%00", 400),
    ],
)
def test_an_address_with_a_zero_byte_reaches_no_database(
    site: Site, path: str, status: int
) -> None:
    assert site.client("coordinator").get(path).status_code == status


def test_a_form_with_a_zero_byte_reaches_no_database(site: Site) -> None:
    client = site.client("requester")
    data = {"csrf_token": csrf_token(client), "title": "a\0b"}
    answer = client.post("/requests/new", data=data)
    assert answer.status_code == 400
    assert "U+0000" in answer.get_data(as_text=True)


def packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name.replace("_", "."), content)
    return out.getvalue()


def damaged_archive() -> bytes:
    """Its directory is whole, its compressed content is not."""
    content = bytearray(packed(drones_csv=b"name\r\n" + os.urandom(400)))
    content[60:90] = bytes(30)
    return bytes(content)


FILES: dict[str, bytes] = {
    "a renamed executable": EXECUTABLE,
    "a picture with a script": SCRIPTED_SVG,
    "a bomb": packed(drones_csv=bytes(150_000_000), pilots_csv=bytes(150_000_000)),
    "a damaged archive": damaged_archive(),
    "a folder outside": packed(**{"../../etc/passwd": b"x"}),
    "deep JSON": DEEP_LIST,
    "NaN": b'{"drones": [{"name": NaN}]}',
    "nothing": b"",
}
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "/registry/import": ("administrator", {}),
    "/geozones/": ("administrator", {"source": "skeyes"}),
    "/registry/weather/file": ("coordinator", {}),
    "/missions/terrains/": ("pilot", {"name": "t", "kind": "dtm", "datum": "ellipsoid"}),
    "/scenes/1/control": ("investigator", {"kind": "control"}),
    "/scenes/1/photos": ("investigator", {}),
}


@pytest.mark.parametrize("path", FORMS)
def test_a_file_that_is_not_what_the_form_takes_is_refused_and_not_kept(
    site: Site, path: str
) -> None:
    scene_world.empty_scene(site)
    login, fields = FORMS[path]
    client = site.client(login)
    token = csrf_token(client)
    kept = files_below(site.settings.data_dir)
    for what, content in FILES.items():
        for name in ("x.zip", "x.tif"):
            field = "photos" if path.endswith("photos") else "file"
            sent = {field: (io.BytesIO(content), name), "csrf_token": token, **fields}
            answer = client.post(path, data=sent, content_type="multipart/form-data")
            assert answer.status_code == 422, (what, name, answer.status_code)
            assert "<svg xmlns" not in answer.get_data(as_text=True), "what was sent comes back"
    assert files_below(site.settings.data_dir) == kept


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def bomb_picture(kind: str) -> bytes:
    """A small file that claims, or holds, more pixels than any camera takes."""
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(
        out, kind, **({"compression": "group4"} if kind == "TIFF" else {})
    )
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_of_400_million_pixels_is_refused_before_it_is_decoded(
    site: Site, kind: str
) -> None:
    scene_world.empty_scene(site)
    content = bomb_picture(kind)
    assert len(content) < 200_000
    client = site.client("investigator")
    sent = {
        "photos": (io.BytesIO(content), f"x.{kind.lower()[:3]}"),
        "csrf_token": csrf_token(client),
    }
    answer = client.post("/scenes/1/photos", data=sent, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "pixels" in answer.get_data(as_text=True)
    assert files_below(site.settings.data_dir) == set()


def test_names_that_climb_out_of_their_folder_do_not(site: Site) -> None:
    asked = worlds.ask(site)
    client = site.client("requester")
    token = csrf_token(client)
    for name in ("../../../evil.txt", "..\\..\\evil.txt", "/etc/evil.txt", "\0evil.txt"):
        sent = {"file": (io.BytesIO(name.encode()), name), "csrf_token": token}
        path = f"/requests/{asked.id}/attach"
        client.post(path, data=sent, content_type="multipart/form-data")
    text = client.get(f"/requests/{asked.id}").get_data(as_text=True)
    assert "evil.txt" in text
    assert "../" not in text
    assert "\\evil" not in text
    assert {path.parent for path in files_below(site.settings.data_dir)} == {
        site.settings.data_dir / "request-files"
    }


def test_a_script_in_an_attached_picture_never_runs(site: Site) -> None:
    asked = worlds.ask(site)
    client = site.client("requester")
    sent = {"file": (io.BytesIO(SCRIPTED_SVG), "map.svg"), "csrf_token": csrf_token(client)}
    client.post(f"/requests/{asked.id}/attach", data=sent, content_type="multipart/form-data")
    with client.get("/requests/attachments/1") as answer:
        assert answer.data == SCRIPTED_SVG
    assert answer.mimetype == "text/plain"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_a_formula_leaves_the_registry_as_text_and_comes_back_as_it_was(site: Site) -> None:
    names = ["=1+1", "@SUM(A1)", "+32 2 279", "-x", "'=quoted", "plain", "'plain"]
    client = site.client("administrator")
    document = json.loads(client.get("/registry/registry.json").data)
    for drone, name in zip(document["drones"], names, strict=False):
        drone["base_name"] = name
    bring(client, json.dumps(document).encode())
    archive = client.get("/registry/registry.zip").data
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        cells = opened.read("drones.csv").decode().replace("\r\n", ",").split(",")
    assert "'=1+1" in cells
    assert [cell for cell in cells if cell[:1] in {"=", "@", "+"}] == []
    bring(client, archive)
    again = json.loads(client.get("/registry/registry.json").data)
    assert again["drones"] == document["drones"]


def bring(client: FlaskClient, content: bytes) -> None:
    sent = {"file": (io.BytesIO(content), "registry"), "csrf_token": csrf_token(client)}
    answer = client.post("/registry/import", data=sent, content_type="multipart/form-data")
    assert answer.status_code == 302, answer.get_data(as_text=True)


def test_a_cell_of_lists_within_lists_without_end_is_refused_by_its_line(site: Site) -> None:
    client = site.client("administrator")
    archive, out = client.get("/registry/registry.zip").data, io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            rows = list(csv.reader(io.StringIO(old.read(name).decode())))
            if name == "drones.csv":
                rows[1][rows[0].index("flight_h")] = "[" * 100_000
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            new.writestr(name, text.getvalue())
    sent = {"file": (io.BytesIO(out.getvalue()), "r"), "csrf_token": csrf_token(client)}
    answer = client.post("/registry/import", data=sent, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "drones, line 2" in answer.get_data(as_text=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 12 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a file system of its own can be mounted here by nobody")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_site(seeded: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An application whose whole disk has 12 MB; the usual reserve would be all of it."""
    monkeypatch.setattr(upload_files, "SPARE_BYTES", 1_000_000)
    opened = open_site(seeded, small_disk)
    yield opened
    opened.engine.dispose()


def announce(client: FlaskClient, content: bytes) -> Any:
    body = {
        "name": "x.jpg",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    headers = {"X-CSRFToken": csrf_token(client)}
    return client.post("/api/v1/scenes/1/uploads", json=body, headers=headers).get_json()


def send(client: FlaskClient, number: int, offset: int, chunk: bytes) -> Any:
    return client.put(
        f"/api/v1/scenes/1/uploads/{number}?offset={offset}",
        data=chunk,
        content_type="application/octet-stream",
        headers={"X-CSRFToken": csrf_token(client)},
    )


def test_forty_gigabytes_are_refused_before_the_first_byte(small_site: Site) -> None:
    scene_world.empty_scene(small_site)
    client = small_site.client("investigator")
    headers = {"X-CSRFToken": csrf_token(client)}
    path = "/api/v1/scenes/1/uploads/room"
    refused = client.post(path, json={"size_bytes": 40_000_000_000}, headers=headers)
    assert refused.status_code == 422
    assert "40000 MB are to come" in refused.get_json()["detail"]
    told = re.search(r"and (\d+) MB can be taken", refused.get_json()["detail"])
    assert told is not None
    assert 0 < int(told[1]) < 12
    assert client.post(path, json={"size_bytes": 1_000_000}, headers=headers).status_code == 204
    assert client.post(path, json={"size_bytes": 0}, headers=headers).status_code == 422


def test_a_disk_that_fills_up_in_mid_upload_keeps_what_it_took_and_goes_on_later(
    small_site: Site, small_disk: Path, tmp_path: Path
) -> None:
    scene_world.empty_scene(small_site)
    client = small_site.client("investigator")
    photo = scene_world.photo_file(tmp_path / "card")
    number = announce(client, photo)["id"]
    filler = small_disk / "filler"
    fill(filler, leave_bytes=len(photo) // 2)
    answer = send(client, number, 0, photo)
    assert answer.status_code == 422
    assert "disk is full" in answer.get_json()["detail"]
    part = small_site.settings.data_dir / "uploads" / f"upload-{number:08d}.part"
    here = part.stat().st_size
    assert 0 < here < len(photo)
    assert part.read_bytes() == photo[:here]
    assert files_below(small_site.settings.data_dir) == {part}, "nothing half kept is unmarked"
    filler.unlink()
    row = client.get("/api/v1/scenes/1/uploads").get_json()["items"][0]
    assert (row["state"], row["received_bytes"]) == ("open", here)
    assert send(client, number, here, photo[here:]).get_json()["state"] == "done"
    kept = small_site.settings.data_dir / "photos" / "scene-000001" / "x.jpg"
    assert kept.read_bytes() == photo


def fill(filler: Path, leave_bytes: int) -> None:
    usage = os.statvfs(filler.parent)
    free = usage.f_bavail * usage.f_frsize
    filler.write_bytes(bytes(free - leave_bytes))


def test_a_full_disk_is_told_by_its_name_and_a_form_is_not_half_stored(
    small_site: Site, small_disk: Path
) -> None:
    asked = worlds.ask(small_site)
    client = small_site.client("requester", language="nl")
    token = csrf_token(client)
    filler = small_disk / "filler"
    fill(filler, leave_bytes=60_000)
    sent = {"file": (io.BytesIO(b"%PDF-1.7" + bytes(400_000)), "order.pdf"), "csrf_token": token}
    path = f"/requests/{asked.id}/attach"
    answer = client.post(path, data=sent, content_type="multipart/form-data")
    assert answer.status_code == 503
    assert "De schijf van de server is vol" in answer.get_data(as_text=True)
    assert files_below(small_site.settings.data_dir) == set()
    filler.unlink()
    sent = {"file": (io.BytesIO(b"%PDF-1.7" + bytes(400_000)), "order.pdf"), "csrf_token": token}
    assert client.post(path, data=sent, content_type="multipart/form-data").status_code == 302
    with client.get("/requests/attachments/1") as kept:
        assert kept.status_code == 200
