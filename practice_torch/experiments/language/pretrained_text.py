"""Language models in transformers' layout: their configuration, their tokenizer, and their weights by the rows of a layout."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from practice_torch.data.errors import DataError
from practice_torch.data.reading.tokenizer_files import TokenizerFile, end_of_text, read_tokenizer
from practice_torch.data.streams.streamed_text import PreparedTokenizer
from practice_torch.engine.storage.pretrained import Opened
from practice_torch.pretrained.configuration import CONFIG, read_config
from practice_torch.pretrained.layout import to_ours, to_theirs

TOKENIZER, VOCABULARY = "tokenizer.json", "vocabulary"  # a file; a field of architectures, which is no recipe's: data have it
# for a training that begins from published weights: the step size is that of Radford et al. 2018, section 4.1, for GPT
TUNING = dict(
    steps=1000,
    batch_size=8,
    accumulate=1,
    learning_rate=6.25e-5,
    warmup_steps=50,
    schedule="cosine",
    final_learning_rate=0.1,
    weight_decay=0.01,
    clip_norm=1.0,
    evaluate_every=250,
    checkpoint_every=250,
    precision="float32",
    held_out=0.1,
    keep_best=False,
    target=None,
)


@dataclass(frozen=True)
class PretrainedText:
    """architecture: a module of practice_torch/pretrained, with fields(config), config(fields) and layout(fields). context: of
    the training windows, where the network has none.
    """

    recipe: str
    architecture: ModuleType
    context: int | None = None
    network: str = "network"
    stem: str = "model"
    tuning: Mapping[str, Any] = dataclasses.field(default_factory=lambda: TUNING)

    def open(self, folder: Path) -> Opened:
        """The sizes of config.json, and the tokenizer of tokenizer.json."""
        fields = dict(self.architecture.fields(read_config(folder)))
        fields |= {} if self.context is None else {"context": self.context}
        vocabulary, content, tokenizer = fields.pop(VOCABULARY), *_tokenizer(folder)
        if tokenizer.vocabulary_size > vocabulary:
            found = f"{tokenizer.vocabulary_size} tokens, and the model of {CONFIG} {vocabulary}"
            raise DataError(f"{Path(folder) / TOKENIZER} has {found}: they are of two models")
        kept = PreparedTokenizer("tokenizers", content)
        about = {"library": "tokenizers", "bytes": len(content)} | _end(tokenizer)
        data = SimpleNamespace(vocabulary=kept, description=without_text(fields["context"], vocabulary, about))
        return Opened(fields, data, {"tokenizer": f"{tokenizer.vocabulary_size:,} tokens of {TOKENIZER}"})

    def ours(self, opened, tensors, shapes):
        """By the architecture's layout."""
        fields = {**opened.fields, VOCABULARY: opened.data.description["vocabulary"]}
        return to_ours(self.architecture.layout(fields), tensors, shapes)

    def theirs(self, recipe, description, state):
        """The same rows the other way."""
        return to_theirs(self.architecture.layout(_sizes(recipe, description)), state)

    def files(self, recipe, description, dtype):
        """The configuration, and for `generate` the token that ends a text."""
        end = description.get("tokenizer", {}).get("end")
        ends = {} if end is None else {"bos_token_id": end, "eos_token_id": end}
        config = self.architecture.config(_sizes(recipe, description))
        return {CONFIG: config | {"dtype": dtype} | ends, "generation_config.json": {"do_sample": True} | ends}


def without_text(context, vocabulary, about):
    """The description of text of this tokenizer where there is no text."""
    return {
        "name": "none",
        "shape": [context + 1],
        "level": "token",
        "vocabulary": vocabulary,
        "characters": None,
        "classes": None,
        "sha256": "",
        "tokenizer": about,
    }


def _sizes(recipe, description):
    """The fields that the architecture knows."""
    return recipe.fields() | {VOCABULARY: description["vocabulary"]}


def _tokenizer(folder):
    """(content, tokenizer) of a folder's tokenizer.json."""
    file = Path(folder) / TOKENIZER
    if not file.is_file():
        mend = "with transformers, AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes it from other files"
        raise DataError(f"{folder} has no {TOKENIZER}, without which a model of tokens reads and writes no text: {mend}")
    library, content = read_tokenizer(str(file))
    return content, TokenizerFile(library, content)


def _end(tokenizer):
    """The token that ends a text, if there is a usual one."""
    try:
        name = end_of_text(tokenizer, None)
    except DataError:
        return {}
    return {"end_of_text": name, "end": tokenizer.special(name)}
