"""Patterns of paths, as exemptions and the policy of acts have them."""

from __future__ import annotations

import fnmatch


def below(pattern: bytes, tree: bytes) -> bytes:
    """The expression of a path and all below it, relative to the tree. One of another tree matches nothing there."""
    wanted = pattern.rstrip(b"/")
    if wanted.startswith(b"/"):
        if wanted == tree:
            return b".*"
        if not wanted.startswith(tree + b"/"):
            return b"(?!)"
        wanted = wanted[len(tree) + 1 :]
    # of text, so that bytes are taken one by one, whatever they are
    translated = fnmatch.translate(wanted.decode("latin-1")).encode("latin-1")
    return translated.removesuffix(b"\\Z") + rb"(?:/.*)?\Z"
