"""Which requests to leave out, and the search for a plan within limits (pure but for the clock).

Two levels.  Above, sets of requests: which ones to leave out so that no group of requests that
cannot be served together stays whole (implicit hitting sets).  Such groups are known from the
start where all clash with all and people are too few, and are learned where a set turns out to be
impossible; they hold for all later terms, because terms only ever add conditions.  Below, for one
set, visits and names (``exact_visits``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from droneteam.fleet.allocation.choices import Choices, Ints
from droneteam.fleet.allocation.exact_crowds import Crowd, bits, known_crowds
from droneteam.fleet.allocation.exact_kernels import (
    FREE,
    LATE,
    LOST_MIN,
    MOVED,
    NO,
    START,
    TRAVEL,
    UNKNOWN,
)
from droneteam.fleet.allocation.exact_tables import (
    FIRST_ZONE,
    MOVED_ACCOUNT,
    START_ACCOUNT,
    TRAVEL_ACCOUNT,
    asked,
    tables,
)
from droneteam.fleet.allocation.exact_visits import core, place
from droneteam.fleet.problem import SHORTFALL_SCALE
from droneteam.fleet.terms import PRIORITIES

MOST_STEPS = 2_000_000
"""Some seconds; a problem that needs more is left to the solver."""
_PROOF_STEPS = 600
"""Steps to find out whether fewer limits refute a set as well, at least …"""
_MOST_PROOF_STEPS = 20_000
"""… and at most; between them as many as the proof took that it cannot be served."""
_CORE_SHARE = 20
"""Each trial to do without a request has this part of them: most sets that cannot be served are
refuted in fewer steps than it takes to find out which of their requests are to blame."""
_CORE_STEPS = 60
"""Of each trial, at least."""


class OutOfSteps(Exception):
    """The search took more steps, or time, than it may."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan may cost at most; FREE where it does not matter yet.

    unserved, late_min : by class; shortfall, changes, moved_min, travel_min, busiest
    """

    unserved: tuple[int, ...] = (FREE,) * len(PRIORITIES)
    late_min: tuple[int, ...] = (FREE,) * len(PRIORITIES)
    shortfall: int = FREE
    changes: int = FREE
    moved_min: int = FREE
    travel_min: int = FREE
    busiest: int = FREE


@dataclass(frozen=True, slots=True)
class Found:
    """Visits with names: by request of the search, -1 where it is left out."""

    served: int
    visits: tuple[int, ...]
    crews: tuple[tuple[int, ...], ...]
    fleet: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Refuted:
    """A set that cannot be served within the budgets; visits only ever fall away, so it stays so.

    budgets : by account, FREE where it had no part in the proof
    """

    served: int
    budgets: Ints
    busiest: int

    def implies(self, served: int, budgets: Ints, busiest: int) -> bool:
        """True where what is asked for cannot be either: no less to serve, and no more to pay."""
        return (
            self.served & ~served == 0
            and busiest <= self.busiest
            and bool((budgets <= self.budgets).all())
        )


class Search:
    """One problem's search, with what it has learned."""

    def __init__(self, found: Choices, until_s: float, most_steps: int = MOST_STEPS) -> None:
        self.choices = found
        self.until_s = until_s
        self.most_steps = most_steps
        self.asked = asked(found)
        self.t = tables(found, self.asked)
        self.everyone = (1 << len(self.asked.jobs)) - 1
        self.alive = self._all_visits()
        self.job_of = np.repeat(np.arange(len(self.asked.jobs)), np.diff(self.t.first))
        self.job_of_word = np.repeat(np.arange(len(self.asked.jobs)), np.diff(self.t.word))
        self.feasible: set[int] = set()
        self.refuted: list[_Refuted] = []
        self.unlearned: tuple[int, int, int] | None = None
        """The last set that cannot be served, what was left out for it, and the steps it took."""
        self.crew = self.t.crew.tolist()
        self.of_class = [
            sum(1 << job for job, own in enumerate(self.asked.level) if own == level)
            for level in range(len(PRIORITIES))
        ]
        self.claimed = [
            sum(
                lost
                for lost, zone in zip(self.asked.lost_min, self.asked.zone, strict=True)
                if zone == FIRST_ZONE + index
            )
            for index in range(len(self.asked.claims))
        ]
        self.rows: list[Crowd] = []
        self.probe: list[Crowd] = []
        self.limits = Limits()
        self.steps = 0
        self.calls = 0
        self.cores = 0
        n = len(self.asked.jobs)
        self._visits = np.zeros(n, np.int64)
        self._crews = np.zeros(64, np.int64)
        self._fleet = np.zeros(n, np.int64)
        self._bound = np.zeros(FIRST_ZONE + len(self.asked.claims), np.int64)
        self.order = np.argsort(self.t.taken[self.t.first[:-1]], kind="stable")
        self.proof = 0
        self.rows = known_crowds(self.t, self.alive, self.everyone)

    def _all_visits(self) -> Ints:
        alive = np.zeros(self.t.pilot_clash.shape[1], np.int64)
        np.bitwise_or.at(alive, self.t.cell, self.t.bit)
        return alive

    def find(self, scope: int, limits: Limits) -> Found | None:
        """A plan for the requests in scope within the limits; None where there is none."""
        self.probe = []
        self.unlearned = None
        return self._branch(0, 0, scope, limits)

    def _branch(self, kept: int, out: int, open_: int, limits: Limits) -> Found | None:
        while True:
            must = self._must(out, open_, limits)
            if must is None:
                return None
            kept |= must
            open_ &= ~must
            served = kept | open_
            row = self._violated(served, open_, out, limits)
            if row is None:
                return None
            if row.mask == 0 and self.unlearned is not None:
                self._learn(*self.unlearned, limits)
                continue
            if row.mask == 0:
                answer = self._place(served, out, limits)
                if answer is not None:
                    self.feasible.add(served)
                    return answer
                if open_ == 0 and out == 0:
                    return None
                self._refuse(served, out, limits)
                continue
            job = self._leave_out(row.mask & open_, served, out)
            one = 1 << job
            answer = self._branch(kept, out | one, open_ & ~one, limits)
            if answer is not None:
                return answer
            kept |= one
            open_ &= ~one

    def _must(self, out: int, open_: int, limits: Limits) -> int | None:
        """Those that no limit allows to be left out; None where too much is left out already."""
        must = 0
        for level, most in enumerate(limits.unserved):
            left = most - (out & self.of_class[level]).bit_count()
            if left < 0:
                return None
            if left == 0:
                must |= open_ & self.of_class[level]
        if limits.shortfall < FREE:
            slack = self._zone_slack(out, limits)
            if any(own < 0 for own in slack):
                return None
            for job in bits(open_ & ~must):
                zone = self.asked.zone[job] - FIRST_ZONE
                if zone >= 0 and self.asked.lost_min[job] > slack[zone]:
                    must |= 1 << job
        if limits.changes < FREE:
            left = limits.changes - sum(self.asked.lost_changes[job] for job in bits(out))
            if left < 0:
                return None
            for job in bits(open_ & ~must):
                if self.asked.lost_changes[job] > left:
                    must |= 1 << job
        return must

    def _zone_slack(self, out: int, limits: Limits) -> list[int]:
        """Minutes that each zone may lose beside what is left out."""
        slack = []
        for total, share in zip(self.claimed, self.asked.claims, strict=True):
            need = share.claimed_min - limits.shortfall * share.weight // SHORTFALL_SCALE
            slack.append(total - need)
        for job in bits(out):
            zone = self.asked.zone[job] - FIRST_ZONE
            if zone >= 0:
                slack[zone] -= self.asked.lost_min[job]
        return slack

    def _violated(self, served: int, open_: int, out: int, limits: Limits) -> Crowd | None:
        """The crowd that leaves least choice, an empty one where none is; None: no way out."""
        left = [
            most - (out & own).bit_count()
            for most, own in zip(limits.unserved, self.of_class, strict=True)
        ]
        best, best_key = Crowd(0, 0, 0), (1 << 30, 0)
        over = []
        for row in (*self.rows, *self.probe):
            excess = row.load(served) - row.cap
            if excess <= 0 or row.without & ~out:
                continue
            options = row.mask & open_
            leaving = 0
            for most, own in zip(left, self.of_class, strict=True):
                if options & own:
                    leaving += min(most, (options & own).bit_count())
            if row.twice:
                leaving *= 2
            if leaving < excess:
                return None
            key = (options.bit_count() - excess, -excess)
            over.append((key, options, -(-excess // (2 if row.twice else 1))))
            if key < best_key:
                best, best_key = row, key
        if over:
            over.sort()
            used, needed, classes = 0, 0, 0
            for _, options, excess in over:
                if options & used == 0:
                    used |= options
                    needed += excess
            for most, own in zip(left, self.of_class, strict=True):
                if used & own:
                    classes += most
            if needed > classes:
                return None
        return best

    def _leave_out(self, options: int, served: int, out: int) -> int:
        """Of these the one that most crowds could do without, the least urgent first."""
        crowded = [
            row.mask
            for row in (*self.rows, *self.probe)
            if row.load(served) > row.cap and not row.without & ~out
        ]

        def worth(job: int) -> tuple[int, int, int]:
            return (
                self.asked.level[job],
                -self.asked.lost_changes[job],
                sum((mask >> job) & 1 for mask in crowded),
            )

        return max(bits(options), key=worth)

    def may_serve(self, served: int, limits: Limits, most_steps: int) -> bool:
        """False where it is proven within so many steps that these cannot all be served."""
        crowded = any(row.load(served) > row.cap for row in self.rows if not row.without & served)
        return not crowded and self._ask(served, self.everyone & ~served, limits, most_steps) != NO

    def placed(self, served: int, limits: Limits) -> Found | None:
        """A plan that serves exactly these within the limits; None where there is none."""
        return self._place(served, self.everyone & ~served, limits)

    def blamed(self, served: int, limits: Limits) -> int:
        """Of requests that cannot all be served within the limits some that cannot either."""
        self.proof = _MOST_PROOF_STEPS
        return self._core(served, self.everyone & ~served, limits).mask

    def rule_out(self, served: int) -> None:
        """From now on no plan that serves all of these is looked for."""
        self.rows.append(Crowd(served, 0, served.bit_count() - 1))

    def _budgets(self, out: int, limits: Limits) -> Ints:
        budgets = np.full(FIRST_ZONE + len(self.asked.claims), FREE, np.int64)
        budgets[: len(PRIORITIES)] = limits.late_min
        budgets[MOVED_ACCOUNT] = limits.moved_min
        budgets[TRAVEL_ACCOUNT] = limits.travel_min
        if limits.shortfall < FREE:
            budgets[FIRST_ZONE:] = self._zone_slack(out, limits)
        return budgets

    def _changes_left(self, served: int, out: int, limits: Limits) -> int:
        if limits.changes >= FREE:
            return FREE
        left = limits.changes - sum(self.asked.crew_changes[job] for job in bits(served))
        return left - sum(self.asked.lost_changes[job] for job in bits(out))

    def _spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > self.most_steps or time.monotonic() > self.until_s:
            raise OutOfSteps

    def _place(self, served: int, out: int, limits: Limits) -> Found | None:
        answer = self._ask(served, out, limits, self.most_steps - self.steps)
        if answer == UNKNOWN:
            raise OutOfSteps
        return None if answer == NO else self._found(served)

    def _ask(self, served: int, out: int, limits: Limits, most_steps: int) -> int:
        changes = self._changes_left(served, out, limits)
        budgets = self._budgets(out, limits)
        if changes < 0 or budgets.min() < 0:
            return NO
        budgets[START_ACCOUNT] = changes
        if any(one.implies(served, budgets, limits.busiest) for one in self.refuted):
            return NO
        self.calls += 1
        answer, steps = place(
            self.t, self.alive, served, budgets, changes, limits.busiest, most_steps,
            self._visits, self._crews, self._fleet, self._bound,
        )  # fmt: skip
        self._spend(steps)
        self.proof = max(_PROOF_STEPS, min(steps, _MOST_PROOF_STEPS))
        if answer == NO:
            # how far changes were to blame is not looked at
            matters = self._bound.astype(np.bool_)
            matters[START_ACCOUNT] = True
            self.refuted.append(_Refuted(served, np.where(matters, budgets, FREE), limits.busiest))
        return int(answer)

    def _refuse(self, served: int, out: int, limits: Limits) -> None:
        """Rules out this one set; what is to be learned of it waits until there is another one."""
        self.unlearned = served, out, self.proof
        self.probe.append(Crowd(served, 0, served.bit_count() - 1, self._matters(out, limits)))

    def _learn(self, served: int, out: int, proof: int, limits: Limits) -> None:
        """A crowd from the set that cannot be served, as lasting and as general as it can be."""
        self.cores += 1
        self.proof = proof
        self.unlearned = None
        if (
            self.limits != limits
            and served not in self.feasible
            and self._learned(served, out, self.limits, self.rows)
        ):
            return
        lasting = self.limits == limits
        self._learned(served, out, limits, self.rows if lasting else self.probe, sure=True)

    def _learned(
        self, served: int, out: int, limits: Limits, rows: list[Crowd], *, sure: bool = False
    ) -> bool:
        matters = self._matters(out, limits)
        if not matters:
            if sure or self._ask(served, 0, limits, self.proof) == NO:
                rows.append(self._core(served, 0, limits))
                return True
            return False
        if self._ask(served, 0, limits, self.proof) == NO:
            rows.append(self._core(served, 0, limits))
            return True
        if sure or self._ask(served, matters, limits, self.proof) == NO:
            rows.append(self._core(served, matters, limits))
            return True
        return False

    def _matters(self, out: int, limits: Limits) -> int:
        """Those left out that leave the others less to lose."""
        found = 0
        for job in bits(out):
            changes = limits.changes < FREE and self.asked.lost_changes[job] > 0
            lost = limits.shortfall < FREE and self.asked.zone[job] >= FIRST_ZONE
            if changes or lost:
                found |= 1 << job
        return found

    def _found(self, served: int) -> Found:
        visits, fleet, crews = [], [], []
        place_ = 0
        for job, crew in enumerate(self.crew):
            if (served >> job) & 1:
                visits.append(int(self._visits[job]))
                fleet.append(int(self._fleet[job]))
                crews.append(tuple(sorted(self._crews[place_ : place_ + crew].tolist())))
                place_ += crew
            else:
                visits.append(-1)
                fleet.append(-1)
                crews.append(())
        return Found(served, tuple(visits), tuple(crews), tuple(fleet))

    def _core(self, served: int, out: int, limits: Limits) -> Crowd:
        changes = self._changes_left(0, out, limits)
        changes -= sum(min(0, self.asked.crew_changes[job]) for job in range(len(self.crew)))
        own = sum(self.asked.crew_changes[job] for job in bits(served))
        budgets = self._budgets(out, limits)
        if own == 0 and changes >= 0 and budgets.min() >= 0:
            budgets[START_ACCOUNT] = changes
            most_steps = max(_CORE_STEPS, self.proof // _CORE_SHARE)
            mask, steps = core(
                self.t, self.alive, served, budgets, changes, limits.busiest, most_steps,
                self.order, self._visits, self._crews, self._fleet, self._bound,
            )  # fmt: skip
            self._spend(steps)
            served = int(mask)
        return Crowd(served, 0, served.bit_count() - 1, out)

    def values(self, found: Found) -> Limits:
        """What the plan costs."""
        t, n = self.t, len(self.crew)
        unserved, late = [0] * len(PRIORITIES), [0] * len(PRIORITIES)
        slack = list(self.claimed)
        changes = moved = travel = 0
        load = [0] * int(t.pilot_count[0])
        for job in range(n):
            visit, zone = found.visits[job], self.asked.zone[job] - FIRST_ZONE
            if visit < 0:
                unserved[self.asked.level[job]] += 1
                changes += self.asked.lost_changes[job]
                if zone >= 0:
                    slack[zone] -= self.asked.lost_min[job]
                continue
            late[self.asked.level[job]] += int(t.cost[LATE, visit])
            if zone >= 0:
                slack[zone] -= int(t.cost[LOST_MIN, visit])
            moved += int(t.cost[MOVED, visit])
            travel += int(t.cost[TRAVEL, visit])
            for pilot in found.crews[job]:
                load[pilot] += 1
            if t.published[job]:
                changes += int(t.cost[START, visit]) + self.asked.crew_changes[job]
                changes += 1 - (int(t.kept_drone[job]) >> found.fleet[job] & 1)
                kept = int(t.kept_pilots[job])
                changes += sum(1 - (kept >> pilot & 1) for pilot in found.crews[job])
        worst = 0
        for served, share in zip(slack, self.asked.claims, strict=True):
            short = SHORTFALL_SCALE * (share.claimed_min - served)
            worst = max(worst, -(-short // share.weight))
        return Limits(
            tuple(unserved), tuple(late), worst, changes, moved, travel, max(load, default=0)
        )

    def hold(self, limits: Limits, best: Found) -> None:
        """The limits, which the plan keeps, hold from here on; what they rule out falls away."""
        self.limits = limits
        self.feasible = {best.served}
        alive = self._payable(limits)
        if np.array_equal(alive, self.alive):
            return
        self.alive = alive
        some = self.t.cell[self.t.bit & alive[self.t.cell] != 0]
        left = sum(1 << job for job in set(self.job_of_word[some].tolist()))
        gone = [Crowd(1 << job, 0, 0) for job in bits(self.everyone & ~left)]
        found = [*gone, *known_crowds(self.t, alive, left)]
        known = {(row.mask, row.twice, row.cap) for row in self.rows}
        self.rows += [row for row in found if (row.mask, row.twice, row.cap) not in known]

    def _payable(self, limits: Limits) -> Ints:
        """(W,) the visits that the limits allow to some plan."""
        budgets = self._budgets(0, limits)
        budgets[START_ACCOUNT] = limits.changes
        costs = self.t.cost <= budgets[self.t.group[:, self.job_of]]
        paid = costs.all(axis=0)
        alive = np.zeros(len(self.alive), np.int64)
        np.bitwise_or.at(alive, self.t.cell[paid], self.t.bit[paid])
        return alive
