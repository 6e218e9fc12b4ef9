"""Reports as pages, PDF and CSV: templates, their words in three languages, and their data."""
