"""Which licence a text is: a short name for the SBOM, by the words that only that licence has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = "LicenseRef-see-licenses-folder"
# In this order: the first whose words all occur. Texts are compared in lower case with single blanks.
_WORDS = (
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("MPL-2.0", ("mozilla public license", "2.0")),
    ("AGPL-3.0-only", ("gnu affero general public license", "version 3")),
    ("GPL-2.0-only", ("gnu general public license", "version 2")),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software for any purpose",)),
    ("ISC", ("permission to use, copy, modify, and distribute this software for any purpose",)),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "endorse or promote")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms",)),
    ("MIT", ("permission is hereby granted, free of charge", "without restriction")),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("CC0-1.0", ("cc0 1.0 universal",)),
)


def identify(text: str) -> str:
    """Return the SPDX identifier of a licence text, or a reference to the text itself."""
    plain = re.sub(r"\s+", " ", text.lower())
    return next((name for name, words in _WORDS if all(word in plain for word in words)), UNKNOWN)


def identify_folder(folder: Path) -> str:
    """Return the SPDX expression of the licence texts in a folder (notices and patent grants do not count)."""
    names = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if re.match(r"(licen[cs]e|copying)", path.name, flags=re.IGNORECASE):
            name = identify(path.read_text(encoding="utf-8", errors="replace"))
            if name not in names:
                names.append(name)
    return " AND ".join(names) or UNKNOWN
