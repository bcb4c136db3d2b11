"""tokenizer.json of SentencePiece's kind, as Llama's: pieces of text in which U+2581 is a space, and single bytes for the rest.

A text gets a space before it, so that its first word is the piece that this word is elsewhere; decoding takes it away again.
"""

import re

from practice_torch.data.errors import DataError

SPACE = "\u2581"
_BYTE = re.compile("<0x([0-9A-F]{2})>")


def is_of_pieces(stored):
    """Whether the content of a tokenizer.json is of this kind."""
    model = stored.get("model")
    return isinstance(model, dict) and model.get("byte_fallback") is True


def bytes_of_piece(spelling):
    """The bytes that a token stands for."""
    byte = _BYTE.fullmatch(spelling)
    return bytes([int(byte[1], 16)]) if byte else spelling.replace(SPACE, " ").encode()


def space_before(stored):
    """How a text gets its first space: True where the library must be given it, False where it puts it there, None for none.

    The library's Metaspace puts none before a text that has one, and would lose that one; so it is always given.
    DataError for a tokenizer that changes text in another way, or lacks a byte.
    """
    vocabulary = stored["model"]["vocab"]
    known = set(vocabulary) if isinstance(vocabulary, dict) else {piece for piece, _ in vocabulary}  # of BPE, of Unigram
    lacking = [name for name in (f"<0x{byte:02X}>" for byte in range(256)) if name not in known]
    if lacking:
        raise DataError(f"the tokenizer has no token {lacking[0]}, so some text has no tokens: use another tokenizer")
    steps, splitter = _steps(stored.get("normalizer")), stored.get("pre_tokenizer") or {}
    others = [step for step in steps if step not in (_PREPENDS, _REPLACES)]
    metaspace = splitter.get("type") == "Metaspace" and splitter.get("replacement") == SPACE
    if others or (splitter and not metaspace) or not (metaspace or _REPLACES in steps):
        found = (others or [splitter])[0].get("type", "no step for spaces")
        raise DataError(f"the tokenizer of pieces changes or splits text in a way that is not known here ({found}): use another")
    if _PREPENDS in steps:
        return False
    return True if metaspace and splitter.get("prepend_scheme", "always") != "never" else None


_PREPENDS = {"type": "Prepend", "prepend": SPACE}
_REPLACES = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}


def _steps(normalizer):
    """The steps of a normalizer, in order."""
    if normalizer is None:
        return []
    return normalizer["normalizers"] if normalizer.get("type") == "Sequence" else [normalizer]
