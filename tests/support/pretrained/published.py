"""Published architectures at tiny sizes: their networks at random weights, saved, read here, and compared within computed bounds.

A tolerance is 16 times the largest change of what they compute in float64 when every weight moves by one unit of rounding, plus
16 units of the logits, or of the largest gradient: that of keys' biases is a sum of terms that nearly cancel. A sound program in
that precision stays within it, whatever the order of its sums.
"""

import contextlib
import dataclasses
import json
from typing import Any

import torch

from practice_torch.pretrained.configuration import CONFIG, read_config
from practice_torch.pretrained.layout import to_ours, to_theirs
from practice_torch.pretrained.weights import read_weights, write_weights

VOCABULARY, LENGTH, WRITTEN = 61, 9, 64
WITHOUT_ENDS = dict(bos_token_id=None, eos_token_id=None, pad_token_id=None)
SPREAD = 16  # of a bound, over one measured change


@dataclasses.dataclass(frozen=True)
class Architecture:
    """architecture: the file of practice_torch/pretrained. network(fields) is ours. model, config: classes of transformers.

    sizes: of their configuration. module: where their code is; it casts to float32, which `widened` undoes.
    """

    architecture: Any
    network: Any
    model: Any
    config: Any
    module: Any
    sizes: dict

    def theirs(self, **changes):
        """Their network with weights that make every part count, in float64."""
        config = self.config(vocab_size=VOCABULARY, **self.sizes | WITHOUT_ENDS | changes)
        torch.manual_seed(0)
        with widened(self.module):
            theirs = self.model(config).double().eval()
        for name, parameter in theirs.named_parameters():
            # normal weights and biases of scale, and norms near one
            torch.nn.init.normal_(parameter, mean=1.0 if _is_norm(name, parameter) else 0.0, std=0.3)
        return theirs

    def read(self, folder, dtype=None):
        """Our network of a folder, in its precision or another, and its fields."""
        fields = self.architecture.fields(read_config(folder))
        with torch.device("meta"):
            network = self.network(fields)
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        ours = to_ours(self.architecture.layout(fields), read_weights(folder), shapes)
        network.load_state_dict({name: tensor.to(dtype or tensor.dtype) for name, tensor in ours.items()}, assign=True)
        return network.eval().requires_grad_(), fields

    def write(self, network, fields, folder, **options):
        """Our network in their layout."""
        write_weights(folder, to_theirs(self.architecture.layout(fields), network.state_dict()), **options)
        (folder / CONFIG).write_text(json.dumps(self.architecture.config(fields)))


class _Widened:
    """torch, where float32 is float64."""

    float = float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@contextlib.contextmanager
def widened(module):
    """Inside, their code casts to float64 where it casts to float32, so that float64 is float64 throughout."""
    plain, torch.Tensor.float = torch.Tensor.float, torch.Tensor.double
    module.torch = _Widened()
    try:
        yield
    finally:
        torch.Tensor.float, module.torch = plain, torch


@contextlib.contextmanager
def default_of(dtype):
    """Inside, the default type is this one: our angles of positions have it."""
    plain = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(plain)


def tokens(rows=2, length=LENGTH):
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(1))


def of_theirs(theirs):
    """Logits, and the gradient of the mean -log p of the next tokens by every parameter."""
    logits = theirs(tokens()).logits
    return _with_gradients(logits, {name: parameter for name, parameter in theirs.named_parameters()})


def of_ours(network, architecture, fields):
    """The same, by their names."""
    with default_of(next(network.parameters()).dtype):
        logits = network(tokens())
    found = _with_gradients(logits, dict(network.named_parameters()))
    return {"logits": found.pop("logits")} | to_theirs(architecture.layout(fields), found)


def bounds(case, theirs, wanted, roundoff):
    """The tolerance of each value: see above. The weights are moved in place, and put back."""
    kept = {name: parameter.detach().clone() for name, parameter in theirs.named_parameters()}
    change = {name: 0.0 for name in wanted}
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in theirs.named_parameters():
                sign = torch.randint(2, parameter.shape, generator=generator) * 2 - 1
                parameter.copy_(kept[name] * (1 + roundoff * sign))
        with widened(case.module):
            moved = of_theirs(theirs)
        change = {name: max(most, _largest(moved[name] - wanted[name])) for name, most in change.items()}
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(kept[name])
    steepest = max(_largest(value) for name, value in wanted.items() if name != "logits")
    size = {name: _largest(wanted[name]) if name == "logits" else steepest for name in wanted}
    return {name: SPREAD * (change[name] + roundoff * size[name]) for name in wanted}


def require_close(found, wanted, tolerances):
    """Every value within its tolerance, none that is zero by accident, and the same names."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert _largest(value) > 0, name
        off = _largest(found[name].double() - value)
        assert off <= tolerances[name], f"{name}: off by {off:.2e}, allowed {tolerances[name]:.2e}"


def _with_gradients(logits, parameters):
    given = tokens()
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), given[:, 1:].flatten())
    slopes = torch.autograd.grad(loss, list(parameters.values()))
    return {"logits": logits.detach()} | dict(zip(parameters, slopes, strict=True))


def _is_norm(name, parameter):
    return parameter.ndim == 1 and name.endswith("weight")


def _largest(values):
    return values.abs().max().item()


def require_published(config, count, architecture, network):
    """Ours of a published configuration has this number of parameters, and by the layout the names and shapes of theirs."""
    import transformers

    fields = architecture.fields(config)
    with torch.device("meta"):
        ours = network(fields)
        theirs = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**config))
    laid = to_theirs(architecture.layout(fields), ours.state_dict())
    wanted = {name: tuple(parameter.shape) for name, parameter in theirs.named_parameters()}
    assert {name: tuple(tensor.shape) for name, tensor in laid.items()} == wanted
    assert sum(map(torch.Tensor.numel, laid.values())) == theirs.num_parameters() == count
