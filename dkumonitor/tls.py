"""Whom a connection of ours trusts."""

from __future__ import annotations

import ssl


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """A context for a client: the server must show a certificate that fits its name.

    Args:
        ca_file: certificates to trust in place of the machine's own.

    Raises:
        OSError: the file cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # a house's own authority seldom has every extension
    return context
