"""Why a build failed is said in the visitor's language, whatever stopped it."""

from __future__ import annotations

from pathlib import Path

import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry.ingest.photos import PhotoSet, require_enough
from droneteam.web.recorded_words import job_said
from tests.web.conftest import Site

FAILED = (
    "sfm: no three photos could be oriented (7 without matches; 2 blurred). Photos of a scene must "
    "overlap by 60 % or more and show structure; take more photos, or leave out those of other "
    "places",
    "adjust: no photo could be oriented. Check overlap and blur.",
    "dense: no two photos see the same surface under a usable angle. Take photos that overlap by "
    "two thirds from different places",
    "dense: photo DJI_0003.JPG cannot be read. Put the original photo back",
    "surface: a mesh needs at least 100 points, the cloud has 12. Take more overlapping photos",
    "surface: the cloud gives no surface. Take more overlapping photos",
    "surface: no camera sees any point. Reconstruct the photos again",
    "surface: the dense cloud is empty. Photos must overlap by two thirds",
)


def too_few() -> str:
    with pytest.raises(InputError) as refused:
        require_enough(PhotoSet((), ()))
    return str(refused.value)


@pytest.mark.parametrize("language", ["fr", "nl"])
def test_no_reason_is_left_in_english(site: Site, language: str) -> None:
    with site.app.test_request_context(headers={"Accept-Language": language}):
        for reason in (*FAILED, too_few()):
            assert 'lang="en"' not in job_said(reason), reason
            assert "photos of the same scene" not in job_said(reason)


def test_the_stages_say_it_in_these_words() -> None:
    """The claim above is about what is raised, not about a copy of it."""
    import droneteam.photogrammetry as package

    folder = Path(next(iter(package.__path__)))
    sources = " ".join(
        " ".join(path.read_text(encoding="utf-8").split()) for path in folder.rglob("*.py")
    )
    for words in (
        "no three photos could be oriented",
        "no photo could be oriented",
        "no two photos see the same surface under a usable angle",
        "the cloud gives no surface",
        "no camera sees any point",
        "the dense cloud is empty",
    ):
        assert words in sources, words
