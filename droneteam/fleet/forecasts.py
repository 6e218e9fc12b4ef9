"""Weather forecasts in the database: entered or imported, kept as they were issued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import TEAM_ROLES, Actor, require_role
from droneteam.errors import Conflict, InputError
from droneteam.fleet import models
from droneteam.fleet.head import touch_head
from droneteam.fleet.problem import Forecast
from droneteam.fleet.terms import Window
from droneteam.fleet.weather import Period, in_force

WRITERS = ("coordinator", "pilot", "administrator")


@dataclass(frozen=True, slots=True)
class ForecastView:
    """One period of a forecast as it was issued, and who entered it when."""

    id: int
    source: str
    issued_at: datetime
    start_at: datetime
    end_at: datetime
    gust_mps: float
    rain_mm_h: float
    entered_at: datetime
    entered_by: int | None


@dataclass(frozen=True, slots=True)
class ExpectedView:
    """The weather to reckon with in one stretch of time."""

    start_at: datetime
    end_at: datetime
    gust_mps: float
    rain_mm_h: float


def add_forecasts(
    session: Session, actor: Actor, periods: Sequence[Period], now: datetime
) -> list[ForecastView]:
    """The stored periods, all or none; sending the same forecast again stores nothing twice.

    Raises
    ------
    InputError
        A forecast claims to have been issued in the future.
    Conflict
        The same source issued another value for the same period at the same time.
    """
    require_role(actor, *WRITERS)
    late = next((p for p in periods if p.issued_at > now), None)
    if late is not None:
        raise InputError(
            f"the forecast would be issued at {late.issued_at.isoformat()}, after now",
            field="issued_at",
        )
    touch_head(session)
    rows = [_stored(session, actor, period, now) for period in periods]
    session.flush()
    sources = sorted({period.source for period in periods})
    facts = {"sources": sources, "periods": len(rows)}
    audit.append(session, actor, action="weather.add", subject="weather", at=now, facts=facts)
    return [_view(row) for row in rows]


def _stored(session: Session, actor: Actor, period: Period, now: datetime) -> models.ForecastRow:
    known = session.scalar(
        select(models.ForecastRow).where(
            models.ForecastRow.source == period.source.strip(),
            models.ForecastRow.issued_at == period.issued_at,
            models.ForecastRow.start_at == period.window.start_at,
            models.ForecastRow.end_at == period.window.end_at,
        )
    )
    if known is not None:
        if (known.gust_mps, known.rain_mm_h) != (period.gust_mps, period.rain_mm_h):
            raise Conflict(
                f"{period.source} already said gusts of {known.gust_mps:g} m/s and rain of "
                f"{known.rain_mm_h:g} mm/h for this period when it issued that forecast; give the "
                "correction a later time of issue"
            )
        return known
    row = models.ForecastRow(
        source=period.source.strip(),
        issued_at=period.issued_at,
        start_at=period.window.start_at,
        end_at=period.window.end_at,
        gust_mps=period.gust_mps,
        rain_mm_h=period.rain_mm_h,
        entered_at=now,
        entered_by=actor.user_id or None,
    )
    session.add(row)
    session.flush()
    return row


def forecasts_in_force(
    session: Session, from_at: datetime, until: datetime
) -> tuple[Forecast, ...]:
    """What the allocator reckons with between the two times."""
    rows = session.scalars(
        select(models.ForecastRow).where(
            models.ForecastRow.end_at > from_at, models.ForecastRow.start_at < until
        )
    )
    return in_force(
        Period(
            row.source,
            row.issued_at,
            Window(row.start_at, row.end_at),
            row.gust_mps,
            row.rain_mm_h,
        )
        for row in rows
    )


def expected_weather(
    session: Session, actor: Actor, from_at: datetime, until: datetime
) -> list[ExpectedView]:
    """The weather to reckon with, for people."""
    require_role(actor, *sorted(TEAM_ROLES))
    return [
        ExpectedView(one.window.start_at, one.window.end_at, one.gust_mps, one.rain_mm_h)
        for one in forecasts_in_force(session, from_at, until)
    ]


def list_forecasts(session: Session, actor: Actor, from_at: datetime) -> list[ForecastView]:
    """Every period that had not ended, as issued, the newest forecast first."""
    require_role(actor, *sorted(TEAM_ROLES))
    query = select(models.ForecastRow).where(models.ForecastRow.end_at > from_at)
    order = (models.ForecastRow.issued_at.desc(), models.ForecastRow.start_at)
    return [_view(row) for row in session.scalars(query.order_by(*order))]


def _view(row: models.ForecastRow) -> ForecastView:
    return ForecastView(
        id=row.id,
        source=row.source,
        issued_at=row.issued_at,
        start_at=row.start_at,
        end_at=row.end_at,
        gust_mps=row.gust_mps,
        rain_mm_h=row.rain_mm_h,
        entered_at=row.entered_at,
        entered_by=row.entered_by,
    )
