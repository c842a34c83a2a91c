"""A FAKE card, in the host's memory: OpenGL's textures, and CUDA's way to them.

It stands in for what `bridge.video._texture` calls: OpenGL, cuda-bindings' runtime, and torch as
far as torch is about the card. The textures are those of the fake SpoutGL's machine.
"""

import ctypes
import enum
import itertools
from types import SimpleNamespace

import numpy as np
import torch
from fakes.spoutgl import machine


class OnCard(torch.Tensor):
    """A tensor that says it is on the card."""

    is_cuda = True


def on_card(array):
    return torch.from_numpy(np.ascontiguousarray(array)).as_subclass(OnCard)


class Torch(SimpleNamespace):
    """torch with a card in it."""

    def __init__(self, name="NVIDIA GeForce RTX 4070"):
        super().__init__(
            device=torch.device, uint8=torch.uint8, int32=torch.int32, equal=torch.equal,
            Tensor=torch.Tensor, version=SimpleNamespace(cuda="12.8"),
            cuda=SimpleNamespace(
                current_stream=lambda device: SimpleNamespace(cuda_stream=7),
                current_device=lambda: 0, get_device_name=lambda device: name,
            ),
        )  # fmt: skip

    def tensor(self, values, device):
        assert device.type == "cuda"
        return torch.tensor(values)

    def empty(self, shape, dtype, device):
        assert device.type == "cuda"
        return torch.empty(shape, dtype=dtype).as_subclass(OnCard)


class GL:
    """OpenGL on a card of `renderer`, made by `vendor`."""

    renderer, vendor = "NVIDIA GeForce RTX 4070/PCIe/SSE2", "NVIDIA Corporation"
    _numbers = itertools.count(1)

    def told(self, what):
        return {0x1F00: self.vendor, 0x1F01: self.renderer}[what]

    def texture(self, size):
        assert machine.current, "no context is current"
        name = next(self._numbers)
        machine.textures[name] = np.zeros((size[1], size[0], 4), np.uint8)
        return name

    def delete(self, name):
        assert machine.current, "no context is current"
        del machine.textures[name]


class Error(enum.Enum):
    cudaSuccess = 0
    cudaErrorUnknown = 999
    cudaErrorOperatingSystem = 304


class Runtime:
    """cuda.bindings.runtime. `fails` maps a call to its error."""

    cudaError_t = Error
    cudaGraphicsRegisterFlags = SimpleNamespace(
        cudaGraphicsRegisterFlagsReadOnly=1, cudaGraphicsRegisterFlagsWriteDiscard=2
    )
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyDeviceToDevice=3)

    def __init__(self):
        self.fails = {}
        self.registered, self.mapped, self.copies = {}, set(), 0
        self.null = False  # whether it gives the handle of cuda-bindings 12.9.3

    def _answer(self, call, *values):
        error = self.fails.get(call, Error.cudaSuccess)
        return (error, *(values if error is Error.cudaSuccess else [None] * len(values)))

    def cudaSetDevice(self, index):
        return self._answer("set")

    def cudaGraphicsGLRegisterImage(self, texture, target, flags):
        answer = self._answer("register", 0 if self.null else texture)
        if answer[1]:
            assert texture not in self.registered.values()
            self.registered[answer[1]] = texture
        return answer

    def cudaGraphicsUnregisterResource(self, resource):
        assert resource not in self.mapped
        del self.registered[resource]
        return self._answer("unregister")

    def cudaGraphicsMapResources(self, count, resource, stream):
        assert (count, stream) == (1, 7)
        assert resource not in self.mapped
        answer = self._answer("map")
        if answer[0] is Error.cudaSuccess:
            self.mapped.add(resource)
        return answer

    def cudaGraphicsUnmapResources(self, count, resource, stream):
        self.mapped.remove(resource)
        return self._answer("unmap")

    def cudaGraphicsSubResourceGetMappedArray(self, resource, index, level):
        assert resource in self.mapped
        return self._answer("array", machine.textures[self.registered[resource]])

    def cudaMemcpy2DFromArrayAsync(self, to, pitch, array, x, y, width, height, kind, stream):
        return self._copied(to, array.ctypes.data, pitch, array, width, height)

    def cudaMemcpy2DToArrayAsync(self, array, x, y, source, pitch, width, height, kind, stream):
        return self._copied(array.ctypes.data, source, pitch, array, width, height)

    def _copied(self, to, source, pitch, array, width, height):
        assert pitch == width
        assert width * height == array.nbytes
        self.copies += 1
        answer = self._answer("copy")
        if answer[0] is Error.cudaSuccess:
            ctypes.memmove(to, source, array.nbytes)
        return answer
