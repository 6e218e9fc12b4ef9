"""Whether a plan may be flown: zones, ground risk, volumes and the clauses behind them."""
