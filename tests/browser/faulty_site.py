"""A small site with one fault a page, which the walker must report, and a page without any, which it must not."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
STYLE = """
body { font: 16px/1.5 sans-serif; color: #222; background: #fff }
:focus-visible { outline: 3px solid #05a }
.unseen:focus-visible { outline: none }
.away { position: absolute; left: -9999px }
.pale { color: #bbb }
.wide { width: 3000px }
"""
GOOD = '<p>All is well.</p><p><a href="/good">Again</a></p><form><label>Name <input name="login"></label></form>'
FAULTS: dict[str, tuple[str, str]] = {
    # path: what the walker must say, the page
    "/inline-script": ("content security policy", "<script>document.title = 'run'</script>"),
    "/inline-style": ("content security policy", '<p style="color: red">red</p>'),
    "/inline-handler": ("content security policy", '<p><img src="/dot.svg" alt="dot" onload="document.title = 1"></p>'),
    "/no-label": ("axe", '<form><input name="login"></form>'),
    "/no-alternative": ("axe", '<p><img src="/dot.svg"></p>'),
    "/pale": ("axe", '<p class="pale">hard to read</p>'),
    "/no-such-role": ("axe", '<div role="nonsense">x</div>'),
    "/foreign": ("foreign request", '<p><img src="http://127.0.0.2:9/pixel.svg" alt="pixel"></p>'),
    "/console-error": ("console", '<script src="/script.js?console.error(%22broken%22)"></script>'),
    "/console-warning": ("console", '<script src="/script.js?console.warn(%22odd%22)"></script>'),
    "/page-error": ("page error", '<script src="/script.js?nothing.there()"></script>'),
    "/rejected": ("page error", '<script src="/script.js?Promise.reject(new%20Error(%22no%22))"></script>'),
    "/dialog": ("dialog", '<script src="/script.js?alert(1)"></script>'),
    "/hacked": ("script ran", '<script src="/script.js?window.dkmHacked=1"></script>'),
    "/lost-picture": ("failed request", '<p><img src="/lost.svg" alt="lost"></p>'),
    "/lost-answer": ("failed request", '<script src="/script.js?fetch(%22/lost%22)"></script>'),
    "/wide": ("overflow", '<p class="wide">long</p>'),
    "/focus-unseen": ("focus", '<p><a class="unseen" href="/good">no ring</a></p>'),
    "/focus-away": ("focus", '<p><a class="away" href="/good">away</a></p>'),
    "/focus-out-of-turn": ("focus", '<p><a href="/good" tabindex="3">first</a></p>'),
    "/no-policy": ("content security policy", "<p>No header.</p>"),
    "/broken": ("status", "<p>500</p>"),
}
_DOT = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/style.css":
            self._send(200, "text/css", STYLE.encode())
        elif path == "/script.js":
            self._send(200, "text/javascript", query.replace("%22", '"').replace("%20", " ").encode())
        elif path in {"/dot.svg", "/favicon.ico"}:
            self._send(200, "image/svg+xml", _DOT)
        elif path in FAULTS or path in {"/", "/good"}:
            self._send(500 if path == "/broken" else 200, "text/html; charset=utf-8", self._page(path))
        else:
            self._send(404, "text/html; charset=utf-8", self._page("/good"))

    def _page(self, path: str) -> bytes:
        links = "".join(f'<li><a href="{path}">{path}</a></li>' for path in ("/good", *FAULTS)) if path == "/" else ""
        body = f"<nav><ul>{links}</ul></nav>" if links else FAULTS[path][1] if path in FAULTS else GOOD
        head = '<meta charset="utf-8"><title>A page</title><link rel="stylesheet" href="/style.css">'
        main = f"<main><h1>A page</h1>{body}</main>"
        return f'<!doctype html><html lang="en"><head>{head}</head><body>{main}</body></html>'.encode()

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.path not in {"/no-policy", "/foreign"}:
            self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def faulty_site() -> Iterator[str]:
    """Serve it; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
