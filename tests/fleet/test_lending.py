"""Shares of the year's crew-hours: surplus is lent, floors and debts are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from droneteam.errors import InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.agreement.entitlement import LedgerEntry, Loan, entitlements
from droneteam.fleet.agreement.sla import parse
from droneteam.fleet.reference import SLA_V1
from tests.fleet.conftest import NOW, Actors

SLA = parse(SLA_V1)
CODES = {1: "5344", 2: "5341", 3: "5342"}


def share(session: Session, actors: Actors, who: str) -> service.ShareView:
    own = actors[who].organisation_id
    (view,) = [
        row for row in service.list_shares(session, actors[who], NOW) if row.organisation_id == own
    ]
    return view


def lend(session: Session, actors: Actors, minutes: int, who: str = "north", **ids: int) -> None:
    lender = ids.get("lender", actors["north"].organisation_id)
    borrower = ids.get("borrower", actors["midi"].organisation_id)
    service.lend_minutes(session, actors[who], lender, borrower, minutes, "fair season", NOW)


def test_a_zone_sees_its_own_share_and_the_team_sees_all(session: Session, actors: Actors) -> None:
    own = actors["north"].organisation_id
    assert [row.organisation_id for row in service.list_shares(session, actors["north"], NOW)] == [
        own
    ]
    everyone = service.list_shares(session, actors["manager"], NOW)
    assert len(everyone) == 11
    assert sum(row.account.entitled_min for row in everyone) <= 6000 * 60


def test_lent_minutes_count_for_the_borrower(session: Session, actors: Actors) -> None:
    before = share(session, actors, "north"), share(session, actors, "midi")
    lend(session, actors, 600)
    after = share(session, actors, "north"), share(session, actors, "midi")
    assert after[0].account.entitled_min == before[0].account.entitled_min - 600
    assert after[1].account.entitled_min == before[1].account.entitled_min + 600
    assert (after[0].account.borrowed_min, after[1].account.borrowed_min) == (-600, 600)


def test_more_than_the_surplus_is_not_lent(session: Session, actors: Actors) -> None:
    surplus = share(session, actors, "north").account.surplus_min
    for minutes in (0, -5, surplus + 1):
        with pytest.raises(InputError, match="surplus"):
            lend(session, actors, minutes)
    lend(session, actors, surplus)
    assert share(session, actors, "north").account.surplus_min == 0
    assert share(session, actors, "north").account.remaining_min == 240  # the floor stays
    with pytest.raises(InputError, match="surplus"):
        lend(session, actors, 1)


def test_nobody_lends_what_is_anothers(session: Session, actors: Actors) -> None:
    with pytest.raises(NotAllowed):
        lend(session, actors, 60, who="midi")
    with pytest.raises(NotAllowed):
        lend(session, actors, 60, who="pilot")
    lend(session, actors, 60, who="manager")
    with pytest.raises(InputError, match="itself"):
        lend(session, actors, 60, borrower=actors["north"].organisation_id)
    with pytest.raises(NotFound):
        lend(session, actors, 60, borrower=999)
    north, midi = actors["north"].organisation_id, actors["midi"].organisation_id
    with pytest.raises(InputError, match="why"):
        service.lend_minutes(session, actors["north"], north, midi, 60, " ", NOW)


def test_a_loan_is_never_changed(session: Session, actors: Actors) -> None:
    lend(session, actors, 60)
    assert session.query(models.LoanRow).count() == 1
    with pytest.raises(DatabaseError, match="append-only"):
        session.execute(text("UPDATE loan SET crew_min = 1"))
    session.rollback()


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 500), st.integers(1, 900)),
        max_size=12,
    )
)
def test_loans_move_minutes_and_make_none(made: list[tuple[int, int, int, int]]) -> None:
    loans = [
        Loan(lender, borrower, NOW - timedelta(days=days), minutes)
        for lender, borrower, days, minutes in made
    ]
    plain = entitlements(SLA, CODES, [], NOW)
    lent = entitlements(SLA, CODES, [], NOW, loans=loans)
    assert sum(row.entitled_min for row in lent.values()) == sum(
        row.entitled_min for row in plain.values()
    )


def test_a_loan_ends_with_the_rolling_year_even_over_a_leap_day() -> None:
    at = datetime(2028, 2, 29, 12, 0, tzinfo=UTC)
    loan = [Loan(1, 2, at, 100)]
    last = entitlements(SLA, CODES, [], datetime(2029, 2, 28, 12, 0, tzinfo=UTC), loans=loan)
    after = entitlements(SLA, CODES, [], datetime(2029, 3, 1, 12, 0, tzinfo=UTC), loans=loan)
    assert (last[2].borrowed_min, after[2].borrowed_min) == (100, 0)
    spent = [LedgerEntry(1, at, 10**9, "P3")]
    assert entitlements(SLA, CODES, spent, at)[1].surplus_min == 0
