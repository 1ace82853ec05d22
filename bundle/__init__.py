"""Builds the release: components -> sources -> built parts (cache) -> tree -> verified -> archive.

Standard library only, for Python 3.11 or newer: `make-package` runs on a machine that has nothing else yet.
"""
