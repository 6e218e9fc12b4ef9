"""The ways of hearing: one module per kind of receiver, each a source that a feed follows."""
