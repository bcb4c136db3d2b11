"""Model rows: twins agree in outputs, gradients and 50 steps of Adam; every way of being a bad twin is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from practice_torch.latent.vae import VariationalAutoencoder
from shared_specs.backends import torch_network
from shared_specs.backends.jax_network import Functional
from shared_specs.bridge import to_flax_layout, to_torch_layout, torch_name
from shared_specs.checking.models import compare_networks, generic
from shared_specs.checking.relations import relation_outcomes
from shared_specs.rows import Model, begins_by_inputs, bits, given, normal

pytestmark = pytest.mark.xdist_group("latent/vae")
ROW = Model(
    "VariationalAutoencoder",
    "small",
    given(x=bits(5, 12), noise=normal(5, 3)),
    dict(num_pixels=12, hidden_dims=(7, 6), latent_dim=3),
    initial={"*": begins_by_inputs()},
)


class OtherActivation(VariationalAutoencoder):
    """tanh-approximate GELU where the twin has another activation."""

    def decode(self, z):
        for layer in self.decoder:
            z = torch.nn.functional.gelu(layer(z), approximate="tanh")
        return self.logits(z)


class WrongDeviation(VariationalAutoencoder):
    """std = e^log_var: the best-known mistake of this network."""

    def forward(self, x, noise):
        mean, log_var = self.encode(x)
        return self.decode(mean + log_var.exp() * noise), mean, log_var


class NoGradientToTheEncoder(VariationalAutoencoder):
    """The sample is detached: outputs agree, gradients do not."""

    def forward(self, x, noise):
        logits, mean, log_var = super().forward(x, noise)
        return self.decode((mean + (log_var / 2).exp() * noise).detach()), mean, log_var


class OtherNames(VariationalAutoencoder):
    """A parameter under another name cannot be moved between the backends."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.to_logits = self.logits
        del self.logits

    def decode(self, z):
        self.logits = self._modules["to_logits"]
        return super().decode(z)


def failed(practice, precision="float64"):
    """The quantities in which the practice network differs from its flax twin."""
    return [each.quantity for each in compare_networks("latent/vae", ROW, precision, practice) if not each.worst <= 1]


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_twins_agree(precision):
    """Outputs and every gradient; and in float64 every parameter after 50 steps of Adam."""
    outcomes = list(compare_networks("latent/vae", ROW, precision))
    assert failed(VariationalAutoencoder, precision) == []
    parameters = len(list(VariationalAutoencoder(**ROW.sizes).parameters()))
    # in float64 also the trajectory's end and the beginning of every parameter, and that examples are apart
    assert len(outcomes) == 3 + (3 * parameters + 1 if precision == "float64" else parameters)
    assert any(outcome.worst > 0 for outcome in outcomes)  # something was computed twice


@pytest.mark.parametrize("compiled", [False, True])
def test_xla_runs_the_trajectory_where_a_row_is_compiled(compiled, monkeypatch):
    """And it ends where NumPy's does, within the tolerance."""
    adam, by_xla = Functional.adam, []

    def watched(twin, *given):
        by_xla.append(len(given) == 4)  # without points
        return adam(twin, *given)

    monkeypatch.setattr(Functional, "adam", watched)
    outcomes = list(compare_networks("latent/vae", ROW, "float64", compiled=compiled))
    assert any(by_xla) is compiled
    assert [each for each in outcomes if not each.worst <= 1] == []


@pytest.mark.parametrize(
    ("practice", "first"),
    [
        (OtherActivation, "output 0"),
        (WrongDeviation, "output 0"),
        (NoGradientToTheEncoder, "gradient encoder.0.weight"),
        (OtherNames, "parameter names"),
    ],
)
def test_a_bad_twin_is_refused(practice, first):
    """And where it first differs is named."""
    assert failed(practice)[0] == first


def _relations(network, **relations):
    row = replace(ROW, relations=relations)
    start = generic(torch_network.parameters(torch_network.build(network, row.sizes)))
    arrays = row.given.draw("relations")
    return {each.quantity: each for each in relation_outcomes(network, row, start, arrays)}


def test_relations_between_methods_hold_up_to_rounding():
    """Sides of several tensors; a shape that differs; what is wrong by more than rounding; a method that is not there."""
    found = _relations(
        VariationalAutoencoder,
        same=lambda network, x, noise: (network.encode(x), [part + 1 - 1 for part in network.encode(x)]),
        shape=lambda network, x, noise: (network.encode(x)[0], network.encode(x)[0][:, :1]),
        wrong=lambda network, x, noise: (network.encode(x)[0], network.encode(x)[0] + 1e-9),
        missing=lambda network, x, noise: (network.generate(x), x),
    )
    assert 0 < found["same"].worst < 1
    assert found["shape"].message == "the sides have shapes [[5, 3]] and [[5, 1]]"
    assert found["wrong"].worst > 100 and "differ by 1e-09" in found["wrong"].message
    assert found["missing"].message == "VariationalAutoencoder.generate" and found["missing"].worst == np.inf


def test_another_optimizer_is_refused(monkeypatch):
    """epsilon inside the root of Adam: outputs and gradients agree, the trajectory does not."""
    right = torch.optim.Adam

    def wrong(parameters, lr, betas, eps):
        return right(parameters, lr=lr, betas=betas, eps=100 * eps)

    monkeypatch.setattr(torch.optim, "Adam", wrong)
    differing = failed(VariationalAutoencoder)
    assert differing and all("steps of Adam" in quantity for quantity in differing)


def test_layouts_go_there_and_back():
    """Linear kernels are transposed; convolutions move their channels to the end; the rest stays."""
    rng = np.random.default_rng(0)
    for shape in ((3, 5), (3, 5, 2), (3, 5, 2, 7)):
        weight = rng.normal(size=shape)
        there = to_flax_layout("kernel", weight)
        assert there.shape == shape[2:] + (shape[1], shape[0])
        np.testing.assert_array_equal(to_torch_layout("kernel", there), weight)
    np.testing.assert_array_equal(to_flax_layout("bias", rng.normal(size=3)).shape, (3,))
    assert torch_name(("encoder", 0, "kernel")) == "encoder.0.weight"
    assert torch_name(("norm", "scale")) == "norm.weight" and torch_name(("norm", "bias")) == "norm.bias"
