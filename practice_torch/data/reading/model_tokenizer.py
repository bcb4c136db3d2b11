"""The tokenizer of a model that is trained already, by which the text of another training is encoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from practice_torch.data.errors import DataError
from practice_torch.data.streams.streamed_text import PreparedTokenizer


@dataclass(frozen=True)
class ModelTokenizer:
    """encoder: encode(text or bytes), lengths(), vocabulary_size. about: what the model's data said of it; None for bytes, or
    pairs of them, learned from a text. vocabulary: the rows of the model's table of tokens; the tokenizer may have fewer.
    template: the ChatTemplate by which the model takes messages; None if it has none.
    """

    encoder: Any
    about: Mapping[str, Any] | None
    vocabulary: int
    template: Any = None

    def kept(self) -> Any:
        """The `vocabulary` of data that are encoded by it, which the model keeps."""
        return self.encoder if self.about is None else PreparedTokenizer(self.about["library"], self.content())

    def content(self) -> bytes | None:
        """The bytes of its file; None where tokens are bytes."""
        if self.about is not None and self.about["library"] == "bytes":
            return None
        content = self.encoder.content
        return content().encode() if callable(content) else content

    def encode(self, raw: bytes) -> Any:
        """The tokens of UTF-8 bytes, int64 [L]."""
        return self.encoder.encode(raw)

    def require_equal(self, prepared: PreparedTokenizer, folder: object) -> None:
        """DataError if the folder of prepared text has other tokens."""
        plain = prepared.library == "bytes"
        equal = self.encoder.vocabulary_size == 256 if plain else prepared.content == self.content()
        if not equal:
            mend = "prepare it with --tokens and the model's tokenizer.json, or name the text itself"
            raise DataError(f"{folder} holds tokens ({prepared.library}) that are not those of the model: {mend}")
