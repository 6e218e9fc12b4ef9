"""Speed tables in the database: how fast crews drive, from a date on; nothing is overwritten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import TEAM_ROLES, Actor, require_role
from droneteam.errors import InputError
from droneteam.fleet import models
from droneteam.fleet.head import touch_head
from droneteam.fleet.problem import DEFAULT_SPEED, SpeedTable

WRITERS = ("manager", "administrator")
MAX_BANDS = 12


@dataclass(frozen=True, slots=True)
class SpeedView:
    """A speed table, since when it holds and why it was set; id None for the built-in one."""

    id: int | None
    effective_from: datetime | None
    bands: tuple[tuple[float, float], ...]
    detour: float
    emergency_factor: float
    reason: str
    entered_by: int | None


def set_speeds(
    session: Session,
    actor: Actor,
    table: SpeedTable,
    effective_from: datetime,
    reason: str,
    now: datetime,
) -> SpeedView:
    """The stored table; plans made from then on drive by it.

    Raises
    ------
    InputError
        It would hold from the past on, has too many bands, or nobody said why.
    """
    require_role(actor, *WRITERS)
    if effective_from < now:
        raise InputError(
            f"the table would hold from {effective_from.isoformat()}, before now; past plans keep "
            "theirs",
            field="effective_from",
        )
    if len(table.bands) > MAX_BANDS:
        raise InputError(f"{len(table.bands)} bands; {MAX_BANDS} are allowed", field="bands")
    if not reason.strip():
        raise InputError("say where the speeds come from", field="reason")
    touch_head(session)
    row = models.SpeedRow(
        effective_from=effective_from,
        bands=[list(band) for band in table.bands],
        detour=table.detour,
        emergency_factor=table.emergency_factor,
        reason=reason.strip(),
        entered_at=now,
        entered_by=actor.user_id or None,
    )
    session.add(row)
    session.flush()
    facts = {"table": row.id, "bands": row.bands, "effective_from": effective_from.isoformat()}
    audit.append(
        session, actor, action="speed.set", subject="speed", at=now, reason=row.reason, facts=facts
    )
    return _view(row)


def speed_at(session: Session, at: datetime) -> SpeedTable:
    """The table that holds at the time; the built-in one before the first was set."""
    row = session.scalar(
        select(models.SpeedRow)
        .where(models.SpeedRow.effective_from <= at)
        .order_by(models.SpeedRow.effective_from.desc(), models.SpeedRow.id.desc())
        .limit(1)
    )
    if row is None:
        return DEFAULT_SPEED
    bands = tuple((up_to, kmh) for up_to, kmh in row.bands)
    return SpeedTable(bands, row.detour, row.emergency_factor)


def list_speeds(session: Session, actor: Actor) -> list[SpeedView]:
    """Every table, the newest first; the built-in one stands last."""
    require_role(actor, *sorted(TEAM_ROLES))
    order = (models.SpeedRow.effective_from.desc(), models.SpeedRow.id.desc())
    rows = session.scalars(select(models.SpeedRow).order_by(*order))
    built_in = SpeedView(
        None,
        None,
        DEFAULT_SPEED.bands,
        DEFAULT_SPEED.detour,
        DEFAULT_SPEED.emergency_factor,
        "",
        None,
    )
    return [*(_view(row) for row in rows), built_in]


def _view(row: models.SpeedRow) -> SpeedView:
    return SpeedView(
        id=row.id,
        effective_from=row.effective_from,
        bands=tuple((up_to, kmh) for up_to, kmh in row.bands),
        detour=row.detour,
        emergency_factor=row.emergency_factor,
        reason=row.reason,
        entered_by=row.entered_by,
    )
