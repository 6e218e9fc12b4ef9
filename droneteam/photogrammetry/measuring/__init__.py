"""Measurements with their intervals, from marks, rasters and clouds."""
