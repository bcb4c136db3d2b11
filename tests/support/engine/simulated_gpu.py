"""A simulated GPU: tensors that say they are on cuda:0 and are computed on the CPU.

`install()` gives a process the device cuda:0, and cannot be taken back: what calls it is a separate process. Every operation on
a tensor of that device passes `_operate`, which computes it with CPU tensors and does what a GPU would do:

- it raises where an operation mixes devices, where a generator belongs to the other device, and where a tensor that is on the
  device is handed to NumPy;
- inside `watched()` it records each operation for which the host would have to wait until the device is done;
- what is above the kernels (autograd, autocast, accelerate, the project's own branches by device) takes the path of a GPU.

It shows nothing about CUDA's kernels: neither their rounding, nor their speed, nor how much memory they take. Nor does
it look into custom operators, which may wait: that of an optimal assignment does.

Autograd asks torch for the accelerator and its streams, which a CUDA build of torch cannot answer without a driver. The process
therefore starts with `environment()`, which puts a library in front of libtorch's: two functions, which answer as in a build
without accelerators (without_accelerator.c). That needs Linux and a C compiler; elsewhere `why_not()` gives the reason.

Torch's own means do not reach as far, in torch 2.14 without a driver: the backward pass of tensors on cuda:0, of FakeTensorMode's
too, ends in "hasPrimaryContext expects a valid device index", and with a Python backend registered as PrivateUse1 in an
internal assertion about streams.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

GPU = torch.device("cuda:0")
CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[3]
aten = torch.ops.aten

# Results with a size, or a Python value, that depends on the values of the input: the host waits for it.
WAITING = {
    "_linalg_check_errors",
    "_linalg_eigh",
    "_linalg_svd",
    "_local_scalar_dense",
    "_unique",
    "_unique2",
    "bincount",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "unique_consecutive",
    "unique_dim",
    "unique_dim_consecutive",
}
WAITING_UNLESS = {
    # otherwise torch looks whether the probabilities are valid
    "multinomial": lambda probs, count, replacement=False, **_: count > 1 and replacement,
    "repeat_interleave": lambda *_, output_size=None: output_size is not None,
}
INDEXING = {"_index_put_impl_", "_unsafe_index", "_unsafe_index_put", "index", "index_put", "index_put_"}
ANSWERS = Path(__file__).with_name("without_accelerator.c")
OF_THE_ACCELERATOR = ("_ZN2at11accelerator14getAcceleratorEb", "_ZN2at11accelerator13isAcceleratorEN3c1010DeviceTypeE")

_waits, _watching = Counter(), []
COMPILED = []  # what should have been compiled, and how; it runs as it is written


def why_not():
    """Why this machine or this torch cannot simulate a GPU; None where it can."""
    if sys.platform != "linux" or not shutil.which("cc"):
        return "a GPU is simulated on Linux, with a C compiler (cc)"
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    missing = [name for name in OF_THE_ACCELERATOR if not hasattr(library, name)]
    return f"libtorch of torch {torch.__version__} has no {missing[0]}" if missing else None


@contextlib.contextmanager
def environment():
    """The environment variables of a process that calls `install()`; they are needed until its Python has started."""
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/without_accelerator.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, ANSWERS], check=True)
        yield os.environ | {"LD_PRELOAD": library, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


@contextlib.contextmanager
def watched():
    """A Counter that fills with what makes the host wait: "operation at file:line" -> how often."""
    _waits.clear()
    _watching.append(True)
    try:
        yield _waits
    finally:
        _watching.clear()


# ---------------------------------------------------------------------------------------------------- tensors


class OnGpu(torch.Tensor):
    """A tensor of the simulated device, around the CPU tensor `inner` that holds its values."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype, device=GPU
        )

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return _operate(operation, args, kwargs or {})

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it to host memory first.")

    def __array__(self, *_, **__):
        return self.numpy()

    def tolist(self):
        _wait("tolist")
        return self.inner.tolist()

    def __format__(self, spec):
        return self.item().__format__(spec) if self.ndim == 0 else object.__format__(self, spec)

    def __repr__(self, **_):
        return f"OnGpu({self.inner})"


def _operate(operation, args, kwargs):
    """The operation, computed on the CPU; on the simulated device if a tensor of it takes part, or if it is requested."""
    ours, strangers, facts, device = [], [], _facts(operation), kwargs.get("device")
    inner = [_inner(value, ours, strangers) for value in args]
    options = {key: _inner(value, ours, strangers) for key, value in kwargs.items()}
    if device:
        device, options["device"] = torch.device(device).type, CPU
    if facts.draws:
        _require_generator(device or next((tensor.device.type for tensor in ours + strangers), "cpu"), [*args, *kwargs.values()])
    if not ours and device != "cuda":
        return operation(*args, **kwargs)
    name = facts.name
    if name in INDEXING and isinstance(args[0], OnGpu):
        _wait_for_indices([index for index in args[1] if index is not None], *args[2:3])
        strangers = [value for value in args[2:3] if not isinstance(value, OnGpu)]  # indices may lie on the host
    if ours and strangers:
        _require_one_device(operation, name, strangers)
    if name in WAITING or (name in WAITING_UNLESS and not WAITING_UNLESS[name](*args, **kwargs)):
        _wait(name)
    to_host = name == "_to_copy" and device == "cpu"
    if to_host:
        _wait("copy to the host")
    elif name == "_to_copy" and not ours:
        _wait_for_copy(args[0], kwargs.get("non_blocking"))
    elif name == "copy_" and isinstance(args[0], OnGpu) != isinstance(args[1], OnGpu):
        _wait_for_copy(args[1], kwargs.get("non_blocking") or args[2:] == (True,))
    out = facts.kernel(*inner, **options)
    if to_host:
        return out
    out = _outer(out)
    return return_and_correct_aliasing(operation, args, kwargs, out) if ours and facts.gives_views else out


def rms_norm_backward(upstream, x, shape, inverse, weight, _):
    """Gradients of w x r, r = (mean x^2 + epsilon)^(-1/2) over the last axes, for x and w; inverse: r."""
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    normal, slope = x * inverse, upstream if weight is None else upstream * weight
    of_x = inverse * (slope - normal * (slope * normal).mean(axes, keepdim=True))
    return of_x, None if weight is None else (upstream * normal).sum(tuple(range(x.ndim - len(shape))))


KERNELS = {aten._fused_rms_norm_backward.default: rms_norm_backward}  # that torch has for devices alone


def _inner(value, ours, strangers):
    """The CPU's tensor in place of one of the device, also in a list; those of the device join `ours`, others `strangers`."""
    kind = type(value)
    if kind is OnGpu:
        ours.append(value)
        return value.inner
    if kind is list or kind is tuple:  # torch's own tree_map takes longer than the operations
        return kind([_inner(one, ours, strangers) for one in value])
    if isinstance(value, torch.Tensor):
        strangers.append(value)
    return value


def _outer(value):
    if type(value) in (list, tuple):
        return type(value)([_outer(one) for one in value])
    return OnGpu(value) if isinstance(value, torch.Tensor) and not isinstance(value, OnGpu) else value


class Facts(NamedTuple):
    name: str
    kernel: Callable
    gives_views: bool  # a result shares memory with an argument, or is one
    draws: bool  # takes a generator


@cache
def _facts(operation):
    schema = operation._schema
    gives_views = schema.is_mutable or any(result.alias_info for result in schema.returns)
    draws = any("Generator" in str(argument.type) for argument in schema.arguments)
    return Facts(operation.overloadpacket.__name__, KERNELS.get(operation, operation), gives_views, draws)


def _require_one_device(operation, name, strangers):
    """Kernels read one device, and numbers of the host, which may be tensors without axes."""
    if operation.namespace == "aten" and name not in ("_to_copy", "copy_") and any(tensor.ndim > 0 for tensor in strangers):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found cuda:0 and cpu in {operation}")


def _require_generator(device, values):
    """A draw on a device needs a generator of that device."""
    for generator in values:
        if isinstance(generator, _Generator):
            found = "cuda" if generator._cdata in _GpuGenerator.known else "cpu"  # torch passes on the C++ object
            if found != device:
                raise RuntimeError(f"Expected a {device!r} device type for generator but found {found!r}")


# ---------------------------------------------------------------------------------------------------- waiting


def _wait_for_copy(source, non_blocking):
    """From pinned memory the device copies while the host goes on; into the host's memory it cannot."""
    if isinstance(source, OnGpu):
        _wait("copy to the host")
    elif not (non_blocking and getattr(source, "pinned", False)):
        _wait("copy to the device from memory that is not pinned, or blocking")


def _wait_for_indices(indices, value=None):
    """A mask becomes the places where it holds, unless one number goes there; an index on the host is copied."""
    masked = any(index.dtype in (torch.bool, torch.uint8) for index in indices)
    if masked and not (len(indices) == 1 and value is not None and value.numel() == 1):
        _wait("mask as an index")
    if not all(isinstance(index, OnGpu) for index in indices):
        _wait("index on the host")


def _wait(what):
    if _watching:
        _waits[f"{what} at {_line()}"] += 1


def _line():
    """The innermost line of the project, or of a test."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and path.parts[-1] != Path(__file__).name and ".venv" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.lineno}"
    return "?"


# ---------------------------------------------------------------------------------------------------- the process


class _Creations(TorchDispatchMode):
    """Sees what is created on the device, where no tensor of it takes part."""

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # nothing is compiled here, and saying so costs more than most operations

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return _operate(operation, args, kwargs or {})


_Generator = torch.Generator


class _Generators(type):
    """torch.Generator(device), for both devices; isinstance as ever."""

    def __call__(cls, device="cpu"):
        return _GpuGenerator() if torch.device(device).type == "cuda" else _Generator()

    def __instancecheck__(cls, generator):
        return isinstance(generator, _Generator)


class _AnyGenerator(metaclass=_Generators):
    """The torch.Generator of this process."""


class _GpuGenerator(_Generator):
    """A generator of the simulated device. It draws what a CPU's with the same seed draws."""

    device = GPU
    known = {}  # all of them, which live as long as the process, by where they are in C++

    def __new__(cls):
        made = _Generator.__new__(cls)
        cls.known[made._cdata] = made
        return made


def _attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    """scaled_dot_product_attention; torch's own would ask CUDA which of its kernels fits."""
    if enable_gqa:
        key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
    query = query * (query.shape[-1] ** -0.5 if scale is None else scale)
    scores = query @ key.transpose(-1, -2)
    if is_causal:
        past = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~past, -torch.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return torch.nn.functional.dropout(scores.softmax(-1), dropout_p) @ value


def _compiled_method(method, **options):
    COMPILED.append((f"{type(method.__self__).__name__}.{method.__name__}", options))
    return method


def _pinned(tensor, device=None):
    copy = tensor.clone()
    copy.pinned = True
    return copy


def install():
    """Give this process a simulated cuda:0, on which accelerate puts what is trained. It cannot be taken back."""
    if torch.accelerator.current_accelerator() is not None:
        raise RuntimeError("a process that simulates a GPU is started with the variables of simulated_gpu.environment()")
    from accelerate import PartialState

    torch._C._ensureCUDADeviceGuardSet()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device="cuda") copies from the host, as it does on a GPU
    PartialState()
    PartialState._shared_state["device"] = GPU
    torch.Generator, torch.Tensor.pin_memory = _AnyGenerator, _pinned
    torch.nn.functional.scaled_dot_product_attention = _attention
    torch.backends.cudnn.enabled = False
    torch.__future__.set_swap_module_params_on_conversion(True)  # module.to(): .data cannot change its type in place
    cuda = torch.cuda
    cuda._lazy_init = lambda: None
    default = _GpuGenerator()  # to be saved and restored; what draws without a generator draws from the CPU's
    cuda.get_rng_state = lambda device=None: default.get_state()
    cuda.set_rng_state = lambda state, device=None: default.set_state(state)
    cuda.is_bf16_supported, cuda.amp.common.amp_definitely_not_available = lambda *_, **__: True, lambda: False
    cuda.get_device_name, cuda.max_memory_allocated = lambda device=None: "simulated", lambda device=None: 0
    # inference tensors cannot be wrapped: inference_mode only stops gradients
    torch.inference_mode.__enter__, torch.inference_mode.__exit__ = torch.no_grad.__enter__, torch.no_grad.__exit__
    torch.nn.Module.compile = lambda module, **options: COMPILED.append((type(module).__name__, options))
    torch.compile = _compiled_method
    warnings.filterwarnings("ignore", message=".*CUDA.*")
    _Creations().__enter__()
