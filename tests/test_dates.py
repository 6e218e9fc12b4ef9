"""Dates in documents: the month by its name, so that no reader takes a day for a month."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from importlib import resources

import pytest

from droneteam.dates import day_words, moment_words, wall_words

MONTHS = {
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}


@pytest.mark.parametrize("language", MONTHS)
def test_every_day_of_a_year_is_written_once_and_with_its_months_name(language: str) -> None:
    days = [date(2028, 1, 1) + timedelta(days=n) for n in range(366)]
    written = [day_words(day, language) for day in days]
    assert len(set(written)) == 366
    for day, text in zip(days, written, strict=True):
        number, month, year = text.split()
        assert number == ("1er" if language == "fr" and day.day == 1 else str(day.day))
        assert (month, year) == (MONTHS[language].split()[day.month - 1], "2028")


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("nl", "1 maart 2026 om 00:05 CET"),
        ("fr", "1er mars 2026 à 00:05 CET"),
        ("en", "1 March 2026 at 00:05 CET"),
    ],
)
def test_a_moment_is_the_one_of_brussels_with_its_zone(language: str, written: str) -> None:
    at = datetime(2026, 2, 28, 23, 5, 7, tzinfo=UTC)
    assert moment_words(at, language) == written
    assert moment_words(at, language, seconds=True) == written.replace("00:05", "00:05:07")
    assert "23:05" in wall_words(at, language), "a clock that was read as it was"


def test_no_document_writes_a_date_in_figures() -> None:
    """What fills the templates of PDFs names no pattern of year, month and day."""
    for package, name in (
        ("droneteam.photogrammetry.export", "pdf.py"),
        ("droneteam.photogrammetry.export", "diagram.py"),
        ("droneteam.photogrammetry.export", "moments.py"),
        ("droneteam.missions.record.report", "sortie.py"),
    ):
        source = (resources.files(package) / name).read_text(encoding="utf-8")
        assert not re.search(r"%[YmdFx]", source), name
