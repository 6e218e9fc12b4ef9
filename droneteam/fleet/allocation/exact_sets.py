"""Which requests to leave out, and the search for a plan within limits (pure but for the clock).

Two levels.  Above, sets of requests: which ones to leave out so that no group of requests that
cannot be served together stays whole (implicit hitting sets).  Such groups are known from the
start where all clash with all and people are too few, and are learned where a set turns out to be
impossible; they hold for all later terms, because terms only ever add conditions.  Below, for one
set, visits and names (``exact_visits``).
"""

from __future__ import annotations

import time
from dataclasses import replace

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
    YES,
)
from droneteam.fleet.allocation.exact_limits import Found, Limits, OutOfSteps, Refuted
from droneteam.fleet.allocation.exact_tables import (
    FIRST_ZONE,
    MOVED_ACCOUNT,
    START_ACCOUNT,
    TRAVEL_ACCOUNT,
    alike,
    asked,
    tables,
)
from droneteam.fleet.allocation.exact_visits import core, place
from droneteam.fleet.problem import SHORTFALL_SCALE
from droneteam.fleet.terms import PRIORITIES

MOST_STEPS = 2_000_000
"""Some seconds; a problem that needs more is left to the solver."""
_MOST_LOOKED_AT = 200_000
"""Choices of whom to leave out, some ten seconds of them."""
_PAIR_S = 2e-9
"""Of a step, for each visit and word of visits that it holds against each other, about."""
_PROOF_STEPS = 600
"""Steps to find out whether fewer limits refute a set as well, at least …"""
_MOST_PROOF_STEPS = 20_000
"""… and at most; between them as many as the proof took that it cannot be served."""
_CORE_SHARE = 20
"""Each trial to do without a request has this part of them: most sets that cannot be served are
refuted in fewer steps than it takes to find out which of their requests are to blame."""
_CORE_STEPS = 60
"""Of each trial, at least."""


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
        self.refuted: list[Refuted] = []
        self.why: Refuted | None = None
        """What the last answer no rests on; None where too much is left out already."""
        self.unlearned: tuple[int, int, Refuted | None, int] | None = None
        """The last set that cannot be served, what was left out for it, why, and its steps."""
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
        self.alike = alike(self.t, self.asked)
        self.steps = 0
        self.looked_at = 0
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
            self._look()
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
            job = self._leave_out(row.mask & open_, served, out, limits)
            # of those who are alike the last ones are left out first
            same = self.alike[job] & open_
            one = 1 << (same.bit_length() - 1)
            answer = self._branch(kept, out | one, open_ & ~one, limits)
            if answer is not None:
                return answer
            kept |= same
            open_ &= ~same

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
        to_change = self._left_to_change(out, limits)
        for row in (*self.rows, *self.probe):
            excess = row.load(served) - row.cap
            if excess <= 0 or not row.holds(out, to_change):
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
            used, needed, classes, lost = 0, 0, 0, 0
            for _, options, excess in over:
                if options & used == 0:
                    used |= options
                    needed += excess
                    lost += sum(
                        sorted(self.asked.lost_changes[job] for job in bits(options))[:excess]
                    )
            for most, own in zip(left, self.of_class, strict=True):
                if used & own:
                    classes += most
            if needed > classes or lost > to_change:
                return None
        return best

    def _leave_out(self, options: int, served: int, out: int, limits: Limits) -> int:
        """Of these the one that most crowds could do without, the least urgent first."""
        to_change = self._left_to_change(out, limits)
        crowded = [
            row.mask
            for row in (*self.rows, *self.probe)
            if row.load(served) > row.cap and row.holds(out, to_change)
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
        out = self.everyone & ~served
        to_change = self._left_to_change(out, limits)
        rows = (row for row in self.rows if row.holds(out, to_change))
        crowded = any(row.load(served) > row.cap for row in rows)
        return not crowded and self._ask(served, out, limits, most_steps) != NO

    def placed(self, served: int, limits: Limits) -> Found | None:
        """A plan that serves exactly these within the limits; None where there is none."""
        return self._place(served, self.everyone & ~served, limits)

    def blamed(self, served: int, limits: Limits) -> int:
        """Of requests that cannot all be served within the limits some that cannot either."""
        self.proof = _MOST_PROOF_STEPS
        out = self.everyone & ~served
        return self._core(served, out, self._left_to_change(out, limits), None, limits).mask

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

    def _left_to_change(self, out: int, limits: Limits) -> int:
        """Changes that those who are not left out may come to, or FREE."""
        if limits.changes >= FREE:
            return FREE
        return limits.changes - sum(self.asked.lost_changes[job] for job in bits(out))

    def _changes_left(self, served: int, to_change: int) -> int:
        """Of these, without those that another size of the crew brings anyway."""
        if to_change >= FREE:
            return FREE
        return to_change - sum(self.asked.crew_changes[job] for job in bits(served))

    def _look(self) -> None:
        """Counts the choices of whom to leave out: they may be many without a search for visits."""
        self.looked_at += 1
        if self.looked_at > _MOST_LOOKED_AT or time.monotonic() > self.until_s:
            raise OutOfSteps

    def _affordable(self) -> int:
        """Steps for which there is time: where visits are many, one goes through a lot of them."""
        visits, words = self.t.pilot_clash.shape
        step_s = _PAIR_S * max(1, visits * words) / max(1, len(self.crew))
        return max(_CORE_STEPS, int((self.until_s - time.monotonic()) / step_s))

    def _spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > self.most_steps or time.monotonic() > self.until_s:
            raise OutOfSteps

    def _place(self, served: int, out: int, limits: Limits) -> Found | None:
        answer = self._ask(served, out, limits, self.most_steps - self.steps)
        if answer == UNKNOWN:
            raise OutOfSteps
        return None if answer == NO else self._found(served)

    def _ask(
        self, served: int, out: int, limits: Limits, most_steps: int, to_change: int | None = None
    ) -> int:
        """Whether these can be served where at least those are left out.

        to_change : changes that they may come to, if not what those who are left out leave of them
        """
        if to_change is None:
            to_change = self._left_to_change(out, limits)
        changes = self._changes_left(served, to_change)
        budgets = self._budgets(out, limits)
        self.why = None
        if changes < 0 or budgets.min() < 0:
            return NO
        budgets[START_ACCOUNT] = changes
        for one in self.refuted:
            if one.implies(served, budgets, limits.busiest):
                self.why = one
                return NO
        self.calls += 1
        answer, steps = place(
            self.t, self.alive, served, budgets, changes, limits.busiest,
            min(most_steps, self._affordable()),
            self._visits, self._crews, self._fleet, self._bound,
        )  # fmt: skip
        self._spend(steps)
        self.proof = max(_PROOF_STEPS, min(steps, _MOST_PROOF_STEPS))
        if answer == NO:
            # how far changes were to blame is not looked at
            matters = self._bound.astype(np.bool_)
            matters[START_ACCOUNT] = True
            self.why = Refuted(served, np.where(matters, budgets, FREE), limits.busiest)
            self.refuted.append(self.why)
        return int(answer)

    def _refuse(self, served: int, out: int, limits: Limits) -> None:
        """Rules out this one set; what is to be learned of it waits until there is another one."""
        self.unlearned = served, out, self.why, self.proof
        to_change = self._left_to_change(out, limits)
        without = self._poorer(out, self.why, limits)
        self.probe.append(Crowd(served, 0, served.bit_count() - 1, without, to_change))

    def _learn(
        self, served: int, out: int, why: Refuted | None, proof: int, limits: Limits
    ) -> None:
        """A crowd from the set that cannot be served, as lasting and as general as it can be."""
        self.cores += 1
        self.unlearned = None
        if self.limits != limits and served not in self.feasible:
            left = self._left_to_change(out, self.limits)
            answer = self._ask(served, out, self.limits, proof, left)
            if answer == NO:
                without = self._poorer(out, self.why, self.limits)
                self.rows.append(self._core(served, without, left, self.why, self.limits))
                return
            if answer == YES:
                self.feasible.add(served)
        # what follows from few changes alone holds for whichever number of them is asked for next
        rows = self.rows if self._same_but_changes(limits) else self.probe
        without, left = self._poorer(out, why, limits), self._left_to_change(out, limits)
        weaker = [(0, limits.changes), (0, left)]
        for own, to_change in dict.fromkeys(weaker):
            if (own, to_change) == (without, left):
                break
            if self._ask(served, own, limits, proof, to_change) == NO:
                rows.append(self._core(served, own, to_change, self.why, limits))
                return
        rows.append(self._core(served, without, left, why, limits))

    def _same_but_changes(self, limits: Limits) -> bool:
        return replace(limits, changes=FREE) == replace(self.limits, changes=FREE)

    def _poorer(self, out: int, why: Refuted | None, limits: Limits) -> int:
        """Those left out in zones that had too little to lose for the set."""
        found = 0
        for job in bits(out if limits.shortfall < FREE else 0):
            zone = self.asked.zone[job]
            if zone >= FIRST_ZONE and (why is None or why.budgets[zone] < FREE):
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

    def _core(
        self, served: int, out: int, to_change: int, why: Refuted | None, limits: Limits
    ) -> Crowd:
        """The crowd of a set that cannot be served, without those who can be done without.

        out : at least those are left out; to_change : as in ``_ask``
        why : what that rests on, where it is known
        """
        changes = self._changes_left(0, to_change)
        changes -= sum(min(0, self.asked.crew_changes[job]) for job in range(len(self.crew)))
        own = sum(self.asked.crew_changes[job] for job in bits(served))
        budgets = self._budgets(out, limits)
        if why is not None:
            budgets[FIRST_ZONE:][why.budgets[FIRST_ZONE:] >= FREE] = FREE
        if own == 0 and changes >= 0 and budgets.min() >= 0:
            budgets[START_ACCOUNT] = changes
            most_steps = max(_CORE_STEPS, min(self.proof, self._affordable()) // _CORE_SHARE)
            mask, steps = core(
                self.t, self.alive, served, budgets, changes, limits.busiest, most_steps,
                self.order, self._visits, self._crews, self._fleet, self._bound,
            )  # fmt: skip
            self._spend(steps)
            served = int(mask)
        return Crowd(served, 0, served.bit_count() - 1, out, to_change)

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
        always = (row for row in self.rows if row.holds(0, FREE))
        known = {(row.mask, row.twice, row.cap) for row in always}
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
