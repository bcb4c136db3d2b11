"""Several examples in a row of tokens: padding is computed for nothing, and of short texts it is most of a batch."""

import bisect
from dataclasses import dataclass, replace

import torch

from practice_torch.data.indices import on_device_of
from practice_torch.data.reading.chat_templates import ChatTemplate
from practice_torch.data.reading.memory import require_memory
from practice_torch.data.streams.streamed_text import PreparedTokenizer


@dataclass(frozen=True, eq=False)
class Packed:
    """Rows of tokens [N, T], each of several examples one after another; a last number of `segments` is the padding."""

    tokens: torch.Tensor
    segments: torch.Tensor  # [N, T], the number of the example in its row
    learned: torch.Tensor  # [N, T], whether the loss counts the token; never the first of an example
    vocabulary: PreparedTokenizer
    description: dict
    template: ChatTemplate | None = None

    def __len__(self):
        return self.tokens.shape[0]

    def batch(self, indices=None):
        """{"tokens": int64 [B, 1, T], "segments": int64 [B, T], "learned": bool [B, T]}."""
        parts = self.tokens, self.segments, self.learned
        if indices is not None:
            places = on_device_of(self.tokens, indices)
            parts = [part.index_select(0, places) for part in parts]
        return {"tokens": parts[0].long()[:, None], "segments": parts[1].long(), "learned": parts[2]}

    def to(self, device):
        """The same rows on the device, so that batches are gathered there."""
        return replace(self, **{name: getattr(self, name).to(device) for name in ("tokens", "segments", "learned")})


def packed(examples, context):
    """The Examples of one completion in rows of `context` tokens, the longest first, each into the row with the least room that
    is enough (best fit, as TRL packs by default).
    """
    lengths = examples.lengths[:, 0].tolist()
    rows = _best_fit(lengths, context)
    width = max(sum(lengths[one] for one in row) for row in rows)
    require_memory(f"{len(rows)} rows of {width} tokens", 9 * len(rows) * width, "use fewer rows")
    tokens, segments = torch.zeros(2, len(rows), width, dtype=torch.int32)
    learned = torch.zeros(len(rows), width, dtype=torch.bool)
    for number, row in enumerate(rows):
        end = 0
        for segment, one in enumerate(row):
            begin, end = end, end + lengths[one]
            tokens[number, begin:end] = examples.tokens[one, 0, : lengths[one]]
            segments[number, begin:end] = segment
            known = int(examples.prompts[one])
            own = torch.arange(lengths[one]) >= max(known, 1)
            learned[number, begin:end] = own if examples.learned is None else own & examples.learned[one, : lengths[one]]
        segments[number, end:] = len(row)
    share = sum(lengths) / tokens.numel()
    remark = f"{len(lengths)} examples are packed into {len(rows)} rows of {width} tokens, of which {share:.0%} are theirs"
    about = examples.description
    about |= {"shape": [1, width], "count": len(rows), "remarks": [*about.get("remarks", ()), remark]}
    return Packed(tokens, segments, learned, examples.vocabulary, about, examples.template)


def _best_fit(lengths, room):
    """Lists of the numbers of examples, the lengths of each list together at most `room`."""
    rows, left, at = [], [], {}  # left: the rooms that rows have left, sorted; at: the rows by this room
    for one in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        place = bisect.bisect_left(left, lengths[one])
        if place == len(left):
            row, free = len(rows), room
            rows.append([])
        else:
            free = left[place]
            row = at[free].pop()
            if not at[free]:
                left.pop(place)
                del at[free]
        rows[row].append(one)
        free -= lengths[one]
        if free not in at:
            bisect.insort(left, free)
            at[free] = []
        at[free].append(row)
    return rows


def packed_form(count, width):
    """The form of a batch."""
    return {
        "tokens": torch.zeros(count, 1, width, dtype=torch.int64),
        "segments": torch.zeros(count, width, dtype=torch.int64),
        "learned": torch.ones(count, width, dtype=torch.bool),
    }
