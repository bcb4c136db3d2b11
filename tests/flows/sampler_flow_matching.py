"""Points, images and sounds with the exact velocity of their law; the paths and pictures of a preview; few steps, written out."""

import torch

from practice_torch.experiments.flows import flow_matching
from practice_torch.experiments.flows.flow_matching import ClassSolving, MediaMatching, PointMatching
from practice_torch.experiments.sampling import flow_sampling
from practice_torch.experiments.sampling.flow_sampling import Solving
from tests.support.known_laws import LOPSIDED, Mixture, velocity
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown
from tests.support.written_chains import rough

MEAN, DEVIATION = 0.5, 0.4


def draws_points_of_the_law():
    for how in (Solving(steps=20), Solving("euler", 100), Solving("runge_kutta_4", 15)):
        experiment = built("flows/flow_matching", "two_moons")
        experiment.network = Network(lambda x, level: velocity(LOPSIDED, x, level / 1000))
        experiment.sampling = how
        (points,), _ = shown(experiment.sample(2000)["points"])
        require_law(points, LOPSIDED.cdf)


def previews_points_and_their_paths():
    """Of a Gaussian, the path from z is t m + sqrt((1 - t)^2 + t^2 s^2) z: those shown are of the first of the points."""
    experiment = built("flows/flow_matching", "two_moons", judged_steps=20)
    law = Mixture((1.0,), (MEAN,), (DEVIATION,))
    experiment.network = Network(lambda x, level: velocity(law, x, level / 1000))
    real = torch.linspace(-1, 1, 8).view(4, 2)
    (held_out, points), paths = shown(experiment.preview(_Data(real))["points"])
    require_same(held_out, real)
    require_law(points, normal_cdf(MEAN, DEVIATION))
    noise = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    assert len(paths) == 60
    time = torch.linspace(0, 1, 33)[:, None]
    for z, path in zip(noise, paths, strict=False):
        wanted = MEAN * time + ((1 - time) ** 2 + (DEVIATION * time) ** 2).sqrt() * z
        assert path.shape == (33, 2) and (path - wanted).abs().max() < 0.05 * (1 + z.norm()), "a path is not the flow's"
        require_same(path.diff(dim=0), velocity(law, path[:-1], torch.arange(32) / 32) / 32)


class _Data:
    def __init__(self, points):
        self.points = points

    def __len__(self):
        return len(self.points)

    def batch(self, rows):
        return {"point": self.points[rows]}


def draws_images_of_the_law_of_each_class():
    classes = [Mixture((0.5, 0.5), (mean - 0.3, mean + 0.3), (0.1, 0.15)) for mean in (-0.4, 0.0, 0.4)]
    experiment = built("flows/flow_matching", "digits", judged_steps=100)

    def answer(x, level, label):
        return torch.stack([velocity(law, x, level / 1000) for law in classes])[label, torch.arange(len(x))]

    experiment.network = Network(answer)
    images = 2 * experiment.sample(36)["samples"].images - 1
    for law, rows in zip(classes, images.split(12), strict=True):
        require_law(rows, law.cdf)


def draws_sounds_of_a_class_by_the_steps():
    """Two Euler steps for class 1, played in the units of the files: divided by the gain."""
    experiment = built("flows/flow_matching", "notes", gain=4.0)
    experiment.network = Network(lambda x, level, label: rough(x, level / 100, label))
    experiment.sampling = ClassSolving("euler", 2, label=1)
    sounds = experiment.sample(3)
    assert list(sounds) == ["class_01"]
    x, label = torch.randn(3, *experiment.shape, generator=torch.Generator().manual_seed(0)), torch.ones(3).long()
    x = x + rough(x, 0.0, label) / 2
    x = x + rough(x, 5.0, label) / 2
    require_same(sounds["class_01"].samples, x[:, 0] / 4)


def previews_images_on_their_way():
    """Rows of states and, below them, of the data that the velocity predicts; steps are a twelfth long."""
    experiment = built("flows/flow_matching", "digits", judged_steps=1)
    experiment.network = Network(lambda x, level, label: rough(x, level / 100, label))
    found = experiment.preview(None)
    drawn, generator = found["samples"].images, torch.Generator().manual_seed(0)
    label = (torch.arange(80) % 3).sort().values
    x = torch.randn(80, *experiment.shape, generator=generator)
    require_same(drawn, ((x + rough(x, 0.0, label) + 1) / 2).clamp(0, 1))
    x, label, rows = torch.randn(6, *experiment.shape, generator=generator), torch.tensor([0, 0, 1, 1, 2, 2]), []
    for step in range(12):
        speed = rough(x, 10 * step / 12, label)
        rows.append(torch.stack([x, x + (1 - step / 12) * speed], 1))
        x = x + speed / 12
    require_same(found["emerging"].images, ((torch.stack(rows, 2).flatten(0, 2) + 1) / 2).clamp(0, 1))


SAMPLERS = {
    draws_points_of_the_law: {
        "away from the data": (flow_sampling.carried, "lambda x, time: ", "lambda x, time: -"),
        "half of the way": (flow_sampling.carried, "linspace(0, 1,", "linspace(0, 0.5,"),
        "another time for the network": (flow_matching.velocity_of, "1000 * time", "500 * time"),
        "uniform noise": (PointMatching._noise, "torch.randn(", "torch.rand("),
    },
    previews_points_and_their_paths: {
        "steps away from the data": (PointMatching._ways, "places[-1] + self", "places[-1] - self"),
        "paths of twice the length": (PointMatching._ways, "expand(len(noise))) / 32", "expand(len(noise))) / 16"),
        "half of the times": (PointMatching._ways, "torch.arange(32, device=noise.device) / 32", "torch.arange(32) / 64"),
        "paths of other points": (PointMatching.preview, "noise[:60]", "noise[60:120]"),
        "points in other steps": (PointMatching.preview, "self._drawn(noise, steps)", "self._drawn(noise, 1)"),
        "real and drawn points exchanged": (PointMatching.preview, "(real, drawn, ways)", "(drawn, real, ways)"),
    },
    draws_images_of_the_law_of_each_class: {
        "the classes in turn": (MediaMatching.labels, ".sort().values", ""),
        "one class": (MediaMatching.drawn, "self.velocity(some if", "self.velocity(0 * some if"),
        "half of the noise": (MediaMatching.noise, "return torch", "return 0.5 * torch"),
    },
    draws_sounds_of_a_class_by_the_steps: {
        "the method of an evaluation": (MediaMatching.sample, "self.sampling), label", "Solving('midpoint', 2)), label"),
        "all classes": (MediaMatching.sample, "torch.full_like(label, asked)", "label"),
    },
    previews_images_on_their_way: {
        "steps away from the data": (MediaMatching._emerging, "x + velocity / columns", "x - velocity / columns"),
        "steps of twice the length": (MediaMatching._emerging, "velocity / columns", "2 * velocity / columns"),
        "the data of time 0": (MediaMatching._emerging, "(x, velocity, time)", "(x, velocity, 0 * time)"),
        "states below their data": (MediaMatching._emerging, "torch.stack([x, data", "torch.stack([0 * x, data"),
        "more steps": (MediaMatching.preview, "self.recipe.judged_steps)", "2)"),
    },
}
