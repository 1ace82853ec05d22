"""The pages of collectors, found in their folders (``pages.py`` with ``PAGES``, ``LISTINGS``), and the console's."""

from __future__ import annotations

import functools
import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import msgspec

import collectors
from console import parameters, tables
from console.routing import Declared, page
from console.show import show, sources
from console.state import MenuItem
from dkumonitor import cells
from dkumonitor.text import printable
from dkumonitor.views import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from dkumonitor.views import Page

# In the order in which their addresses are tried. Each has ROUTES, and LISTINGS where it has tables.
OWN = (
    "console.signin",
    "console.overview",
    "console.dashboards",
    "console.services",
    "console.people",
    "console.account",
    "console.accounts",
    "console.sessions",
    "console.tokens",
    "console.audit",
    "console.openapi",
    "console.tables",
)


class Found(msgspec.Struct, frozen=True):
    """All that is shown."""

    routes: tuple[Declared, ...]
    listings: dict[str, Listing]


def find() -> Found:
    """The console's own routes and tables, and those of every collector.

    Raises:
        ValueError: two of them have the same name or address.
    """
    routes: list[Declared] = []
    listings: list[Listing] = []
    for name in OWN:
        if find_spec(name) is None:
            continue
        module = import_module(name)
        listings += getattr(module, "LISTINGS", ())
        routes += getattr(module, "ROUTES", ())
    for name, module in collectors.pages().items():
        listings += getattr(module, "LISTINGS", ())
        routes += [_page(name, one) for one in getattr(module, "PAGES", ())]
    for listing in listings:
        parameters.check(listing.parameters, listing.name)
    by_name = {listing.name: listing for listing in listings}
    routes += [tables.listing_api(listing) for listing in listings]
    addresses = [(one.method, one.path) for one in routes]
    if len(by_name) != len(listings) or len(set(addresses)) != len(addresses):
        twice = sorted({str(one) for one in addresses if addresses.count(one) > 1})
        raise ValueError(f"two listings or routes have the same name: {twice or [one.name for one in listings]}")
    return Found(tuple(routes), by_name)


def menu(routes: Iterable[Declared]) -> tuple[MenuItem, ...]:
    """The navigation: every page with a title, in its order."""
    items = [MenuItem(one.path, one.title, one.role, one.order) for one in routes if one.title and one.role]
    return tuple(sorted(items, key=lambda item: (item.order, item.title)))


def templates(version: str) -> jinja2.Environment:
    """The templates: the console's in ``templates/`` and beside its modules, a collector's as ``NAME/file.html``."""
    here = Path(__file__).parent
    folders = {name: jinja2.FileSystemLoader(folder) for name, folder in collectors.page_folders().items()}
    loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader([here / "templates", here]), jinja2.PrefixLoader(folders)])
    made = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "about": cells.about,
        "duration": cells.duration,
        "moment": cells.moment,
        "path_text": _path_text,
        "printable": printable,
        "size": cells.size,
    }
    made.filters |= filters
    made.globals |= {"version": version, "static": lambda name: f"/static/{name}?v={version}"}
    return made


def _path_text(path: bytes) -> str:
    return printable(os.fsdecode(path))


def _page(collector: str, declared: Page) -> Declared:
    def endpoint(request: Request) -> Response:
        given = parameters.taken(request.query_params, declared.parameters)
        content: dict[str, Any] = {"title": declared.title, **declared.content(sources(request, given))}
        return show(
            request,
            f"{collector}/{declared.template}",
            parameters=given,
            listing=functools.partial(tables.drawn, request),
            **content,
        )

    title = declared.title if declared.in_menu else ""
    return page(
        f"/{declared.path}",
        endpoint,
        role=declared.role,
        title=title,
        order=declared.order,
        query=declared.parameters,
    )
