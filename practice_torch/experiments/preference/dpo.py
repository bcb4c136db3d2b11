"""Direct preference optimization of a language model on pairs of completions: of the help pages, or the user's own."""

import sys
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.engine.artifacts import Text
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.errors import OptionError
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.engine.stages import Stage, place_at
from practice_torch.engine.storage.run import Run
from practice_torch.engine.storage.state import load_weights
from practice_torch.experiments.alignment import policy as tuned
from practice_torch.experiments.alignment.offline import Aligned, AlignmentRecipe, Continuing
from practice_torch.experiments.alignment.published_alignment import (
    GPT2_LARGE,
    QWEN2_BILLION_AND_HALF,
    REVIEW_PAIRS,
    SUMMARY_PAIRS,
)
from practice_torch.experiments.alignment.publishing import as_language_model as as_language_model
from practice_torch.experiments.autoregressive import transformer
from practice_torch.experiments.language.completions import answers
from practice_torch.experiments.language.tokens import kept_tokenizer, tokenizer_buffer
from practice_torch.networks.decoder_transformer import BIASES, DecoderTransformer
from practice_torch.pictures.preference import changes_of_pairs
from practice_torch.preference.dpo import dpo_loss, implicit_reward_margin
from practice_torch.preference.pipeline import completion_log_prob, completion_mask, supervised_loss

# in which a model must agree with that which it begins from
SIZES = ("context", "layers", "width", "heads", "biases", "exact_gelu", "pad_vocabulary")


@dataclass(frozen=True)
class PairsRecipe(Recipe):
    """A language model learns the chosen completions, and then, against itself as it was, to prefer them to the rejected ones.

    It begins from the weights of a run of autoregressive/transformer (--start), or from noise.
    """

    modality: ClassVar[str] = "pairs"
    data: str = "pydoc"
    """pydoc (the help pages of Python), or your own .jsonl file of pairs: prompt, chosen and rejected on every line."""
    tokens: str = "bytes"
    """bytes; a tokenizer.json; tiktoken:NAME; or a folder that `prepare text` wrote: its tokens."""
    start: str = ""
    """Run folder of a language model to begin from, with the same tokens and sizes."""
    supervised: Annotated[float, AtLeast(0, below=1)] = 0.8
    """Fraction of the steps, at the beginning, in which the model learns the chosen completions alone."""
    kl_coefficient: Annotated[float, Above(0)] = 0.1
    """Price of a nat of divergence from the model as it was then."""
    label_smoothing: Annotated[float, AtLeast(0, below=0.5)] = 0.0
    """Assumed share of pairs with a wrong label."""
    context: Annotated[int, AtLeast(4)] = 128
    """Maximum number of tokens of a prompt and a completion; longer ones are truncated, with a warning."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    biases: Literal[BIASES] = "feed_forward"
    """Of the norms and the feed-forward blocks; all: of attention, too; none."""
    exact_gelu: bool = False
    """x Phi(x) in place of GPT-2's tanh form."""
    pad_vocabulary: bool = False
    """Pad the table of tokens with rows of zeros to a multiple of 64, which suits a GPU; the model is the same."""
    metric: Fixed = "accuracy"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        self._require("heads", self.width % self.heads == 0, f"a divisor of the width, {self.width}")

    def stages(self):
        """The steps on the chosen completions alone, then those on preferences."""
        supervised = int(self.supervised * self.steps)
        return Stage("supervised", supervised, ("train",)), Stage("preferences", self.steps - supervised, ("train",))

    def loading(self):
        """Pairs as tokens."""
        return {"context": self.context, "tokens": self.tokens, "byte_pairs": BytePairTokenizer}


class PreferredCompletions(nn.Module):
    """The policy, and the reference that it becomes a copy of when preferences begin."""

    explains = {
        "accuracy": Metric("share", "of held-out pairs whose chosen completion gained more log p over the reference; ties: half"),
        "reference_accuracy": Metric("share", "of held-out pairs whose chosen completion is likelier under the reference"),
        "margin": Metric("nats", "mean difference of the implicit rewards of both completions"),
        "chosen_change": Metric("nats", "mean change of log p of the chosen completion from the reference"),
        "rejected_change": Metric("nats", "the same of the rejected one"),
        "supervised_loss": Metric("nats per token", "-log p of the chosen completion, by the policy"),
    }
    phases = (Phase("train", ("policy",)),)

    def __init__(self, recipe, data):
        super().__init__()
        self.recipe, self.generator, self.sampling = recipe, None, Continuing()
        self.policy, self.reference = (
            DecoderTransformer(
                vocabulary_size=data.description["vocabulary"],
                context_length=recipe.context,
                width=recipe.width,
                layers=recipe.layers,
                heads=recipe.heads,
                biases=recipe.biases,
                exact_gelu=recipe.exact_gelu,
                vocabulary_multiple=64 if recipe.pad_vocabulary else 1,
            )
            for _ in range(2)
        )
        self.reference.load_state_dict(self.policy.state_dict())
        self.reference.requires_grad_(False)
        self.place = place_at(recipe.stages(), 0)
        self.library = data.description["tokenizer"]["library"]
        self.kept, buffer = tokenizer_buffer(data, 0)
        self.register_buffer(self.kept, buffer)

    def start(self, batch):
        """Take over the weights of the run that the recipe names."""
        if not self.recipe.start:
            return
        run = Run.open(self.recipe.start)
        recipe = _language_recipe(run)
        for name in SIZES:
            theirs, ours = getattr(recipe, name), getattr(self.recipe, name)
            if theirs != ours:
                raise OptionError(f"{name} is {ours}, and {theirs} in {run.folder}, where the model begins: give both the same")
        model = transformer.build(recipe, Described(run.asked["data"]))
        load_weights(run, recipe, model, say=lambda line: print(f"warning: {line}", file=sys.stderr))
        if tuned.spelled(model.tokenizer()) != tuned.spelled(self.tokenizer()):
            raise OptionError(f"tokens is {self.recipe.tokens!r}, and {run.folder} has others: name the folder of its text")
        self.policy.load_state_dict(model.network.state_dict())

    def tokenizer(self):
        """The tokenizer of the text."""
        return kept_tokenizer(self.library, self.get_buffer(self.kept))

    def forward(self, batch, phase):
        """Nats a token of the chosen completions, at first; then the loss of every preference."""
        if self.place.stage == "supervised":
            tokens = batch["tokens"][:, 0]
            mask = completion_mask(batch["prompt"], batch["length"][:, 0], width=tokens.shape[1])
            return supervised_loss(tokens, self.policy(tokens).float(), mask).mean(), {}
        if self.place.taken == 0:
            self.reference.load_state_dict(self.policy.state_dict())
        four = self._four(batch)
        chosen, rejected, right = self._rewards(*(part.detach() for part in four))
        logs = {"accuracy": right.mean(), "margin": (chosen - rejected).mean(), "chosen_change": chosen.mean() / self._price}
        how = {"kl_coefficient": self._price, "label_smoothing": self.recipe.label_smoothing}
        return dpo_loss(*four, **how).mean(), logs

    def evaluate(self, data):
        """Accuracy of the policy on held-out pairs, and changes of likelihood."""
        four, losses = self._held_out(data)
        chosen, rejected, right = self._rewards(*four)
        likelier = (four[2] - four[3]).sign().add(1).div(2)
        return {
            "accuracy": right.mean().item(),
            "reference_accuracy": likelier.mean().item(),
            "margin": (chosen - rejected).mean().item(),
            "chosen_change": (four[0] - four[2]).mean().item(),
            "rejected_change": (four[1] - four[3]).mean().item(),
            "supervised_loss": losses.mean().item(),
        }

    def preview(self, data):
        """Changes of held-out pairs, and answers of the policy to some of their prompts."""
        four, _ = self._held_out(data)
        few, lines, tokenizer = data.batch(torch.arange(min(len(data), 3))), [], self.tokenizer()
        for pair, prompt, length in zip(few["tokens"], few["prompt"].tolist(), few["length"].tolist(), strict=True):
            texts = [tokenizer.decode(row[prompt:end]) for row, end in zip(pair, length, strict=True)]
            lines.append(f"{tokenizer.decode(pair[0, :prompt])!r}")
            lines += [f"    {name:9s}{text!r}" for name, text in zip(("chosen", "rejected"), texts, strict=True)]
            lines.append(f"    policy   {self._answers(pair[:1, :prompt], max(length) - prompt)[0]!r}")
        return {
            "changes": changes_of_pairs((four[0] - four[2]).cpu(), (four[1] - four[3]).cpu()),
            "completions": Text("\n".join(lines), "Held-out pairs, and how the policy goes on"),
        }

    def sample(self, count):
        """`count` completions of the prompt."""
        prompt = self.tokenizer().encode(self.sampling.prompt)
        if len(prompt) > self.recipe.context:
            raise OptionError(f"prompt has {len(prompt)} tokens; the model sees {self.recipe.context}: give a shorter one")
        prompts = prompt.to(self.get_buffer(self.kept).device).expand(count, -1)
        answers = self._answers(prompts, self.sampling.length)
        return {"text": Text("\n\n".join(self.sampling.prompt + answer for answer in answers), "Completions by the policy")}

    @property
    def _price(self):
        return self.recipe.kl_coefficient

    def _rewards(self, *four):
        return implicit_reward_margin(*four, kl_coefficient=self._price)

    def _four(self, batch):
        """Log-probabilities of chosen and rejected completions, by the policy and by the reference, [B] each."""
        tokens, lengths = batch["tokens"].transpose(0, 1).flatten(0, 1), batch["length"].T.flatten()
        mask = completion_mask(batch["prompt"].repeat(2), lengths, width=tokens.shape[1])
        ours = completion_log_prob(tokens, self.policy(tokens).float(), mask)
        with torch.no_grad():
            theirs = completion_log_prob(tokens, self.reference(tokens).float(), mask)
        return *ours.chunk(2), *theirs.chunk(2)

    def _held_out(self, data):
        """The four log-probabilities of all held-out pairs, and the loss of the chosen ones a token."""
        found = []
        for some in torch.arange(len(data)).split(max(self.recipe.batch_size, 1)):
            batch = data.batch(some)
            four = self._four(batch)
            found.append((*four, -four[0] / (batch["length"][:, 0] - batch["prompt"])))
        *four, losses = (torch.cat(part) for part in zip(*found, strict=True))
        return four, losses

    def _answers(self, prompts, count):
        """Texts that the policy draws behind the prompts [N, P], up to where it ends them."""
        of_bytes = self.library == "bytes"
        return answers(self.policy, prompts, count, self.generator, self.tokenizer(), of_bytes=of_bytes)


def begin(recipe, run):
    """The recipe that starts from the run of a language model: its sizes, and the tokens of its text. OptionError for others."""
    if isinstance(recipe, AlignmentRecipe):
        return tuned.begin(recipe, run)
    theirs = _language_recipe(run)
    sizes = {name: getattr(theirs, name) for name in SIZES}
    prepared = "tokenizer" in run.asked["data"] and run.asked["data"]["tokenizer"]["library"] != "bytes"
    return replace(recipe, **sizes, start=str(run.folder), tokens=theirs.data if prepared else recipe.tokens)


def _language_recipe(run):
    """The recipe of the run of a language model."""
    if run.asked["topic"] != "autoregressive/transformer":
        raise OptionError(f"start is {run.folder}, a run of {run.asked['topic']}; it must be one of autoregressive/transformer")
    return run.restored_recipe(transformer.LanguageRecipe)


def build(recipe, data):
    """The experiment of a recipe."""
    return Aligned(recipe, data) if isinstance(recipe, AlignmentRecipe) else PreferredCompletions(recipe, data)


_GPT2 = transformer.RECIPES["gpt2"]
_PAPER = dict(
    batch_size=16, accumulate=4, learning_rate=1e-6, warmup_steps=150, clip_norm=1.0, precision="bfloat16", evaluate_every=1000,
    checkpoint_every=1000,
)  # fmt: skip

RECIPES = {
    # Measured: of held-out pairs 82% are ordered by their gains, 71% by the reference. The chosen completions lose 14 nats
    # and the rejected ones 26: the loss depends on the difference alone.
    "pydoc": PairsRecipe(
        context=65,
        steps=1000,
        batch_size=32,
        learning_rate=3e-3,
        beta2=0.99,
        weight_decay=0.1,
        clip_norm=1.0,
        warmup_steps=50,
        schedule="cosine",
        final_learning_rate=0.02,
        evaluate_every=500,
        checkpoint_every=500,
        target=0.75,
    ),
    # For one GPU: 124 million parameters, 64 pairs a step. Give --data your pairs.jsonl, --start the run of a language model and
    # --tokens the folder of its text. Step size, price and warm-up are those of Rafailov et al. 2023, appendix B.
    "full": PairsRecipe(
        data="pairs.jsonl",
        tokens="tiktoken:gpt2",
        **{name: getattr(_GPT2, name) for name in SIZES},
        supervised=0.25,
        steps=2000,
        batch_size=8,
        accumulate=8,
        learning_rate=1e-6,
        warmup_steps=150,
        clip_norm=1.0,
        precision="bfloat16",
        evaluate_every=500,
        checkpoint_every=500,
    ),
    # With --from RUN a language model is tuned: GPT-2 or a Llama, trained here or imported. Measured: from noise 300 steps order
    # half of the held-out pairs; from the model of the help pages that comes with the package, 100 steps at 5e-4 order 61%. A
    # model of your own has no measured value, so that there is no target.
    "aligned": AlignmentRecipe(
        context=65,
        steps=300,
        batch_size=16,
        learning_rate=3e-3,
        beta2=0.99,
        clip_norm=1.0,
        warmup_steps=50,
        schedule="cosine",
        final_learning_rate=0.02,
        evaluate_every=300,
        checkpoint_every=300,
    ),
    # GPT-2 large on pairs of completions of film reviews, as in Rafailov et al. 2023, section 6.1. Batch, step size, price and
    # warm-up are of their appendix B. Give --from the run of GPT-2 large, tuned to reviews.
    "imdb": AlignmentRecipe(data="imdb_pairs.jsonl", tokens="tiktoken:gpt2", steps=4000, **GPT2_LARGE, **_PAPER),
    # Their section 6.2, where the price is five times as high, in one pass over 92,858 pairs. Give --from the run of a model that
    # was tuned to summaries (docs/published_alignment.md).
    "tldr": AlignmentRecipe(
        data="tldr.parquet",
        tokens="tokenizer.json",
        kl_coefficient=0.5,
        context=640,
        steps=1450,
        **QWEN2_BILLION_AND_HALF,
        **(_PAPER | dict(batch_size=8, accumulate=8)),
    ),
}

PUBLISHED = {"imdb": REVIEW_PAIRS, "tldr": SUMMARY_PAIRS}
