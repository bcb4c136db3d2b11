"""Pairs of maps between few points, choices among lines and edges, and the figure of choices and rotations."""

import itertools

import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.image_translation import cycle_generator_loss, mean_absolute_error

PLACES = np.array([0.1, 0.35, 0.3, 0.15, 0.1])
LINES, EDGES = np.eye(5), np.triu(np.ones((5, 5)))  # a bright pixel at a place; bright from that place on


def solutions(p):
    """How many pairs of maps of as many points have no cycle loss; how many also satisfy both discriminators (q is p)."""
    points = np.arange(len(p))
    maps = np.array(list(itertools.product(points, repeat=len(p))))
    G, F = maps.repeat(len(maps), axis=0), np.tile(maps, (len(maps), 1))
    cycled = np.take_along_axis(F, G, axis=1), np.take_along_axis(G, F, axis=1)
    ones, image = np.ones((len(G), 1, 1, 1)), lambda states: jnp.asarray(states[:, None, None, :], float)
    x = image(np.broadcast_to(points, G.shape))
    losses = sum(cycle_generator_loss(ones, x, image(back), x, x) for back in cycled)  # every point once, as a row of pixels
    fits = np.stack([(maps == state) @ p == p[state] for state in points]).all(0)
    none = np.asarray(losses) == 0
    return none.sum(), (none & fits.repeat(len(maps)) & np.tile(fits, len(maps))).sum()


def errors(images, output):
    """Mean over the images of the summed absolute and of the summed squared error of one output."""
    outputs = jnp.broadcast_to(jnp.asarray(output, float), images.shape)[:, None, None]
    absolute = 5 * mean_absolute_error(outputs, jnp.asarray(images)[:, None, None])
    return [PLACES @ np.asarray(absolute), PLACES @ ((images - output) ** 2).sum(1)]


def choices(images):
    """The mean, the median of every pixel, and the most probable image."""
    average = PLACES @ images
    return average, np.round(average), images[np.argmax(PLACES)]


def draw_choices(left, right):
    """Left: images and choices. Right: the loss of rotations of a circle."""
    lines, edges = (np.concatenate([images, np.stack(choices(images))]) for images in (LINES, EDGES))
    left.imshow(np.concatenate([lines, np.full((8, 1), np.nan), edges], axis=1), cmap="gray", vmin=0, vmax=1)
    left.axhline(4.5, linewidth=2)
    left.set(ylabel="probability, or choice", yticks=range(8), yticklabels=[*PLACES, "mean", "median", "mode"])
    left.set(xlabel="pixels", xticks=[2, 8], xticklabels=["line", "edge"])
    around = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    points = jnp.asarray(np.stack([np.cos(around), np.sin(around)], axis=1)[:, :, None, None])
    shifts, ones = np.arange(-16, 17), np.ones((32, 1, 1, 1))
    for weight, label in ((0.0, "cycle alone"), (5.0, "with the identity")):
        turned = [jnp.roll(points, shift, axis=0) for shift in shifts]
        losses = [cycle_generator_loss(ones, points, points, points, y, identity_weight=weight).mean() for y in turned]
        right.plot(shifts * np.pi / 16, losses, label=label)
    right.set(xlabel="angle of rotation", ylabel="loss of the generator")
    right.legend(fontsize="small")
