"""From photos to a measurable scene."""
