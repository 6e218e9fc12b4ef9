"""Figures from events: clocks, fairness, the year, another size of fleet."""
