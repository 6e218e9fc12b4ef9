"""What the tests of scenes share."""

from __future__ import annotations

import os

import pytest

from tests.photogrammetry import box_world


@pytest.fixture(scope="session", autouse=True)
def _one_box_scene_for_every_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Matching and fusing it takes ten seconds; the processes of a run share one."""
    base = tmp_path_factory.getbasetemp()
    box_world.shared_folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
