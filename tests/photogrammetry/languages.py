"""Whether a sentence of the stages reaches the reader in every language."""

from __future__ import annotations

from droneteam.photogrammetry.export.sentences import UNTRANSLATED, translated


def known(text: str) -> bool:
    """Whether every part of it has a Dutch and a French form."""
    return all(UNTRANSLATED not in translated(text, language) for language in ("nl", "fr"))
