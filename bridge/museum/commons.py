"""Wikimedia Commons: what is in a category, and who made it, by its API.

Its rules: one request at a time, a contact in the user agent, `maxlag` and "later" obeyed, and
since 2026 thumbnails of a few widths only. What these are is written down here by its
documentation, and tested against a stand-in; the real Commons has not been asked.
"""

import html
import json
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from bridge import Refusal
from bridge.museum.fetch import Again, Reply, Web
from bridge.museum.outside import Failed
from bridge.museum.wanted import Wanted, one_line

WIDTHS = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)  # others are HTTP 429
RASTER = ("image/jpeg", "image/png", "image/webp", "image/tiff")
AT_ONCE = 50  # pictures in one answer: it scales no more for one
MOST = 1 << 24  # bytes of an answer
LAG = 5  # seconds that its databases may be behind, or it is busy
BUSY = ("maxlag", "ratelimited", "readonly")
HIDDEN = re.compile(r"<(\w+)[^>]*display:\s*none[^>]*>.*?</\1>", re.DOTALL)
TAG = re.compile(r"<[^>]*>")
THUMB = re.compile(r"//[^/]*\bwikimedia\.org/.*/thumb/.*/(?:[\w-]*-)?(\d+)px-")


def permitted(width: int) -> int:
    """The width, if Commons serves thumbnails of it. Raises Refusal with those that there are."""
    if width not in WIDTHS:
        raise Refusal(
            f"--width {width}: Commons serves thumbnails of {', '.join(map(str, WIDTHS))} pixels "
            "and no others; choose one of them."
        )
    return width


def check_thumbnail(url: str) -> None:
    """Raise Failed for the address of a thumbnail that Commons no longer serves."""
    found = THUMB.search(url)
    if found and int(found[1]) not in WIDTHS:
        near = next((width for width in WIDTHS if width >= int(found[1])), WIDTHS[-1])
        raise Failed(f"Commons serves no thumbnail of {found[1]} pixels; write {near}px in its url")


class Commons:
    """The pictures of categories, as thumbnails of a permitted `width`, of the API at `api`."""

    def __init__(self, web: Web, api: str, width: int) -> None:
        self._web, self._api, self._width = web, api, permitted(width)

    def pictures(self, name: str, titles: list[str], most: int, *, below: bool) -> list[Wanted]:
        """At most `most` pictures of the first of these categories that has any, as of collection
        `name`; `below`: also of the categories in it. Raises Failed."""
        for title in titles:
            if found := self._first(name, title, most, below):
                return found
        return []

    def _first(self, name: str, title: str, most: int, below: bool) -> list[Wanted]:
        found: dict[str, Wanted] = {}
        for category in self._categories(f"Category:{' '.join(title.split())}", below):
            for page in self._members(category):
                if wanted := self._wanted(name, page):
                    found.setdefault(wanted.key, wanted)
                if len(found) >= most:
                    return list(found.values())
        return list(found.values())

    def _categories(self, title: str, below: bool) -> Iterator[str]:
        yield title
        if below:
            asked = {"list": "categorymembers", "cmtitle": title, "cmtype": "subcat"}
            for query in self._answers({**asked, "cmlimit": "500"}):
                yield from (str(member["title"]) for member in query.get("categorymembers", []))

    def _members(self, category: str) -> Iterator[dict[str, Any]]:
        """The pages of a category's files. One may come several times, until its picture does."""
        asked = {
            "generator": "categorymembers", "gcmtitle": category, "gcmtype": "file",
            "gcmlimit": str(AT_ONCE), "prop": "imageinfo", "iiprop": "url|size|mime|extmetadata",
            "iiurlwidth": str(self._width),
            "iiextmetadatafilter": "LicenseShortName|Artist|ObjectName",
        }  # fmt: skip
        for query in self._answers(asked):
            yield from (page for page in query.get("pages", []) if page.get("imageinfo"))

    def _answers(self, asked: dict[str, str]) -> Iterator[dict[str, Any]]:
        """What the API answers, one part after another, until it says that there is no more."""
        fixed = {
            "action": "query", "format": "json", "formatversion": "2", "maxlag": str(LAG), **asked,
        }  # fmt: skip
        further: dict[str, str] = {}
        while True:
            url = f"{self._api}?{urllib.parse.urlencode({**fixed, **further})}"
            answer = self._web.get(url, MOST, _answer)
            yield answer.get("query", {})
            before, further = further, answer.get("continue", {})
            if not further:
                return
            if further == before:
                raise Failed("its API goes round in a circle")

    def _wanted(self, name: str, page: dict[str, Any]) -> Wanted | None:
        """The picture of a page, or None where it is a drawing, a book, a film."""
        info = page["imageinfo"][0]
        if info.get("mime") not in RASTER:
            return None
        title, told = str(page["title"]), info.get("extmetadata") or {}
        plain = title.partition(":")[2].rpartition(".")[0]
        return Wanted(
            collection=name,
            url=str(info.get("thumburl", "")),  # of a picture that is no larger: the picture
            key=f"{title} {self._width}",
            title=_plain(told, "ObjectName") or plain,
            artist=_plain(told, "Artist"),
            license=_plain(told, "LicenseShortName"),
            source=str(info.get("descriptionurl", "")),
        )


def _answer(reply: Reply) -> dict[str, Any]:
    """The JSON of the API. Raises Again where it is busy, and Failed with what it says."""
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError) as problem:
        raise Again("its API answers no JSON") from problem
    if not isinstance(answer, dict):
        raise Again("its API answers no JSON")
    if error := answer.get("error"):
        code, said = error.get("code", ""), error.get("info", "")
        if code in BUSY or code.startswith("internal_api_error"):
            raise Again(f"its API is busy ({code})", LAG if reply.wait is None else reply.wait)
        raise Failed(f"its API says {code}: {said[:200]}")
    return answer


def _plain(told: dict[str, Any], key: str) -> str:
    """A field of extmetadata, which is HTML, as text on one line."""
    value = (told.get(key) or {}).get("value", "")
    return one_line(html.unescape(TAG.sub(" ", HIDDEN.sub("", str(value)))))
