"""A fake of `bridge.museum.look`: its process dies of what is named so, as of a broken decoder."""

import os


def look(path: str, side: int) -> str:  # noqa: ARG001
    if path == "deadly":
        os._exit(9)
    return path
