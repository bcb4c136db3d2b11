"""Windows of a decoder that shows its code: their characters have the law that the code gives."""

import torch

from practice_torch.experiments.codes.text_autoencoder import Writer
from practice_torch.experiments.language import generation
from practice_torch.experiments.latent.vae_training import TextVaeExperiment
from tests.support.samplers import built, moved, require_same, require_shares


class _Shows(torch.nn.Module):
    """A network whose first character tells the sign of the code, and each further one is that before or the next one, equally.

    Its state is 2, 3 or, after the first character, 0.
    """

    def start(self, z):
        return 2 + (z[:, 0] > 0).long()

    def step(self, z, token, state):
        rows, logits = torch.arange(len(z)), torch.full((len(z), 8), -60.0)
        begins = state > 0
        for choice in (token % 7, (token + 1) % 7):
            logits[rows, torch.where(begins, state - 2, choice)] = 0.0
        return logits, torch.zeros_like(state)


def draws_windows_of_codes_of_the_prior():
    experiment = built("latent/vae_training", "pydoc", latent_dim=3, length=6)
    experiment.network = _Shows()
    lines = experiment.sample(400)["text"].text.split("\n")
    assert {len(line) for line in lines} == {6}
    letters = torch.tensor([["abcdefg".index(letter) for letter in line] for line in lines])
    require_shares(letters[:, 0], torch.tensor([0.5, 0.5]))
    require_shares(letters.diff(dim=1).remainder(7).flatten(), torch.tensor([0.5, 0.5]))


def shows_windows_of_held_out_codes():
    """Of the network itself: each character is that of the uniform and of the logits of the whole window before it."""
    experiment = moved(built("latent/vae_training", "pydoc"), by=0.7)
    tokens = torch.randint(7, (5, 8), generator=torch.Generator().manual_seed(1))
    drawn = experiment.preview(_Data(tokens))["reconstructions"].text.split("\n")
    uniforms = torch.rand(5, 8, generator=torch.Generator().manual_seed(0))
    written = torch.tensor([["abcdefg".index(letter) for letter in line.split("  |  ")[1]] for line in drawn])
    inputs = torch.cat([torch.full((5, 1), 7), written], 1)[:, :-1]
    logits = experiment.network.decode(experiment.network.encode(tokens)[0], inputs)
    shares = logits[..., :7].softmax(-1).cumsum(-1)
    require_same(written, (shares <= uniforms[..., None]).sum(-1))
    assert [line.split("  |  ")[0] for line in drawn] == ["".join("abcdefg"[k] for k in row) for row in tokens.tolist()]


class _Data:
    def __init__(self, tokens):
        self.tokens = tokens

    def __len__(self):
        return len(self.tokens)

    def batch(self, rows):
        return {"tokens": self.tokens[rows]}


SAMPLERS = {
    draws_windows_of_codes_of_the_prior: {
        "codes of uniform noise": (TextVaeExperiment._noise, "torch.randn(", "torch.rand("),
        "the first state in every step": (generation.generate_from_state, "logits, states = network", "logits, _ = network"),
    },
    shows_windows_of_held_out_codes: {
        "codes of the prior": (TextVaeExperiment.preview, "self.network.encode(tokens)[0]", "self._noise(len(tokens))"),
        "another first symbol": (TextVaeExperiment._drawn, "(len(z),), self._unknown", "(len(z),), 0"),
        "the plain network": (TextVaeExperiment._drawn, "Writer(self.network", "Writer(self.plain"),
        "a code of zeros": (Writer.step, "self.z, token", "0 * self.z, token"),
    },
}
