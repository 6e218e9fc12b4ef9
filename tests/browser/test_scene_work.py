"""An investigator's work on a scene in a real browser: marking, measuring, sending photos."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route

from droneteam import db, sessions
from tests.browser.conftest import OpenPage, Server
from tests.browser.test_journeys import wait_until
from tests.web import scene_world
from tests.web.conftest import PASSWORD
from tests.web.scene_world import World

STATUS = "document.querySelector('#mark-status').textContent"
COUNT = "document.querySelector('#mark-count').textContent"


def said(page: Page, word: str) -> str:
    """The page's status line, once it holds a word."""
    return str(wait_until(page, f"{STATUS}.includes({word!r}) && {STATUS}", word))


def marks_of(server: Server, point: str) -> dict[str, tuple[float, float]]:
    """What the server holds, not what the page shows."""
    client = server.site.client("coordinator")
    sheet = client.get(f"/api/v1/scenes/1/sheet?point={point}").get_json()
    return {m["photo"]: (m["x_px"], m["y_px"]) for m in sheet["marks"]}


@pytest.fixture
def world(fresh: Server) -> World:
    return scene_world.marked_scene(fresh.site)


def shown_photo(page: Page) -> str:
    """The photo in the viewer."""
    name = "document.querySelector('#shots [aria-current=true]')?.dataset.photo"
    return str(wait_until(page, name, "a photo"))


@pytest.mark.parametrize("size", [pytest.param("desktop", marks=pytest.mark.slow), "phone"])
def test_a_tap_near_a_target_marks_its_centre_and_outlives_a_reload(
    fresh: Server, open_page: OpenPage, world: World, size: str
) -> None:
    opened = open_page(fresh, "/scenes/1/marks?point=gcp_1", "investigator", size=size)
    page = opened.page
    first = shown_photo(page)
    view = page.locator("#mark-view")
    view.scroll_into_view_if_needed()
    page.locator("#mark-view canvas").first.wait_for()
    box = view.bounding_box()
    assert box is not None
    # The expected place is in the middle; the tap is a little beside it.
    place = {"x": box["width"] / 2 + 9, "y": box["height"] / 2 - 7}
    if size == "phone":
        view.tap(position=place)
    else:
        view.click(position=place)
    assert "centre of a target (checkerboard" in said(page, "centre of a target")
    index = next(i for i, v in enumerate(world.truth.views) if v.name == first)
    kept = marks_of(fresh, "gcp_1")
    assert set(kept) == {first}
    assert np.hypot(*(np.array(kept[first]) - world.pixel("gcp_1", index))) < 0.1
    page.reload()
    wait_until(page, f"{COUNT}.startsWith('Marks: 1;')", "mark")
    opened.check()


def test_the_photo_shows_the_target_where_it_is_expected(
    fresh: Server, open_page: OpenPage, world: World
) -> None:
    """In every photo, also where tiles are cut off by its edge: bright and dark quarters."""
    opened = open_page(fresh, "/scenes/1/marks?point=gcp_1", "requester")
    page = opened.page
    page.locator("#mark-view").scroll_into_view_if_needed()
    for _ in range(6):
        shown_photo(page)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)
        shot = Image.open(io.BytesIO(page.locator("#mark-view").screenshot())).convert("L")
        grey = np.asarray(shot, dtype=float)
        y, x = grey.shape[0] // 2, grey.shape[1] // 2
        middle = grey[y - 60 : y + 60, x - 60 : x + 60]
        assert (middle > 200).mean() > 0.05, "the board's bright squares"
        assert (middle < 45).mean() > 0.05, "and its dark ones"
        page.get_by_role("button", name="Next photo").click()
    opened.check()


def test_keys_move_the_mark_by_a_tenth_and_undo_takes_it_back(
    fresh: Server, open_page: OpenPage, world: World
) -> None:
    opened = open_page(fresh, "/scenes/1/marks?point=gcp_1", "investigator")
    page = opened.page
    photo = shown_photo(page)
    page.locator("#mark-view").focus()
    page.keyboard.press("Enter")  # takes the expected place
    said(page, "centre of a target")
    page.evaluate("document.querySelectorAll('#shots img').forEach((one) => { one.id = 'seen'; })")
    pictures = page.locator("#shots img#seen").count()
    assert pictures > 3
    start = np.array(marks_of(fresh, "gcp_1")[photo])
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        page.keyboard.press(key)
    wait_until(page, f"{STATUS}.startsWith('Saved') && !{STATUS}.includes('target')", "the nudge")
    assert page.locator("#shots img#seen").count() == pictures, "no picture was made anew"
    moved = np.array(marks_of(fresh, "gcp_1")[photo]) - start
    assert np.allclose(moved, (0.2, 0.9), atol=1e-6)
    page.get_by_role("button", name="Undo").click()
    said(page, "taken back")
    assert np.allclose(marks_of(fresh, "gcp_1")[photo], start)
    page.get_by_role("button", name="Undo").click()
    wait_until(page, f"{COUNT}.startsWith('Marks: 0;')", "undo")
    assert marks_of(fresh, "gcp_1") == {}
    page.get_by_role("button", name="Undo").click()
    said(page, "nothing to take back")
    opened.check()


def test_marks_in_three_photos_place_the_point_and_a_measurement_is_kept(
    fresh: Server, open_page: OpenPage, world: World
) -> None:
    opened = open_page(fresh, "/scenes/1/marks?point=gcp_1", "investigator")
    page = opened.page
    for point in ("gcp_1", "cp_1"):
        page.goto(f"{fresh.url}/scenes/1/marks?point={point}")
        shown_photo(page)
        for count in (1, 2, 3):
            page.locator("#mark-view").focus()
            page.keyboard.press("Enter")
            started = f"{COUNT}.startsWith('Marks: {count};')"
            wait_until(page, started, f"mark {count}")
            page.keyboard.press("n")
        assert "± 0." in page.locator("#mark-position").inner_text()
    page.reload()
    shown_photo(page)  # until the photos are there, the page below them moves
    for name in ("gcp_1", "cp_1"):
        page.locator(f"[data-add={name}]").click()
    preview = "document.querySelector('#measure-preview').textContent"
    shown = str(wait_until(page, f"{preview}.includes(' m (') && {preview}", "the preview"))
    truth = float(np.linalg.norm(world.truth.points[0] - world.truth.points[2]))
    assert float(shown.split()[0]) == pytest.approx(truth, abs=0.05)
    page.fill("#name", "skid 1")
    page.get_by_role("button", name="Measure and keep").click()
    page.wait_for_url("**/scenes/1#measurements")
    row = page.locator("tr", has_text="skid 1").inner_text()
    assert shown.split()[0] in row
    opened.check()


def test_without_scripts_marks_are_typed(fresh: Server, open_page: OpenPage, world: World) -> None:
    path = "/scenes/1/marks?point=own_1"
    opened = open_page(fresh, path, "investigator", java_script_enabled=False)
    page = opened.page
    for view in world.views_of("own_1")[:2]:
        x, y = world.pixel("own_1", view)
        page.locator("#mark-table summary").click()
        page.select_option("#photo", world.photo(view))
        page.fill("#x_px", f"{x:.2f}")
        page.fill("#y_px", f"{y:.2f}")
        page.get_by_role("button", name="Mark", exact=True).click()
    assert "2 marks" in page.locator("#mark-count").inner_text()
    east = world.truth.points[3, 0]
    assert f"East {east:.1f}"[:-1] in page.locator("#mark-position").inner_text()


def test_an_upload_survives_a_broken_line_and_a_reload(
    fresh: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    scene_world.empty_scene(fresh.site)
    scene_world.photo_file(tmp_path, "a.jpg", seed=1)
    scene_world.photo_file(tmp_path, "b.jpg", seed=2)
    files = [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]
    opened = open_page(fresh, "/scenes/1/photos", "investigator", size="phone")
    page = opened.page
    broken: list[str] = []

    def break_once(route: Route) -> None:
        if route.request.method == "PUT" and len(broken) < 2:
            broken.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/v1/scenes/1/uploads/**", break_once)
    page.set_input_files("#photos", files)
    page.click("#send-button")
    wait_until(page, "document.querySelector('#sending').dataset.ready === 'yes'", "the upload")
    assert len(broken) == 2
    assert "All 2 photos were received" in page.locator("#send-total").inner_text()
    folder = fresh.site.settings.data_dir / "photos" / "scene-000001"
    for name in ("a.jpg", "b.jpg"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    page.reload()
    page.set_input_files("#photos", files)
    page.click("#send-button")
    wait_until(page, "document.querySelector('#sending').dataset.ready === 'yes'", "the second try")
    assert page.locator("#sends").inner_text().count("was here already") == 2
    assert page.locator("#build-form").is_visible()
    opened.faults.clear()  # the two broken requests are errors in the console
    opened.check()


@pytest.mark.slow
def test_an_upload_whose_session_ends_waits_for_its_sender_and_loses_no_file(
    fresh: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    scene_world.empty_scene(fresh.site)
    names = [f"{number}.jpg" for number in range(3)]
    for seed, name in enumerate(names):
        scene_world.photo_file(tmp_path, name, seed=seed)
    opened = open_page(fresh, "/scenes/1/photos", "investigator", size="phone")
    page, me = opened.page, fresh.site.actor("investigator").user_id
    ended: list[str] = []

    def end_once(route: Route) -> None:
        if route.request.method == "PUT" and not ended:
            ended.append(route.request.url)
            with db.session_scope(fresh.site.engine) as session:
                sessions.end_all(session, me, fresh.site.clock())
        route.continue_()

    page.route("**/api/v1/scenes/1/uploads/**", end_once)
    page.set_input_files("#photos", [str(tmp_path / name) for name in names])
    page.click("#send-button")
    page.locator("#signed-out").wait_for()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Sign in in another tab").click()
    other = popup.value
    other.fill("#login", "investigator")
    other.fill("#password", PASSWORD)
    other.keyboard.press("Enter")
    wait_until(page, "document.querySelector('#sending').dataset.ready === 'yes'", "the upload")
    assert "All 3 photos were received" in page.locator("#send-total").inner_text()
    assert page.locator("#signed-out").is_hidden()
    folder = fresh.site.settings.data_dir / "photos" / "scene-000001"
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()


def test_what_is_no_photo_is_said_beside_its_name(
    fresh: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    scene_world.empty_scene(fresh.site)
    fake = tmp_path / "virus.jpg"
    fake.write_bytes(b"MZ" + bytes(4000))
    opened = open_page(fresh, "/scenes/1/photos", "investigator")
    page = opened.page
    page.set_input_files("#photos", str(fake))
    page.click("#send-button")
    wait_until(page, "document.querySelector('#sending').dataset.ready === 'yes'", "the answer")
    assert "not a JPEG, PNG or TIFF" in page.locator("#sends").inner_text()
    assert "not accepted: 1." in page.locator("#send-total").inner_text()
