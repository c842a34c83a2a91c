"""The six scenes of `pattern:`, drawn in whole numbers.

A scene prepares its textures once, for one size; `draw(t)` is a pure function of the seconds
since the cut. Every picture is one or two small fields that index a table of packed colours:
int16 sums and one gather, a few milliseconds at 640x360 and outside the interpreter's lock.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Packed = NDArray[np.uint32]  # (H, W), BGRA in the order of the bytes
Array = Any  # a numpy array; numpy's own types lose themselves in arithmetic
LENGTH = 7.0  # seconds from cut to cut
TILE = 512  # side of the textures that repeat; a power of two


class Scene(Protocol):
    def __init__(self, width: int, height: int) -> None: ...

    def draw(self, t: float) -> Packed: ...


# What the scenes are made of


def noise(
    seed: int, roughness: float, shape: tuple[int, ...] = (TILE, TILE), coarsest: float = 0
) -> Array:
    """Clouds that repeat without a seam, mean 0, deviation 1, power falling as f^-roughness.

    `coarsest` takes out what is slower than so many waves along the shape's last side.
    """
    white = np.random.default_rng(seed).standard_normal(shape)
    every = tuple(range(len(shape)))
    spectrum = np.fft.rfftn(white, axes=every)
    axes = [np.fft.fftfreq(n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    frequency = np.sqrt(sum(np.square(f) for f in np.meshgrid(*axes, indexing="ij")))
    frequency.flat[0] = np.inf
    frequency[frequency * shape[-1] < coarsest] = np.inf
    field = np.fft.irfftn(spectrum * frequency ** (-roughness / 2), shape, every)
    return (field / field.std()).astype(np.float32)


def byte(field: Array, spread: float = 2.4) -> Array:
    """Clouds as 0..255, +-`spread` deviations wide."""
    return np.clip(field / spread * 127.5 + 127.5, 0, 255).astype(np.uint8)


def tiled(texture: Array, width: int, height: int) -> Array:
    """A texture continued, so that any window of the picture's size, from any corner, fits."""
    return np.pad(texture, ((0, height), (0, width)), mode="wrap")


def window(texture: Array, x: float, y: float, width: int, height: int) -> Array:
    """The view of a `tiled` texture whose corner is at (x, y)."""
    top, left = int(y) % (texture.shape[0] - height), int(x) % (texture.shape[1] - width)
    return texture[top : top + height, left : left + width]


def colours(*stops: str, n: int = 256) -> Array:
    """(n, 3) RGB 0..255, evenly through the stops ("#rrggbb"), blended as light is."""
    rgb = np.array([[int(s[i : i + 2], 16) for i in (1, 3, 5)] for s in stops], float) ** 2
    at = np.linspace(0, len(stops) - 1, n)
    return np.sqrt(np.stack([np.interp(at, range(len(stops)), c) for c in rgb.T], axis=1))


def between(rows: Sequence[Array], n: int) -> Array:
    """(n, 256, 3): palettes blended one into the next."""
    at = np.linspace(0, len(rows) - 1, n)
    below = np.minimum(at.astype(int), len(rows) - 2)
    part = (at - below)[:, None, None]
    stack = np.stack(rows)
    return stack[below] * (1 - part) + stack[below + 1] * part


def packed(rgb: Array) -> Packed:
    """Colours, 0..255, as BGRA words."""
    r, g, b = np.moveaxis(np.clip(rgb + 0.5, 0, 255).astype(np.uint32), -1, 0)
    words: Packed = b | g << np.uint32(8) | r << np.uint32(16) | np.uint32(255 << 24)
    return words


def finer(texture: Array) -> Array:
    """A repeating texture at twice its size."""
    for axis in (0, 1):
        middles = (texture + np.roll(texture, -1, axis)) / 2
        shape = [2 * n if i == axis else n for i, n in enumerate(texture.shape)]
        texture = np.stack([texture, middles], axis + 1).reshape(shape)
    return texture


def bell(n: int, centre: float, width: float) -> Array:
    """A Gaussian over 0..n-1; two of them, crossed, are a round glow."""
    return np.exp(-np.square((np.arange(n, dtype=np.float32) - centre) / width))


def firs(n: int) -> Array:
    """The outline of a wood, 0..1, along a line that repeats."""
    rng = np.random.default_rng(5)
    outline = np.zeros(n, np.float32)
    x = np.arange(n)
    for centre in rng.uniform(0, n, 190):
        tall, wide = rng.uniform(0.35, 1.0), rng.uniform(4, 9)
        away = np.abs((x - centre + n / 2) % n - n / 2)
        steps = 1 - away / wide - 0.12 * ((away * 1.3) % 2)
        outline = np.maximum(outline, np.clip(steps, 0, 1) * tall)
    return outline


def smooth(line: Array, reach: int) -> Array:
    """A line that repeats, without what is smaller than `reach`."""
    spectrum = np.fft.rfft(line)
    spectrum[len(line) // reach :] = 0
    return np.fft.irfft(spectrum, len(line))


def pick(table: Packed, index: NDArray[np.integer[Any]]) -> Packed:
    """The colours at `index`, which is in range: clipping it costs less than checking it."""
    return table.reshape(-1).take(index, mode="clip")


class Dawn:
    """Ridges in morning mist, one behind the other, firs in front; the sun comes up."""

    #        crest's depth, its height, speed across (all of the picture's height), roughness
    RIDGES = (
        (0.46, 0.055, 0.012, 2.6),
        (0.55, 0.060, 0.022, 2.4),
        (0.64, 0.065, 0.038, 2.3),
        (0.75, 0.070, 0.060, 2.2),
        (0.90, 0.055, 0.095, 2.4),
    )
    BEFORE = (
        colours("#0b1030", "#27305e", "#6a5a86", "#c58a86", "#f0c39a", "#fff0cf"),
        colours("#57557f", "#7c7498", "#a98fa2", "#c9a5a6"),
        colours("#40456f", "#6a678f", "#a08aa0", "#c3a0a5"),
        colours("#2c355c", "#545a83", "#8b7f9b", "#b4979f"),
        colours("#1a2444", "#3c466e", "#75708f", "#a58d98"),
        colours("#070c1c", "#0e1730", "#28304e", "#5d5f7c"),
    )
    AFTER = (
        colours("#1d3a73", "#4f6fa5", "#b59bb0", "#f3b183", "#ffdb92", "#fffbe6"),
        colours("#8d7f9c", "#c09aa0", "#eebd9b", "#ffdcab"),
        colours("#6a6689", "#a68794", "#e0aa90", "#fbd0a0"),
        colours("#464e74", "#83718a", "#c99888", "#f3c095"),
        colours("#27345a", "#5c597a", "#a98280", "#e3ad8b"),
        colours("#0a1122", "#17203a", "#4a4660", "#94766f"),
    )

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self.down = (np.arange(height, dtype=np.int16) * 4)[:, None]  # quarter pixels
        self.crests = [noise(11 + i, r[3], (4 * TILE,)) for i, r in enumerate(self.RIDGES)]
        self.feet = [smooth(crest, 60) for crest in self.crests]  # where the mist begins to count
        self.crests[-1] = self.crests[-1] - firs(4 * TILE) * 1.6
        clouds = noise(17, 3.4)
        self.mist = tiled((clouds * 17).astype(np.int16), width, height)

    def draw(self, t: float) -> Packed:
        width, height = self.size
        mist = window(self.mist, 14 * t * height / 360, 3 * t, width, height)
        shade = self.sky(t) + (mist >> 1)
        layer = np.zeros((height, width), np.int16)  # in quarters, which smooth the edges
        step = max(1, round(4 * 0.30 * height / 255))  # quarter pixels of depth to a shade
        for crest, foot, ridge in zip(self.crests, self.feet, self.RIDGES, strict=True):
            below = self.down - self.line(crest, ridge, t)
            layer += np.clip(below, 0, 4)
            fade = (self.down - self.line(foot, ridge, t)) // step
            np.copyto(shade, fade + mist, where=below > 0)
        np.clip(shade, 0, 255, out=shade)
        return pick(self.table(t / LENGTH), (layer << 8) + shade)

    def line(self, crest: Array, ridge: tuple[float, ...], t: float) -> Array:
        """Where a ridge runs at each column, in quarter pixels from the top."""
        width, height = self.size
        depth, tall, speed, _ = ridge
        x = np.arange(width) * (360 / height) + 720 * speed * t + 900 * depth
        lift = np.interp(x, np.arange(len(crest)), crest, period=len(crest))
        return np.round(4 * height * (depth + tall * lift)).astype(np.int16)

    def table(self, dawn: float) -> Packed:
        """The sky, then the ridges, with the mixtures that smooth their edges between."""
        hours = zip(self.BEFORE, self.AFTER, strict=True)
        sky, *ridges = (before * (1 - dawn) + after * dawn for before, after in hours)
        horizon = np.broadcast_to(sky[190], sky.shape)
        edges = between([horizon, *ridges], 4 * len(ridges) + 1)
        return packed(np.concatenate([sky[None], edges[1:]]))

    def sky(self, t: float) -> Array:
        width, height = self.size
        sun_y = height * (0.50 - 0.24 * t / LENGTH)
        across, down = 0.62 * width, height / 360
        light = np.linspace(0, 265, height, dtype=np.float32)[:, None]
        halo = bell(height, sun_y, 120 * down)[:, None] * bell(width, across, 170 * down)
        disc = bell(height, sun_y, 15 * down)[:, None] * bell(width, across, 15 * down)
        return (light + halo * 60 + np.minimum(disc * 400, 160)).astype(np.int16)


class Ink:
    """Marbled paper: bands of ink that fold into each other while the page turns and nears."""

    SIDE = 2 * TILE
    LEVELS = 2048  # of the bands; with 256 the gold veins are ragged
    TINTS = 32

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        bands = noise(21, 4.4, (self.SIDE, self.SIDE)) / 2.4 * 0.5 + 0.5
        self.bands = np.clip(bands * self.LEVELS, 0, self.LEVELS - 1).astype(np.uint16).ravel()
        folds = [noise(22 + i, 4.9) * 64 * 84 for i in (0, 1)]
        self.folds = [tiled(np.clip(f, -32e3, 32e3).astype(np.int16), width, height) for f in folds]
        tints = byte(noise(24, 4.4)) // (256 // self.TINTS)
        self.tint = tiled(tints.astype(np.uint16) * self.LEVELS, width, height)
        self.table = packed(np.stack([self.page(i / self.TINTS) for i in range(self.TINTS)]))

    def page(self, tint: float) -> Array:
        """One row of the table: the bands of ink, of one tint."""
        at = np.linspace(0, 1, self.LEVELS)
        inks = colours(
            *("#0a1a3a", "#11476b", "#2f8f94", "#cfe3c8", "#f6ead0"),
            *("#e9a15b", "#b8382f", "#4a1230", "#120a26"),
            n=self.LEVELS,
        )
        shade = 0.72 + 0.28 * np.cos(2 * np.pi * at * 11)
        vein = 0.8 * np.exp(-np.square((at * 11 % 1 - 0.5) / 0.05))[:, None]
        rgb = np.roll(inks, int(0.27 * self.LEVELS * tint), axis=0) * shade[:, None]
        return rgb * (1 - vein) + np.array([250, 216, 142.0]) * vein

    def draw(self, t: float) -> Packed:
        width, height = self.size
        zoom = 64 * (720 / height) * (0.62 - 0.03 * t)
        turn = 0.5 + 0.08 * t
        c, s = np.cos(turn) * zoom, np.sin(turn) * zoom
        x, y = np.arange(width) - width / 2, (np.arange(height) - height / 2)[:, None]
        u = (x * c + 1500 * t).astype(np.int32) + (y * -s).astype(np.int32)
        v = (x * s).astype(np.int32) + (y * c - 800 * t).astype(np.int32)
        u += window(self.folds[0], 9 * t, 6 * t, width, height)
        v += window(self.folds[1], 300 - 7 * t, 8 * t, width, height)
        u >>= 6
        v >>= 6
        u &= self.SIDE - 1
        v &= self.SIDE - 1
        v *= self.SIDE
        v += u
        tint = window(self.tint, 100 + 5 * t, 5 * t, width, height)
        return pick(self.table, tint + self.bands.take(v))


class Cloth:
    """A woven hanging that stirs in the draught; lamps drift before it in the dark."""

    SIDE = 2 * TILE
    LAMPS = (  # across: centre, swing, speed; down: the same; size, light
        (0.30, 0.22, 0.50, 0.45, 0.26, 0.41, 0.46, 0.80),
        (0.70, 0.20, 0.37, 0.55, 0.30, 0.29, 0.54, 0.80),
        (0.50, 0.34, 0.61, 0.50, 0.22, 0.53, 0.28, 0.55),
        (0.22, 0.14, 0.23, 0.72, 0.18, 0.67, 0.20, 0.70),
        (0.82, 0.12, 0.71, 0.28, 0.20, 0.47, 0.22, 0.70),
    )
    DYES = ("#3a2a72", "#b0203f", "#e8702a", "#f2c24e", "#2fa08a", "#1b6a94", "#3a2a72")

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self.cloth = self.weave().ravel()
        rows = [
            np.concatenate([colours("#030206", dye, n=190), colours(dye, "#fff3da", n=170)[:66]])
            for dye in self.DYES
        ]
        self.table = packed(between(rows, 64))

    def weave(self) -> Array:
        """A cloth that repeats: dye in the high byte, the lie of its threads in the low one."""
        n, thread = self.SIDE, 4
        x, y = np.arange(n), np.arange(n)[:, None]
        twill = (x // thread + y // thread) % 4 < 2
        ridge = [0.5 - 0.5 * np.cos(2 * np.pi * (z + 0.5) / thread) for z in (x, y)]
        lie = np.where(twill, 0.72 + 0.28 * ridge[0], 0.55 + 0.25 * ridge[1])
        cell = n // 4
        across, down = (np.abs((z // thread * thread) % cell / cell * 2 - 1) for z in (x, y))
        steps = np.floor((across + down) * 9) + 3 * (np.floor(np.abs(across - down) * 6) % 2)
        dye = (steps * 5 + np.where(twill, 0, 4)) % 63
        grain = np.clip(lie * (1 + 0.06 * noise(31, 1.0, (n, n))), 0, 1)
        return (dye.astype(np.uint16) << 8) + (grain * 255).astype(np.uint16)

    def draw(self, t: float) -> Packed:
        width, height = self.size
        n, unit = self.SIDE, 360 / height
        x, y = np.arange(width) * unit, np.arange(height)[:, None] * unit
        folds = x / 47 + 1.6 * np.sin(x / 190 + 0.4 * t) + 0.9 * t
        sway = 5 * np.sin(y / 83 + 0.9 * t)
        u = (x + 12 * t + 9 * np.sin(folds)).astype(np.int32) + sway.astype(np.int32)
        v = (y + 8 * t).astype(np.int32) + (7 * np.sin(folds / 2 + 0.5 * t)).astype(np.int32)
        u &= n - 1
        v &= n - 1
        v *= n
        v += u
        cloth = self.cloth.take(v)
        light = self.lamps(t)
        light *= (0.74 + 0.26 * np.cos(folds - 0.8)).astype(np.float32)
        light *= 1.35 / (0.6 + light)  # an eye's, not a meter's
        shade = (cloth & 255) * light
        np.minimum(shade, 255, out=shade)
        cloth &= 0xFF00
        cloth += shade.astype(np.uint16)
        return pick(self.table, cloth)

    def lamps(self, t: float) -> Array:
        width, height = self.size
        light = np.full((height, width), 0.06, np.float32)
        for cx, ax, fx, cy, ay, fy, size, bright in self.LAMPS:
            across = bell(width, (cx + ax * np.sin(fx * t + 9 * cx)) * width, size * height)
            down = bell(height, (cy + ay * np.sin(fy * t + 7 * cy)) * height, size * height)
            light += (bright * down[:, None]) * across
        return light


class Petals:
    """A dahlia that opens from its heart for ever, ring behind ring, turning."""

    WIDE, TALL = 256, 256  # texels of one petal's place: across; outwards, two rings
    PETALS = 14
    RAMP = (  # from the heart outwards, and round again
        *("#ffd27a", "#ff8a4c", "#e8384f", "#a3195b", "#5b1a78"),
        *("#2a2f8f", "#1f7a9c", "#8fd3b6", "#ffd27a"),
    )

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        x = np.arange(width, dtype=np.float32) - 0.5 * width
        y = np.arange(height, dtype=np.float32)[:, None] - 0.5 * height
        radius = np.hypot(x, y) / height + 1e-3
        turn = np.arctan2(y, x) / (2 * np.pi)
        self.angle = np.round(turn * 65536).astype(np.int32).astype(np.int16)  # a turn: it wraps
        self.depth = (np.log(radius) * self.WIDE * self.PETALS / (2 * np.pi)).astype(np.int16)
        self.tone = np.clip(radius * 130, 0, 255).astype(np.int16)
        self.heart = np.clip((radius - 0.03) * 900, 20, 255).astype(np.uint16)
        self.flower = self.bloom().ravel()
        rows = [colours("#07030f", c, c, "#fff4e2", n=330)[:256] for c in self.RAMP]
        self.table = packed(between(rows, 256))

    def bloom(self) -> Array:
        """Two rings of petals, light from their tips, the inner before the outer; it repeats."""
        across = (np.arange(self.WIDE) + 0.5) / self.WIDE
        out = (np.arange(self.TALL)[:, None] + 0.5) / self.TALL * 2  # in rings
        light = np.zeros((self.TALL, self.WIDE))
        for ring in range(2, -5, -1):  # the outer first
            aside = np.abs((across + 0.5 * (ring % 2)) % 1 - 0.5) * 2
            along = np.clip((out - ring) / 4.4, 0, 1)  # 0 at the petal's base, 1 at its tip
            half = 1.28 * np.sqrt(along) * (1 - along) ** 0.55
            inside = (along > 0) & (along < 1) & (aside < half)
            round_ = np.clip(1 - np.square(aside / np.maximum(half, 1e-3)), 0, 1)
            veins = 0.93 + 0.07 * np.cos(aside / np.maximum(half, 1e-3) * 22)
            crease = 1 - 0.35 * np.exp(-np.square(aside / 0.05))
            shine = (0.03 + 0.97 * along**2.8) * (0.35 + 0.65 * round_**0.6) * veins * crease
            light = np.where(inside, shine, light)
        return (np.clip(light, 0, 1) * 255).astype(np.uint16)

    def draw(self, t: float) -> Packed:
        inward = np.int16(34 * t)
        deep = self.depth - inward
        breath = int(1500 * np.sin(0.9 * t))
        twist = deep * np.int16(24) + np.int16(2400 * t + breath)
        across = self.angle * np.int16(self.PETALS) + twist
        place = (deep & (self.TALL - 1)).astype(np.int32) * self.WIDE
        place += across.view(np.uint16) >> 8
        light = self.flower.take(place)
        light *= self.heart
        light >>= 8
        tone = (self.tone - np.int16(18 * t)) & 255
        index = tone.astype(np.uint16)
        index <<= 8
        index += light
        return pick(self.table, index)


class Sea:
    """A low sun over the sea: swell in perspective, and a road of light on it."""

    SIDE = 4 * TILE
    WAVES = ((52, 2.7, 9.0), (53, 2.3, 14.0))  # seed, roughness, coarsest
    COURSES = ((900, 30.0, 170.0), (1900, -50.0, 240.0))  # texels to a height; drift; towards us

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self.horizon = int(0.40 * height)
        self.sun = 0.5 * width + 0.12 * height, 0.30 * height
        rows = np.arange(height - self.horizon, dtype=np.float32)[:, None] / height
        self.far = 0.05 / (rows + 0.014)  # 3.6 at the horizon, 0.08 at our feet
        self.x = (np.arange(width, dtype=np.float32) - 0.5 * width) / height
        waves = [noise(s, r, coarsest=c) * 20 for s, r, c in self.WAVES]
        self.waves = [finer(finer(w)).clip(-60, 60).astype(np.int8).ravel() for w in waves]
        self.road = np.exp(-np.square((self.x - 0.12) / (0.05 + 0.55 * rows)))
        self.calm = np.clip(rows * 7 + 0.15, 0, 1)  # far waves are too small to be seen
        self.depth = ((1 + np.clip(30 * (1 - self.far / 3.6) ** 3, 0, 30)).astype(np.int16)) << 8
        streaks = finer(noise(54, 3.0))[::2]  # lying, as clouds at the horizon do
        self.clouds = tiled((streaks * 15).astype(np.int16), width, height)
        far = colours("#4a4468", "#8a6a80", "#dc9a80", "#ffd08a", "#fff6d8")
        near = colours("#020d16", "#08293a", "#165a68", "#5fa39c", "#d9e3c0", "#fff4d2")
        sky = colours("#16284f", "#455a92", "#a3769a", "#f0966f", "#ffcf80", "#fff0bd", "#fffdf0")
        self.table = packed(np.concatenate([sky[None], between([far, near], 31)]))

    def draw(self, t: float) -> Packed:
        width, height = self.size
        index = np.empty((height, width), np.int16)
        index[: self.horizon] = self.sky(t)
        index[self.horizon :] = self.water(t)
        return pick(self.table, index)

    def sky(self, t: float) -> Array:
        width, height = self.size
        x, y = self.sun
        light = np.linspace(0, 160, self.horizon, dtype=np.float32)[:, None]
        halo = bell(self.horizon, y, 0.17 * height)[:, None] * bell(width, x, 0.30 * height)
        disc = bell(self.horizon, y, 0.045 * height)[:, None] * bell(width, x, 0.045 * height)
        glow = light + 75 * halo + np.minimum(500 * disc, 120)
        clouds = window(self.clouds, 9 * t, 20, width, height)[: self.horizon]
        return np.clip(glow.astype(np.int16) + clouds, 0, 255)

    def water(self, t: float) -> Array:
        lift = np.zeros(self.road.shape, np.int16)
        for wave, (scale, drift, near) in zip(self.waves, self.COURSES, strict=True):
            u = (self.x * (self.far * scale) + drift * t).astype(np.int32)
            v = (self.far * (scale * 2.5) + near * t).astype(np.int32)
            u &= self.SIDE - 1
            lift += wave.take(u + (v & (self.SIDE - 1)) * self.SIDE)
        swell = lift * self.calm
        glint = np.maximum(swell - 4, 0)
        glint *= self.road
        swell += 80 + 52 * self.road
        swell += 2.8 * glint
        return self.depth + np.clip(swell, 0, 255).astype(np.int16)


class Rain:
    """A town at night through a wet window: drops turn its lights upside down, and run."""

    WIDE, TALL = 2 * TILE, TILE
    LAMPS = ("#ff8a2a", "#ffc04d", "#ff3d3d", "#ff2a7f", "#2fb8ff", "#22dcae", "#7d5bff", "#ffe9bf")
    # How a drop shades what it shows: gain and added white. Steps of the first index into `town`.
    SHADES = ((1.0, 0), (0.3, 0), (0.55, 0), (0.8, 0), (1.15, 6), (1.4, 18), (1.6, 70), (1.6, 190))

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        town = self.lights()
        self.town = np.stack([packed(town * gain + white) for gain, white in self.SHADES]).ravel()
        glass = self.glass(61, 420, 2.2, 8.5, 0), self.glass(62, 30, 6.0, 10.0, 8)
        self.still, self.running = (
            [tiled(part, width, height) for part in layer] for layer in glass
        )

    def lights(self) -> Array:
        """Soft discs of light in a dark street, (TALL, WIDE, 3), repeating."""
        rng = np.random.default_rng(63)
        dusk = noise(64, 3.4, (self.TALL, self.WIDE))[..., None]
        town = np.array([14, 18, 40.0]) + dusk * np.array([6, 7, 14.0])
        for i in range(130):
            x, y, radius = rng.integers(self.WIDE), rng.integers(self.TALL), rng.uniform(8, 44)
            z = np.arange(-int(radius) - 6, int(radius) + 7)
            away = np.hypot(z, z[:, None]) - radius
            disc = 1 / (1 + np.exp(away / 1.4)) * (0.75 + 0.25 * np.exp(-np.square(away / 7)))
            lamp = colours(self.LAMPS[i % 8], self.LAMPS[i % 8], n=1)[0]
            rows, columns = np.ix_((z + y) % self.TALL, (z + x) % self.WIDE)
            town[rows, columns] += disc[..., None] * lamp * rng.uniform(0.3, 1.0)
        return 255 * (1 - np.exp(-town / 170))

    def glass(self, seed: int, count: int, small: float, large: float, tail: float) -> list[Array]:
        """Drops, repeating: where in the town each pixel looks, and the step of its shade."""
        rng = np.random.default_rng(seed)
        offset, shade = np.zeros((2, TILE, TILE), np.int32)
        for _ in range(count):
            x, y, radius = rng.integers(TILE), rng.integers(TILE), rng.uniform(small, large)
            z = np.arange(-int(radius) - 1, int(radius) + 2)
            w = np.arange(-int(radius * max(1.1, tail)) - 1, int(1.2 * radius) + 2)[:, None]
            inside, look, tone = self.drop(z, w, radius, tail)
            place = np.ix_((w[:, 0] + y) % TILE, (z + x) % TILE)
            offset[place] = np.where(inside, look, offset[place])
            shade[place] = np.where(inside, tone, shade[place])
        return [offset, shade * (self.WIDE * self.TALL)]

    def drop(self, z: Array, w: Array, radius: float, tail: float) -> tuple[Array, Array, Array]:
        """One drop around its middle, z across, w down: its outline, its offsets, its shades."""
        body = np.sqrt(np.clip(1 - np.square(w / (1.1 * radius)), 0, 1))
        thin = np.sqrt(np.clip(1 + w / (radius * tail), 0, 1)) if tail else np.zeros_like(body)
        half = radius * np.maximum(body, np.where(w < 0, 0.42 * thin, 0)) + 1e-3
        side, up = np.clip(z / half, -2, 2), np.clip(w / radius, -1, 1)
        r2 = np.square(side) + np.square(up) * (body > 0)
        bend = -(4.5 + 3.6 * r2) * radius  # upside down, and wider towards the rim
        look = (bend * up).astype(np.int32) * self.WIDE + (bend * side).astype(np.int32)
        tone = np.where(body > 0, np.clip(3.2 + 2.2 * up - 0.8 * r2, 1, 5), 3)
        tone = np.where(np.square(side + 0.35) + np.square(up + 0.45) < 0.09, 7, tone)
        tone = np.where(np.square(side - 0.1) + np.square(up - 0.6) < 0.05, 6, tone)
        return np.abs(side) < 1, look, tone.astype(np.int32)

    def draw(self, t: float) -> Packed:
        width, height = self.size
        unit = 360 / height
        x = (np.arange(width) * unit + 10 * t).astype(np.int32)
        y = (np.arange(height) * unit + 3 * t).astype(np.int32)[:, None] * self.WIDE
        offset, shade = (window(part, 0, 0, width, height) for part in self.still)
        near = [window(part, 200, 400 - 48 * t, width, height) for part in self.running]
        wet = near[1] > 0
        at = np.where(wet, near[0], offset)
        at += x
        at += y
        at &= self.WIDE * self.TALL - 1
        at += np.where(wet, near[1], shade)
        return pick(self.town, at)
