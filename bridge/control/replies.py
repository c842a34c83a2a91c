"""Replies: what the page's port answers over HTTP, and by which policy a browser shows the page."""

import base64
import hashlib
import http
import re
from pathlib import Path

from websockets.datastructures import Headers
from websockets.http11 import Response

PAGE = Path(__file__).with_name("page.html")


def reply(
    status: int, body: bytes = b"", kind: str = "", policy: str = "default-src 'none'"
) -> Response:
    """An HTTP response that is kept nowhere and that no other site may show or read."""
    headers = Headers(
        {
            "Connection": "close",
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
    )
    if status != 204:
        headers["Content-Length"] = str(len(body))
    if kind:
        headers["Content-Type"] = kind
    return Response(status, http.HTTPStatus(status).phrase, headers, body)


def page() -> tuple[bytes, str]:
    """The page, and the policy by which a browser runs its own script and no other."""
    content = PAGE.read_bytes().replace(
        b"\r\n", b"\n"
    )  # as a browser has it when it takes the hash
    hashes = {
        tag: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(inside).digest()).decode()}'"
            for inside in re.findall(
                rb"<%b>(.*?)</%b>" % (tag.encode(), tag.encode()), content, re.S
            )
        )
        for tag in ("script", "style")
    }
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']};"
        " img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    return content, policy
