"""Speculative decoding of bytes: a small decoder drafts, and samples follow the large one's law in fewer of its steps."""

import math
import time
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.autoregressive.decoding import categorical_from_uniform
from practice_torch.autoregressive.speculative import acceptance_probability, expected_block_length
from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.language.generation import generate, generate_speculatively
from practice_torch.networks.decoder_transformer import DecoderTransformer

_STUDIED = 16  # texts continued with each number of drafts in a study
_DRAFTS = (1, 2, 4, 8)


@dataclass(frozen=True)
class SpeculativeRecipe(Recipe):
    """Two transformers on the bytes of a text: the target model, and a draft model of one block."""

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), or the path of a text file."""
    context: Annotated[int, AtLeast(1)] = 128
    """Maximum number of bytes that the models see."""
    layers: Annotated[int, AtLeast(1)] = 6
    """Number of the target's blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 128
    """Width of the target's residual stream."""
    draft_width: Annotated[int, AtLeast(1)] = 48
    """Width of the draft's residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads of both; they divide both widths."""
    drafts: Annotated[int, AtLeast(1)] = 4
    """Number of bytes that the draft proposes before the target reads them."""
    metric: Fixed = "bits_per_byte"

    def __post_init__(self):
        super().__post_init__()
        common = math.gcd(self.width, self.draft_width)
        self._require("heads", common % self.heads == 0, f"a divisor of both widths, {self.width} and {self.draft_width}")

    def loading(self):
        """Windows of bytes, one more than the context: every byte of it has a successor."""
        return {"context": self.context, "level": "byte"}


class SpeculativeDecoding(nn.Module):
    """Trains both on the same text, each with its own optimizer; texts are drawn by speculative decoding."""

    explains = {
        "bits_per_byte": Metric("bits per byte", "-log2 p of held-out text per byte, target"),
        "draft_bits_per_byte": Metric("bits per byte", "-log2 p of held-out text per byte, draft"),
        "acceptance": Metric("probability", "that the target accepts a byte of the draft, mean over the places of held-out text"),
    }
    phases = (Phase("target", ("target",)), Phase("draft", ("draft",)))

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        sizes = dict(vocabulary_size=256, context_length=recipe.context, heads=recipe.heads)
        self.target = DecoderTransformer(width=recipe.width, layers=recipe.layers, **sizes)
        self.draft = DecoderTransformer(width=recipe.draft_width, layers=1, **sizes)

    def forward(self, batch, phase):
        """Nats per byte of the model that is the phase's name."""
        tokens = batch["tokens"]
        return getattr(self, phase)(tokens[:, :-1], tokens[:, 1:]), {}

    def evaluate(self, data):
        """Bits per held-out byte of both, and the probability of an acceptance."""
        total = 0.0
        for some in torch.arange(len(data)).split(64):
            tokens = data.batch(some)["tokens"]
            target, draft = (network(tokens[:, :-1]).float().log_softmax(-1) for network in (self.target, self.draft))
            bits = [-law.gather(-1, tokens[:, 1:, None].long()).mean() / math.log(2) for law in (target, draft)]
            accepted = acceptance_probability(draft.flatten(0, 1), target.flatten(0, 1)).mean()
            total = total + torch.stack([*bits, accepted]) * len(some)
        return dict(zip(self.explains, (total / len(data)).tolist(), strict=True))

    def evaluation_weight(self, data):
        """Windows: all have equally many bytes."""
        return len(data)

    def preview(self, data):
        """Generated text after a line's end."""
        return self.sample(1)

    def sample(self, count):
        """`count` texts, with marks around the bytes that were not drafted."""
        start = torch.full((1, 1), ord("\n"), device=self.target.token_embedding.weight.device)
        texts = [_marked(*self._written(start, self.recipe.context, self.recipe.drafts)) for _ in range(count)]
        caption = (
            "Bytes without a mark were drafted and accepted; «x» was drawn by the target in place of a rejected one, ‹x› after "
            f"{self.recipe.drafts} or, at the end, fewer that were all accepted."
        )
        return {"text": Text("\n\n".join(texts), caption)}

    def study(self, data):
        """Bytes a CPU second, drawn one by one and with drafts; accepted drafts of a block, counted and expected."""
        windows = data.batch(torch.linspace(0, len(data) - 1, min(_STUDIED, len(data))).long())["tokens"]
        half = max(self.recipe.context // 2, 1)
        count = self.recipe.context + 1 - half
        acceptance = torch.tensor(min(self.evaluate(data)["acceptance"], 1.0))  # a sum of probabilities is 1 but for roundoff
        lines, plain = ["drafts  bytes a CPU second  speed-up  accepted a block  expected  bits per byte"], None
        for drafts in (0, *_DRAFTS):
            begun = time.process_time()
            texts, blocks = zip(*(self._written(window[None, :half], count, drafts) for window in windows), strict=True)
            speed = count * len(texts) / (time.process_time() - begun)
            plain = plain or speed  # of 0 drafts, the first
            kept = [accepted for rows in blocks for drafted, accepted in rows if drafted == drafts]
            numbers = ["-", "-"]
            if kept:
                expected = float(expected_block_length(acceptance, draft_length=drafts)) - 1
                numbers = [f"{sum(kept) / len(kept):.2f}", f"{expected:.2f}"]
            bits = self._bits(torch.cat(texts), half)
            lines.append(f"{drafts:6d}{speed:20.0f}{speed / plain:10.2f}{numbers[0]:>18}{numbers[1]:>10}{bits:15.2f}")
        caption = (
            f"{len(windows)} texts of {count} bytes after {half} held-out ones. Accepted drafts are those of full blocks; "
            f"expected: each is accepted by itself, with the probability {acceptance:.3f} of held-out text. Bits: of the target"
        )
        return {"speed": Text("\n".join(lines), caption)}

    def _written(self, tokens, count, drafts):
        """tokens [1, T] and `count` more, and (drafted, accepted) of every block; of 0 drafts they are drawn one by one."""
        if drafts:
            return generate_speculatively(self.target, self.draft, tokens, count, drafts=drafts, generator=self.generator)

        def choose(logits, _):
            uniform = torch.rand(1, generator=self.generator, device=logits.device)
            return categorical_from_uniform(logits.float(), uniform)

        return generate(self.target, tokens, count, choose), ()

    def _bits(self, tokens, past):
        """Bits per byte under the target of each row's tokens from `past` on."""
        log_probs = self.target(tokens[:, :-1])[:, past - 1 :].float().log_softmax(-1)
        return -log_probs.gather(-1, tokens[:, past:, None].long()).mean().item() / math.log(2)


def _marked(tokens, blocks):
    """The text of tokens [1, T], which ends with the blocks, with marks around the last byte of each block."""
    row = tokens[0].tolist()
    place = len(row) - sum(accepted + 1 for _, accepted in blocks)
    pieces = [bytes(row[:place])]
    for drafted, accepted in blocks:
        opening, closing = "‹›" if drafted == accepted else "«»"
        last = place + accepted
        pieces += [bytes(row[place:last]), opening.encode(), bytes(row[last : last + 1]), closing.encode()]
        place = last + 1
    return b"".join(pieces).decode(errors="replace").strip()


RECIPES = {
    # measured: 2.69 bits per byte, the draft 3.14, acceptance 0.73, 130 CPU seconds; 4 drafts: 1.5 times the bytes a second
    "pydoc": SpeculativeRecipe(
        steps=800,
        batch_size=8,
        learning_rate=2e-3,
        beta2=0.99,
        weight_decay=0.1,
        clip_norm=1.0,
        warmup_steps=40,
        schedule="cosine",
        final_learning_rate=0.1,
        evaluate_every=400,
        checkpoint_every=400,
        target=2.8,
    )
}


def build(recipe, data):
    """The experiment of a recipe."""
    return SpeculativeDecoding(recipe)
