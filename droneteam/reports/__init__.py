"""Documents made from the records."""
