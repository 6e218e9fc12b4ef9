"""A message is shown once, whatever else the browser asks for meanwhile."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.web import scene_world
from tests.web.conftest import Site, csrf_token

PATH = "/scenes/1/photos"


def flashed(client: FlaskClient) -> None:
    """A message waits for the next page."""
    with client.session_transaction() as kept:
        kept["_flashes"] = [("done", "Measured and kept.")]
        kept.permanent = True


def test_an_answer_beside_the_page_does_not_bring_its_message_back(site: Site) -> None:
    scene_world.empty_scene(site)
    client = site.client("investigator")
    csrf_token(client)
    flashed(client)
    late = client.get("/scenes/1/progress.json")
    assert late.status_code == 200
    assert "Set-Cookie" not in late.headers, "it may come after the page has shown the message"
    assert "Measured and kept." in client.get(PATH).get_data(as_text=True)
    assert "Measured and kept." not in client.get(PATH).get_data(as_text=True)


def test_every_other_answer_renews_the_cookie_of_somebody_who_works(site: Site) -> None:
    scene_world.empty_scene(site)
    client = site.client("investigator")
    with client.session_transaction() as kept:
        kept.permanent = True
    answer = client.get("/scenes/1/progress.json")
    assert "Expires" in answer.headers["Set-Cookie"]
