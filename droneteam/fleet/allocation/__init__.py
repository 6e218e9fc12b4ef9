"""The best plan for a problem, its proof, and the searches that find it (pure)."""
