"""A fake of `bridge.museum.look`: its process dies of what is named so, as of a broken decoder, or
says that it is here and never comes back."""

import os
import threading


def look(path: str, side: int) -> str:  # noqa: ARG001
    if path == "deadly":
        os._exit(9)
    if path == "endless":
        print("here", flush=True)
        threading.Event().wait()
    return path
