"""A FAKE of Wikimedia Commons on loopback: its API and its pictures, as its documentation says.

Like the real one it answers in parts, refuses who cannot be written to (403) and thumbnails of odd
widths (429), and gives a small picture as it is. What goes wrong is put into `faults`, by path, and
happens once each, or always where it is in `always`.
"""

import io
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

from PIL import Image

WIDTHS = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)
TOLD = {
    "LicenseShortName": {"value": "Public domain", "source": "commons-desc-page", "hidden": ""},
    "Artist": {"value": '<a href="//x.test">Edvard <b>Munch</b></a>'},
    "ObjectName": {"value": "The Scream"},
}


def paint(shade=90, kind="JPEG", size=(24, 16), mode="RGB"):
    """A small picture's file."""
    made = io.BytesIO()
    picture = Image.radial_gradient("L").resize(size).point(lambda v: (v + shade) % 256)
    picture.convert(mode).save(made, kind)
    return made.getvalue()


@dataclass
class File:
    data: bytes = field(default_factory=paint)
    size: tuple[int, int] = (4000, 3000)
    mime: str = "image/jpeg"
    told: dict = field(default_factory=lambda: dict(TOLD))


@dataclass
class Answer:
    """Anything else than what was asked for. `length`: of the body, as the header lies; -1: it
    does not say, and closes when all is sent."""

    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    type: str = "text/html; charset=utf-8"
    length: int | None = None


class Commons:
    def __init__(self, clock):
        self.clock, self.asked = clock, []  # (time, path, query, user agent)
        self.callers = 0  # who connected, whether they asked or not
        self.files, self.categories, self.below = {}, {}, {}
        self.faults, self.always, self.others = {}, {}, {}
        self.part = 2  # files in one answer
        self.robots = None
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece: two would wait 40 ms for each other

            def do_GET(self):
                fake._handle(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.verify_request = self._meet
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.api = f"{self.url}/w/api.php"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.005,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def hang(self, category, *titles, **known):
        """Put files of these titles into a category."""
        for title in titles:
            self.files[f"File:{title}"] = File(**known)
        self.categories.setdefault(f"Category:{category}", []).extend(f"File:{t}" for t in titles)

    def thumb(self, title, width=500):
        return f"/thumb/{quote(title, safe='')}/{width}px-it.jpg"

    def paths(self, start="/"):
        return [path for _, path, *_ in self.asked if path.startswith(start)]

    def _meet(self, *_):
        self.callers += 1
        return True

    def _handle(self, handler):
        parts = urlsplit(handler.path)
        query = {key: value for key, (value, *_) in parse_qs(parts.query).items()}
        agent = handler.headers.get("User-Agent", "")
        self.asked.append((self.clock.now, parts.path, query, agent))
        answer = self._answer(parts.path, query, agent)
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.type)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        length = len(answer.body) if answer.length is None else answer.length
        if length >= 0:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(answer.body)
        handler.close_connection = length != len(answer.body)

    def _answer(self, path, query, agent):
        if not ("(" in agent and ("@" in agent or "http" in agent)):
            return Answer(403, body=b"Please set a user-agent and respect our robot policy")
        if self.faults.get(path):
            return self.faults[path].pop(0)
        if path in self.always:
            return self.always[path]
        if path == "/robots.txt":
            return self.robots or Answer(404)
        if path == "/w/api.php":
            return Answer(body=json.dumps(self._query(query)).encode(), type="application/json")
        if path in self.others:
            return Answer(body=self.others[path], type="image/jpeg")
        return self._picture(path)

    def _picture(self, path):
        kind, _, rest = path[1:].partition("/")
        title, _, name = rest.partition("/")
        file = self.files.get(unquote(title))
        if file is None or kind not in ("thumb", "original"):
            return Answer(404)
        if kind == "thumb" and int(name.partition("px-")[0]) not in WIDTHS:
            return Answer(429, body=b"Use thumbnail steps")
        return Answer(body=file.data, type=file.mime)

    def _query(self, query):
        """One answer of action=query, formatversion=2."""
        assert (query["action"], query["format"], query["formatversion"]) == ("query", "json", "2")
        assert query["maxlag"] == "5"
        if query.get("list") == "categorymembers":
            titles = self.below.get(query["cmtitle"], [])
            return {"query": {"categorymembers": [{"ns": 14, "title": t} for t in titles]}}
        assert (query["generator"], query["gcmtype"]) == ("categorymembers", "file")
        titles, begin = self.categories.get(query["gcmtitle"], []), int(query.get("gcmcontinue", 0))
        pages = [self._page(t, int(query["iiurlwidth"])) for t in titles[begin : begin + self.part]]
        if not pages:
            return {"batchcomplete": True}
        end = begin + self.part
        if end >= len(titles):
            return {"batchcomplete": True, "query": {"pages": pages}}
        further = {"gcmcontinue": str(end), "continue": "gcmcontinue||"}
        return {"continue": further, "query": {"pages": pages}}

    def _page(self, title, width):
        file, quoted = self.files[title], quote(title, safe="")
        original = f"{self.url}/original/{quoted}"
        small = file.size[0] <= width
        info = {
            "size": len(file.data), "width": file.size[0], "height": file.size[1],
            "thumburl": original if small else self.url + self.thumb(title, width),
            "thumbwidth": min(width, file.size[0]), "url": original, "mime": file.mime,
            "descriptionurl": f"{self.url}/wiki/{quoted}", "extmetadata": file.told,
        }  # fmt: skip
        return {
            "pageid": 1,
            "ns": 6,
            "title": title,
            "imagerepository": "local",
            "imageinfo": [info],
        }
