"""The embedded simulator: vehicles, their world, its camera and its radio."""
