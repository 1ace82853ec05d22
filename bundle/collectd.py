"""collectd with the plugins of components.toml, needing nothing but an old glibc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.errors import BuildError
from bundle.files import copy_file

if TYPE_CHECKING:
    from bundle.recipe import Workshop

_PREFIX = "/nonexistent/dkumonitor/collectd"
_OPTIONS = (
    "--host=x86_64-linux-gnu",
    "--disable-all-plugins",
    "--disable-werror",
    "--disable-perl",
    "--disable-static",
    "--without-java",
    "--without-libpython",
    "--without-perl-bindings",
)


def build(shop: Workshop) -> None:
    """Build collectd and keep the daemon, its plugins and its types."""
    if not (shop.source / "configure").exists():  # the archive of the repository, not the release
        shop.run("./build.sh")
    options = [f"--prefix={_PREFIX}", *_OPTIONS, *(f"--enable-{name}" for name in shop.part.options)]
    # Without -g, and with the flag for the linker itself: libtool keeps -s from shared objects.
    flags = {"CFLAGS": "-O2", "LDFLAGS": "-Wl,-s", "PKG_CONFIG_LIBDIR": str(shop.scratch / "no-libraries")}
    shop.run("./configure", *options, env=flags)
    shop.run("make", shop.jobs)
    staged = shop.scratch / "staged"
    shop.run("make", "install", f"DESTDIR={staged}")
    installed = staged / _PREFIX.lstrip("/")
    copy_file(installed / "sbin/collectd", shop.tree / "collectd/sbin/collectd")
    copy_file(installed / "share/collectd/types.db", shop.tree / "collectd/share/collectd/types.db")
    for name in shop.part.options:
        plugin = installed / "lib/collectd" / f"{name}.so"
        if not plugin.is_file():
            raise BuildError(
                f"collectd was built without its plugin {name}", "Look into build/build.log for what it lacked."
            )
        copy_file(plugin, shop.tree / "collectd/lib/collectd" / plugin.name)
