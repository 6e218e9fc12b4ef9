"""Products in the formats that others read: rasters, clouds, meshes, maps and the report."""
