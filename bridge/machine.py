"""What this machine is: its system, its processor, its NVIDIA cards as their driver tells them.

For `devices`; asked without torch, which may be what is broken.
"""

import contextlib
import glob
import os
import platform
import subprocess
import sys

PATIENCE = 10.0  # seconds given to a card's driver, which may have to wake it up
NVIDIA, DISPLAY = "0x10de", "0x03"  # a PCI device's vendor; how the class of a graphics card begins
ASK_NVIDIA = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def system() -> str:
    if sys.platform != "linux":
        return platform.platform()
    name = "an unnamed Linux"
    with contextlib.suppress(OSError):
        name = platform.freedesktop_os_release().get("PRETTY_NAME", name)
    return f"{name}, kernel {platform.release()}, {platform.machine()}"


def processor() -> str:
    if sys.platform == "linux":
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        return names[0] if names else platform.machine()
    if sys.platform == "darwin":
        ask = ("sysctl", "-n", "machdep.cpu.brand_string")
        return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()


def at_home(path: str) -> str:
    """A path without the user's name in it."""
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if home != "/" and path.startswith(home + os.sep) else path


def nvidia() -> list[str]:
    """NVIDIA's cards as their driver tells them, without torch."""
    try:
        asked = subprocess.run(
            ASK_NVIDIA, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        return [", driver ".join(line.rsplit(", ", 1)) for line in asked.stdout.splitlines()]
    except (OSError, subprocess.SubprocessError):
        pass
    cards = []
    for path in sorted(glob.glob("/proc/driver/nvidia/gpus/*/information")):
        with open(path) as file:
            cards += [line.partition(":")[2].strip() for line in file if line.startswith("Model")]
    return cards


def nvidia_on_the_bus(devices: str = "/sys/bus/pci/devices") -> bool:
    """Whether Linux sees an NVIDIA card, driver or not."""
    for vendor in glob.glob(f"{devices}/*/vendor"):
        with open(vendor) as file, open(f"{os.path.dirname(vendor)}/class") as kind:
            if file.read().strip() == NVIDIA and kind.read().startswith(DISPLAY):
                return True
    return False
