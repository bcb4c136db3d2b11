"""A denoising diffusion model of digits, trained in JAX (lectures 20 and 29)."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from theory_jax.diffusion.ddim import ddim_step
from theory_jax.diffusion.ddim_inference import sampling_timesteps
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar
from theory_jax.diffusion.simple_loss import simple_loss
from theory_jax.diffusion.training import exponential_moving_average, timesteps_from_uniforms, warmup_decay
from theory_jax.evaluation.frechet_distance import frechet_feature_distance
from theory_jax.experiments.digits import digits
from theory_jax.experiments.loop import Recipe, Training, optimizer
from theory_jax.networks.unet import UNet2d


@dataclass(frozen=True)
class DiffusionRecipe(Recipe):
    """Sizes of the U-Net, the schedule, and how samples are measured."""

    base_channels: int = 24
    multipliers: tuple[int, ...] = (1, 2)
    num_steps: int = 200
    """Number of noise levels."""
    drop_probability: float = 0.1
    """Probability with which a label is dropped, for classifier-free guidance."""
    average_decay: float = 0.995
    """Of the exponential moving average of the weights, which samples are drawn with."""
    samples: int = 1000
    sampling_steps: int = 20
    """DDIM steps."""
    components: int = 20
    """Principal components of the training images in which distances are measured."""


RECIPES = {
    "digits": DiffusionRecipe(
        epochs=173, batch_size=128, learning_rate=2e-3, weight_decay=0.01, cosine=True, clip_norm=1.0,
        metric="frechet_distance", target=0.12,
    ),
}  # fmt: skip

_CLASSES = 10


def data(recipe):
    """(training, held-out) digits with pixels in [-1, 1]."""
    return tuple(part | {"image": 2 * part["image"] - 1} for part in digits())


def begin(recipe, num_steps, examples, rngs):
    """The training before its first step."""
    _, channels, size, _ = examples["image"].shape
    sizes = {"base_channels": recipe.base_channels, "multipliers": recipe.multipliers, "compact": True}
    network = UNet2d(channels=channels, size=size, num_classes=_CLASSES, **sizes, rngs=rngs)
    definition, weights = nnx.split(network)
    adam = optimizer(recipe, num_steps)
    alpha_bar = cosine_alpha_bar(num_steps=recipe.num_steps).astype(examples["image"].dtype)

    def start(weights):
        return {"weights": weights, "average": weights, "moments": adam.init(weights), "step": jnp.zeros((), int)}

    def predict(weights, x, t, label):
        return nnx.merge(definition, weights["network"])(x, t, label)

    def loss(weights, batch, noise):
        t = timesteps_from_uniforms(noise["level"], num_steps=recipe.num_steps)
        label = jnp.where(noise["label"] >= recipe.drop_probability, batch["label"], _CLASSES)
        losses = simple_loss(batch["image"], t, noise["image"], lambda x, t: predict(weights, x, t, label), alpha_bar)
        return jnp.mean(losses) / batch["image"][0].size

    def update(state, batch, noise):
        value, gradient = jax.value_and_grad(loss)(state["weights"], batch, noise)
        change, moments = adam.update(gradient, state["moments"], state["weights"])
        weights = optax.apply_updates(state["weights"], change)
        # short at first, so that it forgets the first weights even in a training of few steps
        decay = warmup_decay(state["step"], decay=recipe.average_decay)
        average = jax.tree.map(partial(exponential_moving_average, decay=decay), state["average"], weights)
        return {"weights": weights, "average": average, "moments": moments, "step": state["step"] + 1}, {"loss": value}

    def noise(key, steps):
        of_level, of_label, of_image = jax.random.split(key, 3)
        each = (steps, recipe.batch_size)
        return {
            "level": jax.random.uniform(of_level, each),
            "label": jax.random.uniform(of_label, each),
            "image": jax.random.normal(of_image, (*each, *examples["image"].shape[1:])),
        }

    def measure(state, held_out, key):
        """The Frechet distance between samples of all classes and held-out images."""
        fakes = sample(state["average"], key)
        shown = [(x.reshape(len(x), -1) + 1) / 2 for x in (examples["image"], fakes, held_out["image"])]
        center = shown[0].mean(0)
        axes = jnp.linalg.svd(shown[0] - center, full_matrices=False)[2][: recipe.components]
        return {"frechet_distance": frechet_feature_distance(*((x - center) @ axes.T for x in shown[1:]))}

    def sample(weights, key):
        """DDIM, class by class. A step at a time, not ddim_sample: see epoch_in_steps."""
        label = jnp.arange(recipe.samples) % _CLASSES
        x = jax.random.normal(key, (recipe.samples, *examples["image"].shape[1:]))
        levels = sampling_timesteps(num_steps=recipe.sampling_steps, num_train_steps=recipe.num_steps)
        for t, s in zip(levels, jnp.append(levels[1:], 0), strict=True):
            x = down(weights, x, t, s, label)
        return jnp.clip(x, -1, 1)

    @jax.jit
    def down(weights, x, t, s, label):
        t, s = jnp.full(len(x), t), jnp.full(len(x), s)
        return ddim_step(x, predict(weights, x, t, label), jnp.zeros_like(x), t, s, alpha_bar, clip=1.0)

    return Training({"network": weights}, start, update, noise, measure, convolves=True)
