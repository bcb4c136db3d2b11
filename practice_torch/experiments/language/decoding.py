"""Decoding options of text models, and a comparison of decoding strategies on a trained model."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated

import torch

from practice_torch.arguments import require
from practice_torch.autoregressive.decoding import (
    apply_temperature,
    categorical_from_uniform,
    minimum_probability_filter,
    nucleus_filter,
    repetition_penalty,
    top_k_filter,
    typical_filter,
)
from practice_torch.engine.artifacts import Figure, Text
from practice_torch.engine.bounds import Above, AtLeast, Bounded


@dataclass(frozen=True)
class Decoding(Bounded):
    """Choice of the next token; options apply in this order."""

    repetition_penalty: Annotated[float, Above(0)] = 1.0
    """Repetition penalty: above 1, tokens that occurred become less likely, below 1 more likely."""
    temperature: float = 1.0
    """Sampling temperature: below 1 sharpens the distribution, above 1 flattens it."""
    top_k: Annotated[int, AtLeast(0)] = 0
    """Top-k sampling: keep this many of the most likely tokens; 0: all."""
    top_p: Annotated[float, Above(0, at_most=1)] = 1.0
    """Nucleus sampling: keep the most likely tokens with this total probability; 1: all."""
    typical: Annotated[float, Above(0, at_most=1)] = 1.0
    """Locally typical sampling: keep the most typical tokens with this total probability; 1: all."""
    minimum_probability: Annotated[float, AtLeast(0, at_most=1)] = 0.0
    """Min-p sampling: keep tokens at least this many times as likely as the most likely one; 0: all."""
    greedy: bool = False
    """Greedy decoding: always take the most likely token."""

    def __post_init__(self):
        super().__post_init__()
        lowest = 1e-6  # a lower temperature draws only the most likely token, and would eventually overflow
        allowed = f"positive ({lowest:g} or more) and finite; for the most likely token use --greedy"
        self._require("temperature", lowest <= self.temperature < math.inf, allowed)
        if self.greedy:
            self._require_no_part("greedy", self.given().keys() - {"greedy", "repetition_penalty"})

    def given(self):
        """The fields of this class that are not at their defaults, and their values."""
        values = ((field, getattr(self, field.name)) for field in dataclasses.fields(Decoding))
        return {field.name: value for field, value in values if value != field.default}

    def choose(self, logits, tokens, generator):
        """The next token of every row [B], of its logits [B, V] and the tokens that were written before [B, t]."""
        uniforms = None if self.greedy else torch.rand(len(logits), generator=generator, device=logits.device)
        return self.choose_by(logits, tokens, uniforms)

    def choose_by(self, logits, tokens, uniforms):
        """As `choose`, by a uniform number for every row, [B]; greedy decoding needs none."""
        if self.repetition_penalty != 1:
            logits = repetition_penalty(logits, tokens, penalty=self.repetition_penalty)
        if self.greedy:
            return logits.argmax(-1)
        if self.temperature != 1:
            logits = apply_temperature(logits, temperature=self.temperature)
        if self.top_k:
            logits = top_k_filter(logits, k=self.top_k)
        if self.top_p < 1:
            logits = nucleus_filter(logits, mass=self.top_p)
        if self.typical < 1:
            logits = typical_filter(logits, mass=self.typical)
        if self.minimum_probability:
            logits = minimum_probability_filter(logits, fraction=self.minimum_probability)
        return categorical_from_uniform(logits, uniforms)

    def _require_no_part(self, what, names):
        for name in names:
            require(False, f"{name} is {getattr(self, name)}, and has no part in {what}: leave one of the two out")


STRATEGIES = {
    "greedy": Decoding(greedy=True),
    "temperature 0.7": Decoding(temperature=0.7),
    "temperature 1": Decoding(),
    "top 40": Decoding(top_k=40),
    "nucleus 0.9": Decoding(top_p=0.9),
    "typical 0.9": Decoding(typical=0.9),
    "minimum probability 0.1": Decoding(minimum_probability=0.1),
}


@dataclass(frozen=True)
class Written:
    """Texts, the rows of tokens [N, T], and their bits per byte under the model that wrote them or might have."""

    tokens: torch.Tensor
    bits_per_byte: float

    def distinct(self, n):
        """Different n-grams of all the texts, as a share of all their n-grams: distinct-n.  Source: Li et al. 2016."""
        grams = self.tokens.unfold(1, n, 1).flatten(0, 1)
        return len(grams.unique(dim=0)) / len(grams)

    def repetition(self, n):
        """Share of n-grams that occur earlier in the same text, averaged over the texts.  Source: Welleck et al. 2020."""
        grams = self.tokens.unfold(1, n, 1)
        return 1 - sum(len(text.unique(dim=0)) for text in grams) / grams[:, :, 0].numel()


@dataclass(frozen=True)
class Comparison:
    """Texts by the names of their strategies; the first are the data."""

    written: dict[str, Written]

    def artifacts(self, caption):
        """A table, and a picture of its two columns that matter most."""
        return {"strategies": Text(self.table(), caption), "repetition": Figure(self.draw, caption)}

    def table(self):
        """A line for each strategy: distinct and repeated n-grams in percent, of every n that fits into the texts."""
        length = min(texts.tokens.shape[1] for texts in self.written.values())
        distinct, repeated = ([n for n in numbers if n <= length] for numbers in ((1, 2, 4), (4, 16)))
        lines = [["", "texts", "bits/byte", *(f"distinct-{n}" for n in distinct), *(f"repeated-{n}" for n in repeated)]]
        for name, texts in self.written.items():
            shares = [texts.distinct(n) for n in distinct] + [texts.repetition(n) for n in repeated]
            lines.append([name, str(len(texts.tokens)), f"{texts.bits_per_byte:.3f}", *(f"{share:.1%}" for share in shares)])
        widths = [max(map(len, column)) + 2 for column in zip(*lines, strict=True)]
        return "\n".join(
            line[0].ljust(widths[0]) + "".join(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
            for line in lines
        )

    def draw(self, axes):
        """Likelihood of the texts against their repetition; the data are the reference."""
        for name, texts in self.written.items():
            mark = "*" if name == next(iter(self.written)) else "o"
            axes.plot(texts.bits_per_byte, 100 * texts.repetition(4), mark, markersize=15 if mark == "*" else 8, label=name)
        axes.set(xlabel="bits per byte under the model", ylabel="repeated 4-grams, %", ylim=(0, 105))
        axes.legend()
