"""go-carbon, carbonapi and our own dkm-scan: static programs from modules that go.sum pins."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import BuildError, FetchError, HashError, RecipeError
from bundle.files import copy_file, copy_tree
from bundle.hashes import sha256_of

if TYPE_CHECKING:
    from bundle.components import Part
    from bundle.recipe import Workshop

STANDARD_LIBRARY = "stdlib"
_OWN_LICENCE = Path(__file__).parent.parent / "LICENSE"
_LICENCE_NAME = re.compile(r"(licen[cs]e|copying|notice|patents)([.-].*)?", re.IGNORECASE)
_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOTOOLCHAIN": "local",
    "GOFLAGS": "-buildvcs=false -mod=readonly",
    "GOOS": "linux",
    "GOARCH": "amd64",
}


def module_folder(part: Part) -> Path:
    """Return the folder with the go.mod and go.sum of a part."""
    bundle = Path(__file__).parent
    return bundle.parent / part.folder if part.folder else bundle / part.name


def module_hashes(part: Part) -> dict[str, str]:
    """Return the hash of each file that a part is built from: go.mod, go.sum, patches, and our own source."""
    folder = module_folder(part)
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if _is_source(path.name)}


def _is_source(name: str) -> bool:
    return name in {"go.mod", "go.sum"} or (name.endswith((".patch", ".go")) and not name.endswith("_test.go"))


def build(shop: Workshop) -> None:
    """Build the program and list the modules that are in it, with their licences."""
    name = shop.part.name
    work = shop.scratch / "module"
    copy_tree(module_folder(shop.part), work, _is_source)
    changed = _changed_module(shop, work)
    program = shop.tree / "bin" / name
    try:
        shop.run("go", "build", *shop.part.options, "-o", program, shop.part.package, cwd=work, env=_ENVIRONMENT)
    except RecipeError as error:
        raise _explained(error, name) from error
    listed = shop.commands.output(name, ["go", "version", "-m", program], work, _ENVIRONMENT)
    modules = re.findall(r"^\t(?:mod|dep)\t(\S+)\t(v\S+)", listed, flags=re.MULTILINE)
    folders = _module_folders(shop, work, [f"{module}@{version}" for module, version in modules])
    sums = _checksums(work / "go.sum")
    bill = [{"name": module, "version": version, "sum": sums[module, version]} for module, version in modules]
    bill.append(_standard_library(shop, work))
    (shop.tree / "modules.json").write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    for module, version in modules:
        for path in sorted(folders[f"{module}@{version}"].iterdir()):
            if _LICENCE_NAME.fullmatch(path.name) and path.is_file():
                copy_file(path, shop.licences / module.replace("/", "_") / path.name, executable=False)
    if shop.part.folder:
        copy_file(_OWN_LICENCE, shop.licences / name / _OWN_LICENCE.name, executable=False)
        copy_tree(work, shop.kept_source)
    else:
        copy_tree(changed or folders[f"{shop.part.module}@v{shop.part.version}"], shop.kept_source)


def _checksums(path: Path) -> dict[tuple[str, str], str]:
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {(name, version): checksum for name, version, checksum in lines}


def _standard_library(shop: Workshop, work: Path) -> dict[str, str]:
    root, version = shop.commands.output(
        shop.part.name, ["go", "env", "GOROOT", "GOVERSION"], work, _ENVIRONMENT
    ).split()
    copy_file(Path(root, "LICENSE"), shop.licences / STANDARD_LIBRARY / "LICENSE", executable=False)
    return {"name": STANDARD_LIBRARY, "version": version.removeprefix("go"), "sum": ""}


def _changed_module(shop: Workshop, work: Path) -> Path | None:
    """Build from a changed copy of the program's own module where patches lie beside its go.mod, which say why.

    go.sum pins what the patches apply to; the go command refuses to overlay files of its module cache.
    """
    patches = sorted(work.glob("*.patch"))
    if not patches:
        return None
    module = f"{shop.part.module}@v{shop.part.version}"
    changed = work / "changed"
    copy_tree(_module_folders(shop, work, [module])[module], changed)
    for patch in patches:
        shop.run("patch", "--silent", "--strip=1", f"--input={patch}", cwd=changed)
    shop.run("go", "mod", "edit", f"-replace={shop.part.module}=./{changed.name}", cwd=work, env=_ENVIRONMENT)
    return changed


def _module_folders(shop: Workshop, work: Path, modules: list[str]) -> dict[str, Path]:
    text = shop.commands.output(shop.part.name, ["go", "mod", "download", "-json", *modules], work, _ENVIRONMENT)
    decoder, folders, rest = json.JSONDecoder(), {}, text.strip()
    while rest:
        entry, end = decoder.raw_decode(rest)
        folders[f"{entry['Path']}@{entry['Version']}"] = Path(entry["Dir"])
        rest = rest[end:].lstrip()
    return folders


def _explained(error: RecipeError, name: str) -> BuildError:
    if "checksum mismatch" in error.what or "SECURITY ERROR" in error.what:
        return HashError(
            f"{name}: a Go module is not the one that its go.sum pins:\n{error.what}",
            "Find out why before going on.",
        )
    if re.search(r"dial tcp|no such host|i/o timeout|connection refused|proxyconnect", error.what):
        return FetchError(
            f"{name}: its Go modules cannot be had:\n{error.what}",
            "Check the network, GOPROXY, or a filled GOMODCACHE.",
        )
    return error
