"""The objectives of the experiments latent/sparse_autoencoder, by functions with contracts."""

import torch

from practice_torch.autoregressive.attention import causal_mask
from practice_torch.autoregressive.transformer import decoder_block
from practice_torch.experiments.latent import sparse_autoencoder as experiment
from tests.autoregressive.objective_transformer import nats_per_token
from tests.support.objectives import Mistake, Objective


def both(e, batch, phase):
    """The squared error of images, or of hidden states in units of the first batch; before that, nats per byte."""
    if phase == "train":
        return squared_error(e.coder, batch["image"].flatten(1))
    tokens = batch["tokens"]
    if phase == "language":
        return nats_per_token(e.network(tokens[:, :-1]), tokens[:, 1:])
    states = hidden_states(e, e.frozen if e.place.taken else e.network, tokens[:, :-1]).flatten(0, 1).detach()
    if e.place.taken:
        return squared_error(e.coder, (states - e.mean) / e.deviation)
    mean = states.mean(0)
    return squared_error(e.coder, (states - mean) / (states - mean).square().mean().sqrt())


def squared_error(coder, x):
    """Of the code the k largest are kept, unless they are negative."""
    into, out = coder.encoder, coder.decoder
    code = (x - out.bias) @ into.weight.mT + into.bias
    least = code.topk(coder.k, 1).values[:, -1:]
    code = code * (code >= least) * (code > 0)
    return (x - out.bias - code @ out.weight.mT).square().sum(1).mean()


def hidden_states(e, network, tokens):
    """After the first blocks, by the formulas of the transformer."""
    known = network.parameters_by_name()
    steps = tokens.shape[1]
    x = known["token_embedding"][tokens.long()] + known["position_embedding"][:steps]
    mask = causal_mask(query_length=steps, key_length=steps)
    for block in known["blocks"][: e.recipe.after]:
        x = decoder_block(x, block, mask, heads=e.recipe.heads, epsilon=1e-5, norm_position="pre")
    return x


OBJECTIVE = Objective(
    both,
    unread={"sparse_rate"},
    together=[dict(language_share=0.9), dict(after=2)],
    draws=False,
    sizes=dict(heads=2, k=3, units=12),
    mistakes={
        "the average of the coordinates": Mistake(
            experiment, "squared_reconstruction_error", lambda x, again: torch.nn.functional.mse_loss(again, x).expand(len(x))
        ),
        "a unit too many": Mistake(experiment.SparseAutoencoder, "encode", lambda coder, x: _more(coder, x)),
    },
)


def _more(coder, x):
    code = coder.encoder(x - coder.decoder.bias).relu()
    return code * (code >= code.topk(coder.k + 1, 1).values[:, -1:])
