"""The whole-numbered program over given shifts, for HiGHS (through SciPy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.master import MISSING, TOLERANCE, Master
from droneteam.fleet.allocation.shift_kernels import Floats
from droneteam.fleet.allocation.shifts import Shift

_OPTIMAL, _INFEASIBLE = 0, 2
"""Of SciPy's answers."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What the program found.

    taken : places of the shifts, None where no plan was found; crews : visits of several pilots
    certain : nothing is less, or there is no plan; False where the time ran out
    """

    taken: list[int] | None
    crews: Ints
    certain: bool


def whole_program(
    master: Master,
    shifts: Sequence[Shift],
    limit: float,
    time_limit_s: float,
    *,
    nodes: int | None = None,
) -> Whole:
    """Which shifts and visits of several pilots are least, within the limit.

    nodes : that HiGHS looks at, at most; None for as many as it needs
    """
    layout = _Layout(master, shifts)
    cells, low, high = layout.rows()
    costs = layout.costs()
    program = vstack([cells, csr_array(costs[None, :])]).tocsr()
    options = {"mip_rel_gap": 0.0, "time_limit": max(time_limit_s, 0.01)}
    found = milp(
        costs,
        integrality=layout.whole(),
        bounds=Bounds(0.0, layout.upper()),
        constraints=LinearConstraint(
            program, np.append(low, -np.inf), np.append(high, limit + TOLERANCE)
        ),
        options=options if nodes is None else {**options, "node_limit": nodes},
    )
    if found.x is None:
        return Whole(None, np.zeros(0, dtype=np.int64), found.status == _INFEASIBLE)
    taken, crews = layout.read(found.x)
    return Whole(taken, crews, found.status == _OPTIMAL)


class _Layout:
    """Columns: shifts, visits of several pilots, who waits at each node, what is missing."""

    def __init__(self, master: Master, shifts: Sequence[Shift]) -> None:
        self.master = master
        self.shifts = shifts
        self.crews = master.crew_visits()
        self.soft = [line for line in master.lines if line.slack_cost < MISSING]
        self.kinds, self.nodes = len(master.shifts.kinds), master.shifts.nodes
        waiting = self.kinds * self.nodes
        self.sizes = [len(shifts), len(self.crews), waiting, len(self.soft), len(master.extras)]
        self.at = np.concatenate([[0], np.cumsum(self.sizes)])

    def whole(self) -> Ints:
        """(columns,) 1 where a column has to be whole."""
        return np.repeat([1, 1, 0, 0, 1], self.sizes)

    def upper(self) -> Floats:
        """(columns,) the most that each column may be."""
        return np.repeat([np.inf, 1.0, np.inf, np.inf, 1.0], self.sizes)

    def flown(self) -> csr_array:
        """(n, columns): which visits each column flies."""
        rows, columns = self.master.alone_matrix(self.shifts)
        rows = [*rows, *self.crews.tolist()]
        columns = [*columns, *range(self.at[1], self.at[2])]
        shape = (len(self.master.shifts.members), int(self.at[-1]))
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)

    def costs(self) -> Floats:
        """(columns,) of the objective."""
        costs = self.flown().T @ self.master.costs
        costs[self.at[3] : self.at[4]] = [self.master.price_of(line) for line in self.soft]
        return np.asarray(costs)

    def rows(self) -> tuple[csr_array, Floats, Floats]:
        """All rows with their least and most."""
        master, flown = self.master, self.flown()
        count = len(master.shifts.members)
        jobs = csr_array(
            (np.ones(count), (master.shifts.job, np.arange(count))),
            shape=(len(master.shifts.jobs), count),
        )
        weights = np.array([line.weights for line in master.lines]).reshape(-1, count)
        lines = csr_array(weights) @ flown + self._slack_cells()
        flow, supply = self._flow()
        carried = self._carried()
        none = np.zeros(len(self.crews))
        cells = vstack([jobs @ flown, lines, flow, carried])
        least = np.array([line.least for line in master.lines])
        most = np.array([line.most for line in master.lines])
        low = np.concatenate([master.least_served, least, supply, none])
        return cells, low, np.concatenate([master.most_served, most, supply, none])

    def _slack_cells(self) -> csr_array:
        lines = self.master.lines
        rows = [row for row, line in enumerate(lines) if line.slack_cost < MISSING]
        columns = list(range(self.at[3], self.at[4]))
        weights = [1.0] * len(rows)
        for row, line in enumerate(lines):
            rows += [row] * len(line.extras)
            columns += [int(self.at[4]) + number for number in line.extras]
            weights += line.extras.values()
        return csr_array((weights, (rows, columns)), shape=(len(lines), int(self.at[-1])))

    def _flow(self) -> tuple[csr_array, Floats]:
        """The pilots of each kind pass from node to node, or are away."""
        rows, columns, weights = [], [], []
        for column, shift in enumerate(self.shifts):
            rows.append(shift.kind * self.nodes + shift.leaves)
            columns.append(column)
            weights.append(1.0)
            if shift.back < self.nodes:
                rows.append(shift.kind * self.nodes + shift.back)
                columns.append(column)
                weights.append(-1.0)
        for row in range(self.kinds * self.nodes):
            rows.append(row)
            columns.append(int(self.at[2]) + row)
            weights.append(1.0)
            if (row + 1) % self.nodes:
                rows.append(row + 1)
                columns.append(int(self.at[2]) + row)
                weights.append(-1.0)
        supply = np.zeros(self.kinds * self.nodes)
        supply[:: self.nodes] = [len(kind) for kind in self.master.shifts.kinds]
        shape = (self.kinds * self.nodes, int(self.at[-1]))
        return csr_array((weights, (rows, columns)), shape=shape), supply

    def _carried(self) -> csr_array:
        """A visit of several pilots is carried by as many shifts."""
        link = {visit: row for row, visit in enumerate(self.crews.tolist())}
        cells = [
            (link[visit], column, 1.0)
            for column, shift in enumerate(self.shifts)
            for visit in shift.visits
            if visit in link
        ]
        crew = self.master.shifts.crew[self.crews].tolist()
        cells += [(row, int(self.at[1]) + row, -float(size)) for row, size in enumerate(crew)]
        shape = (len(self.crews), int(self.at[-1]))
        rows, columns, weights = zip(*cells, strict=True) if cells else ((), (), ())
        return csr_array((weights, (rows, columns)), shape=shape)

    def read(self, values: Floats) -> tuple[list[int], Ints]:
        """The shifts that are taken and the visits of several pilots that are flown."""
        times = np.round(values[: self.at[1]]).astype(np.int64)
        taken = np.repeat(np.arange(self.at[1]), times).tolist()
        return taken, self.crews[values[self.at[1] : self.at[2]] > 0.5]
