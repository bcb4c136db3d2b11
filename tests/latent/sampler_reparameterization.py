"""Images of codes that are drawn uniformly: with a decoder that shows the codes themselves, each category is as frequent."""

import torch

from practice_torch.experiments.latent.reparameterization import CategoricalExperiment
from tests.support.samplers import Network, built, require_shares


def draws_codes_uniformly():
    """16 variables of 4 categories."""
    experiment = built("latent/reparameterization", codes=16, categories=4)
    experiment.decoder = Network(lambda codes: 2 * codes - 1)
    codes = experiment.sample(100)["prior_samples"].images.view(100, 16, 4)
    assert ((codes > 0.5).sum(2) == 1).all(), "a variable has not one category"
    assert torch.isclose(codes.amin(), torch.tensor(-1.0).sigmoid()), "images are no probabilities"
    categories = codes.argmax(2)
    require_shares(categories, torch.full((4,), 0.25))
    require_shares(4 * categories[:, :-1] + categories[:, 1:], torch.full((16,), 1 / 16))  # one does not tell the next


def draws_codes_of_their_logits():
    """Several draws of each variable, [B, S, C, K]."""
    experiment = built("latent/reparameterization", codes=2, categories=3)
    law = torch.tensor([[[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]])
    codes = experiment._hard_codes(law.log(), 3000)
    assert codes.shape == (1, 3000, 2, 3)
    for variable in (0, 1):
        require_shares(codes[0, :, variable].argmax(1), law[0, variable])


SAMPLERS = {
    draws_codes_uniformly: {
        "the first variable for all": (CategoricalExperiment._hard_codes, ".transpose(1, 2)", ".transpose(1, 2)[:, :, [0] * 16]"),
        "logits for probabilities": (CategoricalExperiment.sample, "torch.sigmoid(self.decoder(", "(self.decoder("),
    },
    draws_codes_of_their_logits: {
        "logits for probabilities": (CategoricalExperiment._hard_codes, "logits.softmax(dim=-1)", "(logits - logits.min())"),
        "variables backward": (CategoricalExperiment._hard_codes, ".transpose(1, 2)", ".transpose(1, 2).flip(2)"),
    },
}
