# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled search for the visits: one for each request of a set, within budgets, with names.

At each node of a depth-first search every request holds its visits that are still alive.  Those
that no budget pays for fall away; clashes that have become certain are coloured by pilots and by
drones (``exact_kernels``).  The colouring of the parent is kept as long as it holds.
"""

from __future__ import annotations

import numba
import numpy as np

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_branching import (
    choose_job,
    depths,
    go_back,
    go_down,
    settle,
)
from droneteam.fleet.allocation.exact_colour import colour, crowd
from droneteam.fleet.allocation.exact_kernels import (
    FREE,
    LEAF_STEPS,
    NO,
    NODE_STEPS,
    QUICK_STEPS,
    START,
    UNKNOWN,
    YES,
    ZERO,
    Tables,
    inner,
    lowest,
    popcount,
)
from droneteam.fleet.allocation.exact_nodes import Node, filter_visits, nodes_of, refresh
from droneteam.fleet.allocation.exact_packs import Fleet, fleet_of
from droneteam.fleet.allocation.exact_roster import crew


@inner
def _places(t: Tables, wanted: int) -> tuple[Ints, int]:
    """The request of each crew place, and the number of places."""
    jobs = np.empty(64, np.int64)
    count = 0
    rest = wanted
    while rest:
        job = lowest(rest)
        rest &= rest - 1
        for _ in range(t.crew[job]):
            jobs[count] = job
            count += 1
    return jobs, count


@inner
def _crew_tables(
    t: Tables, node: Node, depth: int, jobs: Ints, count: int
) -> tuple[Ints, Ints, Ints, Ints]:
    """Clashes, able and published pilots and prices of the crew places."""
    adj = np.zeros((1, count), np.int64)
    dom = np.empty(count, np.int64)
    pref = np.empty(count, np.int64)
    paid = np.empty(count, np.int64)
    own = np.zeros(len(t.crew), np.int64)
    for place in range(count):
        own[jobs[place]] |= 1 << place
    for place in range(count):
        job = jobs[place]
        dom[place] = node.able_pilots[depth, job]
        pref[place] = t.kept_pilots[job]
        paid[place] = t.published[job]
        mask = own[job] & ~(1 << place)
        rest = node.clash[depth, job]
        while rest:
            mask |= own[lowest(rest)]
            rest &= rest - 1
        adj[0, place] = mask
    return adj, dom, pref, paid


@inner
def _holds(
    items: int, tables: tuple[Ints, Ints, Ints, Ints], group: Ints, cap: int, out: Ints
) -> int:
    """What the colouring costs; -1 where it is none any more."""
    adj, dom, pref, paid = tables
    colours = len(group)
    members = np.zeros(colours, np.int64)
    load = np.zeros(colours, np.int64)
    cost = 0
    rest = items
    while rest:
        item = lowest(rest)
        rest &= rest - 1
        chosen = out[item]
        if chosen < 0 or (dom[item] >> chosen) & 1 == 0:
            return -1
        if adj[group[chosen], item] & members[chosen]:
            return -1
        members[chosen] |= 1 << item
        load[chosen] += 1
        if load[chosen] > cap:
            return -1
        if (pref[item] >> chosen) & 1 == 0:
            cost += paid[item]
    return cost


@inner
def _least(
    f: Fleet, items: int, adj: Ints, dom: Ints, pref: Ints, paid: Ints, low: int, budget: int,
    most_steps: int, out: Ints,
) -> tuple[int, int, int]:  # fmt: skip
    """A colouring within the budget at the least cost, its cost and the steps.

    low : what it is known to cost at least.  With a free budget any colouring will do.  Where
    steps run out, the cost is a lower bound.
    """
    price = low if budget < FREE else FREE
    limit, steps = min(QUICK_STEPS * popcount(items), most_steps), 0
    while price <= budget:
        answer, cost, more = colour(f, items, adj, dom, pref, paid, price, limit, out)
        steps += more
        if answer == UNKNOWN and limit < most_steps:
            limit = most_steps
            if crowd(items, _shared(adj), dom):
                return NO, 0, steps
        elif answer == NO and price < FREE:
            price += 1
        else:
            return answer, min(cost, price), steps
    return NO, 0, steps


@inner
def _shared(adj: Ints) -> Ints:
    """Who may have the same colour in no group."""
    found = adj[0].copy()
    for base in range(1, len(adj)):
        found &= adj[base]
    return found


@inner
def _start_loss(t: Tables, alive: Ints, wanted: int) -> int:
    found = 0
    rest = wanted
    while rest:
        job = lowest(rest)
        rest &= rest - 1
        low = FREE
        for visit in range(t.first[job], t.first[job + 1]):
            if alive[t.cell[visit]] & t.bit[visit]:
                low = min(low, t.cost[START, visit])
        found += low
    return found


@inner
def _by_time(t: Tables, alive: Ints, jobs: Ints, count: int) -> Ints:
    """The crew places by the first moment at which they may be taken."""
    since = np.empty(count, np.int64)
    order = np.empty(count, np.int64)
    for place in range(count):
        job, soonest = jobs[place], 2**62
        for visit in range(t.first[job], t.first[job + 1]):
            if alive[t.cell[visit]] & t.bit[visit]:
                soonest = min(soonest, t.taken[visit])
        at = place
        while at and since[at - 1] > soonest:
            since[at], order[at] = since[at - 1], order[at - 1]
            at -= 1
        since[at], order[at] = soonest, place
    return order


@inner
def _crewed(
    t: Tables, node: Node, depth: int, jobs: Ints, count: int, left: int, kept: int, cap: int,
    most_steps: int, way: Ints, crews: Ints, tables: tuple[Ints, Ints, Ints, Ints],
) -> tuple[int, int, int]:  # fmt: skip
    """Whether pilots can be given within what is left to change, what it costs, and the steps."""
    low = node.low[depth, 0]
    if kept >= 0 and (left >= FREE or low == kept <= left):
        return YES, kept, 0
    adj, dom, pref, paid = tables
    order = _by_time(t, node.alive[depth], jobs, count)
    return crew(
        order, adj[0], dom, pref, paid, t.pilot_count[0], low, left, cap, most_steps, way, crews
    )


@inner
def _equipped(
    t: Tables, node: Node, depth: int, wanted: int, left: int, kept: int, most_steps: int,
    fleet: Ints,
) -> tuple[int, int, int]:  # fmt: skip
    """The same for the drones with their packs."""
    low = node.low[depth, 1]
    if kept >= 0 and (left >= FREE or low == kept <= left):
        return YES, kept, 0
    f = fleet_of(
        t.drone_base, t.drone_kind, node.begin[depth], node.end[depth], t.needs, t.owned, t.charge,
        t.charging,
    )  # fmt: skip
    return _least(
        f, wanted, node.drone_clash[depth], node.able_drones[depth], t.kept_drone, t.published,
        low, left, most_steps, fleet,
    )  # fmt: skip


@inner
def _staffed(
    t: Tables, node: Node, depth: int, wanted: int, jobs: Ints, count: int, changes: int,
    cap: int, most_steps: int, way: Ints, crews: Ints, fleet: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Whether pilots and drones can be given to the certain clashes, and the steps taken."""
    left = changes
    if changes < FREE:
        left -= _start_loss(t, node.alive[depth], wanted)
        if left < 0:
            return NO, 0
    tables = _crew_tables(t, node, depth, jobs, count)
    of_crews = _holds((1 << count) - 1, tables, np.zeros(t.pilot_count[0], np.int64), cap, crews)
    of_fleet = _fleet_cost(t, node, depth, wanted, fleet)
    if min(of_crews, of_fleet) >= 0 and of_crews + of_fleet <= left:
        return YES, 0
    low = node.low[depth]
    crewed, cost, steps = _crewed(
        t, node, depth, jobs, count, left if left >= FREE else left - low[1], of_crews, cap,
        most_steps, way, crews, tables,
    )  # fmt: skip
    if crewed == NO:
        return NO, steps
    if left < FREE:
        low[0] = max(low[0], cost)
        left -= cost
    equipped, cost, more = _equipped(t, node, depth, wanted, left, of_fleet, most_steps, fleet)
    steps += more
    if equipped == NO:
        return NO, steps
    if left < FREE:
        low[1] = max(low[1], cost)
    return (UNKNOWN if UNKNOWN in (crewed, equipped) else YES), steps


@inner
def _fleet_cost(t: Tables, node: Node, depth: int, wanted: int, fleet: Ints) -> int:
    """What the drones named so far cost; -1 where they will not do any more."""
    tables = node.drone_clash[depth], node.able_drones[depth], t.kept_drone, t.published
    cost = _holds(wanted, tables, t.drone_base, np.int64(FREE), fleet)
    if cost >= 0 and not _packs_hold(t, node, depth, wanted, fleet):
        return -1
    return cost


@inner
def _packs_hold(t: Tables, node: Node, depth: int, wanted: int, fleet: Ints) -> bool:
    """True where the named drones' packs are charged whenever they surely leave."""
    begin, end = node.begin[depth], node.end[depth]
    for kind in range(len(t.owned)):
        owned = t.owned[kind]
        rest = wanted
        while rest:
            job = lowest(rest)
            rest &= rest - 1
            at = t.drone_base[fleet[job]]
            if t.drone_kind[fleet[job]] != kind or begin[at, job] >= end[at, job]:
                continue
            moment = begin[at, job]
            used = 0
            for index in range(t.charging.shape[1]):
                used += t.charging[kind, index] > moment
            others = wanted
            while others:
                other = lowest(others)
                others &= others - 1
                there = t.drone_base[fleet[other]]
                since, until = begin[there, other], end[there, other]
                if t.drone_kind[fleet[other]] != kind or since >= until:
                    continue
                if since <= moment and moment < until + t.charge[kind]:
                    used += t.needs[other, kind]
            if used > owned:
                return False
    return True


@numba.njit(cache=True, nogil=True)
def place(
    t: Tables, alive: Ints, wanted: int, budgets: Ints, changes: int, cap: int, most_steps: int,
    visits: Ints, crews: Ints, fleet: Ints, bound: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Whether each wanted request can get a visit, a drone and a crew, and the steps taken.

    alive : (W,) the visits allowed; wanted : mask; budgets : by group; changes : of the
    published plan, at most; cap : sorties of a pilot, at most
    visits, fleet : (J,) and crews : (places,) are filled where the answer is yes
    bound : by account, 1 where the budget ruled something out; where it is 0 the answer no
        holds for any budget of the account
    """
    node, (jobs, count) = nodes_of(t, alive, depths(t, alive, wanted)), _places(t, wanted)
    picked = np.zeros(len(node.alive), np.int64)
    half = np.empty((len(picked), np.max(np.diff(t.word))), np.int64)
    weight, way = np.zeros(len(t.crew), np.int64), np.zeros(1, np.int64)
    keeping = changes < FREE
    bound[:] = 0
    crews[:], fleet[:] = -1, -1
    steps, depth, changed, doubt = ZERO, ZERO, wanted, False
    while True:
        answer = NO
        changed = filter_visits(t, node.alive[depth], wanted, budgets, changed, bound)
        if changed >= 0 and refresh(t, node, depth, wanted, changed):
            job = choose_job(t, node.alive[depth], wanted, weight, keeping)
            limit = min(LEAF_STEPS if job < 0 else NODE_STEPS, most_steps - steps + 1)
            answer, more = _staffed(
                t, node, depth, wanted, jobs, count, changes, cap, limit, way, crews, fleet
            )
            steps += more
        steps += 1
        if answer != NO and job < 0:
            if answer == YES:
                settle(t, node.alive[depth], wanted, visits)
                return YES, steps
            doubt = True
            answer = NO
        if steps > most_steps:
            return UNKNOWN, steps
        if answer != NO:
            picked[depth] = job
            go_down(t, node, depth, job, fleet, keeping, half[depth])
            depth += 1
            changed = 1 << job
            continue
        depth -= 1
        if depth < 0:
            return (UNKNOWN if doubt else NO), steps
        job = picked[depth]
        weight[job] += 1
        go_back(t, node, depth, job, half[depth])
        changed = 1 << job


@numba.njit(cache=True, nogil=True)
def core(
    t: Tables, alive: Ints, wanted: int, budgets: Ints, changes: int, cap: int, most_steps: int,
    order: Ints, visits: Ints, crews: Ints, fleet: Ints, bound: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Of wanted requests that cannot all be served, some that cannot either; and the steps.

    order : the requests by time; neighbours are left out together first, then fewer and fewer,
        as long as some can be done without: most sets can do without none, which their halves
        tell nearly always
    most_steps : of each trial; ten times as many in all
    """
    steps = ZERO
    size = max(1, popcount(wanted) // 2)
    while True:
        first = 0
        before = wanted
        while first < len(order) and steps < 10 * most_steps:
            part, past = ZERO, first
            while past < len(order) and popcount(part) < size:
                part |= (1 << order[past]) & wanted
                past += 1
            first = past
            if part == 0 or part == wanted:
                continue
            answer, more = place(
                t, alive, wanted & ~part, budgets, changes, cap, most_steps, visits, crews, fleet,
                bound,
            )  # fmt: skip
            steps += more
            if answer == NO:
                wanted &= ~part
        if size == 1 or wanted == before:
            return wanted, steps
        size = max(1, size // 3)
