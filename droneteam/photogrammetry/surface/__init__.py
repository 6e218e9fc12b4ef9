"""Rasters, orthophoto and mesh made from a cloud."""
