"""What a trained language model writes after prompts, as text: `sample RUN --prompts FILE`."""

from practice_torch.arguments import require
from practice_torch.data.reading.tokenizer_files import ENDS
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.experiments.language.completing import complete
from practice_torch.experiments.language.decoding import Decoding
from practice_torch.networks.cached_decoder import CachedDecoder

LENGTH = 512  # tokens of a completion, where the model has no option of it


class TextCompleter:
    """The network and tokenizer of an experiment, its options, and where a completion ends.

    stop: words, each a special token's name or any text; none: the special tokens that usually end a text or a turn.
    RunError for an experiment that does not write tokens from a cache; OptionError for options that have no part in it.
    """

    def __init__(self, experiment, stop):
        network = getattr(experiment, "policy", getattr(experiment, "network", None))
        if not (isinstance(network, CachedDecoder) and hasattr(experiment, "tokenizer")):
            raise RunError("the run is of no transformer of tokens, which alone completes prompts: leave --prompts out")
        self.network, self.tokenizer, sampling = network, experiment.tokenizer(), getattr(experiment, "sampling", None)
        if getattr(sampling, "beams", 0):
            raise OptionError("a search with beams takes one prompt: leave --beams or --prompts out")
        self.decoding = sampling if isinstance(sampling, Decoding) else Decoding()
        self.new_tokens = getattr(sampling, "length", LENGTH)
        special = self.tokenizer.special_tokens
        words = stop or [name for name in ENDS if name in special]
        if "" in words:
            raise OptionError("stop is empty; it must be a special token's name or a text")
        self.ends = [self.tokenizer.special(word) for word in words if word in special]
        self.texts = [word for word in words if word not in special]

    def require_room(self, tokens):
        """ValueError unless a prompt [P] leaves room for a token."""
        context = self.network.context_length
        require(len(tokens) > 0, "the prompt has no token; it must have at least one")
        require(
            len(tokens) < context, f"the prompt has {len(tokens)} tokens; the model sees {context}, one of them new: shorten it"
        )

    def complete(self, prompts, seeds):
        """{"completion", "tokens", "ended"} of each prompt, int64 [P_b]: the text before its end, tokens with it, and why."""
        until = (lambda tokens: self._cut(self.tokenizer.decode(tokens)) is not None) if self.texts else None
        how = dict(new_tokens=self.new_tokens, decoding=self.decoding, stop=self.ends, until=until)
        drawn = complete(self.network, prompts, seeds=seeds, **how)
        found = []
        for tokens, ending in zip(drawn.rows(), drawn.endings, strict=True):
            text = self.tokenizer.decode(tokens.cpu())
            cut = self._cut(text)
            found.append({"completion": text if cut is None else text[:cut], "tokens": len(tokens), "ended": str(ending)})
        return found

    def _cut(self, text):
        """Where the first of the stop texts begins; None if none occurs."""
        return min((place for word in self.texts if (place := text.find(word)) >= 0), default=None)
