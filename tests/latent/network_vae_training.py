"""The network of text of latent/vae_training, which has no flax counterpart: its formula, from the cells of torch."""

import torch
from torch.nn import functional

from practice_torch.experiments.codes.text_autoencoder import TextAutoencoder
from practice_torch.latent.hierarchical_vae import soft_clip
from shared_specs.rows import Model, begins_by_inputs, begins_normal, given, integers, normal
from tests.support.networks import Held

HIDDEN = 6


def _states(layer, x, h):
    """Of a GRU, one cell after another."""
    found = []
    for column in x.unbind(1):
        h = torch.gru_cell(column, h, layer.input.weight, layer.hidden.weight, layer.input.bias, layer.hidden.bias)
        found.append(h)
    return torch.stack(found, 1)


def _formula(network, tokens, inputs, noise):
    p = dict(network.named_parameters())
    read = p["embedding.weight"][tokens]
    last = _states(network.encoder, read, read.new_zeros(len(read), HIDDEN))[:, -1]
    mean, raw = functional.linear(last, p["posterior.weight"], p["posterior.bias"]).split(noise.shape[1], 1)
    log_var = soft_clip(raw)
    z = mean + (log_var / 2).exp() * noise
    given_z = torch.stack([torch.cat([p["embedding.weight"][column], z], 1) for column in inputs.T], 1)
    first = functional.linear(z, p["first_state.weight"], p["first_state.bias"]).tanh()
    h = _states(network.decoder, given_z, first)
    return functional.linear(h, p["head.weight"], p["head.bias"]), mean, log_var


def _step_by_step(network, tokens, inputs, noise):
    state, found = network.start(noise), []
    for token in inputs.T:
        logits, state = network.step(noise, token, state)
        found.append(logits)
    return network.decode(noise, inputs), torch.stack(found, 1)


HELD = (
    Held(
        TextAutoencoder,
        Model(
            "TextAutoencoder",
            "regular",
            given(tokens=integers(3, 5, high=7), inputs=integers(3, 5, high=7), noise=normal(3, 2)),
            sizes=dict(vocabulary_size=7, embedding=4, hidden=HIDDEN, latent_dim=2),
            initial={"embedding.weight": begins_normal(1.0), "*": begins_by_inputs()},
            relations={"one token after the other": _step_by_step},
        ),
        _formula,
    ),
)
