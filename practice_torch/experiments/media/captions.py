"""Captioned pictures made of labeled images: an image at a place on a wider canvas, its boldness, and a caption."""

import itertools

import torch
from torch.nn import functional

from practice_torch.experiments.judging.image_judge import Judge

STROKES = ("thin", "bold")
PLACES = (("to", "the", "left"), ("in", "the", "middle"), ("to", "the", "right"))
PADDING, NOTHING = 0, 1  # tokens: no word; the empty caption
_DIGITS = {
    "0": "zero",
    "1": "one",
    "2": "two",
    "3": "three",
    "4": "four",
    "5": "five",
    "6": "six",
    "7": "seven",
    "8": "eight",
    "9": "nine",
}
_FORMS = (  # the same in different orders
    lambda stroke, name, place: (_article(stroke), stroke, name, *place),
    lambda stroke, name, place: (_article(name), name, stroke, *place),
    lambda stroke, name, place: (*place, _article(stroke), stroke, name),
)


def _article(word):
    return "an" if word[0] in "aeiou" and word != "one" else "a"


class Captions:
    """The captions of pictures of these classes: their words, and their tokens by class, stroke, place and form."""

    def __init__(self, classes):
        self.names = [_DIGITS.get(name, name) for name in classes]
        common = dict.fromkeys(("a", "an", *STROKES, *itertools.chain(*PLACES)))
        self.words = ["", "(nothing)", *common, *self.names]
        token = {word: number for number, word in enumerate(self.words)}
        self.tokens = torch.tensor(
            [
                [
                    [[[token[word] for word in form(stroke, name, place)] for form in _FORMS] for place in PLACES]
                    for stroke in STROKES
                ]
                for name in self.names
            ]
        )

    @property
    def length(self):
        """Words of a caption."""
        return self.tokens.shape[-1]

    def nothing(self):
        """The empty caption: [M]."""
        return torch.tensor([NOTHING] + [PADDING] * (self.length - 1))

    def text(self, tokens):
        """In words, of one caption [M]."""
        return " ".join(self.words[token] for token in tokens.tolist() if token != PADDING)


def canvas(shape):
    """The shape of a picture of an image of this shape."""
    channels, height, width = shape
    return channels, height, width + shift(width) * (len(PLACES) - 1)


def shift(width):
    """Pixels from one place to the next, for images of this width: about a quarter of it, and even."""
    return max(1, 2 * round(width / 8))


def picture(image, stroke, place):
    """Images [B, C, H, W] in [0, 1], their stroke and place [B] -> pictures on the wider canvas.

    Thin: only ink above one half is kept, and rescaled. Bold: every pixel adds 0.6 of its ink to its neighbors.
    """
    near = functional.max_pool2d(image, (3, 1), 1, (1, 0)), functional.max_pool2d(image, (1, 3), 1, (0, 1))
    strokes = torch.stack([(2 * image - 1).clamp(min=0), torch.maximum(image, 0.6 * torch.maximum(*near))])
    each, step = torch.arange(len(image), device=image.device), shift(image.shape[-1])
    room = step * (len(PLACES) - 1)
    placed = [functional.pad(strokes[stroke, each], (step * k, room - step * k)) for k in range(len(PLACES))]
    return torch.stack(placed)[place, each]


class CaptionJudge:
    """Tells class, stroke and place of pictures, knowing some images and their classes; it never saw a caption.

    Place: the nearest mean of the columns' centers of mass. Stroke: the ink, thin below the midpoint of both means. Class: by a
    support vector machine on the part of the picture at that place.
    """

    def __init__(self, image, label):
        image, label = image.cpu(), label.cpu()
        self.width, self.step = image.shape[-1], shift(image.shape[-1])
        made = torch.stack([picture(image, torch.full_like(label, s), torch.ones_like(label)) for s in range(len(STROKES))])
        self.middle = _column(made.flatten(0, 1)).mean()
        self.threshold = made.flatten(2).sum(2).mean(1).mean()
        crops = made[..., self.step : self.step + self.width].flatten(0, 1)
        self.judge = Judge(crops, label.repeat(len(STROKES)))

    def tell(self, pictures):
        """Class, stroke and place of each, [N] three times."""
        pictures = pictures.cpu()
        steps = ((_column(pictures) - self.middle) / self.step).round().long()
        place = (steps + len(PLACES) // 2).clamp(0, len(PLACES) - 1)
        stroke = (pictures.flatten(1).sum(1) > self.threshold).long()
        columns = self.step * place[:, None] + torch.arange(self.width)
        index = columns[:, None, None].expand(-1, *pictures.shape[1:3], -1)
        return self.judge.classify(pictures.gather(3, index)), stroke, place


def _column(pictures):
    """The column of the center of mass of each, [N]."""
    mass = pictures.sum((1, 2))
    return (mass * torch.arange(mass.shape[1])).sum(1) / mass.sum(1).clamp(min=1e-6)
