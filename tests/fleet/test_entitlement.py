"""Shares of the year's crew-hours: debited on arrival, rolling, with a floor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from droneteam.fleet.agreement.entitlement import LedgerEntry, debit_min, entitlements
from droneteam.fleet.agreement.sla import parse
from droneteam.fleet.reference import SLA_V1

AGREEMENT = parse(SLA_V1)
NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
CODES = {1: "5339", 2: "5341", 3: "unknown"}


def test_shares_follow_the_weights_and_an_unknown_code_gets_the_default() -> None:
    accounts = entitlements(AGREEMENT, CODES, [], NOW)
    total = 30 + 16 + 1
    assert [accounts[i].entitled_min for i in (1, 2, 3)] == [
        360_000 * weight // total for weight in (30, 16, 1)
    ]


def test_what_is_older_than_a_year_no_longer_counts() -> None:
    old = LedgerEntry(1, NOW - timedelta(days=366), 100, "P2")
    new = LedgerEntry(1, NOW - timedelta(days=364), 30, "P2")
    assert entitlements(AGREEMENT, CODES, [old, new], NOW)[1].used_min == 30


def test_a_zone_over_its_share_keeps_its_quarterly_floor_until_it_is_used() -> None:
    spent = LedgerEntry(3, NOW - timedelta(days=90), 1_000_000, "P2")
    account = entitlements(AGREEMENT, CODES, [spent], NOW)[3]
    assert account.remaining_min == 240
    floor = LedgerEntry(3, NOW - timedelta(days=1), 200, "P3")
    assert entitlements(AGREEMENT, CODES, [spent, floor], NOW)[3].remaining_min == 0


def test_urgent_classes_are_never_debited() -> None:
    end = NOW + timedelta(minutes=90)
    assert [debit_min(AGREEMENT, p, NOW, end, 2) for p in ("P0", "P1", "P2", "P3")] == [
        0,
        0,
        180,
        180,
    ]


@given(st.lists(st.tuples(st.sampled_from((1, 2, 3)), st.integers(1, 500)), max_size=20))
def test_nothing_remains_below_zero_and_debits_add_up(debits: list[tuple[int, int]]) -> None:
    ledger = [LedgerEntry(zone, NOW, minutes, "P2") for zone, minutes in debits]
    accounts = entitlements(AGREEMENT, CODES, ledger, NOW)
    assert sum(account.used_min for account in accounts.values()) == sum(m for _, m in debits)
    assert all(account.remaining_min >= 0 for account in accounts.values())
