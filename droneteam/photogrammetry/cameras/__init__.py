"""The camera network: features, mapping and the metrology adjustment."""
