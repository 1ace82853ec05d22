"""Every page, for each role, in both themes, at desktop and phone width: no fault that a browser or axe can find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from dkumonitor.accounts.roles import Role
from tests import corpus
from tests.browser.site import screenshots

if TYPE_CHECKING:
    from tests.browser.chromium import Chromium
    from tests.browser.site import Site

pytestmark = pytest.mark.xdist_group("browser")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FIRST_PAGE_BYTES = 150_000
EVERYBODYS = {"/", "/arrivals", "/dashboards", "/disk", "/users", "/people", "/services", "/sessions", "/tokens"}
MENUS = {
    Role.VIEWER: EVERYBODYS,
    Role.OPERATOR: EVERYBODYS | {"/query"},
    Role.ADMIN: EVERYBODYS | {"/query", "/accounts", "/audit"},
}
BOARDS = {
    f"/dashboards/dkm-{name}" for name in ("system", "users", "stack", "disk", "arrivals", "dss-system", "dss-backend")
}
QUERY = "/query?" + urlencode({"target": "aliasByNode(collectd.*.load.load.shortterm,1)", "unit": "short"})
DISK = [  # pages that are of something: a walk without variants passes links to them
    "/disk/user?user=20055",
    "/disk/directories?task=scratch",
    "/disk/directories?task=scratch&by=owner",
    "/disk/run?task=scratch",
    "/disk/difference?task=scratch",
    "/disk/plan?plan=scratch-02-move",
]
DESKTOP, PHONE = 1280, 390


def found_by(chromium: Chromium, site: Site, role: Role, **job: Any) -> dict[str, Any]:
    """The pages that a walk finds, by path."""
    walked = chromium.act(
        "walk",
        timeout_seconds=900,
        **site.account(role),
        role=role.value,
        policy=POLICY,
        hacked=corpus.HACKED,
        screenshots=screenshots(),
        missing=["/no-such-page"],
        **job,
    )
    return {page["path"]: page for page in walked}


def faults(pages: dict[str, Any]) -> list[str]:
    return [f"{path}: {fault['kind']}: {fault['text']}" for path, page in pages.items() for fault in page["problems"]]


@pytest.mark.parametrize(
    ("role", "job"),
    [
        (Role.ADMIN, {"theme": "light", "width": DESKTOP, "variants": 2, "focus": True}),
        (Role.ADMIN, {"theme": "dark", "width": DESKTOP}),
        (Role.ADMIN, {"theme": "light", "width": PHONE}),
        (Role.ADMIN, {"theme": "dark", "width": PHONE, "focus": True}),
        (Role.OPERATOR, {"theme": "dark", "width": DESKTOP}),
        (Role.VIEWER, {"theme": "light", "width": PHONE}),
    ],
    ids=lambda value: value.value if isinstance(value, Role) else f"{value['theme']} {value['width']}",
)
def test_no_page_has_a_fault(chromium: Chromium, site: Site, role: Role, job: dict[str, Any]) -> None:
    extra = [*([QUERY] if "/query" in MENUS[role] else []), *(DISK if role is Role.ADMIN else [])]
    pages = found_by(chromium, site, role, start=["/", *extra], **job)

    assert faults(pages) == []
    assert set(pages["/"]["navigation"]) == MENUS[role]
    assert MENUS[role] | BOARDS | {"/account", "/no-such-page"} <= set(pages)
    assert all(page["heading"] and page["title"] for page in pages.values())


def test_a_walk_with_variants_sees_the_second_page_and_the_sorted_one_of_every_table(
    chromium: Chromium, site: Site
) -> None:
    pages = found_by(
        chromium,
        site,
        Role.ADMIN,
        theme="light",
        width=DESKTOP,
        variants=4,
        within="/tables/",
        start=["/audit", "/people"],
    )

    for table in ("audit", "people"):
        assert any(path.startswith(f"/tables/{table}?") and "offset=" in path for path in pages)
        assert any(path.startswith(f"/tables/{table}?") and "sort=" in path for path in pages)
    assert faults(pages) == []


def test_the_first_page_is_small(chromium: Chromium, site: Site) -> None:
    (page,) = chromium.act("walk", **site.account(Role.ADMIN), theme="light", width=DESKTOP, follow=False)

    assert 2_000 < page["bytes"] <= FIRST_PAGE_BYTES


def test_the_sign_in_page_has_no_fault_for_a_stranger(chromium: Chromium, site: Site) -> None:
    pages = chromium.act(
        "walk",
        base=site.base,
        theme="dark",
        width=PHONE,
        start=["/sign-in"],
        focus=True,
        policy=POLICY,
        screenshots=screenshots(),
    )

    assert [page["path"] for page in pages] == ["/sign-in"]
    assert faults({"/sign-in": pages[0]}) == []
