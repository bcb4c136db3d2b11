"""Texts of a known law of letters, drawn as the options say, beyond the length of the context, or by beams; and pixels."""

import itertools
from types import SimpleNamespace

import torch

from practice_torch.autoregressive import decoding
from practice_torch.experiments.autoregressive.transformer import LanguageModel, Writing
from practice_torch.experiments.codes import pixel_sequences
from practice_torch.experiments.codes.pixel_sequences import AttentionPixels, PixelSequences
from practice_torch.experiments.language import generation
from practice_torch.experiments.language.decoding import Decoding
from tests.support import tiny
from tests.support.known_texts import LETTERS, START, Letters, require_texts
from tests.support.recipes import module_of
from tests.support.samplers import built, moved, require_same


def _writing(**options):
    """An experiment with the distribution of letters as its network, and the distribution; its tokens are bytes."""
    experiment = built("autoregressive/transformer")
    assert experiment.tokenizer().encode("ab").tolist() == [97, 98]
    experiment.network, experiment.sampling = Letters(context=6), Writing(**options)
    return experiment, experiment.network.table


def _texts(experiment, count):
    return [text.strip(START) for text in experiment.sample(count)["text"].text.split("\n\n")]


def draws_the_law_of_the_letters():
    experiment, table = _writing(length=40)
    require_texts(_texts(experiment, 60), table)


def draws_a_sharper_law():
    """At temperature 1/2 probabilities are squared; a min-p of 0.3 leaves out what is less than 0.3 times the most likely."""
    experiment, table = _writing(length=40, temperature=0.5)
    require_texts(_texts(experiment, 60), table.square() / table.square().sum(2, keepdim=True))
    experiment, table = _writing(length=40, minimum_probability=0.3)
    kept = table.where(table >= 0.3 * table.amax(2, keepdim=True), 0)
    require_texts(_texts(experiment, 60), kept / kept.sum(2, keepdim=True))
    experiment, table = _writing(length=40, top_k=2)
    kept = table.where(table > table.amin(2, keepdim=True), 0)
    require_texts(_texts(experiment, 60), kept / kept.sum(2, keepdim=True))


def writes_the_likeliest_letter():
    """And goes on from a prompt."""
    experiment, table = _writing(length=20, greedy=True, prompt="ca")
    texts = _texts(experiment, 5)
    places = [3, 1]
    for _ in range(20):
        places.append(int(table[places[-2], places[-1]].argmax()) + 1)
    assert texts == ["".join(LETTERS[place - 1] for place in places)]


def previews_a_short_text():
    """However long its samples are."""
    for length, shown in ((700, 512), (20, 20)):
        experiment, _ = _writing(length=length, greedy=True, prompt="ca")
        assert len(experiment.preview(None)["text"].text) == 2 + shown
        assert len(experiment.sample(1)["text"].text) == 2 + length


def finds_the_likeliest_texts():
    """Of all texts of four letters that follow the prompt."""
    experiment, table = _writing(length=4, beams=27, prompt="b")
    scores = {}
    for letters in itertools.product(range(3), repeat=4):
        places = [0, 2, *(letter + 1 for letter in letters)]
        scores["".join(LETTERS[k] for k in letters)] = sum(
            float(table[a, b, c - 1].log()) for a, b, c in zip(places, places[1:], places[2:], strict=False)
        )
    best = sorted(scores, key=scores.get, reverse=True)[:3]
    found = experiment.sample(3)["text"]
    assert found.text.split("\n\n") == ["b" + text for text in best]
    assert found.caption.endswith(", ".join(f"{scores[text]:.1f}" for text in best) + ".")


def applies_each_option_in_its_order():
    """Of random logits of twelve tokens, after some of them were written."""
    generator = torch.Generator().manual_seed(3)
    logits, past = torch.randn(400, 12, generator=generator), torch.randint(12, (400, 5), generator=generator)
    how = Decoding(repetition_penalty=2.0, temperature=1.5, top_k=9, top_p=0.8, typical=0.9, minimum_probability=0.05)
    for options in ({}, {"repetition_penalty": 2.0}, {"top_p": 0.6}, {"typical": 0.5}, how.given()):
        seen = logits
        if "repetition_penalty" in options:
            seen = decoding.repetition_penalty(seen, past, penalty=2.0)
        if "temperature" in options:
            seen = decoding.top_k_filter(decoding.apply_temperature(seen, temperature=1.5), k=9)
        if "top_p" in options:
            seen = decoding.nucleus_filter(seen, mass=options["top_p"])
        if "typical" in options:
            seen = decoding.typical_filter(seen, mass=options["typical"])
        if "minimum_probability" in options:
            seen = decoding.minimum_probability_filter(seen, fraction=0.05)
        uniforms = torch.rand(400, generator=torch.Generator().manual_seed(4))
        drawn = Decoding(**options).choose(logits, past, torch.Generator().manual_seed(4))
        require_same(drawn, decoding.categorical_from_uniform(seen, uniforms))


def require_pixels(topic, logits):
    """Images of two colors and two classes: each code by its uniform, from a pass over all before it; and the upper row given."""
    recipe, described = module_of(topic).RECIPES["digits"], {"name": "pixels", "shape": [2, 2, 3], "classes": ["a", "b"]}
    torch.manual_seed(0)
    experiment = module_of(topic).build(tiny.small(recipe, num_levels=3), SimpleNamespace(description=described))
    moved(experiment.eval().requires_grad_(False), by=0.4)
    generator = torch.Generator().manual_seed(0)
    uniforms, label = torch.rand(20, 2, 2, 3, 1, generator=generator), torch.arange(20) % 2
    above = torch.randint(3, (20, 2, 1, 3), generator=generator)
    for given in (None, above):
        codes, tokens = torch.empty(20, 2, 2, 3, dtype=torch.long), 3 + label[:, None]
        for row, column, color in itertools.product(range(2), range(3), range(2)):
            shares = logits(experiment, tokens)[:, -1, :3].softmax(-1).cumsum(-1)
            code = (shares <= uniforms[:, color, row, column]).sum(1)
            if given is not None and row == 0:
                code = given[:, color, 0, column]
            codes[:, color, row, column], tokens = code, torch.column_stack([tokens, code])
        require_same(experiment.drawn(uniforms, label, given), codes)


def draws_pixels_of_each_class():
    require_pixels("autoregressive/transformer", lambda e, tokens: e.network(tokens))


SAMPLERS = {
    draws_the_law_of_the_letters: {
        "the likeliest letter": (Decoding.choose_by, "if self.greedy", "if not self.greedy"),
        "the start read again": (generation.generate, "written[:, read:end]", "written[:, start:end]"),
        "a cache that slides past the start": (generation.generate, "start = read = end - max", "start = end - max"),
        "a letter too late": (generation.generate, "read - start)", "read - start + 1)"),
    },
    draws_a_sharper_law: {
        "the temperature turned over": (Decoding.choose_by, "temperature=self.temperature", "temperature=1 / self.temperature"),
        "no filter": (Decoding.choose_by, "if self.minimum_probability:", "if False:"),
        "one letter more": (Decoding.choose_by, "k=self.top_k", "k=self.top_k + 1"),
    },
    writes_the_likeliest_letter: {
        "the least likely letter": (Decoding.choose_by, "argmax", "argmin"),
        "as many texts as requested": (LanguageModel.sample, "1 if how.greedy else count", "count"),
        "a letter too few": (LanguageModel.sample, "how.length, how)", "how.length - 1, how)"),
    },
    previews_a_short_text: {
        "as long as a sample": (LanguageModel.preview, "min(self.sampling.length, PREVIEWED)", "self.sampling.length")
    },
    finds_the_likeliest_texts: {
        "the worst first": (LanguageModel.sample, "found[0]", "found[0].flip(0)"),
        "the prompt left out": (LanguageModel.search, "torch.cat([past, prefixes]", "torch.cat([0 * past + 10, prefixes]"),
    },
    applies_each_option_in_its_order: {
        "no penalty": (Decoding.choose_by, "!= 1:\n            logits = repetition", "!= 2:\n            logits = repetition"),
        "no nucleus": (Decoding.choose_by, "if self.top_p < 1", "if self.top_p < 0"),
        "a nucleus of the rest": (Decoding.choose_by, "mass=self.top_p", "mass=1 - self.top_p"),
        "typical for nucleus": (Decoding.choose_by, "typical_filter(", "nucleus_filter("),
    },
    draws_pixels_of_each_class: {
        "no class": (PixelSequences._first, "as_int64(label)[:, None]", "0 * as_int64(label)[:, None]"),
        "color by color": (pixel_sequences.in_raster_order, "images.movedim(1, -1)", "images"),
        "another upper row": (PixelSequences.drawn, "in_raster_order(given)]", "0 * in_raster_order(given)]"),
        "uniforms of another pixel": (AttentionPixels._continued, "written.shape[1] - 1", "written.shape[1] - 2"),
        "classes among the codes": (AttentionPixels._continued, "logits[:, : self.recipe.num_levels]", "logits"),
    },
}
