"""Every option of every recipe, taken once: it changes what is built or trained, and what is trained is the stated objective."""

import dataclasses
import typing
from functools import cache

import pytest
import torch

from practice_torch.engine.experiment import phase_parameters
from practice_torch.engine.recipe import AudioRecipe, Recipe
from practice_torch.experiments.autoregressive.attention import TransductionExperiment
from practice_torch.experiments.diffusion import parameterizations, training
from practice_torch.experiments.energy import regularized_training
from practice_torch.experiments.foundations import f_gan
from practice_torch.experiments.latent import elbo, vae, vae_training
from practice_torch.experiments.parts import adversarial_game, policy_tuning
from practice_torch.experiments.preference import dpo_variants, overoptimization, pipeline, reward_model
from tests import tiny
from tests.objectives import OBJECTIVES
from tests.small_recipes import module_of, names

STEPS = 2
ENGINE = {field.name for kind in (Recipe, AudioRecipe) for field in dataclasses.fields(kind)}
TOPICS = list(dict.fromkeys(topic for topic, _ in names()))
# Options that no recipe has and that are refused alone.
TOGETHER = {
    "foundations/f_gan": [dict(divergence="alpha", alpha=0.5), dict(divergence="alpha", alpha=2.0)],
    "diffusion/training": [
        dict(noise_schedule="linear", beta_end=0.3), dict(prediction="velocity", zero_terminal_snr=True), dict(snr_limit=5.0),
        dict(attention_at=()),
    ],
    "diffusion/latent_diffusion": [
        dict(first_stage="vq", restart_below=50.0), dict(first_share=0.9), dict(attention_at=()),
    ],
    "diffusion/edm": [dict(attention_at=())],
    "flows/flow_matching": [dict(attention_at=())],
    "flows/galaxy_images": [dict(attention_at=())],
    "flows/rectified_flow": [dict(first_share=0.9)],
    "diffusion/text_conditioning": [dict(attention_at=())],
    "latent/reparameterization": [dict(estimator="leave_one_out", samples=3)],
    "latent/vector_quantization": [dict(restart_below=50.0)],  # all codes begin anew, in every step
    "foundations/variational_divergence": [dict(bound="donsker_varadhan", normalizer_decay=0.0)],
    "energy/regularized_training": [dict(reinitialize_probability=0.9)],  # a few chains of five in a hundred may be none
    "preference/dpo": [dict(label_smoothing=0.1)],
    "reinforcement/ppo": [dict(value_clip=0.01), dict(task="pendulum")],
    "reinforcement/trust_region": [dict(task="pendulum")],
    "reinforcement/group_policy": [dict(estimator="ppo", trace_decay=0.5), dict(estimator="ppo", value_coefficient=0.1)],
    "preference/pipeline": [dict(supervised=0.0, rewarded=0.5)],
    "preference/reward_model": [dict(sharpness=0.01)],  # twice as sharp, the few votes here come out the same
}  # fmt: skip
# A loss whose gradient is the objective's, but not its value.
SURROGATES = {"foundations/variational_divergence", "latent/reparameterization", "energy/contrastive_divergence"}
# Its network computes in float32, whatever the experiment does.
IN_FLOAT32 = {"diffusion/score_prediction"}
# Options that no step reads: they are about the data, evaluations, previews and samples.
ELSEWHERE = {
    "foundations/variational_divergence": {"evaluation_draws"},
    "foundations/f_gan": {"points"},
    "adversarial/gan": {"points", "radius"},
    "adversarial/dcgan": {"fakes"},
    "adversarial/density_ratio": {"evaluation_draws"},
    "adversarial/gan_inversion": {"descent_steps", "descent_rate", "prior_weight", "inverted"},
    "adversarial/spectral_normalization": {"fakes"},
    "adversarial/bigan": {"fakes"},
    "adversarial/conditional_gan": {"fakes"},
    "adversarial/gradient_penalty": {"points", "radius", "compared", "fakes", "generator_rate"},
    "latent/elbo": {"evaluation_samples"},
    "latent/gaussian_mixture": {"points"},
    "latent/vae": {"samples", "channels"},  # channels: another network, which tests/networks.py holds
    "latent/vae_training": {"samples"},
    "latent/anomaly_detection": {"score_draws", "shift", "click"},
    "latent/beta_vae": {"samples"},
    "latent/factor_vae": {"samples", "discriminator_learning_rate"},
    "latent/convolutional_vae": {"samples"},
    "diffusion/elbo": {"measured_images", "variance"},
    "diffusion/simple_loss": {"measured_images", "variance"},
    "diffusion/parameterizations": {"sampling_steps"},
    "diffusion/variational_diffusion": {"sampling_steps"},
    "diffusion/training": {"judged_samples", "judged_steps", "compared_samples", "num_levels"},
    "diffusion/score_prediction": {"points", "shown_steps"},
    "diffusion/edm": {"judged_samples"},
    "state_space/diagonal": {"system_rate"},
    "diffusion/latent_diffusion": {"judged_samples", "judged_steps", "guidance"},
    "diffusion/text_conditioning": {"judged_samples", "judged_steps", "guidance"},
    "energy/contrastive_divergence": {"temperatures", "runs", "sampling_steps"},
    "energy/score_matching": {"points", "shown_steps"},
    "energy/noise_contrastive_estimation": {"points", "shown_steps"},
    "flows/flow_matching": {"points", "judged_steps", "likelihood_steps", "judged_samples"},
    "flows/minibatch_coupling": {"points", "judged_steps", "likelihood_steps"},
    "flows/diffusion_bridge": {"points", "judged_steps", "likelihood_steps", "diffusion"},
    "flows/rectified_flow": {"points", "judged_steps", "likelihood_steps"},
    "flows/additive_coupling": {"points", "noises"},
    "flows/affine_coupling": {"points", "noises"},
    "flows/multiscale": {"noises"},
    "diffusion/probability_flow": {"measured_images"},
    "flows/continuous_flow": {"points", "judged_steps"},
    "flows/masked_autoregressive": {"points", "noises"},
    "flows/galaxy_images": {"galaxies", "side", "sampling_steps", "judged_samples"},
    "energy/regularized_training": {"points", "gap_limit"},
    "autoregressive/ngram": {"passage"},
    "autoregressive/speculative": {"drafts"},
    "autoregressive/transformer": {"pad_vocabulary"},  # has no effect, which its own test holds; 256 is padded already
    "diffusion/classifier_guidance": {"guidance", "judged_samples", "judged_steps", "compared_samples"},
    "preference/pipeline": {"judged", "reward_learning_rate"},
    "preference/reward_model": {"judged"},
    "preference/dpo_variants": {"judged"},
    "preference/dpo": {"tokens", "start", "pad_vocabulary"},
    "preference/overoptimization": {"pairs", "samples"},
    "reinforcement/ppo": {"evaluation_episodes"},
    "reinforcement/trust_region": {"evaluation_episodes"},
    "reinforcement/group_policy": {"judged"},
}


@pytest.fixture(autouse=True)
def double():
    """Experiments are built, and draw, in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def recipes(topic):
    """The topic's recipes in small, each once."""
    found = [tiny.small(module_of(topic).RECIPES[name]) for path, name in names() if path == topic]
    return [recipe for k, recipe in enumerate(found) if _own(recipe) not in map(_own, found[:k])]


@cache
def words(kind):
    """{option: all of its words} of the options of a class of recipes that are a choice between words."""
    own = {field.name for field in dataclasses.fields(kind)} - ENGINE
    hints = {name: hint for name, hint in typing.get_type_hints(kind).items() if name in own and _is_choice(hint)}
    return {name: (False, True) if hint is bool else typing.get_args(hint) for name, hint in hints.items()}


def _is_choice(hint):
    return hint is bool or typing.get_origin(hint) is typing.Literal


def others(recipe, topic):
    """(option, recipe): the recipe with every other word, one other number or size, and what must be changed together."""
    for name, value in _own(recipe).items():
        if name in words(type(recipe)):
            values = [word for word in words(type(recipe))[name] if word != value]
            yield from ((name, other) for word in values if (other := _possibly(recipe, **{name: word})))
            continue
        match value:
            case tuple():
                values = [value + value[-1:], value[1:] + value[:1]]
            case int():
                values = [2 * value, value + 1, value - 1]
            case float():
                values = [2 * value, value / 2, 0.9 * value, 0.5]
            case _:
                continue
        possible = [other for each in values if each != value and (other := _possibly(recipe, **{name: each}))]
        yield from ((name, other) for other in possible[:1])
    for changes in TOGETHER.get(topic, ()):
        if other := _possibly(recipe, **changes):
            yield from ((name, other) for name in changes)


def _possibly(recipe, **changes):
    """The recipe with these changes; None where it refuses them."""
    try:
        return dataclasses.replace(recipe, **changes)
    except (ValueError, TypeError):
        return None


def trained(topic, recipe, steps=STEPS):
    """What some steps make of the recipe: loss and gradient, phase by phase, and the state; each held to the objective."""
    experiment, batch = tiny.built(topic, recipe)
    draws = torch.Generator().manual_seed(2)
    _move(experiment, draws)  # away from where they begin: behind a zero nothing is seen
    seen = [[(phase.name, phase.times) for phase in experiment.phases]]
    for step in range(steps):
        for phase in experiment.phases:
            before = _state(experiment)
            torch.default_generator.manual_seed(step)  # for dropout
            loss, _ = experiment(batch, phase.name)
            gradient = _gradient(loss, experiment, phase)
            assert loss.isfinite() and all(part.isfinite().all() for part in gradient), (recipe, phase)
            if phase.moves:
                assert topic in OBJECTIVES, f"tests/objectives.py does not say what {topic} minimizes"
                after = _state(experiment)
                _put_back(experiment, before)
                torch.default_generator.manual_seed(step)
                wanted = OBJECTIVES[topic](experiment, batch, phase.name)
                if topic not in SURROGATES:
                    _close(loss.detach(), wanted.detach(), recipe, phase)
                both = gradient, _gradient(wanted, experiment, phase)
                _close(*(torch.cat([part.flatten() for part in parts]) for parts in both), recipe, phase)
                _put_back(experiment, after)
            seen.append([loss.detach(), *gradient])
            if not phase.moves:  # what it keeps was computed by parameters that the next phase has left
                _move(experiment, draws)
        seen.append([tensor.clone() for tensor in experiment.state_dict().values()])
    return seen


@torch.no_grad()
def _move(experiment, draws):
    for parameter in experiment.parameters():
        parameter += 0.1 * torch.randn(parameter.shape, generator=draws)


def _state(experiment):
    """What a forward pass changes: the state apart from parameters, and how far the generator is."""
    learned = dict(experiment.named_parameters())
    rest = {name: tensor.clone() for name, tensor in experiment.state_dict().items() if name not in learned}
    return rest, experiment.generator.get_state()


def _put_back(experiment, state):
    rest, drawn = state
    now = experiment.state_dict() if rest else {}
    for name, kept in rest.items():
        now[name].copy_(kept)
    experiment.generator.set_state(drawn)


def _close(got, wanted, recipe, phase):
    # a thousand roundings of float32, which experiments cast what a network gives to
    error, scale = (got - wanted).abs().max(), wanted.abs().max().clamp(min=1e-9)
    assert error <= 1e-4 * scale, f"{phase.name} of {_own(recipe)} is off by {float(error):.3g}, of {float(scale):.3g}"


def _gradient(loss, experiment, phase):
    moved = [parameter for _, parameter in phase_parameters(experiment, phase)]
    return torch.autograd.grad(loss, moved, allow_unused=True, materialize_grads=True) if moved else ()


def _own(recipe):
    return {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe) if field.name not in ENGINE}


def _differ(these, those):
    """Whether two trainings differ in their order of play, in a shape or in a value, as long as the second one goes."""
    these = these[: len(those)]
    if these[0] != those[0] or list(map(len, these)) != list(map(len, those)):
        return True
    pairs = zip((a for part in these[1:] for a in part), (b for part in those[1:] for b in part), strict=True)
    return any(a.shape != b.shape or not torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_option_trains_its_objective_and_changes_something(topic):
    """Of every recipe and every other value of every option: the loss and its gradient are those of the stated objective."""
    if topic in IN_FLOAT32:
        torch.set_default_dtype(torch.float32)
    asked, changed, taken, seen, results = set(), set(), set(), [], {}
    unread = set()  # (kind of recipe, option) of those that are said to change nothing, tried once

    def once(recipe, steps=STEPS):
        key = type(recipe), recipe.data, repr(_own(recipe)), steps
        results[key] = results.get(key) or trained(topic, recipe, steps)
        return results[key]

    for recipe in recipes(topic):
        before, chosen = once(recipe), {name: getattr(recipe, name) for name in words(type(recipe))}
        asked |= {name for name, value in _own(recipe).items() if value is not None and value != ()}
        taken |= set(chosen.items())
        if (type(recipe), chosen) in seen:  # its other options were taken with another recipe
            continue
        seen.append((type(recipe), chosen))
        for name, other in others(recipe, topic):
            if (type(recipe), name) in unread:
                continue
            if name in ELSEWHERE.get(topic, ()):
                unread.add((type(recipe), name))
            taken.add((name, getattr(other, name)))
            # another number shows in the first step, or in what that leaves to the second
            tried = (STEPS,) if name in words(type(recipe)) else range(1, STEPS + 1)
            if any(_differ(before, once(other, steps)) for steps in tried):
                changed.add(name)
    assert {(name, word) for recipe in recipes(topic) for name, each in words(type(recipe)).items() for word in each} <= taken
    assert asked - changed == ELSEWHERE.get(topic, set())


def _bernoulli_whatever_the_pixels(self, x, logits):
    return vae.bernoulli_log_likelihood(x, logits)


# (topic, options, where, name, what stands there instead)
MISTAKES = {
    "real pixels, Bernoulli loss": (
        "latent/vae", dict(pixels="real"), vae.VaeExperiment, "_log_likelihood", _bernoulli_whatever_the_pixels
    ),
    "pixels averaged": (
        "latent/vae", {}, vae, "bernoulli_log_likelihood",
        lambda x, logits: -torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").mean(-1),
    ),
    "no weight of the KL": (
        "latent/vae_training", dict(kl_schedule="linear"), vae_training, "linear_kl_weight",
        lambda steps, *, warmup_steps: torch.ones(1),
    ),
    "the penalty of the difference alone": (
        "energy/regularized_training", {}, regularized_training, "energy_loss",
        lambda real, fake, *, regularization: real - fake + regularization * (real - fake).square(),
    ),
    "minimax for non-saturating": (
        "adversarial/gan", {}, adversarial_game, "GENERATOR_LOSSES",
        dict.fromkeys(("non_saturating", "minimax"), adversarial_game.minimax_generator_loss),
    ),
    "labels not smoothed": (
        "adversarial/dcgan", dict(real_target=0.9), adversarial_game, "discriminator_loss",
        lambda real, fake, *, real_target: OBJECTIVE_OF_ONE(real, fake, real_target=1.0),
    ),
    "the consistent loss for the alternative": (
        "foundations/f_gan", {}, f_gan, "f_gan_alternative_generator_loss", f_gan.f_gan_generator_loss
    ),
    "noise for velocity": (
        "diffusion/parameterizations", dict(prediction="velocity"), parameterizations, "velocity",
        lambda x0, noise, t, alpha_bar: noise,
    ),
    "no weight of the levels": (
        "diffusion/training", dict(snr_limit=5.0), training, "min_snr_weight",
        lambda t, alpha_bar, *, gamma, prediction: torch.ones(len(t)),
    ),
    "the order of the bound left out": (
        "latent/elbo", dict(order=0.5), elbo, "renyi_bound", lambda *pair, order: elbo.importance_weighted_bound(*pair)
    ),
    "one order of a pair": (
        "preference/overoptimization", {}, overoptimization, "pairwise_reward_loss",
        lambda chosen, rejected, *, center_coefficient: torch.nn.functional.softplus(rejected - chosen),
    ),
    "twice the margin": (
        "preference/dpo_variants", {}, dpo_variants, "ipo_loss",
        lambda *four, regularization: LOSS_OF_MARGINS(*four, regularization=regularization / 2),
    ),
    "the desirable taken for undesirable": (
        "preference/dpo_variants", dict(objective="kto"), dpo_variants, "kto_loss",
        lambda one, other, desirable, point, **how: LOSS_OF_JUDGEMENTS(one, other, ~desirable, point, **how),
    ),
    "the vote turned over": (
        "preference/reward_model", {}, reward_model, "pairwise_reward_loss",
        lambda chosen, rejected, **how: LOSS_OF_REWARDS(rejected, chosen, **how),
    ),
    "padding read as text": (
        "preference/reward_model", {}, reward_model.Rewards, "_rewards",
        lambda self, pairs: self.reward(pairs.tokens.flatten(0, 1), torch.ones_like(pairs.mask.flatten(0, 1))).view(2, -1),
    ),
    "reversed as copied": (
        "autoregressive/attention", dict(task="reverse"), TransductionExperiment, "_answer", lambda self, source: source
    ),
    "the loser preferred": (
        "preference/pipeline", {}, pipeline, "soft_preference_loss", lambda label, *pair: LOSS_OF_VERDICTS(1 - label, *pair)
    ),
    "the divergence of a group left out": (
        "reinforcement/language_policy", dict(estimator="group"), policy_tuning, "group_token_loss",
        lambda *tokens, kl_coefficient, **clips: LOSS_OF_A_GROUP(*tokens, kl_coefficient=0.0, **clips),
    ),
}  # fmt: skip
OBJECTIVE_OF_ONE = adversarial_game.discriminator_loss
LOSS_OF_JUDGEMENTS = dpo_variants.kto_loss
LOSS_OF_MARGINS = dpo_variants.ipo_loss
LOSS_OF_REWARDS = reward_model.pairwise_reward_loss
LOSS_OF_VERDICTS = pipeline.soft_preference_loss
LOSS_OF_A_GROUP = policy_tuning.group_token_loss


@pytest.mark.parametrize(("topic", "name"), [(mistake[0], name) for name, mistake in MISTAKES.items()], ids=MISTAKES)
def test_a_mistake_in_what_is_trained_is_refused(topic, name, monkeypatch):
    _, options, owner, place, wrong = MISTAKES[name]
    recipe = dataclasses.replace(tiny.small(next(iter(module_of(topic).RECIPES.values()))), **options)
    trained(topic, recipe)
    monkeypatch.setattr(owner, place, wrong)
    with pytest.raises(AssertionError, match=" is off by "):
        trained(topic, recipe)
