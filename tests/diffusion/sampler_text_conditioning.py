"""Pictures of captions drawn at random, in few guided steps that are written out, and shown next to their captions."""

import torch
from matplotlib.figure import Figure as Canvas

from practice_torch.experiments.diffusion.text_conditioning import TextExperiment
from tests.support.samplers import Network, built, require_same
from tests.support.written_chains import ddim, rough


def _answer(x, t, tokens):
    """Another for every caption, and for its words in another order."""
    return rough(x, t, (tokens * torch.arange(1, tokens.shape[1] + 1)).sum(1))


def draws_captions_and_their_pictures():
    """The classes in turn, with a stroke, a place and a form of the caption for each; led away from the caption of nothing."""
    for scale in (2.5, 1.0):
        experiment = built("diffusion/text_conditioning", guidance=scale, num_steps=6, judged_steps=3)
        experiment.network = Network(_answer)
        axes = Canvas().subplots()
        experiment.sample(5)["samples"].draw(axes)
        generator, captions = torch.Generator().manual_seed(0), experiment.captions
        of_stroke, of_place = torch.rand(2, 5, generator=generator)
        form = (3 * torch.rand(5, generator=generator)).long()
        label, stroke, place = torch.tensor([0, 1, 2, 0, 1]), (2 * of_stroke).long(), (3 * of_place).long()
        tokens = captions.tokens[label, stroke, place, form]
        assert [text.get_text() for text in axes.texts] == [captions.text(row) for row in tokens]
        nothing = captions.nothing().expand(5, -1)

        def predict(x, t, tokens=tokens, nothing=nothing, scale=scale):
            return _answer(x, t, nothing) + scale * (_answer(x, t, tokens) - _answer(x, t, nothing))

        noise = torch.randn(5, *experiment.shape, generator=generator)
        x = ddim(predict, noise, experiment.alpha_bar, count=3, clip=1.0)
        images = torch.stack([torch.as_tensor(image.get_array().data)[..., 0] for image in axes.images])
        require_same(images[:, None], ((x + 1) / 2).clamp(0, 1))


SAMPLERS = {
    draws_captions_and_their_pictures: {
        "no scale": (TextExperiment.sample, "self.recipe.guidance).cpu()", "1.0).cpu()"),
        "a word for nothing": (TextExperiment._drawn, "self.nothing,", "0,"),
        "more steps": (TextExperiment._drawn, "steps=self.recipe.judged_steps", "steps=self.recipe.num_steps"),
        "fresh noise": (TextExperiment._drawn, 'sampler="ddim"', 'sampler="ancestral"'),
        "data beyond their range": (TextExperiment._drawn, "limit=1.0, ", ""),
        "pixels in -1..1": (TextExperiment._drawn, " + 1) / 2)", " + 0) / 1)"),
        "one form": (TextExperiment._tokens, "forms.long()", "0 * forms.long()"),
        "strokes and places exchanged": (TextExperiment._attributes, "of_stroke, of_place =", "of_place, of_stroke ="),
        "one class": (TextExperiment._asked, "% len(self.captions.names)", "* 0"),
    }
}
