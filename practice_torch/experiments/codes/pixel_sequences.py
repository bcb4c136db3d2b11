"""Images as sequences of tokens: codes of pixels in raster order, after a token of the class."""

import torch

from practice_torch.arguments import as_int64
from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.engine.experiment import Phase
from practice_torch.experiments.codes.pixel_codes import PixelExperiment, conditioning_classes
from practice_torch.experiments.language.generation import generate, generate_from_state
from practice_torch.networks.wavenet import draw


def vocabulary_of(recipe, description):
    """Number of tokens: the codes, and behind them one token for each class, or a single one where there are no classes."""
    return recipe.num_levels + max(1, len(conditioning_classes(recipe, description)))


class PixelSequences(PixelExperiment):
    """Learns sequences of codes; those of a pixel's colors follow each other. The first token is that of the class.

    network(tokens [B, T]) gives the logits [B, T, V] of each next token. Subclasses say how it draws.
    """

    uniforms = 1  # that a draw of one code takes

    def log_prob(self, codes, label):
        """log p of every image in nats: [B, C, H, W], [B] -> [B]"""
        codes = in_raster_order(codes)
        tokens = torch.cat([self._first(label, codes), codes[:, :-1]], 1)
        return sequence_log_prob(codes, self._logits(tokens)[..., : self.recipe.num_levels], None)

    def drawn(self, uniforms, label, given):
        """Codes by inverse CDF of the uniforms [B, C, H, W, 1], after the given rows: [B, C, H, W]."""
        uniforms = in_raster_order(uniforms[..., 0])
        tokens = self._first(label, uniforms)
        if given is not None:
            tokens = torch.cat([tokens, in_raster_order(given)], 1)
        written = self._continued(tokens, uniforms)[:, 1:]
        channels, height, width = self.shape
        return written.unflatten(1, (height, width, channels)).movedim(-1, 1)

    def _first(self, label, sequences):
        """The tokens before the sequences [B, T], of their classes [B]: [B, 1]"""
        label = torch.zeros_like(sequences[:, 0], dtype=torch.long) if label is None else label
        return self.recipe.num_levels + as_int64(label)[:, None]


class AttentionPixels(PixelSequences):
    """A transformer decoder, which draws from a cache of its keys and values."""

    def _logits(self, tokens):
        return self.network(tokens)

    def _continued(self, tokens, uniforms):
        """tokens [B, 1 + S] and the codes after them, up to [B, 1 + T]."""

        def choose(logits, written):
            return draw(logits[:, : self.recipe.num_levels], uniforms[:, written.shape[1] - 1])

        return generate(self.network, tokens, uniforms.shape[1] + 1 - tokens.shape[1], choose)


class StatePixels(PixelSequences):
    """A decoder with a state. The first token is also its condition, which every step receives: a state may forget it."""

    def __init__(self, recipe, description, make, *, rates):
        super().__init__(recipe, description, make(vocabulary_of(recipe, description)))
        self.phases = (Phase("train", moves=("network",), rates=rates),)

    def _logits(self, tokens):
        return self.network(tokens, tokens[:, 0])

    def _continued(self, tokens, uniforms):
        """tokens [B, 1 + S] and the codes after them, up to [B, 1 + T]."""
        first, begun = tokens[:, 0], tokens[:, 1:]
        written = generate_from_state(self.network, first, uniforms, kinds=self.recipe.num_levels, condition=first, given=begun)
        return torch.cat([tokens[:, :1], written], 1)


def in_raster_order(images):
    """[B, C, H, W] -> [B, H W C]: row by row, the colors of a pixel one after the other."""
    return images.movedim(1, -1).flatten(1)
