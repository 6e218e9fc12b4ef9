"""Photos come in whole, once and checked, however often the line breaks; or not at all."""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from droneteam import audit, db, jobs
from droneteam.photogrammetry import upload_files, uploads
from droneteam.photogrammetry.ingest import imagefile
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.scene_params import params_of
from droneteam.web import phototiles, progress_estimate
from tests.photogrammetry.networks import block_poses, network
from tests.web import scene_world, worlds
from tests.web.conftest import NOW, Site, csrf_token

CHUNK = 5_000


@pytest.fixture
def client(site: Site) -> FlaskClient:
    assert scene_world.empty_scene(site) == 1
    return site.client("investigator")


@pytest.fixture
def photo(tmp_path: Path) -> bytes:
    content = scene_world.photo_file(tmp_path / "card")
    assert len(content) > 3 * CHUNK
    return content


def announce(
    client: FlaskClient, content: bytes, name: str = "DJI_0001.JPG", **changed: Any
) -> Any:
    body = {
        "name": name,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return client.post(
        "/api/v1/scenes/1/uploads",
        json={**body, **changed},
        headers={"X-CSRFToken": csrf_token(client)},
    )


def send(client: FlaskClient, number: int, offset: int, chunk: bytes) -> TestResponse:
    return client.put(
        f"/api/v1/scenes/1/uploads/{number}?offset={offset}",
        data=chunk,
        content_type="application/octet-stream",
        headers={"X-CSRFToken": csrf_token(client)},
    )


def send_all(client: FlaskClient, content: bytes, name: str = "DJI_0001.JPG") -> Any:
    number = announce(client, content, name).get_json()["id"]
    answer: Any = None
    for offset in range(0, len(content), CHUNK):
        answer = send(client, number, offset, content[offset : offset + CHUNK])
    return answer


def folder(site: Site) -> Path:
    return site.settings.data_dir / "photos" / "scene-000001"


def test_a_photo_in_chunks_arrives_byte_for_byte(
    site: Site, client: FlaskClient, photo: bytes
) -> None:
    answer = send_all(client, photo)
    assert answer.status_code == 200
    assert answer.get_json()["state"] == "done"
    assert (folder(site) / "DJI_0001.JPG").read_bytes() == photo
    assert list((site.settings.data_dir / "uploads").glob("*")) == []
    with db.read_scope(site.engine) as session:
        entry = audit.entries(session, action="scene.photo")[0]
        assert entry.facts["sha256"] == hashlib.sha256(photo).hexdigest()


def test_a_broken_upload_goes_on_where_the_server_has_it(
    site: Site, client: FlaskClient, photo: bytes
) -> None:
    number = announce(client, photo).get_json()["id"]
    send(client, number, 0, photo[:CHUNK])
    # Another browser, another day: the same file is announced again.
    again = announce(site.client("investigator"), photo).get_json()
    assert (again["id"], again["received_bytes"], again["state"]) == (number, CHUNK, "open")
    # The answer to a chunk was lost and it comes twice; then one comes too early.
    assert send(client, number, 0, photo[:CHUNK]).get_json()["received_bytes"] == CHUNK
    early = send(client, number, 2 * CHUNK, photo[2 * CHUNK : 3 * CHUNK])
    assert early.status_code == 409
    assert f"{CHUNK} bytes are here" in early.get_json()["detail"]
    assert send(client, number, CHUNK, photo[CHUNK:]).get_json()["state"] == "done"
    assert (folder(site) / "DJI_0001.JPG").read_bytes() == photo


def test_no_photo_is_taken_twice_and_no_name_overwrites_another(
    site: Site, client: FlaskClient, photo: bytes, tmp_path: Path
) -> None:
    send_all(client, photo)
    assert announce(client, photo, "renamed.jpg").get_json()["state"] == "done"
    other = scene_world.photo_file(tmp_path / "other", seed=9)
    assert send_all(client, other).get_json()["name"] == "DJI_0001-2.JPG"
    assert sorted(path.name for path in folder(site).iterdir()) == [
        "DJI_0001-2.JPG",
        "DJI_0001.JPG",
    ]
    assert (folder(site) / "DJI_0001.JPG").read_bytes() == photo


def test_a_file_that_changed_on_the_way_is_thrown_away_and_can_be_sent_again(
    site: Site, client: FlaskClient, photo: bytes
) -> None:
    number = announce(client, photo).get_json()["id"]
    wrong = bytes([photo[0] ^ 1]) + photo[1:]
    answer = send(client, number, 0, wrong)
    assert answer.status_code == 422
    assert "another SHA-256" in answer.get_json()["detail"]
    assert list(folder(site).iterdir()) == []
    again = announce(client, photo).get_json()
    assert (again["state"], again["received_bytes"]) == ("open", 0)
    assert send(client, number, 0, photo).get_json()["state"] == "done"


@pytest.mark.parametrize(
    "content",
    [b"MZ\x90\x00" + b"\0" * 3_000, b"<svg onload='alert(1)'/>", b"PK\x03\x04" + b"\0" * 500],
    ids=["executable", "svg", "zip"],
)
def test_only_what_is_a_photo_by_its_content_is_taken(
    site: Site, client: FlaskClient, content: bytes
) -> None:
    answer = send_all(client, content, "holiday.jpg")
    assert answer.status_code == 422
    detail = answer.get_json()["detail"]
    assert detail.startswith("holiday.jpg is not a JPEG, PNG or TIFF"), "its sender's name for it"
    assert list(folder(site).iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"name": "virus.exe"}, "not named like a photo"),
        ({"name": "DSC1.ARW"}, "raw"),
        ({"size_bytes": 2_000_000_000}, "size_bytes"),
        ({"size_bytes": 0}, "size_bytes"),
        ({"sha256": "nothing"}, "sha256"),
    ],
)
def test_what_cannot_be_a_photo_is_refused_before_it_is_sent(
    client: FlaskClient, photo: bytes, changed: dict[str, Any], word: str
) -> None:
    answer = announce(client, photo, **changed)
    assert answer.status_code == 422
    assert word in answer.get_data(as_text=True)


def test_names_cannot_leave_the_folder(site: Site, client: FlaskClient, photo: bytes) -> None:
    for name in ("../../evil.jpg", "..\\..\\evil.jpg", "/etc/evil.jpg"):
        assert announce(client, photo, name).get_json()["name"] == "evil.jpg"
    assert upload_files.safe_name(".hidden.jpg") == "hidden.jpg"
    assert upload_files.safe_name("été (1).JPG") == "été (1).JPG"
    assert upload_files.safe_name("a\0b\n<c>.png") == "a_b_c_.png"


@pytest.mark.parametrize("letter", ["a", "é", "写", "\U0001d49c"])
def test_a_name_too_long_for_a_file_system_is_cut_and_the_photo_taken_and_shown(
    site: Site, client: FlaskClient, photo: bytes, letter: str, tmp_path: Path
) -> None:
    """255 letters are up to 1,020 bytes, where file systems take 255."""
    number = announce(client, photo, letter * 250 + ".JPG").get_json()["id"]
    for offset in range(0, len(photo), CHUNK):
        answer = send(client, number, offset, photo[offset : offset + CHUNK])
    assert (answer.status_code, answer.get_json()["state"]) == (200, "done")
    name = answer.get_json()["name"]
    assert name.startswith(letter * 30)
    assert name.endswith(f"{letter}.JPG")
    assert 140 < len(name.encode()) <= upload_files.MAX_NAME_BYTES
    (kept,) = site.settings.data_dir.rglob(name)
    assert kept.read_bytes() == photo
    for piece in (
        phototiles.thumb(kept, tmp_path),
        phototiles.tile(kept, imagefile.decode_rgb(kept).shape[1::-1], (0, 0, 0), tmp_path),
    ):
        assert piece.read_bytes().startswith(b"\xff\xd8")


def test_more_bytes_than_announced_are_refused(client: FlaskClient, photo: bytes) -> None:
    number = announce(client, photo).get_json()["id"]
    assert send(client, number, 0, photo + b"x").status_code == 422
    assert send(client, number, 10**9, b"x").status_code == 422
    large = send(client, number, 0, bytes(upload_files.CHUNK_BYTES + 1))
    assert large.status_code == 413


def test_a_full_disk_is_said_before_and_during_and_loses_nothing(
    client: FlaskClient, photo: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = announce(client, photo).get_json()["id"]
    send(client, number, 0, photo[:CHUNK])
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    with monkeypatch.context() as patched:
        patched.setattr(upload_files.shutil, "disk_usage", lambda path: usage)
        answer = announce(client, photo)
        assert answer.status_code == 422
        assert "disk" in answer.get_json()["detail"]
        assert "what was received is kept" in answer.get_json()["detail"]
    assert announce(client, photo).get_json()["received_bytes"] == CHUNK


def test_a_disk_that_fills_up_in_mid_chunk_is_said_in_words() -> None:
    """/dev/full fails every write with the error of a full disk."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this machine has no /dev/full")
    with pytest.raises(upload_files.SceneError, match="disk is full"):
        upload_files.append(full, 0, b"x" * 100_000, 100_000)


def test_nothing_is_sent_into_a_build_or_beside_a_sorties_card(
    site: Site, client: FlaskClient, photo: bytes
) -> None:
    with db.session_scope(site.engine) as session:
        jobs.enqueue(session, "scene.build", {"scene_id": 1}, at=NOW, subject="scene:1")
    assert announce(client, photo).status_code == 409
    text = client.get("/scenes/1/photos").get_data(as_text=True)
    assert "is being built" in text
    worlds.built_scene(site)
    body = {"name": "a.jpg", "size_bytes": 5, "sha256": "0" * 64}
    token = {"X-CSRFToken": csrf_token(client)}
    answer = client.post("/api/v1/scenes/2/uploads", json=body, headers=token)
    assert answer.status_code == 409
    assert "sortie" in answer.get_json()["detail"]


def test_another_zone_and_other_roles_send_nothing(
    site: Site, client: FlaskClient, photo: bytes
) -> None:
    assert announce(site.client("requester"), photo).status_code == 403
    assert announce(site.client("auditor"), photo).status_code == 403
    number = announce(client, photo).get_json()["id"]
    path = f"/api/v1/scenes/1/uploads/{number}?offset=0"
    unsigned = client.put(path, data=b"x", content_type="application/octet-stream")
    assert unsigned.status_code == 400, "no token, no write"


def test_a_plain_form_sends_photos_without_scripts(
    site: Site, client: FlaskClient, photo: bytes, tmp_path: Path
) -> None:
    other = scene_world.photo_file(tmp_path / "other", seed=5)
    data = {
        "csrf_token": csrf_token(client),
        "photos": [(io.BytesIO(photo), "a.jpg"), (io.BytesIO(other), "b.jpg")],
    }
    answer = client.post("/scenes/1/photos", data=data, content_type="multipart/form-data")
    assert answer.status_code == 302
    text = client.get("/scenes/1/photos").get_data(as_text=True)
    assert "2 photos were received." in text
    assert text.count("received and checked") >= 2
    data = {
        "csrf_token": csrf_token(client),
        "photos": [(io.BytesIO(photo), "c.jpg"), (io.BytesIO(b"no photo"), "d.jpg")],
    }
    answer = client.post("/scenes/1/photos", data=data, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "d.jpg: " in answer.get_data(as_text=True)
    assert len(list(folder(site).iterdir())) == 2


def test_only_who_is_signed_in_may_send_more_than_a_form(site: Site, client: FlaskClient) -> None:
    site.app.config["MAX_CONTENT_LENGTH"] = 100_000
    large = {"photos": (io.BytesIO(bytes(400_000)), "a.jpg")}
    visitor = site.client()
    answer = visitor.post("/scenes/1/photos", data=large, content_type="multipart/form-data")
    assert answer.status_code in {401, 413}
    assert list((site.settings.data_dir / "uploads").glob("*")) == []


def test_a_new_scene_waits_for_its_photos(site: Site) -> None:
    client = site.client("investigator")
    zone = site.actor("requester").organisation_id
    form = {
        "csrf_token": csrf_token(client), "name": "Rue Haute", "organisation_id": zone,
        "preset": "preview", "language": "nl", "epsg": "31370",
    }  # fmt: skip
    answer = client.post("/scenes/new", data=form)
    assert answer.headers["Location"] == "/scenes/1/photos"
    with db.read_scope(site.engine) as session:
        params = params_of(session.get_one(SceneRow, 1).params)
    assert (params.preset, params.language, params.epsg, params.title) == (
        "preview", "nl", 31370, "Rue Haute",
    )  # fmt: skip
    assert "Rue Haute" in site.client("requester").get("/scenes/").get_data(as_text=True)
    assert "Rue Haute" not in site.client("neighbour").get("/scenes/").get_data(as_text=True)
    wrong = client.post("/scenes/new", data={**form, "name": "", "epsg": "7"})
    assert wrong.status_code == 422
    assert 'value="7"' in wrong.get_data(as_text=True)


# --- control ----------------------------------------------------------------------------------


def send_control(client: FlaskClient, content: bytes, name: str, kind: str = "control") -> Any:
    data = {"csrf_token": csrf_token(client), "kind": kind, "file": (io.BytesIO(content), name)}
    return client.post("/scenes/1/control", data=data, content_type="multipart/form-data")


def test_a_control_file_becomes_the_scenes_control(site: Site, client: FlaskClient) -> None:
    truth = network(block_poses(), n_points=10)
    content = scene_world.survey(truth).encode()
    assert send_control(client, content, "points.csv").status_code == 302
    assert "3 points were read." in client.get("/scenes/1/photos").get_data(as_text=True)
    names = client.get("/api/v1/scenes/1/points").get_json()["items"]
    assert [(row["name"], row["role"]) for row in names] == [
        ("cp_1", "check"), ("gcp_1", "control"), ("gcp_2", "control"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "name", "word"),
    [
        (b"EPSG:4979\n4.4 50.8 oops 1 2 a.jpg p1\n", "gcp_list.txt", "line 2"),
        (b"mark,p,a.jpg,1,2\n", "gcp.csv", "holds no points"),
        (b"\xff\xfe\x00", "gcp.csv", "gcp.csv"),
        (b"", "gcp.csv", "1 to"),
    ],
)
def test_a_control_file_that_cannot_be_used_changes_nothing(
    site: Site, client: FlaskClient, content: bytes, name: str, word: str
) -> None:
    answer = send_control(client, content, name)
    assert answer.status_code == 422
    assert word in answer.get_data(as_text=True)
    with db.read_scope(site.engine) as session:
        assert params_of(session.get_one(SceneRow, 1).params).gcp_path is None


def test_points_are_in_the_order_of_counting(site: Site, client: FlaskClient) -> None:
    lines = "crs,LOCAL\n" + "".join(f"control,p{n},{n},0,0\n" for n in (10, 9, 2, 1))
    send_control(client, lines.encode(), "local.csv")
    names = client.get("/api/v1/scenes/1/points").get_json()["items"]
    assert [row["name"] for row in names] == ["p1", "p2", "p9", "p10"]


# --- time left --------------------------------------------------------------------------------


def test_the_time_left_follows_the_pace_and_the_last_build() -> None:
    walls = {"photos": 10, "sfm": 30, "adjust": 10, "dense": 100, "surface": 40, "export": 10}
    last = [{"name": name, "wall_s": wall} for name, wall in walls.items()]
    # Half of dense: 100 of 200 s of the last build, and it took 150 s this time.
    assert progress_estimate.left_s("dense", 0.5, 150.0, last) == pytest.approx(150.0)
    assert progress_estimate.left_s("export", 1.0, 400.0, last) == pytest.approx(0.0)
    assert progress_estimate.left_s("photos", 0.5, 5.0, last) is None, "too early to say"
    assert progress_estimate.left_s("nothing", 0.5, 5.0, last) is None
    fresh = progress_estimate.left_s("surface", 0.0, 70.0, [])
    assert fresh == pytest.approx(70.0 * 0.30 / 0.70)
    assert sum(progress_estimate.USUAL_SHARES.values()) == pytest.approx(1.0)


def test_the_states_of_an_upload_are_the_services() -> None:
    assert {uploads.OPEN, uploads.DONE, uploads.REFUSED} == {"open", "done", "refused"}
