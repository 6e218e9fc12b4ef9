"""Every table: importing this module makes the metadata whole."""

from __future__ import annotations

from sqlalchemy import Engine

import droneteam.accounts
import droneteam.audit
import droneteam.jobs  # noqa: F401
from droneteam.db import Base

metadata = Base.metadata


def create_all(engine: Engine) -> None:
    """Make every table that is missing; tests use it, installations use migrations."""
    metadata.create_all(engine)
