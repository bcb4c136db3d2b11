"""A vector-quantized autoencoder of images or sounds, and a transformer prior on its grid of integer codes."""

import math

import torch
from torch import nn

from practice_torch.arguments import as_int64
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.experiments.codes.image_codes import follow
from practice_torch.experiments.language.generation import generate
from practice_torch.latent.vector_quantization import (
    codebook_perplexity,
    nearest_code,
    straight_through,
    vector_quantization_loss,
)
from practice_torch.networks.decoder_transformer import DecoderTransformer


class QuantizedCodes(nn.Module):
    """The autoencoder and its prior take turns: the prior learns the codes that the encoder gives at the time.

    encoder: examples [B, ...] -> [B, D, *grid]; decoder: the reverse. classes: number of the prior's classes; 0: unconditional.
    """

    explains = {
        "squared_error": Metric("per example", "sum over pixels or samples of the squared error of held-out reconstructions"),
        "squared_error_mean": Metric("per example", "the same of the mean held-out example in the place of reconstructions"),
        "perplexity": Metric("codes", "e to the entropy with which the codes are used: as many as that, used alike"),
        "prior_bits": Metric("bits per code", "-log2 p of held-out codes under the prior"),
        "unigram_bits": Metric("bits per code", "entropy of the held-out codes: the best prior without context"),
    }
    phases = (Phase("autoencoder", moves=("encoder", "decoder")), Phase("prior", moves=("prior",)))
    medium: str  # the name of the examples in a batch

    def __init__(self, recipe, encoder, decoder, grid, *, classes=0):
        super().__init__()
        self.recipe, self.grid, self.conditional, self.generator = recipe, grid, classes > 0, None
        self.whole_batch = WholeBatch()
        self.encoder, self.decoder = encoder, decoder
        self.prior = DecoderTransformer(  # a token behind those of the codes begins every list: K, or K + class
            vocabulary_size=recipe.codes + max(1, classes),
            context_length=math.prod(grid),
            width=recipe.prior_width,
            heads=recipe.prior_heads,
            layers=recipe.prior_layers,
            dropout=recipe.prior_dropout,
        )
        self.register_buffer("codebook", torch.randn(recipe.codes, recipe.code_dim) / recipe.code_dim**0.5)
        self.register_buffer("counts", torch.zeros(recipe.codes))
        self.register_buffer("sums", torch.zeros(recipe.codes, recipe.code_dim))

    def forward(self, batch, phase):
        """The error and the commitment of a batch of examples; or the prior's nats per code."""
        x = self._varied(batch[self.medium])
        if phase == "prior":
            return self._prior_nats(self._codes(x), batch).mean(), {}
        z = self._encoded(x)
        indices = nearest_code(z, self.codebook)
        quantized = self.codebook[indices]
        reconstruction = self._decoded(straight_through(z, quantized), len(x))
        error = (reconstruction - x).square().flatten(1).sum(1).mean()
        # the codes are moving averages: the first term of the quantizer's loss has no gradient here
        kept = vector_quantization_loss(z, quantized, commitment=self.recipe.commitment).view(len(x), -1).sum(1).mean()
        follow(self, z.detach(), indices)
        perplexity = torch.special.entr(self.counts / self.counts.sum()).sum().exp()  # of the averages: counting waits for a GPU
        logs = {"squared_error": error.detach(), "perplexity": perplexity}
        return error + kept + self._penalty(reconstruction, x), logs

    def evaluate(self, data):
        """Squared error of held-out examples and of their mean, number of codes in use, and the prior's bits."""
        error, nats, codes, total, squares = 0.0, 0.0, [], 0.0, 0.0
        for indices in torch.arange(len(data)).split(500):
            batch = data.batch(indices)
            x = batch[self.medium]
            found = self._codes(x)
            error += float((self._of_codes(found) - x).square().sum())
            nats += float(self._prior_nats(found, batch).sum())
            total, squares = total + x.double().sum(0), squares + float(x.double().square().sum())
            codes.append(found.flatten())
        perplexity = float(codebook_perplexity(torch.cat(codes), num_codes=self.recipe.codes))
        return {
            "squared_error": error / len(data),
            "squared_error_mean": squares / len(data) - float((total / len(data)).square().sum()),
            "perplexity": perplexity,
            "prior_bits": nats / len(data) / math.log(2),
            "unigram_bits": math.log2(perplexity),
        }

    def _varied(self, x):
        """Other takes of the examples of a training batch; the same ones where there are none."""
        return x

    def _penalty(self, reconstruction, x):
        """Further loss of the autoencoder, a scalar."""
        return 0.0

    def _encoded(self, x):
        """[B, ...] -> [B T, D], of the T places of the grid."""
        return self.encoder(x).movedim(1, -1).flatten(0, -2).to(self.codebook.dtype)  # half precision only inside

    def _decoded(self, z, count):
        """[B T, D] -> [B, ...]."""
        return self.decoder(z.view(count, *self.grid, -1).movedim(-1, 1)).to(self.codebook.dtype)

    def _codes(self, x):
        """[B, ...] -> [B, T], without a gradient."""
        with torch.no_grad():
            return nearest_code(self._encoded(x), self.codebook).view(len(x), -1)

    def _of_codes(self, codes):
        return self._decoded(self.codebook[codes.flatten()], len(codes))

    def _prior_nats(self, codes, batch):
        """-log p of every example's codes, the mean over its codes: [B, T] -> [B]."""
        begin = self._begin(batch["label"] if self.conditional else torch.zeros_like(codes[:, 0]))
        logits = self._of_next(self.prior(torch.cat([begin, codes[:, :-1]], 1)))
        return nn.functional.cross_entropy(logits.mT, codes, reduction="none").mean(1)

    def _begin(self, label):
        """The tokens that begin lists of these classes, [B] -> [B, 1]."""
        return self.recipe.codes + as_int64(label)[:, None]

    def _of_next(self, logits):
        """Logits of each next code, without the start tokens."""
        return logits[..., : self.recipe.codes].float()

    def _drawn_codes(self, label):
        """Codes of the prior, one list for each class: [B] -> [B, T]."""

        def choose(logits, _):
            return torch.multinomial(self._of_next(logits).softmax(-1), 1, generator=self.generator)[:, 0]

        return generate(self.prior, self._begin(label.to(self.codebook.device)), math.prod(self.grid), choose)[:, 1:]

    def _uniform_codes(self, count):
        shape = count, math.prod(self.grid)
        return torch.randint(self.recipe.codes, shape, generator=self.generator, device=self.codebook.device)

    def _usage(self, codes):
        """A figure of how often each code is used."""
        used = torch.bincount(codes.flatten(), minlength=self.recipe.codes).cpu() / codes.numel()

        def draw(axes):
            axes.bar(range(len(used)), used.sort(descending=True).values)
            axes.axhline(1 / len(used), color="gray", linestyle="--", linewidth=0.8)
            axes.set(xlabel="code, most used first", ylabel="fraction")

        return Figure(draw, "How often each code is used; the line is uniform use")
