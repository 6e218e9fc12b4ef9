"""What each zone may claim of the year's crew-hours, from an append-only ledger (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from droneteam.fleet.agreement.hours import quarter_start, year_before
from droneteam.fleet.agreement.sla import Sla
from droneteam.fleet.terms import minutes_between


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Crew-minutes debited from an organisation; a negative entry gives some back."""

    organisation_id: int
    at: datetime
    crew_min: int
    priority: str


@dataclass(frozen=True, slots=True)
class Loan:
    """Crew-minutes that one organisation lent another."""

    lender_id: int
    borrower_id: int
    at: datetime
    crew_min: int


@dataclass(frozen=True, slots=True)
class Entitlement:
    """An organisation's account on a day, in crew-minutes of the rolling 12 months.

    entitled_min : the share by weight, with what was borrowed and without what was lent
    """

    organisation_id: int
    weight: int
    entitled_min: int
    used_min: int
    floor_min: int
    borrowed_min: int = 0
    """What was borrowed less what was lent; part of entitled_min."""

    @property
    def surplus_min(self) -> int:
        """What it may lend: its share's rest, without the floor, which is not its to give."""
        return max(0, self.entitled_min - self.used_min)

    @property
    def remaining_min(self) -> int:
        """What it may still claim: its share's rest, or this quarter's floor if larger."""
        return max(0, self.entitled_min - self.used_min, self.floor_min)


def debit_min(sla: Sla, priority: str, arrived_at: datetime, left_at: datetime, crew: int) -> int:
    """Crew-minutes to debit for a sortie; nothing where the class is exempt."""
    if sla.classes[priority].exempt:
        return 0
    return crew * minutes_between(arrived_at, left_at)


def entitlements(
    sla: Sla,
    codes: Mapping[int, str],
    ledger: Sequence[LedgerEntry],
    now: datetime,
    *,
    loans: Sequence[Loan] = (),
) -> dict[int, Entitlement]:
    """Each organisation's account now.

    codes : organisation id → the code under which the agreement knows it
    """
    rule = sla.entitlement
    weights = {organisation: rule.weight(code) for organisation, code in codes.items()}
    total = sum(weights.values())
    since, quarter = year_before(now), quarter_start(now)
    accounts = {}
    for organisation, weight in weights.items():
        own = [entry for entry in ledger if entry.organisation_id == organisation]
        floor_used = any(
            entry.priority == rule.floor_priority and quarter <= entry.at <= now for entry in own
        )
        borrowed = _borrowed_min(loans, organisation, since, now)
        accounts[organisation] = Entitlement(
            organisation_id=organisation,
            weight=weight,
            entitled_min=rule.yearly_crew_hours * 60 * weight // total + borrowed,
            borrowed_min=borrowed,
            used_min=_used_min(own, since, now),
            floor_min=0 if floor_used else rule.floor_crew_minutes,
        )
    return accounts


def _borrowed_min(loans: Iterable[Loan], organisation: int, since: datetime, now: datetime) -> int:
    """What the loans of the rolling year gave the organisation, less what they took."""
    signs = (
        (loan.crew_min, (loan.borrower_id == organisation) - (loan.lender_id == organisation))
        for loan in loans
        if since < loan.at <= now
    )
    return sum(minutes * sign for minutes, sign in signs)


def _used_min(entries: Iterable[LedgerEntry], since: datetime, now: datetime) -> int:
    return sum(entry.crew_min for entry in entries if since < entry.at <= now)
