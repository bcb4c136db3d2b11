"""The tokenizer of a model of text, which is part of the model and of its checkpoint: a run samples without its data."""

import torch

from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.data.reading.tokenizer_files import TokenizerFile, end_of_text
from practice_torch.engine.errors import OptionError


def tokenizer_buffer(data, merges):
    """(name, tensor) of the buffer that keeps the tokenizer: merges [R, 2], or the bytes of a prepared text's tokenizer file.

    A reopened run has only the description of its data, which gives the size of the buffer; the checkpoint fills it.
    """
    description = data.description
    about = description.get("tokenizer")
    if about is None:
        known = data.vocabulary.merges if hasattr(data, "vocabulary") else ((0, 0),) * (description["vocabulary"] - 256)
        return "merges", torch.tensor(known, dtype=torch.int64).view(-1, 2)
    if merges:
        raise OptionError(f"merges is {merges}, but {description['name']} is prepared and has its tokens: leave --merges out")
    content = data.vocabulary.content if hasattr(data, "vocabulary") else bytes(about.get("bytes", 0))
    return "tokenizer_file", torch.tensor(list(content or b""), dtype=torch.uint8)


def text_end(tokenizer):
    """(number, name) of the token that ends a text; (0, None) without special tokens.  DataError if none of them is usual."""
    if not tokenizer.special_tokens:
        return 0, None
    name = end_of_text(tokenizer, "")
    return int(tokenizer.special(name)), name


def kept_tokenizer(library, buffer):
    """The tokenizer of such a buffer; library is that of the data's description, None where merges are kept."""
    if library is None:
        return BytePairTokenizer(tuple((a, b) for a, b in buffer.tolist()))
    content = buffer.cpu().numpy().tobytes()
    if library == "bytes":
        return BytePairTokenizer()
    return BytePairTokenizer.of_content(content) if library == "diptych" else TokenizerFile(library, content)
