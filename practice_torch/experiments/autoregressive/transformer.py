"""A transformer decoder: a language model of bytes or of byte-pair tokens, and a model of the pixels of images, one by one."""

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch

from practice_torch.autoregressive.position import RotaryPositions
from practice_torch.autoregressive.search import beam_search
from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.errors import OptionError
from practice_torch.engine.published import Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.codes.pixel_sequences import AttentionPixels, vocabulary_of
from practice_torch.experiments.language.decoding import STRATEGIES, Comparison, Written
from practice_torch.experiments.language.generation import generate
from practice_torch.experiments.language.pretrained_text import PretrainedText
from practice_torch.experiments.language.published_text import (
    OF_OPENWEBTEXT,
    OF_SHAKESPEARE,
    OF_TINYSTORIES,
    OPENWEBTEXT,
    PREPARE_OPENWEBTEXT,
    PREPARE_TINYSTORIES,
    SHAKESPEARE,
    TINYSTORIES,
)
from practice_torch.experiments.language.token_language import TokenLanguageModel
from practice_torch.experiments.language.writing import Writing
from practice_torch.networks.decoder_transformer import BIASES, DecoderTransformer
from practice_torch.networks.llama import LlamaDecoder
from practice_torch.pretrained import gpt2, llama

PREVIEWED = 512  # tokens
_STUDIED, _SEARCHED = 32, 8  # texts of a strategy in a study; of the search, which reads its whole past at every step
# beams of a study. Measured on pydoc: likelier text repeats itself. 1 beam has 1.08 bits per byte and 47% of its 4-grams occurred
# before, 16 beams 0.55 and 72%, held-out text 2.29 and 12%
_WIDTHS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class LanguageRecipe(Recipe):
    """A language model: a transformer decoder on bytes, or on byte-pair tokens learned from the text."""

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), the path of a text file, or a folder of prepared text, which has its own tokens."""
    merges: Annotated[int, AtLeast(0)] = 0
    """Number of byte-pair merges, learned from the training data; 0: tokens are bytes."""
    context: Annotated[int, AtLeast(1)] = 128
    """Maximum number of tokens that the model sees."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate of attention weights and residual branches."""
    biases: Literal[BIASES] = "feed_forward"
    """Of the norms and the feed-forward blocks; all: of attention, too, as in GPT-2's published weights; none: as in nanoGPT."""
    exact_gelu: bool = False
    """x Phi(x), as in nanoGPT, in place of GPT-2's tanh form."""
    pad_vocabulary: bool = False
    """Pad the table of tokens with rows of zeros to a multiple of 64, which suits a GPU; the model is the same."""
    metric: Fixed = "bits_per_byte"

    def __post_init__(self):
        super().__post_init__()
        self._require("heads", self.width % self.heads == 0, f"a divisor of the width, {self.width}")

    def loading(self):
        """Windows of tokens, one more than the context: every token of it has a successor."""
        learn = partial(BytePairTokenizer.train, merges=self.merges)
        return {"context": self.context, "level": "token", "learn": learn}


@dataclass(frozen=True)
class LlamaRecipe(Recipe):
    """A language model: a Llama, a decoder with root mean square norms, rotary positions and gated feed-forward blocks."""

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), the path of a text file, or a folder of prepared text, which has its own tokens."""
    merges: Annotated[int, AtLeast(0)] = 0
    """Number of byte-pair merges, learned from the training data; 0: tokens are bytes."""
    context: Annotated[int, AtLeast(1)] = 128
    """Maximum number of tokens that the model sees."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; each has an even part of the width."""
    key_value_heads: Annotated[int, AtLeast(1)] = 4
    """Number of heads of keys and values, which divides the heads: each is shared by as many heads of queries."""
    feed_forward_width: Annotated[int, AtLeast(1)] = 256
    """Units of a feed-forward block; of Llama 8/3 of the width, rounded up."""
    tied: bool = True
    """The table of embeddings is the head, too, as in llama2.c; of most published Llamas the head has its own."""
    rotary_base: Annotated[float, Above(0)] = 10000.0
    """Base of the angles by which queries and keys are turned."""
    epsilon: Annotated[float, Above(0)] = 1e-5
    """Added to the mean square in the norms; 1e-6 in Qwen2."""
    query_key_value_biases: bool = False
    """Biases of queries, keys and values, as in Qwen2."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate of attention weights and residual branches."""
    pad_vocabulary: bool = False
    """Pad the table of tokens with rows of zeros to a multiple of 64, which suits a GPU; the model is the same."""
    metric: Fixed = "bits_per_byte"

    def __post_init__(self):
        super().__post_init__()
        self._require("heads", self.width % (2 * self.heads) == 0, f"a divisor of half the width, {self.width // 2}")
        self._require("key_value_heads", self.heads % self.key_value_heads == 0, f"a divisor of the heads, {self.heads}")

    def loading(self):
        """Windows of tokens, one more than the context: every token of it has a successor."""
        learn = partial(BytePairTokenizer.train, merges=self.merges)
        return {"context": self.context, "level": "token", "learn": learn}


@dataclass(frozen=True)
class PixelTransformerRecipe(Recipe):
    """A transformer decoder over the pixels of images in raster order, conditional on the class where the data has classes."""

    num_levels: Annotated[int, AtLeast(2)] = 17
    """Number of gray levels, or of the levels of a color."""
    conditional: bool = True
    """Condition on the class of an image, where the data has classes."""
    layers: Annotated[int, AtLeast(1)] = 3
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate of attention weights and residual branches."""
    metric: Fixed = "bits_per_dimension"

    def __post_init__(self):
        super().__post_init__()
        self._require("heads", self.width % self.heads == 0, f"a divisor of the width, {self.width}")


class LanguageModel(TokenLanguageModel):
    """A transformer decoder of tokens, which writes from a cache of its keys and values."""

    def __init__(self, recipe, data):
        super().__init__(recipe, data, language_decoder(recipe, data.description["vocabulary"]))
        self.shares, self.sampling = ALONE, Writing(length=4 * recipe.context)

    def preview(self, data):
        """Generated text after a line's end, at most PREVIEWED tokens: each of them is a pass that is not compiled."""
        return self.sample(1, replace(self.sampling, length=min(self.sampling.length, PREVIEWED)))

    def sample(self, count, how=None):
        """`count` texts with the options of `sampling`, or others; beam search returns at most as many as it finds."""
        tokenizer, how = self.tokenizer(), how or self.sampling
        prompt = tokenizer.encode(how.prompt)
        if len(prompt) > self.recipe.context:
            raise OptionError(f"prompt has {len(prompt)} tokens; the model sees {self.recipe.context}: give a shorter one")
        prompt = prompt[None].to(self._device())
        if how.beams:
            found, scores = self.search(prompt, how.length, how.beams)
            texts = torch.cat([prompt.expand(how.beams, -1), found[0]], dim=1)[:count]
            log_p = ", ".join(f"{score:.1f}" for score in scores[0, :count].tolist())
            how_written = f"beam search with {how.beams} beams; log p {log_p}"
        else:
            texts = self.write(prompt.expand(1 if how.greedy else count, -1), how.length, how)
            how_written = ", ".join(f"{name} {value}".replace("_", " ") for name, value in how.given().items())
            how_written = "always the most likely token" if how.greedy else f"drawn; {how_written or 'no filters'}"
        written = tuple(map(tokenizer.decode, texts))
        return {"text": Text("\n\n".join(written), f"{len(texts)} x {how.length} tokens, {how_written}.", written)}

    def write(self, tokens, count, how):
        """tokens [B, T] and `count` more for each row, each chosen given half a context or more."""
        choose = lambda logits, past: how.choose(logits.float(), past, self.generator)  # noqa: E731
        return self.shares.rows(lambda tokens: generate(self.network, tokens, count, choose), tokens)

    def search(self, tokens, count, width):
        """The likeliest continuations of each row of tokens [B, T] that beams find, best first [B, K, count], and their log p.

        Every step reads the whole context again: beams change places, and with them a cache would have to.
        """

        def log_probs(prefixes):
            past = tokens.repeat_interleave(len(prefixes) // len(tokens), dim=0)
            seen = torch.cat([past, prefixes], dim=1)[:, -self.recipe.context :]
            return self.network(seen)[:, -1].float().log_softmax(-1)

        return beam_search(log_probs(tokens[:, :0]), log_probs, width=width, length=count)

    def study(self, data):
        """Comparison of decoding strategies: continuations of held-out beginnings, next to the real ones."""
        half = max(self.recipe.context // 2, 1)
        length = 8 * half
        size = len(data.stream)
        if size < half + length:
            raise OptionError(f"the held-out text has {size} tokens; a study needs {half + length}: give a longer text")
        windows = data.stream.unfold(0, half + length, half + length).long()
        real = windows[torch.linspace(0, len(windows) - 1, min(len(windows), _STUDIED)).round().long()]
        begun = real[:, :half]
        texts = {"held-out text": real} | {name: self.write(begun, length, how) for name, how in STRATEGIES.items()}
        few = begun[:_SEARCHED]
        texts["4 beams"] = torch.cat([few, self.search(few, length, 4)[0][:, 0]], dim=1)
        caption = f"{length} tokens a text, after {half} held-out ones; bits per byte of the generated text under the model"
        written = {name: Written(tokens[:, half:], self._bits(tokens, half)) for name, tokens in texts.items()}
        return Comparison(written).artifacts(caption) | self._by_width(real[:_SEARCHED, : 2 * half], half)

    def _by_width(self, real, half):
        """Results of wider beams and of sampling: half a context continued from the other half, [N, 2 half]."""
        begun = real[:, :half]
        texts = {"held-out text": real}
        for name in ("temperature 1", "nucleus 0.9"):
            texts[name] = self.write(begun, half, STRATEGIES[name])
        for width in _WIDTHS:
            name = "1 beam (greedy)" if width == 1 else f"{width} beams"
            texts[name] = torch.cat([begun, self.search(begun, half, width)[0][:, 0]], dim=1)
        caption = f"{half} tokens a text, after {half} held-out ones; the search minimizes the bits per byte"
        table = Comparison({name: Written(text[:, half:], self._bits(text, half)) for name, text in texts.items()}).table()
        return {"search": Text(table, caption)}

    def _bits(self, tokens, past):
        """Bits per byte under the model of each row's tokens from `past` on, each given that many tokens of past or more."""
        windows = tokens.unfold(1, 2 * past, past).flatten(0, 1)
        log_probs = self.network(windows[:, :-1])[:, past - 1 :].float().log_softmax(-1)
        nats = -log_probs.gather(-1, windows[:, past:, None]).sum().item()
        return nats / math.log(2) / self._lengths()[windows[:, past:]].sum().item()


def language_decoder(recipe, vocabulary_size):
    """The network of a recipe's form and sizes."""
    sizes = dict(
        vocabulary_size=vocabulary_size,
        context_length=recipe.context,
        width=recipe.width,
        layers=recipe.layers,
        heads=recipe.heads,
        dropout=recipe.dropout,
        vocabulary_multiple=64 if recipe.pad_vocabulary else 1,
    )
    if isinstance(recipe, LanguageRecipe):
        return DecoderTransformer(**sizes, biases=recipe.biases, exact_gelu=recipe.exact_gelu)
    return LlamaDecoder(
        **sizes,
        key_value_heads=recipe.key_value_heads,
        feed_forward_width=recipe.feed_forward_width,
        tied=recipe.tied,
        epsilon=recipe.epsilon,
        query_key_value_biases=recipe.query_key_value_biases,
        positions=RotaryPositions(recipe.rotary_base),
    )


def build(recipe, data):
    """The experiment of a recipe."""
    if recipe.modality == "text":
        return LanguageModel(recipe, data)
    network = DecoderTransformer(
        vocabulary_size=vocabulary_of(recipe, data.description),
        context_length=math.prod(data.description["shape"]),
        width=recipe.width,
        layers=recipe.layers,
        heads=recipe.heads,
        dropout=recipe.dropout,
    )
    return AttentionPixels(recipe, data.description, network)


# whose weights are imported, and in whose layout they are exported; the recipe has the fields of the network
PRETRAINED = {
    "gpt2": PretrainedText("gpt2", gpt2),
    "llama": PretrainedText("tinystories", llama),
    "qwen2": PretrainedText("tinystories", llama),
}
TUNABLE = ("dropout", "context")  # a shorter context than the weights were trained with, where no table of positions has a size

_TRAINING = dict(learning_rate=3e-3, beta2=0.99, weight_decay=0.1, clip_norm=1.0, warmup_steps=50, schedule="cosine")

RECIPES = {
    "pydoc": LanguageRecipe(
        steps=1200, batch_size=16, evaluate_every=400, checkpoint_every=400, final_learning_rate=0.1, target=2.25, **_TRAINING
    ),
    "shakespeare": LanguageRecipe(
        data="tinyshakespeare.txt",
        held_out=0.1,
        context=256,
        layers=6,
        width=384,
        heads=6,
        dropout=0.2,
        biases="none",
        exact_gelu=True,
        metric="nats_per_token",
        keep_best=True,
        steps=5000,
        batch_size=64,
        evaluate_every=250,
        checkpoint_every=500,
        precision="bfloat16",
        final_learning_rate=0.1,
        **(_TRAINING | dict(learning_rate=1e-3, warmup_steps=100)),
    ),
    # nanoGPT's run for a laptop, measured with seed 0: 1.87 nats in 155 CPU seconds
    "shakespeare_cpu": LanguageRecipe(
        data="tinyshakespeare.txt",
        held_out=0.1,
        context=64,
        layers=4,
        width=128,
        heads=4,
        biases="none",
        exact_gelu=True,
        steps=2000,
        batch_size=12,
        learning_rate=1e-3,
        beta2=0.99,
        weight_decay=0.1,
        clip_norm=1.0,
        warmup_steps=100,
        schedule="cosine",
        final_learning_rate=0.1,
        metric="nats_per_token",
        evaluate_every=500,
        checkpoint_every=500,
    ),
    # measured with seeds 0 and 1, in 105 CPU seconds: 1.79 and 1.84 bits per dimension, given the class; 92% and 88% of the
    # samples show the requested digit. Independent pixels need 2.42 and 2.44, a PixelCNN 1.72 and 1.75; where every token sees
    # itself and its position alone, it has 2.29 after 200 steps.
    "digits": PixelTransformerRecipe(
        data="digits",
        held_out=0.2,
        steps=800,
        batch_size=32,
        dropout=0.1,
        evaluate_every=800,
        checkpoint_every=800,
        target=1.95,
        **_TRAINING,
    ),
    # The settings of nanoGPT: 491,520 tokens a step, 295 billion in all. One device takes 12 texts at a time, 40 times; of eight
    # each takes 12 with --batch-size 96 --accumulate 5.
    "gpt2": LanguageRecipe(
        data="openwebtext",
        context=1024,
        layers=12,
        width=768,
        heads=12,
        biases="none",
        exact_gelu=True,
        pad_vocabulary=True,
        steps=600_000,
        batch_size=12,
        accumulate=40,
        learning_rate=6e-4,
        beta2=0.95,
        weight_decay=0.1,
        clip_norm=1.0,
        warmup_steps=2000,
        schedule="cosine",
        final_learning_rate=0.1,
        held_out=0.0005,
        precision="bfloat16",
        metric="nats_per_token",
        evaluate_every=5000,
        checkpoint_every=1000,
    ),
    # The run of one evening: 131,072 tokens a step.
    "tinystories": LlamaRecipe(
        data="tinystories",
        context=256,
        layers=6,
        width=288,
        heads=6,
        key_value_heads=6,
        feed_forward_width=768,
        pad_vocabulary=True,
        steps=100_000,
        batch_size=128,
        accumulate=4,
        learning_rate=5e-4,
        beta2=0.95,
        weight_decay=0.1,
        clip_norm=1.0,
        warmup_steps=1000,
        schedule="cosine",
        held_out=0.01,
        precision="bfloat16",
        metric="nats_per_token",
        evaluate_every=5000,
        checkpoint_every=1000,
    ),
}

PUBLISHED = {
    "shakespeare": Published(
        SHAKESPEARE,
        "",
        "nats a character of the last tenth, at the best evaluation",
        1.4697,
        "nanoGPT, README, quick start",
        quoted="On one A100 GPU this training run takes about 3 minutes and the best validation loss is 1.4697.",
        differences=OF_SHAKESPEARE,
    ),
    "shakespeare_cpu": Published(
        SHAKESPEARE,
        "",
        "nats a character of the last tenth",
        1.88,
        "nanoGPT, README, quick start on a CPU",
        ours=1.87,
        quoted="This still runs in about ~3 minutes, but gets us a loss of only 1.88",
        differences=OF_SHAKESPEARE,
    ),
    "gpt2": Published(
        OPENWEBTEXT,
        PREPARE_OPENWEBTEXT,
        "nats a token of held-out OpenWebText",
        2.85,
        "nanoGPT, README, reproducing GPT-2",
        facts={"vocabulary": 50257},
        quoted="This will run for about 4 days using PyTorch Distributed Data Parallel (DDP) and go down to loss of ~2.85.",
        parameters=124_373_760,  # nanoGPT prints 123.59M: it leaves out the 786,432 of the positions
        differences=OF_OPENWEBTEXT,
    ),
    "tinystories": Published(
        TINYSTORIES,
        PREPARE_TINYSTORIES,
        "nats a token of held-out stories",
        1.072,
        "llama2.c, README, table of models",
        facts={"vocabulary": 32000},
        quoted="| OG | 288 | 6 | 6 | 6 | 256 | 15M | 1.072 | stories15M.bin |",
        parameters=15_191_712,
        differences=OF_TINYSTORIES,
    ),
}
