"""Which requests a plan takes a drone from although the agreement lets nobody displace them.

The agreement names, class by class, whom a request may displace (``displaces``).  The allocation's
objective knows no such table: it serves the more urgent class first, whoever was published.  What
goes beyond the table is therefore shown beside a draft, and publishing it is an override.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import agreement, version_at


def displaced_beyond(
    lost: Iterable[int],
    won: Collection[int],
    priorities: Mapping[int, str],
    displaces: Mapping[str, frozenset[str]],
) -> tuple[int, ...]:
    """Those of the lost whom no class that wins a drone may displace (pure).

    lost : requests that had a drone and are left out; won : requests that get one now
    displaces : by class, the classes that it may displace
    Where nobody wins a drone, nobody is displaced by anybody: something else took theirs.
    """
    if not won:
        return ()
    allowed = frozenset[str]().union(*(displaces[priorities[number]] for number in won))
    return tuple(sorted(number for number in lost if priorities[number] not in allowed))


def displaced_by(session: Session, plan: models.Plan) -> tuple[int, ...]:
    """The same for a stored plan against the one that it was solved on.

    The agreement is the one that held when the plan was solved.
    """
    before, then = _served(session, plan.base_plan_id), _served(session, plan.id)
    lost = before & {int(item["request_id"]) for item in plan.unserved}
    won = then - before
    if not lost or not won:
        return ()
    query = select(models.Request.id, models.Request.priority)
    asked = session.execute(query.where(models.Request.id.in_(lost | won)))
    priorities = {row.id: row.priority for row in asked}
    classes = agreement(version_at(session, plan.solved_at)).classes
    displaces = {priority: rules.displaces for priority, rules in classes.items()}
    return displaced_beyond(lost, won, priorities, displaces)


def _served(session: Session, plan_id: int | None) -> set[int]:
    query = select(models.Assignment.request_id).where(models.Assignment.plan_id == plan_id)
    return set() if plan_id is None else set(session.scalars(query))
