"""The zones' shares of the year's crew-hours: accounts, and surplus lent from one to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, organisations, require_role
from droneteam.errors import InputError, NotAllowed, NotFound
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import agreement, version_at
from droneteam.fleet.agreement.entitlement import Entitlement, LedgerEntry, Loan, entitlements
from droneteam.fleet.agreement.hours import year_before
from droneteam.fleet.agreement.sla import Sla
from droneteam.fleet.head import touch_head


@dataclass(frozen=True, slots=True)
class ShareView:
    """An organisation's share of the rolling year, in crew-minutes."""

    organisation_id: int
    name: str
    account: Entitlement


def accounts_now(session: Session, sla: Sla, now: datetime) -> dict[int, Entitlement]:
    """Every organisation's account, from the ledger and the loans of the rolling year."""
    codes = {view.id: view.code for view in organisations(session)}
    since = year_before(now)
    kept = models.LedgerRow  # its columns alone: a year has hundreds of rows
    rows = select(kept.organisation_id, kept.at, kept.crew_min, kept.priority).where(
        kept.at > since
    )
    ledger = [LedgerEntry(*row) for row in session.execute(rows)]
    lent = session.scalars(select(models.LoanRow).where(models.LoanRow.at > since))
    loans = [Loan(row.lender_id, row.borrower_id, row.at, row.crew_min) for row in lent]
    return entitlements(sla, codes, ledger, now, loans=loans)


def list_shares(session: Session, actor: Actor, now: datetime) -> list[ShareView]:
    """The shares that the actor may see: a zone's own, all of them for the team."""
    accounts = accounts_now(session, agreement(version_at(session, now)), now)
    return [
        ShareView(view.id, view.name(actor.language), accounts[view.id])
        for view in organisations(session)
        if actor.sees_all_organisations or view.id == actor.organisation_id
    ]


def lend_minutes(
    session: Session,
    actor: Actor,
    lender_id: int,
    borrower_id: int,
    crew_min: int,
    reason: str,
    now: datetime,
) -> None:
    """Nothing; the crew-minutes count for the borrower from now on, for a year.

    A zone lends its own surplus; the manager may do it on a zone's word.

    Raises
    ------
    InputError
        More than the lender's surplus, nothing, without a reason, or to itself.
    """
    require_role(actor, "requester", "manager")
    if not actor.has_role("manager") and lender_id != actor.organisation_id:
        raise NotAllowed("only the zone itself or a manager lends its hours")
    if not reason.strip():
        raise InputError("say why the hours are lent", field="reason")
    if lender_id == borrower_id:
        raise InputError("a zone does not lend to itself", field="borrower_id")
    touch_head(session)
    accounts = accounts_now(session, agreement(version_at(session, now)), now)
    for organisation_id in (lender_id, borrower_id):
        if organisation_id not in accounts:
            raise NotFound("organisation", organisation_id)
    surplus = accounts[lender_id].surplus_min
    if not 0 < crew_min <= surplus:
        raise InputError(
            f"{crew_min} crew-minutes; 1 to {surplus}, the surplus, may be lent", field="crew_min"
        )
    row = models.LoanRow(
        lender_id=lender_id,
        borrower_id=borrower_id,
        at=now,
        crew_min=crew_min,
        reason=reason.strip(),
        user_id=actor.user_id or None,
    )
    session.add(row)
    session.flush()
    facts = {"lender": lender_id, "borrower": borrower_id, "crew_min": crew_min}
    audit.append(
        session,
        actor,
        action="entitlement.lend",
        subject=f"organisation:{lender_id}",
        at=now,
        reason=row.reason,
        facts=facts,
    )
