"""From an area, a camera and a terrain to a path, its photos and its accuracy (pure)."""
