"""Why, why not, and what would change it: said from a problem and its plan (pure)."""
