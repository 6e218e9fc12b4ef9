"""The page that offers a kept form again names its fields as their own page did."""

from __future__ import annotations

import re

import pytest

from droneteam.web.form_labels import labelled
from tests.web.conftest import Site

FORM = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize(
    ("language", "fields", "shown"),
    [
        (
            "nl",
            [("lender_id", "2"), ("borrower_id", "3"), ("hours", "4"), ("reason", "feest")],
            [("Van", "2"), ("Aan", "3"), ("Uren", "4"), ("Reden", "feest")],
        ),
        (
            "fr",
            [("point", "P1"), ("photo", "a.jpg"), ("x_px", "10.5"), ("y_px", "20")],
            [
                ("Un point à vous", "P1"),
                ("Photo", "a.jpg"),
                ("x depuis le bord gauche, en pixels", "10.5"),
                ("y depuis le bord supérieur, en pixels", "20"),
            ],
        ),
        ("en", [("title", "Collision"), ("start_at", "2026-05-04T10:00"), ("lat_deg", "50.8")],
         [("What is it about", "Collision"), ("Start", "2026-05-04T10:00"), ("Latitude", "50.8")]),
        ("en", [("gsd_mm", "5"), ("forward_overlap_pct", "80"), ("camera", "x"), ("speed_mps", "")],
         [("Ground sampling distance (mm)", "5"), ("Overlap along the line (percent)", "80"),
          ("Camera", "x")]),
        ("en", [("submit_key", "f"), ("draft_id", "4"), ("title", "Collision"), ("contact", "x")],
         [("What is it about", "Collision"), ("Contact on site", "x")]),
        ("en", [("nobody_knows_this", "7")], [("nobody_knows_this", "7")]),
    ],
)  # fmt: skip
def test_fields_are_named_as_their_page_does(
    site: Site, language: str, fields: list[tuple[str, str]], shown: list[tuple[str, str]]
) -> None:
    with site.app.test_request_context(headers={"Accept-Language": language}):
        assert labelled(fields) == shown


@pytest.mark.parametrize("language", ["fr", "nl"])
def test_the_page_shows_no_name_of_the_program(site: Site, language: str) -> None:
    client = site.client("requester", language)
    typed = {"csrf_token": "old", "title": "Botsing", "legal_basis": "art. 1", "submit_key": "k"}
    page = client.post("/requests/new", data=typed, headers=FORM).get_data(as_text=True)
    heads = re.findall(r'<th scope="row">([^<]+)</th>', page)
    assert len(heads) == 2
    assert not {"title", "legal_basis", "submit_key"} & set(heads)
    assert {"fr": "Base légale", "nl": "Wettelijke basis"}[language] in heads
    assert 'name="submit_key" hidden' in page, "it is sent all the same"
