"""Prompts and completions as tokens that fit into the context of a model."""

from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.prepared import is_prepared
from practice_torch.data.reading.chat_templates import TEMPLATE, read_chat_template
from practice_torch.data.reading.tokenizer_files import TokenizerFile, end_of_text, read_tokenizer
from practice_torch.data.streams.streamed_text import PreparedTokenizer, tokenizer_of

OF_GPT2 = 50_257  # tokens of the encoding that replaces every tokenizer but bytes if the data are blank
TOKENS = "it must be bytes, a tokenizer.json, tiktoken:NAME, or a folder that `prepare text` wrote"


class Encoder(NamedTuple):
    """What makes tokens of texts."""

    about: PreparedTokenizer
    """The tokenizer as bytes."""
    tokenizer: Any
    """encode(text) -> int64 [L], special_tokens {name: number}, special(name), vocabulary_size."""
    end: int
    """The token that ends a text."""
    named: str | None
    """The name of the special token that it is; None of one that is none."""

    def encode(self, text):
        """A list of tokens."""
        return self.tokenizer.encode(text).tolist()

    @property
    def size(self):
        """The number of tokens."""
        return self.tokenizer.vocabulary_size


class Bytes:
    """Each byte is a token."""

    special_tokens: ClassVar[dict] = {}
    vocabulary_size = 256

    def encode(self, text):
        """int64 [L]."""
        return torch.tensor(list(text.encode()), dtype=torch.int64)

    def special(self, name):
        """Of none of its special tokens there is a number."""
        return self.special_tokens[name]


def encoder_named(asked, byte_pairs):
    """The Encoder of --tokens.

    byte_pairs: the class of Diptych's tokenizer, which is a topic and so not imported here.
    """
    if asked == "bytes":
        return encoder_of(PreparedTokenizer("bytes", None), "", byte_pairs)
    path, end = Path(asked).expanduser(), ""
    if path.is_dir():
        if not is_prepared(path):
            raise DataError(f"tokens is {asked!r:.200}, a folder that prepare did not write; {TOKENS}")
        about, end = tokenizer_of(path)
    else:
        about = PreparedTokenizer(*read_tokenizer(asked))
    return encoder_of(about, end, byte_pairs)


def encoder_given(asked, byte_pairs, of_run, tokenizer):
    """What encoder_named gives; of a ModelTokenizer if there is one, or of the run folder that --tokens names.

    of_run(folder): the tokenizer of a run, or None if the folder is none; not imported here.
    """
    if tokenizer is not None:
        library = tokenizer.about["library"] if tokenizer.about else "diptych"
        return encoder_of(PreparedTokenizer(library, tokenizer.content()), "", byte_pairs)
    about = of_run(asked) if of_run else None
    return encoder_of(about, "", byte_pairs) if about else encoder_named(asked, byte_pairs)


def encoder_of(about, end, byte_pairs):
    """The Encoder of a PreparedTokenizer; end: the name of the token that ends a text, "" for the usual one."""
    if about.library == "bytes":
        return Encoder(PreparedTokenizer("bytes", None), Bytes(), 0, None)
    if about.library == "diptych":
        tokenizer = byte_pairs.of_content(about.content)
        if not tokenizer.special_tokens:  # learned from a text that is not prepared
            return Encoder(about, tokenizer, 0, None)
    else:
        tokenizer = TokenizerFile(about.library, about.content)
    end = end_of_text(tokenizer, end)
    return Encoder(about, tokenizer, tokenizer.special(end), end)


def template_given(asked, encoder, tokenizer):
    """The ChatTemplate of a ModelTokenizer, or of --chat-template: a file, or a folder that has one; None without any.

    Where its folder does not say what its special tokens are, bos_token and eos_token are the one that ends a text.
    """
    if tokenizer is not None and tokenizer.template is not None:
        return tokenizer.template
    if not asked:
        return None
    ends = ("bos_token", "eos_token") if encoder.named else ()
    found = read_chat_template(asked, [(name, encoder.named) for name in ends])
    if found is None:
        raise DataError(f"chat_template is {asked!r:.200}, a folder without {TEMPLATE}: name a file")
    return found


def fitted(prompt, completions, context):
    """(prompt, completions, (whether the prompt was cut, whether a completion was)): a prompt gives way first, to a half."""
    longest = max(map(len, completions))
    known = min(len(prompt), max(context - longest, context // 2))
    cut = [completion[: context - known] for completion in completions]
    return prompt[len(prompt) - known :], cut, (known < len(prompt), cut != completions)
