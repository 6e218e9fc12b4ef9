"""The linear program over shifts, and its bound (column generation).

Each shift is a column; those of one kind of pilot flow through the nodes of time like the pilots
themselves.  Columns are made as they are wanted: the program's prices say which shift would better
it, and a compiled search over all shifts finds it (``shift_kernels``).  The bound is worked out
from the prices alone (Lagrange), so that it holds whenever it is read, and whatever the solver's
tolerances.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.shift_kernels import Floats
from droneteam.fleet.allocation.shifts import Prices, Shift, Shifts

MISSING = math.inf
"""Price of a request that has to be served and is not, or of a condition that has to hold; the
program itself begins with a price that its prices find their way from, and raises it."""
_DEAR, _DEARER, _DEAREST = 4.0, 8.0, 2.0**11
"""Such a price in visits of the highest cost, by how much it is raised at once, and how far."""
TOLERANCE = 1e-4
"""Objectives are whole numbers: a bound this close below one is that number."""
_EPSILON = 1e-6
_HIGHEST = 2.0**12
"""The highest cost that the solver is shown."""
_GRAIN = 2.0**-10
"""Of a unit of the objective: how close the bound comes before it is good enough."""
_PER_DAY = 12
"""Columns added at once for each kind of pilot and day; measured."""


@dataclass(slots=True)
class Line:
    """A condition on the visits: least ≤ sum of weights × flown (+ what is missing) ≤ most.

    extras : weights of the extra columns, by their number
    slack_cost : price of a unit of what is missing; at MISSING nothing may be
    """

    weights: Floats
    extras: dict[int, float] = field(default_factory=dict)
    least: float = -math.inf
    most: float = math.inf
    slack_cost: float = MISSING


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The linear program's answer.

    bound : a proven lower bound of the objective; prices : those that prove it
    flown : (n,) how much of each visit is flown; amounts : of each column of the master
    missing : True where a condition could not be met
    """

    bound: float
    prices: Prices
    flown: Floats
    amounts: Floats
    missing: bool


class Master:
    """The columns and rows so far; objectives and conditions change, columns stay."""

    def __init__(self, shifts: Shifts, must: frozenset[int]) -> None:
        from ortools.linear_solver import pywraplp  # slow to load

        self.shifts = shifts
        self.solver: Any = pywraplp.Solver.CreateSolver("GLOP")
        self._afresh: Any = pywraplp.MPSolverParameters()
        off = self._afresh.INCREMENTALITY_OFF
        self._afresh.SetIntegerParam(self._afresh.INCREMENTALITY, off)
        self.objective: Any = self.solver.Objective()
        self.objective.SetMinimization()
        self.infinity = self.solver.infinity()
        self.costs = np.zeros(len(shifts.members))
        self.scale = 1.0
        """What a unit of the objective weighs against the ties in it."""
        self._dear = 1.0
        self._unit = 1.0
        """The solver's costs over ours: its tolerances are meant for moderate numbers."""
        self.missing = _DEAR
        self.columns: list[Shift] = []
        self.known: set[Shift] = set()
        self.lines: list[Line] = []
        self.held = np.zeros(len(shifts.limits), dtype=np.bool_)
        """The rows of the capacity that are in the program: those that were broken once."""
        self._variables: list[Any] = []
        self._flying: list[list[int]] = [[] for _ in shifts.members]
        self._cells: tuple[Any, Any] | None = None
        self.extras: list[Any] = []
        """Columns between 0 and 1 that cost nothing, such as which drone makes a visit."""
        self._line_rows: list[Any] = []
        self._slacks: list[Any] = []
        self.must = np.isin(shifts.jobs, list(must))
        self.least_served = self.must.astype(np.float64)
        self.most_served = np.ones(len(shifts.jobs))
        self._job_rows = [self._job_row(least) for least in self.least_served.tolist()]
        self._missing = [self._missing_variable(row) for row in self._job_rows]
        self._node_rows = [self._flow(len(kind)) for kind in shifts.kinds]
        self._crews = np.flatnonzero(shifts.crew > 1)
        self._crew_rows: list[Any] = []
        self._crew_variables: list[Any] = []
        for visit in self._crews.tolist():
            self._add_crew(visit)
        self._links = np.full(len(shifts.members), -1, dtype=np.int64)
        self._links[self._crews] = np.arange(len(self._crews))

    def _job_row(self, least: float) -> Any:
        return self.solver.Constraint(least if least > 0.0 else -self.infinity, 1.0)

    def _missing_variable(self, row: Any) -> Any:
        variable = self.solver.NumVar(0.0, self.infinity, "")
        row.SetCoefficient(variable, 1.0)
        return variable

    def _flow(self, pilots: int) -> list[Any]:
        """The pilots of a kind who are rested pass from node to node."""
        supply = [float(pilots)] + [0.0] * (self.shifts.nodes - 1)
        rows = [self.solver.Constraint(count, count) for count in supply]
        for node, row in enumerate(rows):
            waiting = self.solver.NumVar(0.0, self.infinity, "")
            row.SetCoefficient(waiting, 1.0)
            if node + 1 < len(rows):
                rows[node + 1].SetCoefficient(waiting, -1.0)
        return rows

    def _add_crew(self, visit: int) -> None:
        """A visit of several pilots is a column of its own that as many shifts have to carry."""
        variable = self.solver.NumVar(0.0, 1.0, "")
        self._job_rows[self.shifts.job[visit]].SetCoefficient(variable, 1.0)
        row = self.solver.Constraint(0.0, 0.0)
        row.SetCoefficient(variable, -float(self.shifts.crew[visit]))
        self._crew_rows.append(row)
        self._crew_variables.append(variable)

    def add(self, shift: Shift) -> bool:
        """False where the column is there already."""
        if shift in self.known:
            return False
        self.known.add(shift)
        variable = self.solver.NumVar(0.0, self.infinity, "")
        for visit in shift.visits:
            link = self._links[visit]
            if link >= 0:
                self._crew_rows[link].SetCoefficient(variable, 1.0)
        alone = self._alone(shift)
        for job in set(self.shifts.job[alone].tolist()):
            count = float((self.shifts.job[alone] == job).sum())
            self._job_rows[job].SetCoefficient(variable, count)
        nodes = self._node_rows[shift.kind]
        nodes[shift.leaves].SetCoefficient(variable, 1.0)
        if shift.back < len(nodes):
            nodes[shift.back].SetCoefficient(variable, -1.0)
        for row, weight in self._on_lines(alone).items():
            self._line_rows[row].SetCoefficient(variable, weight)
        self._charge(variable, float(self.costs[alone].sum()))
        for visit in alone.tolist():
            self._flying[visit].append(len(self.columns))
        self.columns.append(shift)
        self._variables.append(variable)
        return True

    def _on_lines(self, visits: Ints) -> dict[int, float]:
        """What the visits together weigh in each condition."""
        cells = self._line_cells()[0]
        sums: dict[int, float] = {}
        for visit in visits.tolist():
            own = slice(cells.indptr[visit], cells.indptr[visit + 1])
            pairs = zip(cells.indices[own].tolist(), cells.data[own].tolist(), strict=True)
            for row, weight in pairs:
                sums[row] = sums.get(row, 0.0) + weight
        return sums

    def _line_cells(self) -> tuple[Any, Any]:
        """(lines, n) and (lines, extras): the weights of all conditions."""
        if self._cells is None:
            from scipy.sparse import csc_array, csr_array

            count = (len(self.lines), len(self.shifts.members))
            weights = [np.flatnonzero(line.weights) for line in self.lines]
            rows = np.repeat(np.arange(count[0]), [len(own) for own in weights])
            columns = np.concatenate([*weights, np.zeros(0, dtype=np.int64)])
            pairs = zip(self.lines, weights, strict=True)
            values = np.concatenate([*(line.weights[own] for line, own in pairs), np.zeros(0)])
            flown = csc_array((values, (rows, columns)), shape=count)
            cells = [
                (row, number, weight)
                for row, line in enumerate(self.lines)
                for number, weight in line.extras.items()
            ]
            at, numbers, amounts = zip(*cells, strict=True) if cells else ((), (), ())
            shape = (count[0], len(self.extras))
            self._cells = flown, csr_array((amounts, (at, numbers)), shape=shape)
        return self._cells

    def _alone(self, shift: Shift) -> Ints:
        """The shift's visits that need no other pilot; those that do count by their own column."""
        own = np.array(shift.visits, dtype=np.int64)
        return own[self._links[own] < 0]

    def condition(self, line: Line) -> int:
        """Adds the condition; its number."""
        row = self.solver.Constraint(max(line.least, -self.infinity), min(line.most, self.infinity))
        touched = np.flatnonzero(line.weights)
        sums: dict[int, float] = {}
        for visit in touched.tolist():
            for column in self._flying[visit]:
                sums[column] = sums.get(column, 0.0) + float(line.weights[visit])
        for column, weight in sums.items():
            row.SetCoefficient(self._variables[column], weight)
        for visit in touched[self._links[touched] >= 0].tolist():
            carried = self._crew_variables[self._links[visit]]
            row.SetCoefficient(carried, float(line.weights[visit]))
        for number, weight in line.extras.items():
            row.SetCoefficient(self.extras[number], weight)
        slack = self._missing_variable(row)
        self._charge(slack, self.price_of(line))
        slack.SetUb(self._most_missing(line))
        self.lines.append(line)
        self._line_rows.append(row)
        self._slacks.append(slack)
        self._cells = None
        return len(self.lines) - 1

    def _most_missing(self, line: Line) -> float:
        return float(self.infinity) if math.isfinite(line.least) else 0.0

    def price_of(self, line: Line) -> float:
        """Of a unit that is missing."""
        return self.missing if line.slack_cost == MISSING else self.scale * line.slack_cost

    def extra(self) -> int:
        """A new column between 0 and 1; its number."""
        self.extras.append(self.solver.NumVar(0.0, 1.0, ""))
        return len(self.extras) - 1

    def limit(self, number: int, least: float, most: float) -> None:
        """The condition's new limits."""
        self.lines[number].least, self.lines[number].most = least, most
        self._slacks[number].SetUb(self._most_missing(self.lines[number]))
        self._line_rows[number].SetBounds(max(least, -self.infinity), min(most, self.infinity))

    def serve(self, job: int, least: float, most: float) -> None:
        """How much of the job has to be served, and may be."""
        self.least_served[job], self.most_served[job] = least, most
        self._job_rows[job].SetBounds(least if least > 0.0 else -self.infinity, most)

    def minimise(self, costs: Floats, scale: float = 1.0) -> None:
        """From now on the objective is the sum of these costs of the visits flown.

        scale : by how much the prices of what conditions miss are multiplied
        """
        self.costs = costs
        self.scale = scale
        self._dear = max(scale, float(np.abs(costs).max(initial=0.0)))
        self.missing = _DEAR * self._dear
        self._unit = _HIGHEST / self._dear
        self.objective.Clear()
        self.objective.SetMinimization()
        for shift, variable in zip(self.columns, self._variables, strict=True):
            cost = float(costs[self._alone(shift)].sum())
            if cost:
                self._charge(variable, cost)
        for visit, variable in zip(self._crews.tolist(), self._crew_variables, strict=True):
            self._charge(variable, float(costs[visit]))
        self._price_missing()

    def _charge(self, variable: Any, cost: float) -> None:
        self.objective.SetCoefficient(variable, cost * self._unit)

    def _worth(self, row: Any) -> float:
        return float(row.dual_value()) / self._unit

    def _price_missing(self) -> None:
        for variable in self._missing:
            self._charge(variable, self.missing)
        for line, slack in zip(self.lines, self._slacks, strict=True):
            self._charge(slack, self.price_of(line))

    def _raise_price(self) -> bool:
        """A higher price of what is missing; False where it is the highest already."""
        if self.missing >= _DEAREST * self._dear:
            return False
        self.missing *= _DEARER
        self._price_missing()
        return True

    def relax(self, enough: float, until_s: float) -> Relaxed | None:
        """The least of the linear program over all shifts; None where the time runs out.

        enough : no bound above this is asked for
        """
        while time.monotonic() < until_s:
            if not self._solved():
                return None
            prices, constant = self._prices()
            wanted, top = self.shifts.best(prices, _PER_DAY)
            sizes = np.array([len(kind) for kind in self.shifts.kinds], dtype=np.float64)
            bound = constant - float(sizes @ np.maximum(top, 0.0).sum(axis=1))
            grain = max(0.5, self.scale * _GRAIN)
            settled = bound > enough or self.objective.Value() / self._unit - bound < grain
            if settled or sum(self.add(shift) for shift in wanted) == 0:
                answer = self._answer(bound, prices)
                if bound <= enough and answer.missing and self._raise_price():
                    continue
                if not self._hold_broken(answer.flown):
                    return answer
        return None

    def _solved(self) -> bool:
        """True where the solver is through, at the second try without what it remembers."""
        if self.solver.Solve() == self.solver.OPTIMAL:
            return True
        return bool(self.solver.Solve(self._afresh) == self.solver.OPTIMAL)

    def _prices(self) -> tuple[Prices, float]:
        """The prices of visits and of pilots' time, and what they prove beside the shifts.

        Each price is brought to the side on which it proves something; an error of the solver
        can then make the bound weaker, but not wrong.
        """
        served = np.array([self._worth(row) for row in self._job_rows])
        served = np.where(
            self.least_served > 0.0, np.minimum(served, self.missing), np.minimum(served, 0.0)
        )
        reward = served[self.shifts.job] - self.costs
        constant = float(np.where(served > 0.0, self.least_served, self.most_served) @ served)
        flown, extras = self._line_cells()
        price, proves = self._line_prices()
        reward = reward + flown.T @ price
        constant += proves - float(np.maximum(extras.T @ price, 0.0).sum())
        held = np.zeros((len(self.shifts.kinds), self.shifts.nodes + 1))
        for kind, rows in enumerate(self._node_rows):
            raw = np.array([self._worth(row) for row in rows] + [0.0])
            # who waits costs nothing, so that time is never worth more earlier
            held[kind] = np.minimum.accumulate(raw[::-1])[::-1]
            constant += len(self.shifts.kinds[kind]) * float(held[kind, 0])
        if len(self._crews):
            carried = np.array([self._worth(row) for row in self._crew_rows])
            left = self.shifts.crew[self._crews] * carried - reward[self._crews]
            constant += float(np.minimum(left, 0.0).sum())
            reward[self._crews] = carried
        return Prices(reward, held), constant

    def _line_prices(self) -> tuple[Floats, float]:
        """The prices of the conditions, each on a side on which it has a limit, and their worth."""
        price = np.array([self._worth(row) for row in self._line_rows])
        least = np.array([line.least for line in self.lines])
        most = np.array([line.most for line in self.lines])
        price = np.where(np.isfinite(most), price, np.maximum(price, 0.0))
        price = np.where(np.isfinite(least), price, np.minimum(price, 0.0))
        price = np.minimum(price, [self.price_of(line) for line in self.lines])
        up, down = price > 0.0, price < 0.0
        return price, float(price[up] @ least[up] + price[down] @ most[down])

    def _answer(self, bound: float, prices: Prices) -> Relaxed:
        amounts = np.array([variable.solution_value() for variable in self._variables])
        flown = np.zeros(len(self.shifts.members))
        for column in np.flatnonzero(amounts > _EPSILON).tolist():
            flown[self._alone(self.columns[column])] += amounts[column]
        flown[self._crews] = [variable.solution_value() for variable in self._crew_variables]
        soft = zip(self.lines, self._slacks, strict=True)
        hard = [slack for line, slack in soft if line.slack_cost == MISSING]
        missing = any(gap.solution_value() > _EPSILON for gap in (*self._missing, *hard))
        return Relaxed(bound, prices, flown, amounts, missing)

    def _hold_broken(self, flown: Floats) -> bool:
        """Adds the rows of the capacity that what is flown breaks; False where it breaks none."""
        cells = self.shifts.capacity
        out = cells @ flown
        broken = np.flatnonzero((out > self.shifts.limits + _EPSILON) & ~self.held)
        for row in broken.tolist():
            self.held[row] = True
            weights = np.zeros(len(self.shifts.members))
            own = slice(cells.indptr[row], cells.indptr[row + 1])
            weights[cells.indices[own]] = cells.data[own]
            self.condition(Line(weights, most=float(self.shifts.limits[row])))
        return len(broken) > 0

    def hold(self, chosen: Ints) -> bool:
        """True where the visits break a row of the capacity that was not in the program yet."""
        flown = np.zeros(len(self.shifts.members))
        flown[chosen] = 1.0
        return self._hold_broken(flown)

    def crew_visits(self) -> Ints:
        """The visits that several pilots have to make."""
        return self._crews

    def alone_matrix(self, shifts: Sequence[Shift]) -> tuple[list[int], list[int]]:
        """Rows (visits that need one pilot) and columns (shifts) of who makes what."""
        rows, columns = [], []
        for column, shift in enumerate(shifts):
            own = self._alone(shift).tolist()
            rows += own
            columns += [column] * len(own)
        return rows, columns
