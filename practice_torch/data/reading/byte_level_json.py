"""Byte pairs as a tokenizer.json of the library tokenizers, which gives the same tokens."""

import json

from practice_torch.data.reading.tokenizer_files import byte_alphabet

# whitespace and the word after it, as tokenization's chunks: bytes of other characters are never these
CHUNK = r"[\t-\r ]*[^\t-\r ]+|[\t-\r ]+"


def byte_level_json(spellings, merges, special_tokens=()):
    """The content of tokenizer.json for tokens of bytes: spellings [bytes] of every token, merges [(a, b)] of tokens, in order.

    None where two tokens are spelled alike: tokenizer.json knows a token by its spelling.
    """
    letters = byte_alphabet()
    spelled = ["".join(letters[byte] for byte in token) for token in spellings]
    if len(set(spelled)) < len(spelled):
        return None
    numbered = {spelling: number for number, spelling in enumerate(spelled)}
    added = [
        {
            "id": len(spelled) + place,
            "content": name,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for place, name in enumerate(special_tokens)
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": CHUNK}, "behavior": "Isolated", "invert": False}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": numbered,
        "merges": [[spelled[a], spelled[b]] for a, b in merges],
    }
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
        "post_processor": None,
        "decoder": level,
        "model": model,
    }
    return json.dumps(content, ensure_ascii=False).encode()
