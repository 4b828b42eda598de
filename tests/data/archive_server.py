"""A web server on this machine that misbehaves on request, for tests of fetching."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """Content and faults of the server. A test can change them while the server runs.

    Attributes:
        content: Content of every path that is not in `pages`.
        drops: For each of the next answers with content, the number of bytes before the connection breaks off. A
            resumed download takes two answers: gdown first asks for the complete file, to learn its name and size,
            and closes that connection.
        statuses: HTTP statuses of the next answers.
        ranges: True if a download can be resumed.
        declares_size: True if answers have a Content-Length.
        pages: Path -> (type, content), instead of `content`.
        requests: (path, Range) of every request so far.
        url: Address of the file while the server runs.
        redirects: Path -> address to which its answer redirects.
        hangs_after: Number of bytes after which an answer stops without an end; None for a complete answer.
    """

    content: bytes
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    declares_size: bool = True
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""
    redirects: dict[str, str] = field(default_factory=dict)
    hangs_after: int | None = None

    @property
    def resumed(self) -> list[str]:
        """Return the requested ranges."""
        return [value for _, value in self.requests if value]


@contextmanager
def serving(site: Site):
    """Serve the site at its `url`."""
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            requested = self.headers.get("Range")
            site.requests.append((self.path, requested))
            if site.statuses and (status := site.statuses.pop(0)) != 200:
                self.send_error(status)
                return
            if self.path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[self.path])
                self.end_headers()
                return
            kind, content = site.pages.get(self.path.partition("?")[0], ("application/zip", site.content))
            start = int(requested.removeprefix("bytes=").removesuffix("-")) if requested and site.ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            ends_at = site.drops.pop(0) if site.drops else None  # before the client can send its next request
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", kind)
            if kind != "text/html":
                self.send_header("Content-Disposition", 'attachment; filename="set.zip"')
            if site.declares_size:
                self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if site.hangs_after is not None:
                self.wfile.write(content[: site.hangs_after])
                self.wfile.flush()
                release.wait(60)
            else:
                self.wfile.write(content[start:][:ends_at])
            self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # some tests close the connection on purpose

    server = Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}/set.zip"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        release.set()
        server.shutdown()
        thread.join()
        server.server_close()
