"""The command that installs a package, as it is told to whoever lacks one. Any thread."""

import shlex
import sys


def pip(words: str) -> str:
    """A pip command for the very Python that runs this: there is often another one."""
    if sys.platform != "win32":
        return f"{shlex.quote(sys.executable)} -m pip {words}"
    # PowerShell's way
    python = f'& "{sys.executable}"' if " " in sys.executable else sys.executable
    return f"{python} -m pip {words}"
