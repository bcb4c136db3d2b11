"""export --onnx FILE: the network that `sample` calls, through torch's exporter, compared with torch by onnxruntime.

Inputs are those of the first call while one sample is drawn: so nothing is known here of any topic's network. A language model
is exported from its tokens to logits, without a cache.
"""

import contextlib
import inspect
import os
import tempfile
from pathlib import Path

import torch

from practice_torch.engine.errors import RunError

MOST = 2**31  # bytes of a file in protocol buffers; larger weights would need a second file
TOLERANCE = 1e-4  # largest difference allowed, relative to the largest entry of the output: sums in another order
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def write_onnx(experiment, file, of_tokens=None):
    """Write the network to the file, and return (its dotted name, the largest difference relative to the largest output).

    of_tokens: (dotted name, number of tokens) of a language model's network. RunError, with nothing written, where there is no
    single network, torch cannot export it, or onnxruntime's outputs differ.
    """
    _require_packages()
    name, arguments = of_tokens_call(*of_tokens) if of_tokens else _called_by_sampling(experiment)
    network, file = experiment.get_submodule(name).eval(), Path(file)
    if sum(parameter.nbytes for parameter in network.parameters()) >= MOST:
        raise RunError(f"{name} has more than 2 GiB of weights, the most that one ONNX file holds: export it to a folder")
    if file.exists():
        raise RunError(f"{file} exists: name another file, or remove it")
    with _aside(file) as draft:
        _export(network, name, arguments, draft)
        largest = max(_difference(network, draft, given) for given in (arguments, *map(_varied(arguments), (1, 2))))
        if not largest <= TOLERANCE:
            raise RunError(f"onnxruntime's outputs of {name} differ by {largest:.2g}, above {TOLERANCE:g}: {file} is not written")
        draft.replace(file)
    return name, largest


def of_tokens_call(name, tokens):
    """The call of a language model's network: two texts of 7 tokens."""
    generator = torch.Generator().manual_seed(0)
    return name, (torch.randint(tokens, (2, 7), generator=generator),)


def _require_packages():
    for package in PACKAGES:
        try:
            __import__(package)
        except ImportError:
            raise RunError(f"--onnx needs {package}, which is not installed: pip install {' '.join(PACKAGES)}") from None


def _called_by_sampling(experiment):
    """(dotted name, arguments) of the one network whose forward pass `sample` calls from outside of all networks."""
    calls, depth = {}, [0]

    def before(name):
        def hook(module, arguments, keywords):
            if not depth[0] and name not in calls:
                calls[name] = (arguments, keywords)
            depth[0] += 1

        return hook

    def after(*_):
        depth[0] -= 1

    with contextlib.ExitStack() as hooks:
        for name, module in experiment.named_modules():
            if name and any(True for _ in module.parameters()):
                hooks.callback(module.register_forward_pre_hook(before(name), with_kwargs=True).remove)
                hooks.callback(module.register_forward_hook(after, always_call=True).remove)
        with torch.no_grad():
            experiment.sample(2)
    if len(calls) != 1:
        found = f"{len(calls)} parts ({', '.join(calls)[:120]})" if calls else "no network's forward pass"
        raise RunError(f"`sample` calls {found} of this model, and ONNX takes one network: there is nothing to export")
    ((name, (arguments, keywords)),) = calls.items()
    network = experiment.get_submodule(name)
    bound = inspect.signature(network.forward).bind(*arguments, **keywords)
    bound.apply_defaults()
    values = list(bound.arguments.values())
    while values and values[-1] is None:
        values.pop()
    if not values or not all(isinstance(value, torch.Tensor) for value in values):
        kinds = ", ".join(f"{key} ({type(value).__name__})" for key, value in bound.arguments.items())
        raise RunError(f"{name} takes {kinds}, and ONNX takes tensors: there is nothing to export")
    return name, tuple(value.detach().clone().contiguous() for value in values)


@contextlib.contextmanager
def _aside(file):
    """A path next to the file, which is removed if it is still there in the end."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-", suffix=".onnx")
        os.close(handle)
    except OSError as error:
        raise RunError(f"cannot write into {file.parent}: {error.strerror}") from None
    try:
        yield Path(name)
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def _export(network, name, arguments, draft):
    """By torch's exporter, with free sizes of the batch and, of tokens, of the text, as far as the network allows."""
    free = tuple({axis: torch.export.Dim.AUTO for axis in range(value.ndim)} for value in arguments)
    try:
        with contextlib.redirect_stdout(None), torch.no_grad():
            program = torch.onnx.export(network, arguments, dynamo=True, dynamic_shapes=free, verbose=False)
            program.save(str(draft), external_data=False)
    except OSError:
        raise
    except Exception as error:  # of torch's exporter, of many kinds
        reason = " ".join(str(error).split())[:160]
        raise RunError(f"torch cannot export {name} to ONNX ({type(error).__name__}: {reason})") from None


def _varied(arguments):
    """Other random arguments of the same shapes, by a number."""

    def of_seed(seed):
        generator = torch.Generator().manual_seed(seed)

        def other(value):
            if value.is_floating_point():
                return torch.randn(value.shape, generator=generator)
            return value[torch.randperm(len(value), generator=generator)] if value.ndim else value

        return tuple(map(other, arguments))

    return of_seed


def _difference(network, draft, arguments):
    """The largest difference between torch's and onnxruntime's outputs, relative to torch's largest."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(draft), options, providers=["CPUExecutionProvider"])
    feeds = {node.name: value.numpy() for node, value in zip(session.get_inputs(), arguments, strict=True)}
    with torch.no_grad():
        ours = network(*arguments)
    ours = [part for part in (ours if isinstance(ours, tuple | list) else [ours]) if isinstance(part, torch.Tensor)]
    theirs = [torch.from_numpy(part) for part in session.run(None, feeds)]
    if [part.shape for part in ours] != [part.shape for part in theirs]:
        return float("inf")
    pairs = zip(ours, theirs, strict=True)
    return max(float((a.double() - b.double()).abs().max() / a.double().abs().max().clamp_min(1e-30)) for a, b in pairs)
