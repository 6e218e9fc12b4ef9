"""Files of a form whose session has ended wait for who chose them, and for nobody else."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from droneteam import accounts, db, sessions
from droneteam.web import kept_files
from tests.web import scene_world
from tests.web.conftest import PASSWORD, Site, csrf_token

FORM = {"Sec-Fetch-Site": "same-origin"}
PHOTOS = "/scenes/1/photos"
NAMES = ("DJI_0001.JPG", "DJI_0002.JPG")


@pytest.fixture
def photos(site: Site, tmp_path: Path) -> list[bytes]:
    """Two photos that a scene waits for."""
    assert scene_world.empty_scene(site) == 1
    return [scene_world.photo_file(tmp_path, name, seed=n) for n, name in enumerate(NAMES)]


def chosen(client: FlaskClient, photos: list[bytes], token: str) -> TestResponse:
    """The plain form with the photos."""
    files = [(io.BytesIO(one), name) for one, name in zip(photos, NAMES, strict=True)]
    data: dict[str, Any] = {"csrf_token": token, "photos": files}
    return client.post(PHOTOS, data=data, content_type="multipart/form-data", headers=FORM)


def end_all(site: Site, login: str = "investigator") -> None:
    with db.session_scope(site.engine) as session:
        sessions.end_all(session, site.actor(login).user_id, site.clock())


def signed_in_again(client: FlaskClient, answer: TestResponse, login: str) -> TestResponse:
    found = re.search(r'name="kept" value="([^"]*)"', answer.get_data(as_text=True))
    assert found is not None
    typed = {"login": login, "password": PASSWORD, "next": "/", "kept": found.group(1)}
    typed["csrf_token"] = csrf_token(client, "/sign-in")
    return client.post("/sign-in", data=typed, headers=FORM)


def sent_again(client: FlaskClient, page: str) -> TestResponse:
    """What the page's only button sends."""
    form = page.split(f'action="{PHOTOS}"', 1)[1].split("</form>", 1)[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    return client.post(PHOTOS, data=fields, headers=FORM)


def received(site: Site) -> dict[str, bytes]:
    folder = site.settings.data_dir / "photos" / "scene-000001"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def waiting(site: Site) -> list[Path]:
    return sorted((site.settings.data_dir / "uploads" / "kept").glob("*"))


def test_chosen_files_wait_through_the_sign_in_and_are_sent_with_one_click(
    site: Site, photos: list[bytes]
) -> None:
    client = site.client("investigator")
    token = csrf_token(client, PHOTOS)
    end_all(site)
    answer = chosen(client, photos, token)
    assert answer.status_code == 401
    assert "2 files that you had chosen wait here" in answer.get_data(as_text=True)
    page = signed_in_again(client, answer, "investigator").get_data(as_text=True)
    for name in NAMES:
        assert f"{name} (" in page
    assert received(site) == {}
    done = sent_again(client, page)
    assert (done.status_code, done.location) == (302, PHOTOS)
    assert received(site) == dict(zip(NAMES, photos, strict=True))
    assert waiting(site) == []


def test_a_colleague_at_the_same_desk_is_neither_shown_nor_given_them(
    site: Site, photos: list[bytes]
) -> None:
    client = site.client("investigator")
    token = csrf_token(client, PHOTOS)
    end_all(site)
    answer = chosen(client, photos, token)
    (folder,) = waiting(site)
    other = signed_in_again(client, answer, "coordinator")
    assert other.status_code == 302
    stolen = {"csrf_token": csrf_token(client), kept_files.FIELD: folder.name}
    refused = client.post(PHOTOS, data=stolen, headers=FORM)
    assert "are gone: choose them again" in refused.get_data(as_text=True)
    assert received(site) == {}
    assert waiting(site) == [folder], "they wait for their owner"


def test_a_form_that_was_open_while_another_tab_signed_in_keeps_its_files(
    site: Site, photos: list[bytes]
) -> None:
    client = site.client("investigator")
    answer = chosen(client, photos, "of the session before")
    assert answer.status_code == 400
    page = answer.get_data(as_text=True)
    assert NAMES[0] in page
    assert sent_again(client, page).status_code == 302
    assert received(site) == dict(zip(NAMES, photos, strict=True))


@pytest.mark.parametrize("whose", ["nobody's", "a requester's", "a closed account's", "an old one"])
def test_nobody_fills_the_disk_without_a_session_that_could_have_sent_them(
    site: Site, photos: list[bytes], whose: str
) -> None:
    login = "requester" if whose == "a requester's" else "investigator"
    client = site.client(None if whose == "nobody's" else login)
    token = "none" if whose == "nobody's" else csrf_token(client)
    end_all(site, login)
    if whose == "a closed account's":
        with db.session_scope(site.engine) as session:
            row = accounts.user_by_login(session, login)
            assert row is not None
            row.active = False
    if whose == "an old one":
        site.clock.forward(days=8)
    answer = chosen(client, photos, token)
    assert answer.status_code == 401
    page = answer.get_data(as_text=True)
    assert "were not kept: sign in and choose them again" in page
    assert waiting(site) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_form_larger_than_its_view_takes_is_not_read_and_that_is_said(
    site: Site, photos: list[bytes], known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = site.client("investigator" if known else None)
    end_all(site)
    monkeypatch.setattr(
        kept_files, "body_limit_of" if known else "is_large", lambda *_: 1000 if known else True
    )
    if known:
        monkeypatch.setitem(site.app.config, "MAX_CONTENT_LENGTH", 1000)
    answer = chosen(client, photos, "any")
    assert answer.status_code == 401, "not 413, which would blame the files"
    assert "were not kept" in answer.get_data(as_text=True)
    assert 'name="next" value="/"' in answer.get_data(as_text=True)


def test_files_wait_for_a_day_and_a_person_has_three_such_forms_at_most(
    site: Site, photos: list[bytes]
) -> None:
    client = site.client("investigator")
    token = csrf_token(client, PHOTOS)
    end_all(site)
    answers = []
    for _ in range(4):
        answers.append(chosen(client, photos, token))
        site.clock.forward(minutes=1)
    assert len(waiting(site)) == 3
    page = signed_in_again(client, answers[-1], "investigator").get_data(as_text=True)
    site.clock.forward(days=1)
    late = sent_again(client, page)
    assert late.status_code != 302
    site.client().post("/sign-in", data={})
    answer = signed_in_again(client, chosen(client, photos, "x"), "investigator")
    assert answer.status_code == 200
    assert len(waiting(site)) == 1, "what nobody came back for is gone"


def test_a_full_disk_takes_no_files_and_says_so(
    site: Site, photos: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = site.client("investigator")
    token = csrf_token(client, PHOTOS)
    end_all(site)
    monkeypatch.setattr("droneteam.photogrammetry.upload_files.SPARE_BYTES", 1 << 62)
    answer = chosen(client, photos, token)
    assert answer.status_code == 401
    assert "were not kept" in answer.get_data(as_text=True)
    assert waiting(site) == []


def test_a_control_file_waits_too(site: Site, photos: list[bytes]) -> None:
    """Every form with a file: no page has to know of it."""
    client = site.client("investigator")
    token = csrf_token(client, PHOTOS)
    end_all(site)
    survey = b"crs,EPSG:4979\ncontrol,gcp_1,4.39,50.81,60.0,0.01,0.015\n"
    data = {"csrf_token": token, "kind": "check", "file": (io.BytesIO(survey), "points.csv")}
    path = "/scenes/1/control"
    answer = client.post(path, data=data, content_type="multipart/form-data", headers=FORM)
    page = signed_in_again(client, answer, "investigator").get_data(as_text=True)
    assert "points.csv (" in page
    form = page.split(f'action="{path}"', 1)[1].split("</form>", 1)[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    fields["kind"] = "check"
    assert client.post(path, data=fields, headers=FORM).status_code == 302
    folder = site.settings.data_dir / "control" / "scene-000001"
    assert [one.read_bytes() for one in folder.iterdir()] == [survey]
