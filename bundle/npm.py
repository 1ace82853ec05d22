"""The scripts and styles of other publishers that the console's pages load: npm packages, pinned by their lock file.

`npm ci` checks each package against the lock's integrity, and runs nothing that a package brings. Of each package only
the files that pages load go into the release, and its licence.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.errors import BuildError, FetchError, HashError, RecipeError
from bundle.files import copy_file

if TYPE_CHECKING:
    from bundle.recipe import Workshop

FOLDER = Path(__file__).parent / "webassets"
LOCKED = ("package.json", "package-lock.json")
VENDOR = Path("web/vendor")
# By package: the files that pages load, and the SPDX identifier of its licence.
_TAKEN = {
    "htmx.org": (("dist/htmx.min.js",), "0BSD"),
    "uplot": (("dist/uPlot.iife.min.js", "dist/uPlot.min.css"), "MIT"),
}
_OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
_UNREACHABLE = re.compile(r"ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENOTCACHED|E40[134]|E5\d\d|network")


def build(shop: Workshop) -> None:
    """Fill the release's `web/vendor`, and list the packages with their hashes and licences."""
    work = shop.scratch / "npm"
    for name in LOCKED:
        copy_file(FOLDER / name, work / name, executable=False)
    locked = packages_of((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    try:
        shop.run("npm", "ci", *_OPTIONS, cwd=work)
    except RecipeError as error:
        raise _explained(error) from error
    bill = []
    for name, version, integrity in locked:
        package = work / "node_modules" / name
        files, licence = _TAKEN[name]
        for file in files:
            copy_file(package / file, shop.tree / VENDOR / Path(file).name, executable=False)
        copy_file(package / "LICENSE", shop.licences / name / "LICENSE", executable=False)
        bill.append({"name": name, "version": version, "licence": licence, "integrity": integrity})
    (shop.tree / "web-packages.json").write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")


def packages_of(text: str) -> list[tuple[str, str, str]]:
    """Return name, version and integrity of each package that a lock file pins, sorted.

    Raises:
        BuildError: a package has no hash, or an address of its own, or nothing is taken from it.
    """
    found = []
    lock: dict[str, Any] = json.loads(text)
    for path, package in lock["packages"].items():
        name = path.removeprefix("node_modules/")
        if not path:
            continue
        if not str(package.get("integrity", "")).startswith("sha512-") or "resolved" in package:
            raise BuildError(
                f"bundle/webassets/package-lock.json: {name} is not pinned by a hash alone", "Lock it again: make lock"
            )
        if name not in _TAKEN:
            raise BuildError(f"nothing is taken from the npm package {name}", "Say in bundle/npm.py what, or drop it.")
        found.append((name, package["version"], package["integrity"]))
    return sorted(found)


def _explained(error: RecipeError) -> BuildError:
    if "EINTEGRITY" in error.what:
        return HashError(
            f"an npm package is not the one that bundle/webassets/package-lock.json pins:\n{error.what}",
            "Find out why before going on.",
        )
    if _UNREACHABLE.search(error.what):
        return FetchError(
            f"the npm packages of bundle/webassets cannot be had:\n{error.what}",
            "Check the network, or use npm's cache of a machine that has fetched them (npm_config_cache).",
        )
    return error
