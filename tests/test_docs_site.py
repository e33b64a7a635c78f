"""The built pages fit a desk and a phone, and load nothing from elsewhere."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import need

pytestmark = [pytest.mark.real, pytest.mark.outside]

#: What the documentation's theme is; tox's environment "docs" has it.
pytest.importorskip("furo")

DOCS = Path(__file__).parent.parent / "docs"
WIDTHS = (1200, 400)
#: Seconds for all pages at all widths, on a busy machine.
PATIENCE = 200

#: Load each page in a frame of each width, and send what sticks out of it. Something wide may
#: stick out of a container that scrolls.
MEASURE = """<!doctype html><script>
const scrolls = e => e.tagName != "ARTICLE"
  && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
function sticking(frame) {
  const {document: page, innerWidth: width} = frame.contentWindow;
  const found = [...page.querySelectorAll("article :is(pre, table, img, dt, p, li, code, h1, h2)")]
    .filter(e => e.getBoundingClientRect().right > width && !scrolls(e.parentElement))
    .map(e => `${e.tagName}: ${(e.textContent || e.src).trim().slice(0, 60)}`);
  const whole = page.scrollingElement.scrollWidth;
  return whole > width ? [`the page is ${whole} wide`, ...found] : found;
}
async function measure({pages, widths}) {
  const found = [];
  const next = async () => {
    for (let page; (page = pages.pop());) {
      const frame = document.createElement("iframe");
      frame.src = page;
      await new Promise(done => { frame.onload = done; document.body.append(frame); });
      for (const width of widths) {
        frame.style = `width: ${width}px; height: 900px; border: 0`;
        found.push([page, width, frame.contentWindow.innerWidth, sticking(frame)]);
      }
      frame.remove();
    }
  };
  await Promise.all([next(), next(), next(), next()]);
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
}
onload = () => fetch("/pages.json").then(answer => answer.json()).then(measure);
</script><body>"""


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages: those that tox has built, or new ones."""
    if built := os.environ.get("SECRETLY_SITE"):
        return Path(built)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(DOCS), str(folder)]
    subprocess.run(command, check=True, timeout=PATIENCE)
    return folder


def pages(site: Path) -> list[str]:
    """The pages' paths."""
    return [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]


class Handler(SimpleHTTPRequestHandler):
    """Serve the pages, the page that measures them, and take its result."""

    found: queue.Queue[Any]

    def do_GET(self) -> None:
        """Answer with a file, or with what the measuring needs."""
        if self.path not in ("/measure", "/pages.json"):
            super().do_GET()
            return
        names = {"pages": pages(Path(self.directory)), "widths": WIDTHS}
        text = MEASURE if self.path == "/measure" else json.dumps(names)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self) -> None:
        """Take the result."""
        self.found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing of each request."""


@contextlib.contextmanager
def served(site: Path) -> Iterator[tuple[str, queue.Queue[Any]]]:
    """Serve the pages on this machine alone; give the address, and where the result comes."""
    found: queue.Queue[Any] = queue.Queue()
    handler = type("Measured", (Handler,), {"found": found})
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def browser(folder: Path, url: str) -> Iterator[None]:
    """Have Chromium, without a window, open a page."""
    program = shutil.which("chromium") or "chromium"
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += ["--disable-dev-shm-usage", f"--user-data-dir={folder}", "--window-size=1300,1000"]
    process = subprocess.Popen(
        [*command, "--remote-debugging-port=0", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


@pytest.mark.timeout(PATIENCE + 60)
def test_nothing_sticks_out_of_a_page(site: Path, tmp_path: Path) -> None:
    """At both widths, each page fits, and what is wider scrolls in a container of its own."""
    need("chromium")
    with served(site) as (address, found), browser(tmp_path, f"{address}/measure"):
        measured = found.get(timeout=PATIENCE)
    assert len(measured) == len(pages(site)) * len(WIDTHS) > 80
    assert {width - inner for _, width, inner, _ in measured} == {0}
    assert [(page, width, out) for page, width, _, out in measured if out] == []


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    """No script, style, font or picture has the address of another machine."""
    elsewhere = re.compile(
        r"<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href|srcset)=[\"']?(?:https?:)?//[^>]*>"
    )
    for name in pages(site):
        assert elsewhere.findall((site / name).read_text("utf-8")) == [], name
    for path in site.rglob("*.css"):
        assert re.findall(r"url\([\"']?(?:https?:)?//.*?\)", path.read_text("utf-8")) == [], path
