"""Prompts and completions as tokens that fit into the context of a model."""

from pathlib import Path

from practice_torch.data.errors import DataError
from practice_torch.data.preparation.prepared import is_prepared
from practice_torch.data.reading.tokenizer_files import TokenizerFile, end_of_text, read_tokenizer
from practice_torch.data.streams.streamed_text import PreparedTokenizer, tokenizer_of

OF_GPT2 = 50_257  # tokens of the encoding that replaces every tokenizer but bytes if the data are blank
TOKENS = "it must be bytes, a tokenizer.json, tiktoken:NAME, or a folder that `prepare text` wrote"


def encoder_named(asked, byte_pairs):
    """(tokenizer as bytes, encode: text -> list of tokens, size of the vocabulary, [the token that ends a text]) of --tokens.

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
    """What encoder_named gives, of a PreparedTokenizer; end: the name of the token that ends a text, "" for the usual one."""
    if about.library == "bytes":
        return PreparedTokenizer("bytes", None), lambda text: list(text.encode()), 256, [0]
    if about.library == "diptych":
        tokenizer = byte_pairs.of_content(about.content)
        ends = [tokenizer.special(end)] if tokenizer.special_tokens else [0]  # learned from a text that is not prepared
    else:
        tokenizer = TokenizerFile(about.library, about.content)
        ends = [tokenizer.special(end_of_text(tokenizer, end))]
    return about, lambda text: tokenizer.encode(text).tolist(), tokenizer.vocabulary_size, ends


def fitted(prompt, completions, context):
    """(prompt, completions, (whether the prompt was cut, whether a completion was)): a prompt gives way first, to a half."""
    longest = max(map(len, completions))
    known = min(len(prompt), max(context - longest, context // 2))
    cut = [completion[: context - known] for completion in completions]
    return prompt[len(prompt) - known :], cut, (known < len(prompt), cut != completions)
