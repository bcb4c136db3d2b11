"""Variants of direct preference optimization compared on one language model, with the same pairs and steps."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.engine.stages import Stage, place_at
from practice_torch.experiments.language.completions import (
    after,
    completed,
    distinct_pieces,
    evenly_spaced,
    judged_bytes,
    log_probs_after,
    readable,
)
from practice_torch.networks.decoder_transformer import DecoderTransformer
from practice_torch.pictures.preference import changes_of_log_probs, wins_by_nats
from practice_torch.preference.dpo import dpo_loss, robust_dpo_loss
from practice_torch.preference.dpo_variants import hinge_loss, ipo_loss, kto_loss, orpo_loss, simpo_loss
from practice_torch.preference.pipeline import token_class_score, win_rate

OBJECTIVES = ("dpo", "robust", "ipo", "hinge", "kto", "simpo", "orpo")


@dataclass(frozen=True)
class VariantsRecipe(Recipe):
    """A byte model learns a text. Then every objective tunes a copy of it, all from the same pairs of its completions.

    A program prefers vowels to digits and punctuation. The policies share no parameter, and the step sizes are those of Adam, so
    that the scale of a loss matters little.
    """

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), or the path of a text file."""
    prompt: Annotated[int, AtLeast(1)] = 32
    """Bytes of a prompt."""
    completion: Annotated[int, AtLeast(1)] = 32
    """Bytes of a completion."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    judged: Annotated[int, AtLeast(1)] = 512
    """Held-out prompts of an evaluation, each continued by all models."""
    objective: Literal["all", "dpo", "robust", "ipo", "hinge", "kto", "simpo", "orpo"] = "all"
    """The objective, or all of them side by side."""
    supervised: Annotated[float, AtLeast(0, below=1)] = 0.9
    """Fraction of the steps, at the beginning, in which the model is trained on text."""
    kl_coefficient: Annotated[float, Above(0)] = 1.0
    """dpo, robust, hinge, kto: price of a nat of divergence from the model of the text."""
    flip_probability: Annotated[float, AtLeast(0, below=0.5)] = 0.1
    """robust: share of the labels that are taken to be wrong; here none is."""
    regularization: Annotated[float, Above(0)] = 0.1
    """ipo: the margin to be met is half its inverse, in nats."""
    scale: Annotated[float, Above(0)] = 32.0
    """simpo: factor of the difference between the mean log-probabilities of a byte."""
    margin: Annotated[float, AtLeast(0)] = 1.0
    """simpo: margin subtracted from that difference, scaled."""
    odds_weight: Annotated[float, AtLeast(0)] = 5.0
    """orpo: weight of the odds, next to the supervised loss of the chosen completion."""
    metric: Fixed = "least_win_rate"
    direction: Direction = "higher"

    def stages(self):
        """The steps of the model of the text, then those of the policies."""
        supervised = int(self.supervised * self.steps)
        return Stage("supervised", supervised, ("train",)), Stage("preferences", self.steps - supervised, ("train",))

    def objectives(self):
        """The names of the policies."""
        return OBJECTIVES if self.objective == "all" else (self.objective,)

    def __post_init__(self):
        super().__post_init__()
        self._require("heads", self.width % self.heads == 0, f"a divisor of the width, {self.width}")

    def loading(self):
        """Windows of a prompt and a completion; the loader adds one byte to the context."""
        return {"context": self.prompt + self.completion - 1, "level": "byte"}


class Pairs(NamedTuple):
    """Two completions of each prompt, and their log-probabilities by the reference."""

    chosen: Tensor  # [B, T]
    rejected: Tensor
    reference_chosen: Tensor  # [B]
    reference_rejected: Tensor


class Variants(nn.Module):
    """A model that learns the text; and a policy for each objective, which begins as its copy, as the reference does."""

    phases = (Phase("train", ("text", "policies"), partial=True),)  # the texts first, then the policies

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        sizes = {"context_length": recipe.prompt + recipe.completion, "width": recipe.width, "layers": recipe.layers}
        self.text, self.reference, *policies = (
            DecoderTransformer(vocabulary_size=256, heads=recipe.heads, **sizes)
            for _ in ("text", "reference", *recipe.objectives())
        )
        self.reference.requires_grad_(False)
        self.policies = nn.ModuleDict(dict(zip(recipe.objectives(), policies, strict=True)))
        self.register_buffer("values", judged_bytes(), persistent=False)
        self.place = place_at(recipe.stages(), 0)

    @property
    def explains(self):
        """Metrics by name: five of every policy, and what the reference has."""
        of_each = (
            ("win_rate", "share", "of held-out prompts whose completion the judge prefers to the reference's; ties count half"),
            ("divergence", "nats", "KL(policy || reference) of a completion, the mean log-ratio of the policy's own"),
            ("chosen_change", "nats", "mean change of log p of the better one of two completions by the reference"),
            ("rejected_change", "nats", "the same of the worse one"),
            ("distinct", "share", "of the four-byte pieces of a completion, how many are different"),
        )
        return {
            "least_win_rate": Metric("share", "smallest win rate of all policies"),
            "reference_distinct": Metric("share", "the same of the reference's completions"),
        } | {f"{name}_{what}": Metric(unit, f"{meaning}; {name}") for name in self.policies for what, unit, meaning in of_each}

    def forward(self, batch, phase):
        """Nats a byte of the text, at first; then the sum of all objectives, no two of which share a parameter."""
        tokens = batch["tokens"]
        if self.place.stage == "supervised":
            return self.text(tokens[:, :-1], tokens[:, 1:]), {}
        if self.place.taken == 0:
            for network in (self.reference, *self.policies.values()):
                network.load_state_dict(self.text.state_dict())
        pairs = self._pairs(tokens[:, : self.recipe.prompt])
        losses = {name: self._loss(name, policy, pairs) for name, policy in self.policies.items()}
        return sum(losses.values()), {f"{name}_loss": loss.detach() for name, loss in losses.items()}

    @torch.no_grad()
    def _pairs(self, prompts):
        """Pairs of completions by the reference; the better one is chosen, on equal scores the first."""
        drawn = self._written(self.reference, prompts.repeat(2, 1))
        (first, second), (one, other) = (part.chunk(2) for part in (drawn, self._scores(drawn)))
        better = (one >= other)[:, None]
        pair = torch.where(better, first, second), torch.where(better, second, first)
        return Pairs(*pair, *(self._log_probs(self.reference, tokens) for tokens in pair))

    def _loss(self, name, policy, pairs):
        """The mean loss of the pairs under the objective with this name."""
        recipe = self.recipe
        tokens = torch.cat(pairs[:2])
        log_probs, reference = self._log_probs(policy, tokens), torch.cat(pairs[2:])
        both = log_probs.chunk(2)
        four = *both, *pairs[2:]
        lengths = torch.full_like(tokens[:, 0], recipe.completion).chunk(2)
        match name:
            case "dpo":
                return dpo_loss(*four, kl_coefficient=recipe.kl_coefficient).mean()
            case "robust":
                how = {"kl_coefficient": recipe.kl_coefficient, "flip_probability": recipe.flip_probability}
                return robust_dpo_loss(*four, **how).mean()
            case "ipo":
                return ipo_loss(*four, regularization=recipe.regularization).mean()
            case "hinge":
                return hinge_loss(*four, kl_coefficient=recipe.kl_coefficient).mean()
            case "kto":
                desirable = torch.arange(len(tokens), device=tokens.device) < len(pairs.chosen)
                point = self._reference_point(policy, tokens)
                return kto_loss(log_probs, reference, desirable, point, kl_coefficient=recipe.kl_coefficient).mean()
            case "simpo":
                return simpo_loss(*both, *lengths, scale=recipe.scale, margin=recipe.margin).mean()
            case "orpo":
                return orpo_loss(*both, *lengths, odds_weight=recipe.odds_weight).mean()

    @torch.no_grad()
    def _reference_point(self, policy, tokens):
        """The divergence as Ethayarajh et al. estimate it: the mean log-ratio of completions of other prompts, at least 0."""
        prompts, completions = tokens.split([self.recipe.prompt, self.recipe.completion], dim=1)
        mismatched = torch.cat([prompts, completions.roll(1, 0)], dim=1)
        return (self._log_probs(policy, mismatched) - self._log_probs(self.reference, mismatched)).mean().clamp(min=0)

    def evaluate(self, data):
        """Every policy and the reference complete the same held-out prompts."""
        prompts = evenly_spaced(data, self.recipe.judged)[:, : self.recipe.prompt]
        pairs = self._pairs(prompts)
        others = self._written(self.reference, prompts)
        metrics = {}
        for name, policy in self.policies.items():
            drawn = self._written(policy, prompts)
            log_ratio = self._log_probs(policy, drawn) - self._log_probs(self.reference, drawn)
            metrics |= {
                f"{name}_win_rate": win_rate(self._scores(drawn), self._scores(others)).item(),
                f"{name}_divergence": log_ratio.mean().item(),
                f"{name}_chosen_change": (self._log_probs(policy, pairs.chosen) - pairs.reference_chosen).mean().item(),
                f"{name}_rejected_change": (self._log_probs(policy, pairs.rejected) - pairs.reference_rejected).mean().item(),
                f"{name}_distinct": distinct_pieces(drawn[:, self.recipe.prompt :]),
            }
        least = min(metrics[f"{name}_win_rate"] for name in self.policies)
        return {"least_win_rate": least, "reference_distinct": distinct_pieces(others[:, self.recipe.prompt :])} | metrics

    def preview(self, data):
        """The table of all policies, their changes and costs, and their texts."""
        found = self.evaluate(data)
        of = {name: {what: found[f"{name}_{what}"] for what in _COLUMNS} for name in self.policies}
        caption = (
            f"All policies, after the same pairs. Of the reference {found['reference_distinct']:.0%} of the pieces are distinct"
        )
        return {
            "table": Text(_table(of), caption),
            "changes": changes_of_log_probs({name: (row["chosen_change"], row["rejected_change"]) for name, row in of.items()}),
            "wins": wins_by_nats({name: (row["divergence"], row["win_rate"]) for name, row in of.items()}),
            "completions": Text(
                self._continued(evenly_spaced(data, 3)[:, : self.recipe.prompt]),
                "Held-out prompts, continued by all models; · is a line's end",
            ),
        }

    def sample(self, count):
        """`count` completions of a line's end by every policy."""
        begun = torch.full((count, 1), ord("\n"), device=self.values.device)
        texts = {name: self._written(policy, begun) for name, policy in self.policies.items()}
        lines = [f"{name:10s}{readable(text[1:])}" for name, rows in texts.items() for text in rows]
        return {"text": Text("\n".join(lines), "Drawn byte by byte from every policy; · is a line's end")}

    def _continued(self, prompts):
        models = {"reference": self.reference, **self.policies}
        texts = {name: self._written(network, prompts) for name, network in models.items()}
        return "\n".join(
            "\n".join([readable(prompt), *(f"    {name:10s}{readable(rows[k, len(prompt) :])}" for name, rows in texts.items())])
            for k, prompt in enumerate(prompts)
        )

    def _written(self, network, prompts):
        return completed(network, prompts, self.recipe.completion, self.generator)

    def _scores(self, tokens):
        return token_class_score(tokens, after(self.recipe.prompt, tokens), self.values)

    def _log_probs(self, network, tokens):
        return log_probs_after(self.recipe.prompt, network, tokens)


_COLUMNS = {
    "win_rate": ("win rate", "{:.0%}"),
    "divergence": ("KL, nats", "{:.1f}"),
    "chosen_change": ("log p of chosen", "{:+.1f}"),
    "rejected_change": ("of rejected", "{:+.1f}"),
    "distinct": ("distinct-4", "{:.0%}"),
}


def _table(of):
    """A line for each objective."""
    lines = ["objective " + "".join(f"{title:>17s}" for title, _ in _COLUMNS.values())]
    for name, row in of.items():
        lines.append(f"{name:10s}" + "".join(f"{form.format(row[what]):>17s}" for what, (_, form) in _COLUMNS.items()))
    return "\n".join(lines)


def build(recipe, data):
    """The experiment of a recipe."""
    return Variants(recipe)


RECIPES = {
    # No clipping: it would take the gradients of all policies together. Measured in 230 CPU
    # seconds: win rates from 83% (KTO) to 98% (SimPO). DPO, IPO, the hinge and KTO pay 3 to 5 nats, and their chosen completions
    # lose 2 to 5; what has no reference goes farther (ORPO 6 nats, SimPO 27; their chosen ones lose 21 and 39), and so does the
    # robust loss (10; 28), which has no lower bound.
    "pydoc": VariantsRecipe(
        steps=1000,
        batch_size=32,
        learning_rate=3e-3,
        beta2=0.99,
        weight_decay=0.1,
        warmup_steps=50,
        schedule="cosine",
        final_learning_rate=0.02,
        evaluate_every=1000,
        checkpoint_every=500,
        target=0.7,
    )
}
