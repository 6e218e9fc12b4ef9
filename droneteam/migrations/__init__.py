"""Database migrations; each works with the release before it."""
