"""Cases: open, add files, keep custody, retain and erase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role, scoped
from droneteam.db import WHOLE, Piece
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.evidence import blobs, manifest
from droneteam.evidence.models import Case, CustodyEvent, EvidenceItem, Export, Retention

READERS = ("investigator", "auditor", "manager", "administrator", "coordinator", "requester")
WRITERS = ("investigator", "pilot", "coordinator", "administrator")


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """What is needed to open a case."""

    organisation_id: int
    title: str
    legal_basis: str
    request_id: int | None = None

    def __post_init__(self) -> None:
        for field in ("title", "legal_basis"):
            if not getattr(self, field).strip():
                raise InputError(f"a case needs a {field.replace('_', ' ')}", field=field)


@dataclass(frozen=True, slots=True)
class NewItem:
    """A file to take into a case: folder and name in the bag, kind, origin and facts."""

    content: Path
    folder: str
    name: str
    kind: str
    source: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemView:
    """A file in a case."""

    id: int
    path: str
    kind: str
    source: str
    sha256: str
    size_bytes: int
    added_at: datetime
    added_by: str
    facts: dict[str, Any]
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class CustodyView:
    """One step of custody."""

    at: datetime
    actor: str
    action: str
    reason: str
    item_path: str | None


@dataclass(frozen=True, slots=True)
class ExportView:
    """One sealed bag."""

    id: int
    case_id: int
    at: datetime
    actor: str
    reason: str
    folder: str
    statement_sha256: str
    key_id: str
    n_items: int


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with what it holds."""

    id: int
    organisation_id: int
    request_id: int | None
    title: str
    legal_basis: str
    opened_at: datetime
    closed_at: datetime | None
    items: tuple[ItemView, ...]
    custody: tuple[CustodyView, ...]
    exports: tuple[ExportView, ...]
    keep_until: datetime | None
    legal_hold: bool


def open_case(session: Session, actor: Actor, draft: CaseDraft, now: datetime) -> CaseView:
    """The new case."""
    require_role(actor, *WRITERS)
    row = Case(
        organisation_id=draft.organisation_id,
        request_id=draft.request_id,
        title=draft.title.strip(),
        legal_basis=draft.legal_basis.strip(),
        opened_at=now,
    )
    session.add(row)
    session.flush()
    note(session, actor, row.id, "open", draft.legal_basis, now)
    return _case_view(session, row)


def list_cases(session: Session, actor: Actor, piece: Piece = WHOLE) -> list[CaseView]:
    """The cases that the actor may see, newest first."""
    require_role(actor, *READERS, *WRITERS)
    query = piece.of(scoped(select(Case), actor, Case.organisation_id), Case.id)
    return _case_views(session, session.scalars(query).all())


def get_case(session: Session, actor: Actor, case_id: int) -> CaseView:
    """The case; NotFound when there is none that the actor may see."""
    return _case_view(session, case_row(session, actor, case_id))


def add_item(
    session: Session, actor: Actor, case_id: int, new: NewItem, store: Path, now: datetime
) -> ItemView:
    """The file as evidence: copied into the store, hashed on the way, on the disk.

    store : the folder of evidence by hash. The same content is stored once.

    Raises
    ------
    InputError
        The file cannot be read.
    Conflict
        The case is closed, or holds another file under that name.
    """
    require_role(actor, *WRITERS)
    _open_row(session, actor, case_id)
    return register_item(session, actor, case_id, new, blobs.take_content(new.content, store), now)


def register_item(
    session: Session, actor: Actor, case_id: int, new: NewItem, taken: blobs.Taken, now: datetime
) -> ItemView:
    """Content that is in the store already, as an item of the case.

    Raises
    ------
    Conflict
        The case is closed, or holds another file under that name.
    """
    require_role(actor, *WRITERS)
    _open_row(session, actor, case_id)
    path = manifest.safe_path(*new.folder.split("/"), new.name)
    same = select(EvidenceItem).where(EvidenceItem.case_id == case_id, EvidenceItem.path == path)
    known = session.scalar(same)
    if known is not None:
        if known.sha256 == taken.sha256:
            return _item_view(known)
        raise Conflict(f"case {case_id} holds another file called {path}; give this one a new name")
    row = EvidenceItem(
        case_id=case_id,
        path=path,
        kind=new.kind,
        source=new.source,
        sha256=taken.sha256,
        size_bytes=taken.size_bytes,
        added_at=now,
        added_by=actor.display_name,
        facts=new.facts,
    )
    session.add(row)
    session.flush()
    note(session, actor, case_id, "add", f"{new.kind} from {new.source}", now, row)
    return _item_view(row)


def open_content(
    session: Session, actor: Actor, item_id: int, reason: str, store: Path, now: datetime
) -> tuple[Path, str]:
    """Where the item's content lies, and the file's own name; the look and its reason are kept."""
    row = session.get(EvidenceItem, item_id)
    if row is None:
        raise NotFound("evidence item", item_id)
    case_row(session, actor, row.case_id)
    if not reason.strip():
        raise InputError("say why the evidence is looked at", field="reason")
    if row.erased_at is not None:
        raise Conflict(f"{row.path} was erased on {row.erased_at:%Y-%m-%d} as its retention asked")
    note(session, actor, row.case_id, "read", reason, now, row)
    return blobs.content_path(store, row.sha256), row.path.rpartition("/")[2]


def get_export(session: Session, actor: Actor, export_id: int) -> ExportView:
    """The export; NotFound when there is none that the actor may see."""
    row = session.get(Export, export_id)
    if row is None:
        raise NotFound("export", export_id)
    case_row(session, actor, row.case_id)
    return export_view(row)


def set_retention(
    session: Session,
    actor: Actor,
    case_id: int,
    *,
    keep_until: datetime,
    basis: str,
    legal_hold: bool,
    now: datetime,
) -> CaseView:
    """The case, with how long its content is kept."""
    require_role(actor, "administrator", "manager")
    case = case_row(session, actor, case_id)
    row = session.scalar(select(Retention).where(Retention.case_id == case_id))
    if row is None:
        row = Retention(case_id=case_id, keep_until=keep_until, basis=basis)
        session.add(row)
    row.keep_until, row.basis, row.legal_hold = keep_until, basis, legal_hold
    session.flush()
    hold = ", on legal hold" if legal_hold else ""
    note(session, actor, case_id, "retain", f"until {keep_until:%Y-%m-%d}{hold}: {basis}", now)
    return _case_view(session, case)


def erase_expired(session: Session, actor: Actor, store: Path, now: datetime) -> list[int]:
    """Ids of the items whose content was erased because their retention has run out.

    Rows and hashes stay, so that it can still be proven what was held.  Content that another
    case still keeps is left alone.
    """
    require_role(actor, "administrator")
    due = (
        select(EvidenceItem)
        .join(Retention, Retention.case_id == EvidenceItem.case_id)
        .where(
            Retention.keep_until <= now,
            Retention.legal_hold.is_(False),
            EvidenceItem.erased_at.is_(None),
        )
    )
    rows = list(session.scalars(due))
    for row in rows:
        row.erased_at = now
        note(session, actor, row.case_id, "erase", "retention has run out", now, row)
    session.flush()
    for sha256 in {row.sha256 for row in rows}:
        kept = select(EvidenceItem.id).where(
            EvidenceItem.sha256 == sha256, EvidenceItem.erased_at.is_(None)
        )
        if session.scalar(kept.limit(1)) is None:
            blobs.content_path(store, sha256).unlink(missing_ok=True)
    return [row.id for row in rows]


def note(
    session: Session,
    actor: Actor,
    case_id: int,
    action: str,
    reason: str,
    now: datetime,
    item: EvidenceItem | None = None,
) -> None:
    """Keep the step in the case's custody and in the audit chain."""
    item_id = None if item is None else item.id
    session.add(
        CustodyEvent(
            case_id=case_id,
            item_id=item_id,
            at=now,
            actor=actor.display_name,
            action=action,
            reason=reason,
        )
    )
    facts = {} if item is None else {"item": item.path, "sha256": item.sha256}
    audit.append(
        session,
        actor,
        action=f"evidence.{action}",
        subject=f"case:{case_id}",
        at=now,
        reason=reason,
        facts=facts,
    )


def case_row(session: Session, actor: Actor, case_id: int) -> Case:
    """The case's row; NotFound when there is none that the actor may see."""
    require_role(actor, *READERS, *WRITERS)
    query = scoped(select(Case).where(Case.id == case_id), actor, Case.organisation_id)
    row = session.scalar(query)
    if row is None:
        raise NotFound("case", case_id)
    return row


def _open_row(session: Session, actor: Actor, case_id: int) -> Case:
    """The case's row; Conflict when it is closed."""
    row = case_row(session, actor, case_id)
    if row.closed_at is not None:
        raise Conflict(f"case {case_id} is closed; open a new one")
    return row


def item_rows(session: Session, case_id: int) -> list[EvidenceItem]:
    """What the case holds and held, by path."""
    query = select(EvidenceItem).where(EvidenceItem.case_id == case_id)
    return list(session.scalars(query.order_by(EvidenceItem.path)))


def _items_of(session: Session, ids: Sequence[int]) -> dict[int, list[ItemView]]:
    """By case: its files by path.  Columns alone: a case has hundreds, which nobody changes."""
    query = select(EvidenceItem.case_id, *_ITEM_COLUMNS).where(EvidenceItem.case_id.in_(ids))
    found: defaultdict[int, list[ItemView]] = defaultdict(list)
    for case_id, *values in session.execute(query.order_by(EvidenceItem.path)):
        found[case_id].append(ItemView(*values))
    return found


def custody_steps(session: Session, case_id: int) -> list[CustodyView]:
    """The case's custody, the oldest first."""
    return _custody_of(session, [case_id]).get(case_id, [])


def _custody_of(session: Session, ids: Sequence[int]) -> dict[int, list[CustodyView]]:
    """By case: the steps of its custody, in order."""
    step = CustodyEvent
    query = (
        select(step.case_id, step.at, step.actor, step.action, step.reason, EvidenceItem.path)
        .outerjoin(EvidenceItem, EvidenceItem.id == step.item_id)
        .where(step.case_id.in_(ids))
        .order_by(step.id)
    )
    found: defaultdict[int, list[CustodyView]] = defaultdict(list)
    values: list[Any]
    for case_id, *values in session.execute(query):
        found[case_id].append(CustodyView(*values))
    return found


def _exports_of(session: Session, ids: Sequence[int]) -> dict[int, list[ExportView]]:
    """By case: its sealed bags, in order."""
    found: defaultdict[int, list[ExportView]] = defaultdict(list)
    query = select(Export).where(Export.case_id.in_(ids)).order_by(Export.id)
    for row in session.scalars(query):
        found[row.case_id].append(export_view(row))
    return found


def _case_view(session: Session, row: Case) -> CaseView:
    return _case_views(session, [row])[0]


def _case_views(session: Session, rows: Sequence[Case]) -> list[CaseView]:
    """The cases with what they hold, however many, in four statements."""
    ids = [row.id for row in rows]
    items, custody = _items_of(session, ids), _custody_of(session, ids)
    exports = _exports_of(session, ids)
    kept = select(Retention).where(Retention.case_id.in_(ids))
    retentions = {one.case_id: one for one in session.scalars(kept)}
    return [
        _seen(
            row,
            tuple(items.get(row.id, ())),
            tuple(custody.get(row.id, ())),
            tuple(exports.get(row.id, ())),
            retentions.get(row.id),
        )
        for row in rows
    ]


def _seen(
    row: Case,
    items: tuple[ItemView, ...],
    custody: tuple[CustodyView, ...],
    exports: tuple[ExportView, ...],
    retention: Retention | None,
) -> CaseView:
    return CaseView(
        id=row.id,
        organisation_id=row.organisation_id,
        request_id=row.request_id,
        title=row.title,
        legal_basis=row.legal_basis,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        items=items,
        custody=custody,
        exports=exports,
        keep_until=None if retention is None else retention.keep_until,
        legal_hold=retention is not None and retention.legal_hold,
    )


_ITEM_COLUMNS = tuple(getattr(EvidenceItem, one.name) for one in fields(ItemView))


def _item_view(row: EvidenceItem) -> ItemView:
    return ItemView(*(getattr(row, one.name) for one in fields(ItemView)))


def export_view(row: Export) -> ExportView:
    """The export, detached from the database."""
    return ExportView(
        id=row.id,
        case_id=row.case_id,
        at=row.at,
        actor=row.actor,
        reason=row.reason,
        folder=row.folder,
        statement_sha256=row.statement_sha256,
        key_id=row.key_id,
        n_items=row.n_items,
    )
