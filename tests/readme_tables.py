"""Tables of a README as a test compares them with what is declared."""

from __future__ import annotations


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the table whose first column is headed so, their cells without back-ticks."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            break
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows[1:]
