"""A VQ-VAE on images: a convolutional autoencoder whose code is a grid of integers, and a transformer that is their prior."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from practice_torch.engine.artifacts import Figure, ImageGrid
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.parts.image_codes import decoder, encoder, follow, grid_of
from practice_torch.latent.vector_quantization import (
    codebook_perplexity,
    nearest_code,
    straight_through,
    vector_quantization_loss,
)
from practice_torch.networks.decoder_transformer import DecoderTransformer


@dataclass(frozen=True)
class VectorQuantizationRecipe(Recipe):
    """An autoencoder of images with discrete codes, and an autoregressive prior over them. The loss is a sum over pixels."""

    hidden: Annotated[int, AtLeast(1)] = 64
    """Channels of the convolutions."""
    halvings: Annotated[int, AtLeast(0)] = 1
    """How often the encoder halves the sides of an image; every cell of what is left has a code."""
    codes: Annotated[int, AtLeast(2)] = 32
    """Number of codes."""
    code_dim: Annotated[int, AtLeast(1)] = 16
    """Dimension of a code."""
    commitment: Annotated[float, AtLeast(0)] = 0.25
    """Weight of the encoder's distance from its code."""
    decay: Annotated[float, AtLeast(0, below=1)] = 0.95
    """Decay of the moving averages that are the codes."""
    restart_below: Annotated[float, AtLeast(0)] = 0.1
    """A code whose averaged count in a batch is below this becomes an encoding of the batch; 0: never."""
    prior_width: Annotated[int, AtLeast(1)] = 64
    """Width of the prior's transformer."""
    prior_layers: Annotated[int, AtLeast(1)] = 2
    """Layers of the prior's transformer."""
    metric: Fixed = "squared_error"


class VectorQuantizationExperiment(nn.Module):
    """The autoencoder and its prior take turns: the prior learns the codes that the encoder gives at the time."""

    explains = {
        "squared_error": Metric("per image", "sum over the pixels of the squared error of held-out reconstructions"),
        "peak_signal_to_noise": Metric("decibel", "-10 log10 of the mean squared error of a pixel in [0, 1]"),
        "perplexity": Metric("codes", "e to the entropy with which the codes are used: as many as that, used alike"),
        "prior_nats": Metric("nats per code", "-log p of a held-out image's codes under the prior; log K is the uniform prior's"),
    }
    phases = (Phase("autoencoder", moves=("encoder", "decoder")), Phase("prior", moves=("prior",)))

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(shape), None
        colors, self.grid = shape[0], grid_of(shape, recipe.halvings)
        codes, sizes = recipe.codes, {"width": recipe.hidden, "halvings": recipe.halvings}
        self.encoder, self.decoder = encoder(colors, recipe.code_dim, **sizes), decoder(recipe.code_dim, colors, **sizes)
        self.prior = DecoderTransformer(  # the token K begins every list of codes
            vocabulary_size=codes + 1, context_length=math.prod(self.grid), width=recipe.prior_width, heads=1,
            layers=recipe.prior_layers,
        )  # fmt: skip
        self.register_buffer("codebook", torch.randn(codes, recipe.code_dim) / recipe.code_dim**0.5)
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, recipe.code_dim))

    def forward(self, batch, phase):
        """The squared error and the commitment of a batch of images; or the prior's nats per code."""
        image = batch["image"]
        if phase == "prior":
            return self._prior_nats(self._codes(image)).mean(), {}
        z = self._encoded(image)
        indices = nearest_code(z, self.codebook)
        quantized = self.codebook[indices]
        reconstruction = self._decoded(straight_through(z, quantized), len(image))
        error = (reconstruction - image).square().flatten(1).sum(1).mean()
        # the codes are moving averages: the first term of the quantizer's loss has no gradient here
        kept = vector_quantization_loss(z, quantized, commitment=self.recipe.commitment).view(len(image), -1).sum(1).mean()
        follow(self, z.detach(), indices)
        perplexity = torch.special.entr(self.counts / self.counts.sum()).sum().exp()  # of the averages: counting waits for a GPU
        return error + kept, {"squared_error": error.detach(), "perplexity": perplexity}

    def evaluate(self, data):
        """Of held-out images: the squared error, the signal to noise, the codes in use, and the prior's nats."""
        error, nats, codes = 0.0, 0.0, []
        for indices in torch.arange(len(data)).split(500):
            image = data.batch(indices)["image"]
            found = self._codes(image)
            error += float((self._of_codes(found) - image).square().sum())
            nats += float(self._prior_nats(found).sum())
            codes.append(found.flatten())
        error, pixels = error / len(data), math.prod(self.shape)
        return {
            "squared_error": error,
            "peak_signal_to_noise": 10 * math.log10(pixels / error) if error else math.inf,
            "perplexity": float(codebook_perplexity(torch.cat(codes), num_codes=self.recipe.codes)),
            "prior_nats": nats / len(data),
        }

    def preview(self, data):
        """Reconstructions, the codes' frequencies, and draws of the prior."""
        image = data.batch(torch.arange(min(len(data), 1000)))["image"]
        codes = self._codes(image)
        pairs = torch.stack([image[:16], self._of_codes(codes[:16])], 1).flatten(0, 1)
        used = torch.bincount(codes.flatten(), minlength=self.recipe.codes).cpu() / codes.numel()

        def draw(axes):
            axes.bar(range(len(used)), used.sort(descending=True).values)
            axes.axhline(1 / len(used), color="gray", linestyle="--", linewidth=0.8)
            axes.set(xlabel="code, most used first", ylabel="fraction")

        return {
            "reconstructions": ImageGrid(pairs.clamp(0, 1), 8, "Held-out images, each beside its reconstruction from its codes"),
            "usage": Figure(draw, "How often each code is used; the line is uniform use"),
            **self.sample(64),
        }

    def sample(self, count):
        """Images of codes that the prior draws, one after another, and for comparison of codes drawn uniformly."""
        drawn, device = self._drawn(count), self.codebook.device
        uniform = torch.randint(self.recipe.codes, drawn.shape, generator=self.generator, device=device)
        return {
            "prior_samples": ImageGrid(self._of_codes(drawn).clamp(0, 1), 8, "Drawn from the prior over codes, and decoded"),
            "uniform_samples": ImageGrid(self._of_codes(uniform).clamp(0, 1), 8, "Codes drawn uniformly: what the prior is for"),
        }

    def _encoded(self, image):
        """[B, C, H, W] -> [B h w, D]."""
        return self.encoder(image).permute(0, 2, 3, 1).flatten(0, 2)

    def _decoded(self, z, count):
        """[B h w, D] -> [B, C, H, W]."""
        return self.decoder(z.view(count, *self.grid, -1).permute(0, 3, 1, 2))

    def _codes(self, image):
        """[B, C, H, W] -> [B, h w], without a gradient."""
        with torch.no_grad():
            return nearest_code(self._encoded(image), self.codebook).view(len(image), -1)

    def _of_codes(self, codes):
        return self._decoded(self.codebook[codes.flatten()], len(codes))

    def _prior_nats(self, codes):
        """-log p of every image's codes, the mean over its codes: [B, T] -> [B]."""
        begin = codes.new_full((len(codes), 1), self.recipe.codes)
        logits = self._logits(torch.cat([begin, codes[:, :-1]], 1))
        return nn.functional.cross_entropy(logits.mT, codes, reduction="none").mean(1)

    def _logits(self, tokens):
        """Of each next code; the token that begins is none."""
        return self.prior(tokens)[..., : self.recipe.codes].float()

    def _drawn(self, count):
        """[count, T] codes of the prior."""
        tokens = torch.full((count, 1), self.recipe.codes, device=self.codebook.device)
        for _ in range(math.prod(self.grid)):
            probs = self._logits(tokens)[:, -1].softmax(-1)
            tokens = torch.cat([tokens, torch.multinomial(probs, 1, generator=self.generator)], 1)
        return tokens[:, 1:]


RECIPES = {
    # measured with two seeds: 0.34 and 0.30, from 16 codes of 5 bits; the mean image has 4.7
    "digits": VectorQuantizationRecipe(
        data="digits", steps=2000, batch_size=64, hidden=32, learning_rate=2e-3, held_out=0.2, evaluate_every=1000,
        checkpoint_every=1000, target=0.45,
    ),
    "mnist": VectorQuantizationRecipe(
        data="mnist", steps=20_000, batch_size=128, hidden=128, halvings=2, codes=128, code_dim=32, prior_width=256,
        prior_layers=6, decay=0.99, learning_rate=5e-4, evaluate_every=5000, checkpoint_every=5000,
    ),
}  # fmt: skip


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return VectorQuantizationExperiment(recipe, data.description["shape"])
