"""Photos as they arrive: files, metadata, lens and quality."""
