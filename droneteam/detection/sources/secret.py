"""Passwords and keys: named in the configuration, kept in files or in the environment."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from droneteam.errors import InputError, SetupError

_FORMS = ("file", "env")


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept: "file:PATH" or "env:NAME".

    It is read every time that it is used, so that one that was changed needs no restart.
    """

    form: str
    place: str

    @classmethod
    def parse(cls, text: str) -> Secret:
        """The secret that a setting names.

        Raises
        ------
        InputError
            The setting holds something else, which may be the secret itself: it is not repeated.
        """
        form, _, place = text.partition(":")
        if form not in _FORMS or not place:
            raise InputError(
                "a secret is not written into the configuration; name where it is kept: "
                "file:PATH or env:NAME",
                field="secret",
            )
        return cls(form, place)

    def read(self) -> str:
        """The secret.

        Raises
        ------
        SetupError
            It is not there, or everybody may read it.
        """
        if self.form == "env":
            if not (value := os.environ.get(self.place, "")):
                raise SetupError(f"the environment has no {self.place}; set it to the secret")
            return value
        path = Path(self.place)
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
                raise SetupError(f"{path} holds a secret and others may use it: chmod 600 {path}")
            value = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SetupError(f"the secret in {path}: {error.strerror}") from error
        if not value:
            raise SetupError(f"{path} holds no secret, it is empty")
        return value
