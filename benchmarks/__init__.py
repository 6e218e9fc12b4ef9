"""One command per figure; each prints a table with CPU seconds beside wall time."""
