"""Makes the test vectors beside this folder from docs/FORMATS.md alone, with Python's standard library alone."""
