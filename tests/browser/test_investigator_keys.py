"""An investigator without a mouse: from the photos to the mark, the measurement and its papers."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from droneteam import db, jobs, sessions
from droneteam.photogrammetry import uploads
from tests.browser.conftest import OpenPage, Server
from tests.browser.test_journeys import wait_until
from tests.web import scene_world
from tests.web.conftest import PASSWORD

MAX_TABS = 80
ORTHO = "document.querySelector('#ortho-result').textContent"
COUNT = "document.querySelector('#mark-count').textContent"
PDF = b"%PDF-1.7 a paper"


def reach(page: Page, selector: str) -> None:
    """Tabs to an element; whatever has the focus on the way is seen to have it."""
    for _ in range(MAX_TABS):
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by keys")


@pytest.mark.slow
def test_photos_are_sent_and_the_build_is_started_and_stopped_by_keys(
    fresh: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    scene_world.photo_file(tmp_path, "a.jpg")
    opened = open_page(fresh, "/scenes/new", "investigator")
    page = opened.page
    reach(page, "#name")
    page.keyboard.type("By keys")
    reach(page, "#organisation_id")
    page.keyboard.press("ArrowDown")
    reach(page, "main button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/scenes/1/photos")
    reach(page, "#photos")
    page.set_input_files("#photos", str(tmp_path / "a.jpg"))
    reach(page, "#send-button")
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('#sending').dataset.ready === 'yes'", "the upload")
    reach(page, "#build-form button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/scenes/1")
    with db.read_scope(fresh.site.engine) as session:
        job = jobs.latest(session, "scene:1")
    assert job is not None
    assert job.state == "queued"
    reach(page, "form[action$='/cancel'] button")
    page.keyboard.press("Enter")
    page.locator("form[action$='/build'] button").wait_for()
    with db.read_scope(fresh.site.engine) as session:
        job = jobs.latest(session, "scene:1")
    assert job is not None
    assert job.state == "cancelled"
    opened.check()


@pytest.mark.slow
def test_a_point_is_marked_measured_and_taken_away_by_keys_and_the_page_tells_of_it_at_once(
    fresh: Server, open_page: OpenPage
) -> None:
    scene_world.marked_scene(fresh.site)
    opened = open_page(fresh, "/scenes/1/marks?point=gcp_1", "investigator", language="nl")
    page = opened.page
    wait_until(page, "document.querySelector('#shots [aria-current=true]')", "a photo")
    reach(page, "#mark-view")
    for count in (1, 2):
        page.keyboard.press("Enter")
        wait_until(page, f"{COUNT}.startsWith('Markeringen: {count};')", f"mark {count}")
        page.keyboard.press("n")
    chip = "document.querySelector('.points [aria-current=true]').textContent"
    wait_until(page, f"{chip}.includes('2 markeringen')", "the point's own count")
    wait_until(page, "document.querySelector('[data-add=gcp_1]')", "the point to measure with")
    table = page.locator("#mark-table tbody")
    assert table.locator("form").count() == 2, "the table is the same"
    assert ";" in str(table.locator("td[data-label='Gemarkeerd op']").first.text_content())
    page.keyboard.press("p")
    page.keyboard.press("Delete")
    wait_until(page, f"{COUNT}.startsWith('Markeringen: 1;')", "the mark taken away")
    wait_until(
        page, f"{chip}.includes('1 markering') && !{chip}.includes('2 ')", "the count of that"
    )
    opened.check()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["distance", "height"])
def test_the_middle_of_the_orthophoto_is_a_point_and_arrows_move_it(
    fresh: Server, open_page: OpenPage, kind: str
) -> None:
    scene_world.marked_scene(fresh.site)
    opened = open_page(fresh, "/scenes/1", "investigator")
    page = opened.page
    page.locator("#ortho-map canvas").first.wait_for()
    reach(page, "#ortho-kind")
    page.select_option("#ortho-kind", kind)
    reach(page, "#ortho-map")
    before = page.inner_text("#ortho-place")
    for key in ("Enter", "Backspace", "Enter"):
        page.keyboard.press(key)
    page.keyboard.press("ArrowRight")
    wait_until(
        page, f"document.querySelector('#ortho-place').textContent !== {before!r}", "another middle"
    )
    page.keyboard.press("Enter")
    text = str(wait_until(page, f"{ORTHO}.includes('95 % interval') && {ORTHO}", "the value"))
    value = float(text.split()[0])
    # The ground rises by a tenth towards the east, which is where the arrow went.
    moved = [
        float(words.replace(" m", "").split(",")[0].split()[-1])
        for words in (before, page.inner_text("#ortho-place"))
    ]
    length = moved[1] - moved[0]
    expected = length if kind == "distance" else scene_world.RISE * length
    assert value == pytest.approx(expected, rel=0.05, abs=0.02)
    reach(page, "#ortho-name")
    page.keyboard.type("by keys")
    page.keyboard.press("Enter")
    page.locator("tr", has_text="by keys").wait_for()
    opened.check()


@pytest.mark.slow
def test_each_paper_can_be_taken_after_another_from_the_same_form(
    fresh: Server, open_page: OpenPage
) -> None:
    """A download leaves the page where it is: its form was blocked after the first one."""
    scene_world.marked_scene(fresh.site)
    opened = open_page(fresh, "/scenes/1", "investigator")
    page = opened.page

    def paper(route: Route) -> None:
        headers = {"Content-Disposition": 'attachment; filename="paper.pdf"'}
        route.fulfill(status=200, headers=headers, content_type="application/pdf", body=PDF)

    page.route("**/*-measured.*", paper)
    for name in ("Report with", "Diagram (PDF)", "Diagram (DXF)", "Report with"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        assert download.value.path().read_bytes() == PDF
    opened.check()


@pytest.mark.slow
def test_without_scripts_chosen_photos_outlive_the_session(
    fresh: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    scene_world.empty_scene(fresh.site)
    names = ("a.jpg", "b.jpg")
    for seed, name in enumerate(names):
        scene_world.photo_file(tmp_path, name, seed=seed)
    opened = open_page(
        fresh, "/scenes/1/photos", "investigator", size="phone", java_script_enabled=False
    )
    page = opened.page
    page.set_input_files("#photos", [str(tmp_path / name) for name in names])
    with db.session_scope(fresh.site.engine) as session:
        sessions.end_all(session, fresh.site.actor("investigator").user_id, fresh.site.clock())
    page.click("#send-button")
    page.locator("#login").wait_for()
    assert "2 files that you had chosen wait here" in page.inner_text("main")
    page.fill("#login", "investigator")
    page.fill("#password", PASSWORD)
    page.locator("#password").press("Enter")
    page.get_by_role("button", name="Send now").click()
    page.wait_for_url("**/scenes/1/photos")
    assert "2 photos were received" in page.inner_text("main")
    with db.read_scope(fresh.site.engine) as session:
        sent = uploads.uploads(session, fresh.site.actor("investigator"), 1, fresh.site.settings)
    assert {one.name: one.state for one in sent} == dict.fromkeys(names, "done")
