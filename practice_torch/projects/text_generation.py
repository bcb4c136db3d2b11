"""Text generation: counts, an LSTM, a transformer, S4D, Mamba, masked diffusion and a VAE on the same text."""

import itertools
import math
import unicodedata
from functools import partial

import torch

from practice_torch.data.text_set import Vocabulary
from practice_torch.engine.artifacts import Text
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import FRACTION, POSITIVE, mean_interval
from practice_torch.evaluation.perplexity import distinct_fraction, token_log_probs
from practice_torch.experiments.autoregressive import ngram, recurrent, transformer
from practice_torch.experiments.diffusion import masked_diffusion
from practice_torch.experiments.language.decoding import STRATEGIES, Comparison, Written
from practice_torch.experiments.latent import vae_training
from practice_torch.experiments.state_space import diagonal, selective
from practice_torch.pictures.ranking import ranking
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated

COUNTED = ("unigram", "bigram", "5-gram")  # models of counts: the last one also judges what the others write
FLOORS = COUNTED[:-1]
NEURAL = ("LSTM", "transformer", "S4D", "Mamba")
MASKED, CODED = "masked diffusion", "text VAE"
BOUNDED = (MASKED, CODED)  # only a bound on the probability of a text is known, and texts are short and seen alone
DRAWS = 8  # of masks, or of codes, for the bound of each text
STUDIED = "transformer"  # its decoding: it has a search, too
BLOCK = 512  # bytes averaged to one value of a confidence interval: neighboring bytes are not independent
PASSAGE, GRAM = 256, 4  # bytes of a passage, and of the pieces in which repetition is counted
TEXTS, SEARCHED, BEAMS = 32, 8, 4
COLUMN, SIDE_BY_SIDE, LINES = 44, 2, 12  # characters of a column of passages, columns, and lines of a passage
SHOWN = ("greedy", "temperature 0.7", "temperature 1", "top 40", "nucleus 0.9")

COLUMNS = {
    "bits_per_byte": Column(
        "bits",
        "-log2 p of the held-out text; networks see 64 to 127 bytes before each byte. Of masked diffusion and of the VAE an "
        "upper bound, of texts of 64 bytes and of 24 characters that are seen alone",
        "lower",
    ),
    "gain_over_counts": Column("bits", "bits of the 5-gram less those of this model, on the same bytes", "higher"),
    "bits_of_samples": Column("bits", "of what the model writes, under the 5-gram; good is what real text has"),
    "distinct_4": Column("fraction", "different 4-grams in passages of 256 bytes that it writes; good is what real text has"),
    "parameters": Column("numbers", "weights of a network; of counts, the windows of bytes that occur"),
}


def judge(trainings, say):
    """All models on the held-out bytes, and their texts; effects of decoding on the texts of one of them."""
    held_out, past = trainings[STUDIED].held_out_data, max(1, trainings[STUDIED].recipe.context // 2)
    seed = trainings[STUDIED].recipe.seed
    stream = held_out.stream.long().cpu()
    block = max(1, min(BLOCK, (len(stream) - past) // 2))
    stream = stream[: past + (len(stream) - past) // block * block]

    say("bits per byte of the held-out text")
    of_bytes = {name: training for name, training in trainings.items() if name != CODED}
    bits = {name: see(training, bits_of, stream, past).view(-1, block).mean(1) for name, training in of_bytes.items()}
    bits = {"uniform bytes": torch.full_like(bits[COUNTED[0]], 8.0), **bits}
    counts = bits[COUNTED[-1]]

    say("samples")
    written = {name: call_isolated(training, "samples", _written) for name, training in trainings.items()}
    drawn = torch.randint(256, (TEXTS, PASSAGE), generator=torch.Generator().manual_seed(seed_of(seed, "uniform")))
    written = {"uniform bytes": drawn, **written, "held-out text": _cut(stream)}

    rows = {}
    for name, passages in written.items():
        role = "ceiling" if name == "held-out text" else "model" if name in (*NEURAL, *BOUNDED, COUNTED[-1]) else "floor"
        cells = {}
        if name in bits:
            cells["bits_per_byte"] = mean_interval(bits[name], POSITIVE)
            cells["gain_over_counts"] = mean_interval(counts - bits[name])
        if name == CODED:
            held = trainings[CODED].held_out_data
            cells["bits_per_byte"] = mean_interval(see(trainings[CODED], bits_of_characters, held.stream.long().cpu()), POSITIVE)
        cells["bits_of_samples"] = mean_interval(see(trainings[COUNTED[-1]], _of_passages, passages), POSITIVE)
        if name not in BOUNDED:  # whose texts are shorter
            cells["distinct_4"] = mean_interval(distinct_fraction(passages, order=min(GRAM, passages.shape[1])), FRACTION)
        if name in trainings:
            cells["parameters"] = float(_size(trainings[name].experiment))
        rows[name] = Row(role, cells)

    say("decoding")
    shown = {"bits_per_byte": ranking(rows, "bits_per_byte", "bits per byte of the held-out text")}
    shown |= {
        "passages": Text(
            _side_by_side({name: _shown(passages) for name, passages in written.items()}),
            f"The first {PASSAGE} bytes that each model writes, side by side; of models of short texts as many texts",
        )
    }
    decoded = call_isolated(trainings[STUDIED], "decoding", partial(_decoded, stream=stream, past=past))
    return Findings(COLUMNS, rows, shown | decoded)


def see(training, measure, *arguments):
    """measure(experiment, ...) of tensors that go to the model's device, and come back."""
    moved = [part.to(training.device) if isinstance(part, torch.Tensor) else part for part in arguments]
    return call_isolated(training, "text", lambda experiment: measure(experiment, *moved)).double().cpu()


def bits_of(experiment, stream, past):
    """-log2 p of every byte of a stream [N] but the first `past`, each given `past` bytes or more, as far as a model looks back.

    N - past is divided into windows of `past` bytes, and a rest, which has its own window.
    """
    if isinstance(experiment, ngram.NgramExperiment):
        return experiment.bits(stream[None])[0, past - experiment.recipe.order + 1 :]
    if isinstance(experiment, masked_diffusion.MaskedDiffusion):
        return bound_of_bytes(experiment, stream[past:])
    rest = (len(stream) - past) % past
    found = []
    if len(stream) - rest > past:
        windows = stream[: len(stream) - rest].unfold(0, 2 * past, past)
        found = [_bits_of_windows(experiment, some, past).flatten() for some in windows.split(64)]
    if rest:
        found.append(_bits_of_windows(experiment, stream[None, -rest - past :], past).flatten())
    return torch.cat(found)


def bound_of_bytes(experiment, stream):
    """A bound on -log2 p of a stream [N], divided into texts: each byte has the mean of its text. The last text overlaps."""
    length = experiment.recipe.context
    texts = torch.cat([stream.unfold(0, length, length), stream[None, -length:]])
    bits = sum(torch.cat([experiment.bound(some) for some in texts.split(64)]) for _ in range(DRAWS)) / DRAWS / math.log(2)
    return bits.repeat_interleave(length)[: len(stream)]


def bits_of_characters(experiment, stream):
    """A bound on -log2 p of a stream of characters in bits per byte of UTF-8: the mean of each block of whole windows."""
    length = experiment.recipe.length
    windows = stream.unfold(0, length, length)
    bits = sum(torch.cat([experiment.bound(some) for some in windows.split(64)]) for _ in range(DRAWS)) / DRAWS / math.log(2)
    sizes = bits.new_tensor([len(experiment.vocabulary.decode(window).encode()) for window in windows])
    block = max(1, min(BLOCK // length, len(windows) // 2))
    blocks = lambda some: some[: len(windows) // block * block].view(-1, block).sum(1)  # noqa: E731
    return blocks(bits) / blocks(sizes)


def _bits_of_windows(experiment, windows, past):
    """-log2 p of what follows the first `past` bytes of each window: [N, T] -> [N, T - past]."""
    logits = experiment.network(windows[:, :-1])[:, past - 1 :].float()
    return -token_log_probs(windows[:, past:], logits) / math.log(2)


def _of_passages(experiment, passages):
    """Mean bits per byte of every passage under counts, [N]."""
    return experiment.bits(passages).mean(1)


def _written(experiment):
    """Passages of a model's text [N, T], as its experiment draws it; short texts are passages themselves, and there are more."""
    if isinstance(experiment, (masked_diffusion.MaskedDiffusion, vae_training.TextVaeExperiment)):
        size = experiment.recipe.context if isinstance(experiment, masked_diffusion.MaskedDiffusion) else experiment.recipe.length
        return torch.tensor([list(text.encode()[:size]) for text in experiment.texts(TEXTS * PASSAGE // size)])
    text = "\n".join(part.text for part in experiment.sample(TEXTS).values() if isinstance(part, Text))
    return _cut(torch.tensor(list(text.encode())))


def _cut(text):
    """Bytes [N] in passages [M, T]."""
    size = min(PASSAGE, len(text))
    return text[: len(text) // size * size].view(-1, size)


def _size(experiment):
    if isinstance(experiment, ngram.NgramExperiment):
        return int((experiment.counts > 0).sum())
    return sum(parameter.numel() for parameter in experiment.network.parameters())


def _decoded(experiment, stream, past):
    """Continuations of the same held-out beginnings, [N, past], by every strategy."""
    windows = stream.to(next(experiment.parameters()).device).unfold(0, 3 * past, past)
    real = windows[torch.linspace(0, len(windows) - 1, min(TEXTS, len(windows))).round().long()]
    begun, length = real[:, :past], 2 * past
    texts = {"held-out text": real} | {name: experiment.write(begun, length, STRATEGIES[name]) for name in SHOWN}
    few = begun[:SEARCHED]
    texts[f"{BEAMS} beams"] = torch.cat([few, experiment.search(few, length, BEAMS)[0][:, 0]], dim=1)
    measured = {
        name: Written(text[:, past:], torch.cat([bits_of(experiment, row, past) for row in text]).mean().item())
        for name, text in texts.items()
    }
    caption = f"{length} bytes a text, written by the {STUDIED} after {past} held-out ones; bits per byte under the model itself"
    sections = [f"--- it begins\n{_readable(begun[0])}"]
    sections += [f"--- {name}\n{_readable(text[0, past:])}" for name, text in texts.items()]
    return Comparison(measured).artifacts(caption) | {
        "continuations": Text("\n\n".join(sections), f"How one beginning goes on: the real text, and what the {STUDIED} writes")
    }


def _readable(tokens):
    return Vocabulary(None).decode(tokens.cpu())


def _shown(passages):
    """As many passages as have PASSAGE bytes together."""
    return "\n".join(map(_readable, passages[: max(1, PASSAGE // passages.shape[1])]))


def _side_by_side(texts):
    """Texts by name in columns that a person reads next to each other. What cannot be printed in one place is a dot."""
    rows = []
    for first in range(0, len(texts), SIDE_BY_SIDE):
        names = list(texts)[first : first + SIDE_BY_SIDE]
        columns = [[f"--- {name}", *_lines(texts[name])] for name in names]
        rows += [
            "  ".join(f"{line:{COLUMN}}" for line in lines).rstrip() for lines in itertools.zip_longest(*columns, fillvalue="")
        ]
        rows.append("")
    return "\n".join(rows)


def _printed(letter):
    fits = letter.isprintable() and letter != "\N{REPLACEMENT CHARACTER}" and not unicodedata.combining(letter)
    return letter if fits else "."


def _lines(text):
    printed = ("".join(map(_printed, line)) for line in text.split("\n"))
    return [line[start : start + COLUMN] for line in printed for start in range(0, max(1, len(line)), COLUMN)][:LINES]


def read(rows):
    """Findings from the numbers of the table."""
    bits = {name: row.cells["bits_per_byte"].value for name, row in rows.items() if "bits_per_byte" in row.cells}
    gain = {name: rows[name].cells["gain_over_counts"] for name in NEURAL}
    best = min((*NEURAL, COUNTED[-1]), key=bits.get)
    ahead = [name for name in NEURAL if gain[name].low > 0]
    behind = [name for name in NEURAL if gain[name].high < 0]
    order = ", ".join(f"{name} {bits[name]:.2f}" for name in sorted(NEURAL, key=bits.get))
    sentences = [
        f"The best model is {'the 5-gram' if best == COUNTED[-1] else best}, with {bits[best]:.2f} bits per byte. The networks "
        f"need {order}; the 5-gram, which only counts, needs {bits['5-gram']:.2f}.",
        f"Better than counting, beyond chance: {_listed(ahead)}. Worse than counting: {_listed(behind)}. Counts are fitted in "
        "one pass over the text. A network first has to learn what the counts hold; it gains only beyond contexts of four "
        "bytes.",
        _of_samples(rows),
        _of_bounds(rows),
        "The steps and the sizes of the networks are those of their recipes, not equal budgets: the table compares these recipes "
        "at the times that the last section lists, and does not show which kind of network is better at scale.",
    ]
    expectations = (
        Expectation(
            "Every longer context of counts helps: uniform bytes, unigram, bigram, 5-gram",
            bits["uniform bytes"] > bits["unigram"] > bits["bigram"] > bits["5-gram"],
        ),
        Expectation("Every network is better than the bigram by a bit", max(bits[name] for name in NEURAL) < bits["bigram"] - 1),
        Expectation(
            "The bounds of masked diffusion and of the text VAE are better than the bigram",
            max(map(bits.get, BOUNDED)) < bits["bigram"],
        ),
        Expectation("The LSTM, trained the longest, is better than the 5-gram beyond chance", gain["LSTM"].low > 0),
    )
    return Reading(tuple(sentences), expectations)


def _of_samples(rows):
    """Findings from the samples' columns and those of real text."""
    real = rows["held-out text"].cells
    gap = lambda name: abs(rows[name].cells["bits_of_samples"].value - real["bits_of_samples"].value)  # noqa: E731
    nearest = min(NEURAL, key=gap)
    shares = [rows[name].cells["distinct_4"].value for name in NEURAL]
    distinct = f"{min(shares):.0%} to {max(shares):.0%}"
    more = ": real text repeats itself more, in lists, names and indentation" if real["distinct_4"].value < min(shares) else ""
    return (
        f"The 5-gram gives real text {real['bits_of_samples'].value:.2f} bits per byte; of the networks' texts, that of "
        f"{nearest} comes nearest, with {rows[nearest].cells['bits_of_samples'].value:.2f}. The 5-gram's own samples are "
        f"typical to itself, which is no merit. In passages of real text {real['distinct_4'].value:.0%} of the 4-grams are "
        f"different; in those of the networks {distinct}{more}."
    )


def _of_bounds(rows):
    """Findings from the rows of the models that see short texts alone."""
    bits, written = (
        {name: rows[name].cells[column].value for name in BOUNDED} for column in ("bits_per_byte", "bits_of_samples")
    )
    return (
        f"Of masked diffusion and of the text VAE only bounds are known, {bits[MASKED]:.2f} and {bits[CODED]:.2f} bits per byte, "
        "of texts of 64 bytes and of 24 characters without what comes before. Masked diffusion fills in the places of a text in "
        f"random order: what it writes has {written[MASKED]:.2f} bits per byte under the 5-gram, the windows of the VAE "
        f"{written[CODED]:.2f}."
    )


def _listed(names):
    return ", ".join(names) or "none"


PROJECT = Project(
    title="Text generation",
    question="Nine models learn the same text: Python's help pages, nine tenths of them. How well does each predict the last "
    "tenth, in bits per byte; is what it writes like the real text; and how does decoding change what a model writes?",
    models={
        "unigram": Model(ngram, "unigram"),
        "bigram": Model(ngram, "bigram"),
        "5-gram": Model(ngram, "5-gram"),
        "LSTM": Model(recurrent, "pydoc"),
        "transformer": Model(transformer, "pydoc"),
        "S4D": Model(diagonal, "pydoc"),
        "Mamba": Model(selective, "pydoc"),
        MASKED: Model(masked_diffusion, "pydoc"),
        CODED: Model(vae_training, "pydoc"),
    },
    judge=judge,
    read=read,
)
