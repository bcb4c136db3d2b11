"""Metrics of a model of text, and of its texts: bits per byte, repetition, and distances of passages by their features.

The held-out part of a text is its end, which may have another subject: of the embedded pages it is further away
from the rest than independent bytes are. Passages of samples are therefore compared with every other block of the training text,
and the real ones are of the blocks between. A copy of the training text is not found out by this; bits per byte of the held-out
text do that. The baseline is independent bytes.
"""

from dataclasses import dataclass

import torch

from practice_torch.engine import evaluation
from practice_torch.engine.batches.data import Data
from practice_torch.engine.errors import RunError
from practice_torch.engine.estimate import FRACTION, POSITIVE, Estimate, interval, mean_interval
from practice_torch.engine.experiment import HasEvaluationWeight
from practice_torch.evaluation.perplexity import bits_per_byte, distinct_fraction
from practice_torch.experiments.judging.extractors import CONTEXT, next_byte, passage_features
from practice_torch.experiments.judging.feature_metrics import FEWEST, distance_precision_recall

_BLOCKS = 40  # of the held-out text, one behind the other: neighboring bytes are not independent, blocks nearly are
_PASSAGE, _GRAM = 256, 4  # bytes of a passage, and of the pieces in which repetitions are counted
_MOST = 5000 * _PASSAGE  # largest number of tokens used of each part
_TOGETHER = 16  # passages of a block of the training text: neighbors are alike, and should be on the same side


def of_texts(written, experiment, train, held_out, generator):
    """The comparison and the metrics of generated text, as sample_metrics returns them."""
    found, compared = {}, "bytes"
    texts = [_text(data) for data in (train, held_out)] if hasattr(held_out, "vocabulary") else []
    if texts:
        known, fresh = (torch.tensor(list(text), dtype=torch.int64) for text in texts)
        frequency = torch.bincount(known, minlength=256) + 1.0
        written = torch.tensor(list(written.encode()), dtype=torch.int64)
        drawn = torch.multinomial(frequency, max(len(fresh), len(written)), replacement=True, generator=generator)
        passages = {"samples": written, "baseline": drawn, "real": fresh}
        repeated = {
            name: mean_interval(distinct_fraction(_passages(part), order=_GRAM), FRACTION)
            for name, part in passages.items()
            if len(part) >= _PASSAGE
        }
        if "samples" in repeated:
            found[f"distinct_{_GRAM}"] = repeated
        of_features, compared = _of_passages(_passages(written), _passages(drawn), texts[0], generator)
        found |= of_features
    if isinstance(experiment, HasEvaluationWeight) and len(held_out) >= _BLOCKS:
        blocks = [Block(held_out, places) for places in torch.arange(len(held_out)).tensor_split(_BLOCKS)]
        measured = [(experiment.evaluation_weight(block), dict(experiment.evaluate(block))) for block in blocks]
        if "bits_per_byte" in measured[0][1]:
            of_all = lambda which: torch.tensor(evaluation.means([measured[k] for k in which.tolist()])["bits_per_byte"])  # noqa: E731
            found["bits_per_byte"] = {"samples": interval(of_all, torch.arange(_BLOCKS), generator=generator, within=POSITIVE)}
            if texts:
                log_probs = (frequency / frequency.sum()).log()[_passages(fresh)]
                bits = bits_per_byte(log_probs, torch.ones_like(log_probs), torch.full((len(log_probs),), _PASSAGE))
                found["bits_per_byte"]["baseline"] = mean_interval(bits, POSITIVE)
            found["perplexity"] = {
                kind: Estimate(*(2**bits for bits in estimate)) for kind, estimate in found["bits_per_byte"].items()
            }
    if not found:
        raise RunError("the samples are text, of which nothing could be measured: it is shorter than a passage of 256 bytes")
    return compared, found


@torch.autocast("cpu", enabled=False)
def _of_passages(written, drawn, text, generator):
    """Metrics of passages [N, 256] next to the training text, by features of both, and a description of the comparison."""
    known = _passages(torch.tensor(list(text)))
    block = torch.arange(len(known)) // _TOGETHER % 2
    reference, others = known[block == 0], known[block == 1]
    count = min(len(written), len(others))
    if count < FEWEST:
        mend = "give more --samples" if len(written) < FEWEST else "the training text is too short"
        return {}, f"bytes; features are not, of {count} passages of {_PASSAGE} bytes, fewer than {FEWEST}: {mend}"
    real = others[torch.randperm(len(others), generator=generator)[:count]]
    sets = {"samples": written[:count], "baseline": drawn[:count], "real": real}
    network = next_byte(text)
    features = passage_features(network, reference)
    of_sets = {
        name: distance_precision_recall(passage_features(network, part), features, generator) for name, part in sets.items()
    }
    compared = (
        f"bytes; of {count} passages of {_PASSAGE}, the mean of a hidden layer of a network that predicts a byte from {CONTEXT}"
    )
    return {metric: {name: of_sets[name][metric] for name in of_sets} for metric in of_sets["samples"]}, compared


@dataclass(frozen=True)
class Block:
    """The examples of a data set at these places, [N]."""

    data: Data
    places: torch.Tensor

    @property
    def description(self):
        return self.data.description

    def __len__(self):
        return len(self.places)

    def batch(self, indices=None):
        return self.data.batch(self.places if indices is None else self.places[indices])


def _text(data):
    """The bytes of a text, or of its beginning."""
    return data.vocabulary.decode(data.stream[:_MOST].long().cpu()).encode()


def _passages(text):
    """[N] -> [passages, 256]; the remainder is dropped."""
    return text[: len(text) // _PASSAGE * _PASSAGE].view(-1, _PASSAGE)
