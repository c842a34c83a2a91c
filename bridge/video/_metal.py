"""Pictures between Metal's textures and torch's tensors, on Apple's graphics card.

torch computes there in memory that is a Metal buffer, so a picture goes between a texture and a
tensor by one blit, and no byte of it touches the host. Metal and torch have a queue of work each
and know nothing of one another: here one waits for the other. Used on the frame thread, inside an
autorelease pool; loaded only where pictures are wanted on "mps", for it brings torch.
"""

import ctypes
import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bridge import Refusal
from bridge.video import _syphon
from bridge.video._syphon import RING, objc

DEVICE = "mps"
SAMPLE = 20, 52, 4  # the shape of the picture that proves a card: no round numbers
ZERO = 0, 0, 0
FAULTS = (RuntimeError, TypeError, ValueError, AttributeError, objc.error)


@functools.cache
def card() -> "Card":
    """The card, once it was seen to copy right. Raises Refusal saying in short why it does not."""
    try:
        made = Card()
        _prove(made)
    except FAULTS as problem:
        raise Refusal(f"Metal and torch do not meet ({problem})") from problem
    return made


class Card:
    """The card that torch computes on. `device` is Metal's name for it."""

    def __init__(self) -> None:
        blank = torch.zeros(SAMPLE, dtype=torch.uint8, device=DEVICE)
        torch.mps.synchronize()
        # Up to 2.13 torch keeps the Metal buffer, an object, where a tensor of the processor has
        # the address of its pixels. Later ones have that here too, and to use pixels for an object
        # ends the process: but no object begins with zeros.
        if not ctypes.c_uint64.from_address(_address(blank)).value:
            raise Refusal("this torch does not show its Metal buffers")
        self.device = _buffer(blank).device()
        self._queue = self.device.newCommandQueue()

    def incoming(self) -> "Incoming":
        return Incoming(self)

    def pull(self, texture: Any, tensor: Tensor) -> None:
        """Texture to tensor, (H, W, 4) uint8 of the same size; done when it returns. Raises
        Refusal. Torch must be done with the tensor before."""
        height, width = tensor.shape[:2]
        row, size = width * 4, (width, height, 1)
        order = self._queue.commandBuffer()
        blit = order.blitCommandEncoder()
        blit.copyFromTexture_sourceSlice_sourceLevel_sourceOrigin_sourceSize_toBuffer_destinationOffset_destinationBytesPerRow_destinationBytesPerImage_(
            texture, 0, 0, ZERO, size, _buffer(tensor), 0, row, row * height
        )
        blit.endEncoding()
        order.commit()
        order.waitUntilCompleted()
        if order.error() is not None:
            why = f"the graphics card did not copy a picture ({order.error()})"
            raise Refusal(f"syphon: {why}; close other programs that draw on it.")

    def push(self, pixels: Tensor, texture: Any, order: Any) -> Tensor:
        """Have `order` copy (H, W, 4) uint8 to a texture of the same size. What it answers is what
        the order reads: keep it as it is until that is done."""
        whole = pixels.to(DEVICE).contiguous()
        if whole.storage_offset():  # a part of something larger, whose buffer begins elsewhere
            whole = whole.clone()
        torch.mps.synchronize()
        height, width = whole.shape[:2]
        row, size = width * 4, (width, height, 1)
        blit = order.blitCommandEncoder()
        blit.copyFromBuffer_sourceOffset_sourceBytesPerRow_sourceBytesPerImage_sourceSize_toTexture_destinationSlice_destinationLevel_destinationOrigin_(
            _buffer(whole), 0, row, row * height, size, texture, 0, 0, ZERO
        )
        blit.endEncoding()
        return whole


class Incoming:
    """What comes, as tensors of their own, row 0 on top."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._ring: list[Tensor] = []
        self._turn = 0

    def __call__(self, texture: Any) -> Tensor:
        shape = texture.height(), texture.width(), 4
        if not self._ring or self._ring[0].shape != shape:
            self._ring = [torch.empty(shape, dtype=torch.uint8, device=DEVICE) for _ in range(RING)]
            self._turn = 0
        if self._turn == 0:
            # Torch may still turn over what came in the last round, or use the memory that it has
            # just given us for what it had before. Once a round is enough, and seldom a wait.
            torch.mps.synchronize()
        tensor = self._ring[self._turn]
        self._turn = (self._turn + 1) % RING
        self._card.pull(texture, tensor)
        return tensor.flip(0) if _syphon.FLIPPED else tensor


def _prove(card: Card) -> None:
    """Raises Refusal unless a picture comes and goes by the card as it does by the host."""
    height, width, _ = SAMPLE
    truth = (np.arange(height * width * 4) % 251).astype(np.uint8).reshape(SAMPLE)
    texture = _syphon.texture(card.device, (width, height), "bgra")
    _syphon.write(truth, texture)
    come = Incoming(card)(texture).cpu().numpy()

    order = card._queue.commandBuffer()
    texture = _syphon.texture(card.device, (width, height), "bgra")
    kept = card.push(torch.from_numpy(truth), texture, order)
    order.commit()
    order.waitUntilCompleted()
    del kept
    gone = np.empty_like(truth)
    _syphon.read(texture, gone)
    if not np.array_equal(come, _syphon.upright(truth)) or not np.array_equal(gone, truth):
        raise Refusal("the blit gave other pixels than the host")


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _buffer(tensor: Tensor) -> Any:
    """The Metal buffer behind a tensor, from its beginning."""
    return objc.objc_object(c_void_p=_address(tensor))
