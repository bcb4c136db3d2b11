"""What the most active units add: their columns as images, and the bytes whose logits they raise most."""

import torch

from practice_torch.experiments.latent.sparse_autoencoder import SparseImages, SparseStates, _Sparse
from tests.support.samplers import built, require_same


def shows_the_columns_of_the_most_active_units():
    """Each in its own scale, with gray for nothing."""
    experiment = built("latent/sparse_autoencoder", "digits", units=12)
    experiment.rate.copy_(torch.tensor([0.1 * (5 * k % 12) for k in range(12)]))
    order = sorted(range(12), key=lambda k: -(5 * k % 12))[:6]
    columns = experiment.coder.decoder.weight[:, order]
    wanted = torch.stack([0.5 + column / column.abs().max() / 2 for column in columns.mT])
    require_same(experiment.sample(6)["columns"].images, wanted.view(6, 1, 8, 8))


def lists_the_bytes_that_a_unit_makes_likelier():
    """A unit along the embedding of one byte raises it most, if the last norm's gains are equal; a negative gain turns it."""
    experiment = built("latent/sparse_autoencoder", "pydoc", units=3, k=1, width=8)
    network = experiment.frozen
    network.token_embedding.weight.copy_(torch.randn(256, 8, generator=torch.Generator().manual_seed(1)).sign() * 0.1)
    for byte, row in zip(b"ab \n\x07", torch.eye(8), strict=False):
        network.token_embedding.weight[byte] = 3 * row
    experiment.coder.decoder.weight.copy_(torch.eye(8)[:, [1, 2, 3]])
    experiment.rate.copy_(torch.tensor([0.25, 0.125, 0.5]))
    lines = experiment.sample(3)["promoted"].text.splitlines()
    wanted = ("unit    2, active in 50.00%: | ", "unit    0, active in 25.00%: b ", "unit    1, active in 12.50%: _ ")
    assert all(line.startswith(beginning) for line, beginning in zip(lines, wanted, strict=True)), lines
    network.final_norm.weight[1] = -1.0
    assert ": b " not in experiment.sample(3)["promoted"].text


SAMPLERS = {
    shows_the_columns_of_the_most_active_units: {
        "the least active units": (_Sparse._often, "descending=True", "descending=False"),
        "rows of the encoder": (SparseImages.sample, "self.coder.decoder.weight.mT", "self.coder.encoder.weight.roll(1, 1)"),
        "one scale for all": (SparseImages.sample, ".amax(1, keepdim=True)", ".amax()"),
    },
    lists_the_bytes_that_a_unit_makes_likelier: {
        "without the last norm's gains": (SparseStates.sample, " * self.frozen.final_norm.weight", ""),
        "the least likely": (SparseStates.sample, "descending=True", "descending=False"),
        "rates of other units": (SparseStates.sample, "self.rate[often].tolist()", "self.rate.tolist()"),
    },
}
