"""Two deep decoders of bytes that differ only in where their norms are; the gradients of their blocks are compared."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional

from practice_torch.autoregressive.position import LearnedPositions
from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.networks.open_decoder import OpenDecoder
from practice_torch.pictures.depth import norms_by_block

_PLACES = ("pre", "post")


@dataclass(frozen=True)
class DepthRecipe(Recipe):
    """A deep decoder of bytes with its norms in the branches ("pre"), and one with them on the skip path ("post")."""

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), or the path of a text file."""
    context: Annotated[int, AtLeast(1)] = 64
    """Maximum number of bytes that the models see."""
    layers: Annotated[int, AtLeast(1)] = 12
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 64
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    metric: Fixed = "pre_bits_per_byte"

    def __post_init__(self):
        super().__post_init__()
        self._require("heads", self.width % self.heads == 0, f"a divisor of the width, {self.width}")

    def loading(self):
        return {"context": self.context, "level": "byte"}


class DepthStudy(nn.Module):
    """Trains both, each with its own optimizer, and weighs the gradients that their blocks get."""

    explains = {
        f"{place}_{name}": Metric(unit, f"{meaning}, {place}-norm")
        for place in _PLACES
        for name, unit, meaning in (
            ("bits_per_byte", "bits per byte", "-log2 p of held-out text per byte"),
            ("gradient_lowest", "norm", "gradient norm of the lowest block"),
            ("gradient_highest", "norm", "gradient norm of the highest block"),
        )
    }
    phases = tuple(Phase(place, (place,)) for place in _PLACES)

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        for place in _PLACES:
            network = OpenDecoder(
                vocabulary_size=256,
                width=recipe.width,
                layers=recipe.layers,
                heads=recipe.heads,
                norm_position=place,
                positions=LearnedPositions(recipe.context, recipe.width),
            )
            # Xavier's, as in Xiong et al.: GPT-2's small initial branch outputs would remedy the effect to be shown
            for parameter in network.blocks.parameters():
                if parameter.ndim == 2:
                    nn.init.xavier_uniform_(parameter)
            self.add_module(place, network)
            self.register_buffer(f"{place}_first", torch.zeros(recipe.layers))  # gradients' norms before the first step
            self.register_buffer(f"{place}_steps", torch.tensor(0))
        self._begun = set()  # places with a finished first step: reading the buffer again would synchronize a GPU in every step
        self.register_load_state_dict_post_hook(lambda study, _: study._begun.clear())
        self.post.load_state_dict(self.pre.state_dict(), strict=False)  # but for the last norm, both begin at the same weights

    def forward(self, batch, phase):
        """Nats per byte of the model that is the phase's name."""
        tokens, steps = batch["tokens"], getattr(self, f"{phase}_steps")
        if phase not in self._begun:
            if steps == 0:
                getattr(self, f"{phase}_first").copy_(self._gradient_norms(phase, tokens))
            self._begun.add(phase)
        steps += 1
        return self._loss(phase, tokens), {}

    def evaluate(self, data):
        """Bits per held-out byte of both, and the norms of the gradients of their lowest and highest blocks."""
        metrics = {}
        for place in _PLACES:
            losses = [self._loss(place, tokens) * len(tokens) for tokens in self._held_out(data)]
            metrics[f"{place}_bits_per_byte"] = sum(losses).item() / len(data) / math.log(2)
        for place in _PLACES:
            norms = self._gradient_norms(place, next(self._held_out(data))).tolist()
            metrics |= {f"{place}_gradient_lowest": norms[0], f"{place}_gradient_highest": norms[-1]}
        return metrics

    def preview(self, data):
        """The gradient of every block, before the first step and now, as a table and as a picture; and samples."""
        tokens = next(self._held_out(data))
        first = {f"{place}-norm": getattr(self, f"{place}_first").tolist() for place in _PLACES}
        now = {f"{place}-norm": self._gradient_norms(place, tokens).tolist() for place in _PLACES}
        steps = int(self.pre_steps) // self.recipe.accumulate
        columns = [f"{name}, {when}" for name in first for when in ("first", "now")]
        lines = ["block" + "".join(name.rjust(18) for name in columns)]
        for block in range(self.recipe.layers):
            norms = (norms[name][block] for name in first for norms in (first, now))
            lines.append(f"{block + 1:5d}" + "".join(f"{norm:18.4g}" for norm in norms))
        caption = f"Norm of the loss's gradient (nats) in each block's weights, before the first step and after {steps}"
        return {"gradients": norms_by_block(first, now, steps), "norms": Text("\n".join(lines), caption), **self.sample(1)}

    def sample(self, count):
        """`count` texts of each model, twice as long as its context, of which it sees the last bytes."""
        texts = []
        for place in _PLACES:
            written = torch.full((count, 1), ord("\n"), device=self.pre_steps.device)
            for _ in range(2 * self.recipe.context):
                logits = getattr(self, place)(written[:, -self.recipe.context :])[:, -1]
                drawn = torch.multinomial(logits.float().softmax(-1), 1, generator=self.generator)
                written = torch.cat([written, drawn], dim=1)
            texts += [f"[{place}-norm]\n{bytes(row).decode(errors='replace').strip()}" for row in written.tolist()]
        return {"text": Text("\n\n".join(texts), "Drawn byte by byte", tuple(texts))}

    def _held_out(self, data):
        return (data.batch(some)["tokens"] for some in torch.arange(len(data)).split(64))

    def _loss(self, place, tokens):
        logits = getattr(self, place)(tokens[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())

    @torch.enable_grad()
    def _gradient_norms(self, place, tokens):
        """Gradient norms of the loss with respect to all parameters of each block, [N]."""
        blocks = getattr(self, place).blocks
        leaves = list(blocks.parameters())
        before = [leaf.requires_grad for leaf in leaves]
        blocks.requires_grad_(True)  # the engine has frozen the parameters of other phases
        gradients = torch.autograd.grad(self._loss(place, tokens), leaves)
        for leaf, needed in zip(leaves, before, strict=True):
            leaf.requires_grad_(needed)
        each = torch.stack([gradient.float().norm() for gradient in gradients])
        return each.view(len(blocks), -1).norm(dim=1)


_DEEP = dict(
    steps=400,
    batch_size=8,
    learning_rate=1e-3,
    beta2=0.99,
    weight_decay=0.1,
    clip_norm=1.0,
    evaluate_every=200,
    checkpoint_every=200,
)

RECIPES = {
    # measured: pre-norm 3.41 bits per byte and post-norm 3.61. At a step size of 3e-3 this warm-up does not save post-norm: 4.64
    "depth": DepthRecipe(warmup_steps=100, metric="post_bits_per_byte", target=3.75, **_DEEP),
    # measured: pre-norm 3.40, and post-norm 4.66, which is what bytes give that know no past; its gradients are 6e-5 in the
    # lowest block and 0.03 in the highest, from 0.15 and 0.30 before the first step
    "depth-cold": DepthRecipe(warmup_steps=0, target=3.55, **_DEEP),
}


def build(recipe, data):
    """The experiment of a recipe."""
    return DepthStudy(recipe)
