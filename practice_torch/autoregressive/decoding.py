"""Decoding at work: logits reshaped before a token is drawn from them, and the two ways of drawing it from uniform numbers.

Every filter takes and returns logits, with -inf for what is removed, so that they compose in whatever order the caller says:

    logits = nucleus_filter(apply_temperature(logits, temperature=0.8), mass=0.9)
    token = categorical_from_uniform(logits, torch.rand(len(logits), generator=generator))
"""

import dataclasses
import math
from dataclasses import dataclass

import torch

from practice_torch.arguments import as_int64, require, require_rank, require_same_shape, require_values
from practice_torch.engine.artifacts import Figure, Text


def apply_temperature(logits, *, temperature):
    r"""l / T: softmax(l / T) is p^(1/T), normalized anew. T < 1 sharpens, T > 1 flattens; the limit T -> 0 is the arg max.

    Raises ValueError unless temperature is positive and finite, or if a row of logits has no finite maximum.
    Source: Ackley, Hinton & Sejnowski 1985.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require(0 < temperature < math.inf, f"temperature is {temperature}; it must be positive and finite")
    return logits / temperature


def top_k_filter(logits, *, k):
    r"""l_i where l_i is at least the k-th largest logit, -inf elsewhere. Ties with the k-th are kept; k >= V keeps all.

    Raises ValueError if k is below 1 or a row of logits has no finite maximum.  Source: Fan et al. 2018, section 5.4.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require(k >= 1, f"k is {k}; it must be at least 1")
    largest = logits.topk(min(k, logits.shape[1]), dim=-1).values
    return logits.masked_fill(logits < largest[:, -1:], -torch.inf)


def nucleus_filter(logits, *, mass):
    r"""The nucleus (top-p): from the most likely token downward, l_i as long as the tokens before i have less than the mass.

    keep i  <=>  sum of p_j over j before i < mass;  among equals the lower index comes first

    The token that crosses the mass is kept: the nucleus has at least the mass, and at least one token.

    Raises ValueError unless 0 < mass <= 1, or if a row of logits has no finite maximum.
    Source: Holtzman et al. 2020, section 3.1.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    order = logits.argsort(dim=-1, descending=True, stable=True)
    return logits.masked_fill(_beyond(logits, order, mass), -torch.inf)


def typical_filter(logits, *, mass):
    r"""Locally typical sampling: as nucleus_filter, in the order of |-log p_i - H(p)|, the nearest to the entropy first.

    Raises ValueError unless 0 < mass <= 1, or if a row of logits has no finite maximum.
    Source: Meister et al. 2023, section 4.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    log_probs = logits.log_softmax(dim=-1)
    entropy = torch.special.entr(log_probs.exp()).sum(dim=-1, keepdim=True)
    distance = (log_probs + entropy).abs()  # infinite, thus last, for what is removed already
    return logits.masked_fill(_beyond(logits, distance.argsort(dim=-1, stable=True), mass), -torch.inf)


def minimum_probability_filter(logits, *, fraction):
    r"""Min-p: l_i where p_i >= fraction max_j p_j, that is l_i >= max_j l_j + log fraction; -inf elsewhere.

    Raises ValueError unless 0 <= fraction <= 1, or if a row of logits has no finite maximum.
    Source: Nguyen et al. 2024, section 3.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require(0 <= fraction <= 1, f"fraction is {fraction}; it must be within [0, 1]")
    gap = math.log(fraction) if fraction > 0 else -math.inf
    return logits.masked_fill(logits - logits.amax(dim=-1, keepdim=True) < gap, -torch.inf)


def repetition_penalty(logits, tokens, *, penalty):
    r"""l_i / theta if l_i > 0, theta l_i otherwise, for the tokens i that occur in `tokens`; the others stay as they are.

    A token counts once, however often it occurs. theta > 1 makes repetition less likely, theta < 1 more.

    Raises ValueError if penalty is not positive and finite, the batches differ, a token is outside 0..V-1, or a row of logits
    has no finite maximum.  Source: Keskar et al. 2019, section 4.1.
    [B, V], [B, T] -> [B, V]
    """
    _require_logits(logits)
    require_rank(2, tokens=tokens)
    rows, last = logits.shape[0], logits.shape[1] - 1
    require(tokens.shape[0] == rows, f"tokens has {tokens.shape[0]} rows; it must have one for each of the {rows} of logits")
    require(0 < penalty < math.inf, f"penalty is {penalty}; it must be positive and finite")
    require_values("tokens", tokens, lambda tokens: (tokens >= 0) & (tokens <= last), f"a token of the vocabulary, 0..{last}")
    # scattered, not gathered and written back: a token that occurs twice is not penalized twice
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(1, as_int64(tokens), True)
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def categorical_from_uniform(logits, uniform):
    r"""The smallest i with u < p_0 + ... + p_i: a draw of softmax(l) where u is uniform. Never a token of probability 0.

    Raises ValueError if there is not one uniform a row, one is outside [0, 1], or a row of logits has no finite maximum.
    Source: Devroye 1986, section III.2.1.
    [B, V], [B] -> [B]
    """
    _require_logits(logits)
    require_rank(1, uniform=uniform)
    rows = logits.shape[0]
    require(uniform.shape[0] == rows, f"uniform has {uniform.shape[0]} entries; it must have one for each of the {rows} rows")
    require_values("uniform", uniform, lambda uniform: (uniform >= 0) & (uniform <= 1), "within [0, 1]")
    sums = logits.softmax(dim=-1).cumsum(dim=-1)
    # Rounding may leave the whole sum at or below u: held below the sum, u finds the first token that completes it.
    total = sums[:, -1]
    below = torch.minimum(uniform.to(sums.dtype), torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(sums, below.unsqueeze(-1), right=True).squeeze(-1)


def gumbel_argmax(logits, uniforms):
    r"""argmax_i [ l_i - log(-log u_i) ]: a draw of softmax(l) where the u are independent and uniform. Never a token at -inf.

    Uniforms of exactly 0 and 1, which generators do produce, count as the nearest numbers between them.

    Raises ValueError if the shapes differ, a uniform is outside [0, 1], or a row of logits has no finite maximum.
    Source: Maddison et al. 2014, section 2.
    [B, V], [B, V] -> [B]
    """
    _require_logits(logits)
    require_same_shape(logits=logits, uniforms=uniforms)
    require_values("uniforms", uniforms, lambda uniforms: (uniforms >= 0) & (uniforms <= 1), "within [0, 1]")
    numbers = torch.finfo(uniforms.dtype)
    exponential = -uniforms.clamp(numbers.tiny, 1 - numbers.eps / 2).log()
    return (logits - exponential.log()).argmax(dim=-1)


def _beyond(logits, order, mass):
    """True for the tokens that have the mass before them in the order.

    Said from the other end: they and all after them have no more than 1 - mass. Summed from there, a tail of 1e-30 is still
    told from nothing.
    """
    require(0 < mass <= 1, f"mass is {mass}; it must be above 0, and at most 1")
    if mass == 1:  # not even a token whose probability underflows is beyond everything
        return torch.zeros_like(order, dtype=torch.bool)
    rest = logits.softmax(dim=-1).gather(-1, order).flip(-1).cumsum(dim=-1).flip(-1)
    first = torch.arange(order.shape[-1], device=order.device) == 0
    return torch.zeros_like(order, dtype=torch.bool).scatter(-1, order, (rest <= 1 - mass) & ~first)


def _require_logits(logits):
    require_rank(2, logits=logits)
    require(logits.shape[1] > 0, "logits has no column; it must have one for each token of the vocabulary")
    allowed = "a number, or -inf for a token that is removed, with at least one token left in its row"
    require_values("logits", logits, lambda logits: (logits < torch.inf) & logits.isfinite().any(-1, keepdim=True), allowed)


# The choice of the next token, for experiments that write


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen; what is set applies in the order of this list."""

    repetition_penalty: float = 1.0
    """Above 1, what has been written becomes less likely, below 1 more likely."""
    temperature: float = 1.0
    """Below 1, what is likely becomes likelier; above 1, less likely."""
    top_k: int = 0
    """Draw from so many of the most likely tokens; 0: from all."""
    top_p: float = 1.0
    """The nucleus: draw from the most likely tokens that have this probability together; 1: from all."""
    typical: float = 1.0
    """Draw from the tokens of the most expected surprise that have this probability together; 1: from all."""
    minimum_probability: float = 0.0
    """Draw from the tokens that are at least so many times as likely as the most likely one; 0: from all."""
    greedy: bool = False
    """Draw nothing: take the most likely token."""

    def __post_init__(self):
        self._require("repetition_penalty", 0 < self.repetition_penalty < math.inf, "positive and finite")
        lowest = 1e-6  # what is lower draws nothing but the most likely token, and would overflow in the end
        allowed = f"positive ({lowest:g} or more) and finite; for the most likely token use --greedy"
        self._require("temperature", lowest <= self.temperature < math.inf, allowed)
        self._require("top_k", self.top_k >= 0, "1 or more, or 0 for all tokens")
        for name in ("top_p", "typical"):
            self._require(name, 0 < getattr(self, name) <= 1, "above 0, and at most 1")
        self._require("minimum_probability", 0 <= self.minimum_probability <= 1, "at least 0, and at most 1")
        if self.greedy:
            self._require_no_part("greedy", self.given().keys() - {"greedy", "repetition_penalty"})

    def given(self):
        """The fields of this class that are not at their defaults, and their values."""
        values = ((field, getattr(self, field.name)) for field in dataclasses.fields(Decoding))
        return {field.name: value for field, value in values if value != field.default}

    def choose(self, logits, tokens, generator):
        """The next token of every row [B], of its logits [B, V] and the tokens that were written before [B, t]."""
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
        return categorical_from_uniform(logits, torch.rand(len(logits), generator=generator, device=logits.device))

    def _require(self, name, holds, allowed):
        require(holds, f"{name} is {getattr(self, name)}; it must be {allowed}")

    def _require_no_part(self, what, names):
        for name in names:
            require(False, f"{name} is {getattr(self, name)}, and has no part in {what}: leave one of the two out")


# What the strategies make of a trained model

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
        """n-grams that stood before in the same text, as a share; the mean over the texts.  Source: Welleck et al. 2020."""
        grams = self.tokens.unfold(1, n, 1)
        return 1 - sum(len(text.unique(dim=0)) for text in grams) / grams[:, :, 0].numel()


@dataclass(frozen=True)
class Comparison:
    """What strategies wrote, by their names; the first is the data itself."""

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
        """How likely the texts are against how often they repeat themselves: the data is where both should be."""
        for name, texts in self.written.items():
            mark = "*" if name == next(iter(self.written)) else "o"
            axes.plot(texts.bits_per_byte, 100 * texts.repetition(4), mark, markersize=15 if mark == "*" else 8, label=name)
        axes.set(xlabel="bits per byte under the model", ylabel="4-grams that stood before, %", ylim=(0, 105))
        axes.legend()
