"""Pure Data's file format: windows of boxes and the cords between them."""

from itertools import pairwise


class Canvas:
    """A window being drawn: its boxes, numbered as Pd numbers them, and its cords."""

    def __init__(self, name: str, width: int) -> None:
        self.name, self.width = name, width
        self.boxes: list[str] = []
        self.cords: list[str] = []
        self.bottom = 20  # where the next row goes

    def put(self, x: int, y: int, what: str) -> int:
        """A box, such as "obj loadbang", with its upper left corner there; answers its number."""
        kind, rest = what.split(" ", 1)
        self.boxes.append(f"#X {kind} {x} {y} {rest};")
        return len(self.boxes) - 1

    def window(self, canvas: "Canvas", x: int, y: int) -> None:
        """A box that opens another window."""
        self.boxes.append(f"{canvas.drawn()}\n#X restore {x} {y} pd {canvas.name};")

    def chain(self, *boxes: int) -> None:
        """A cord from each box to the next."""
        for source, target in pairwise(boxes):
            self.cord(source, target)

    def cord(self, source: int, target: int, outlet: int = 0, inlet: int = 0) -> None:
        self.cords.append(f"#X connect {source} {outlet} {target} {inlet};")

    def drawn(self) -> str:
        size = f"{self.width} {min(self.bottom + 10, 760)}"
        ending = f"{self.name} 0" if self.name else "10"
        return "\n".join([f"#N canvas 40 40 {size} {ending};", *self.boxes, *self.cords])


def escaped(text: str) -> str:
    for letter in "\\,;$":
        text = text.replace(letter, f"\\{letter}")
    return text


def text(text: str, width: int) -> str:
    """A comment. Pd shows the backslash of a comma that touches a word, and begins a new line after
    a semicolon: so a comma stands alone (Pd draws it where it belongs), and a dash for the other.
    """
    text = text.replace(";", " –").replace(",", " ,")
    return f"text {escaped(text)}, f {width}"
