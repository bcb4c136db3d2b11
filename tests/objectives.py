"""What each experiment is to minimize, by functions that contracts hold: a function a topic, (experiment, batch, phase) -> loss.

Draws are taken from the experiment's generator in the order in which its own forward takes them.
"""

import math

import torch
from scipy.optimize import linear_sum_assignment

from practice_torch.adversarial.bigan import bigan_discriminator_loss, bigan_generator_encoder_loss
from practice_torch.adversarial.conditional_gan import projection_logit
from practice_torch.adversarial.domain_adversarial import domain_loss
from practice_torch.adversarial.gan import discriminator_loss, minimax_generator_loss, non_saturating_generator_loss
from practice_torch.adversarial.gradient_penalty import gradient_penalty, interpolate, one_sided_gradient_penalty
from practice_torch.autoregressive.chain_rule import autoregressive_bernoulli_log_prob, sequence_log_prob
from practice_torch.autoregressive.discretized_mixture import discretized_logistic_mixture_log_prob
from practice_torch.autoregressive.wavenet import mu_law_encode
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.parameterizations import convert_prediction, noise_from_velocity, velocity
from practice_torch.diffusion.score_prediction import denoising_score_matching_loss, score_from_noise
from practice_torch.diffusion.simple_loss import learned_variance_loss, simple_loss, squared_error
from practice_torch.diffusion.training import min_snr_weight, timesteps_from_uniforms
from practice_torch.diffusion.variational_diffusion import (
    continuous_diffusion_loss,
    linear_log_snr,
    low_discrepancy_times,
    reconstruction_log_prob,
    variance_preserving_sample,
)
from practice_torch.energy.contrastive_divergence import chain, gradient
from practice_torch.energy.langevin import clipped_langevin_step, langevin_step
from practice_torch.energy.regularized_training import energy_loss
from practice_torch.energy.replay_buffer import sample
from practice_torch.experiments.foundations.f_divergence import ROWS
from practice_torch.experiments.parts.captions import picture
from practice_torch.experiments.parts.galaxies import simulate
from practice_torch.experiments.parts.recall import remembered_first, selective_copying
from practice_torch.flows.additive_coupling import logistic_log_prob
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.continuous_flow import kinetic_energy
from practice_torch.flows.continuous_flow import log_prob as flow_log_prob
from practice_torch.flows.dequantization import bits_per_dimension, logit_forward, uniform_dequantize
from practice_torch.flows.hutchinson_trace import hutchinson_divergence
from practice_torch.flows.probability_paths import linear_path
from practice_torch.foundations.f_divergence import f_divergence
from practice_torch.foundations.f_gan import f_gan_alternative_generator_loss, f_gan_critic_loss, f_gan_generator_loss
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood, gaussian_kl_divergence
from practice_torch.foundations.variational_divergence import donsker_varadhan_bound, variational_lower_bound
from practice_torch.latent.beta_vae import kl_decomposition, stratified_log_importance
from practice_torch.latent.elbo import renyi_bound
from practice_torch.latent.factor_vae import factor_discriminator_loss, factor_vae_loss, permute_latents
from practice_torch.latent.reparameterization import gumbel_softmax, leave_one_out_advantage, reparameterize
from practice_torch.latent.vae import (
    bernoulli_log_likelihood,
    calibrated_gaussian_negative_log_likelihood,
    gaussian_log_likelihood,
    kl_to_standard_normal,
)
from practice_torch.latent.vae_training import cyclical_kl_weight, free_bits_kl, kl_per_dimension, linear_kl_weight
from practice_torch.latent.vector_quantization import nearest_code, vector_quantization_loss
from practice_torch.networks.fourier_features import fourier_features
from practice_torch.preference.bradley_terry import soft_preference_loss
from practice_torch.preference.dpo import dpo_loss
from practice_torch.reinforcement.kl_estimators import kl_k3
from practice_torch.reinforcement.ppo import clipped_policy_loss, clipped_value_loss


def normal(e, *shape):
    return torch.randn(shape, generator=e.generator)


def uniform(e, *shape):
    return torch.rand(shape, generator=e.generator)


# ---------------------------------------------------------------------------------------------------- foundations, adversarial


def divergences(e, batch, phase):
    """The sum of log (D_f - its least) of every row, of the Gaussians and the density on the cells."""
    log_p, cells, total = e.log_probs[None], e.cells[:, None], 0.0
    for k, (divergence, alpha) in enumerate(ROWS):
        log_q = gaussian_log_likelihood(cells, e.mean[k].expand_as(cells), 2 * e.log_std[k].expand_as(cells))
        row = f_divergence(log_p, log_q.log_softmax(0)[None], divergence=divergence, alpha=alpha)
        at_one = f_divergence(log_p, log_p, divergence=divergence, alpha=alpha)
        total = total + (row - at_one).log().sum()
    return total


def bound_of_critic(e, batch, phase):
    size = e.recipe.batch_size, e.recipe.dimension
    noise = normal(e, 2, *size)
    points = reparameterize(noise[0], e.mean.expand(size), e.log_var.expand(size)), noise[1]
    critic_p, critic_q = (e.critic(x)[:, 0] for x in points)
    if e.recipe.bound == "nwj":
        return -variational_lower_bound(critic_p, critic_q, divergence="kl")
    if e.recipe.normalizer_decay == 0:
        return -donsker_varadhan_bound(critic_p, critic_q)
    # the gradient of log E e^T, divided by the mean of e^T as it is followed over the batches
    kept = e.recipe.normalizer_decay
    followed = kept * e.log_normalizer.exp() + (1 - kept) * critic_q.exp().mean()
    return critic_q.exp().mean() / followed.detach() - critic_p.mean()


def classified(e, batch, phase):
    """Draws of p are drawn before those of q, of which a batch has the rest; the draws of the other of each are not used."""
    size, of_p = e.recipe.batch_size, round(e.recipe.share * e.recipe.batch_size)
    noise_p, noise_q = normal(e, 2, of_p, 2)[0], normal(e, 2, size - of_p, 2)[1]
    total = 0.0
    for distance, classifier in zip(e.recipe.distances, e.classifiers, strict=True):
        points_p = torch.tensor([distance, 0.0]) + e.recipe.deviation * noise_p
        right = torch.cat([classifier(points_p)[:, 0].sigmoid(), (-classifier(noise_q)[:, 0]).sigmoid()])
        total = total - right.log().mean()
    return total


def f_gan(e, batch, phase):
    def value(x):
        return e.critic(x)[:, 0]

    real, how = batch["point"], dict(divergence=e.recipe.divergence, alpha=e.recipe.alpha)
    fakes = e.generator_network(normal(e, len(real), e.recipe.noise))
    if phase == "critic":
        return f_gan_critic_loss(value(real), value(fakes.detach()), **how).mean()
    if e.recipe.generator_loss == "consistent":
        return f_gan_generator_loss(value(fakes), **how).mean()
    return f_gan_alternative_generator_loss(value(fakes), **how).mean()


def _game(e, real, fakes, logits, phase):
    if phase == "discriminator":
        return discriminator_loss(logits(real), logits(fakes.detach()), real_target=e.recipe.real_target).mean()
    minimax = e.recipe.generator_loss == "minimax"
    return (minimax_generator_loss if minimax else non_saturating_generator_loss)(logits(fakes)).mean()


def gan(e, batch, phase):
    fakes = e.generator_network(normal(e, len(batch["point"]), e.recipe.noise))
    return _game(e, batch["point"], fakes, lambda x: e.discriminator(x)[:, 0], phase)


def dcgan(e, batch, phase):
    if phase == "classifier":
        return categorical_negative_log_likelihood(batch["label"], e.classifier(batch["image"].flatten(1))).mean()
    fakes = e.generator_network(normal(e, len(batch["image"]), e.recipe.latent))
    return _game(e, 2 * batch["image"] - 1, fakes, e.discriminator, phase)


def inversion(e, batch, phase):
    code = normal(e, len(batch["image"]), e.recipe.latent)
    images = e.generator_network(code)
    if phase == "encoder":
        return (e.encoder(images.flatten(1)) - code).square().sum(1).mean()
    return _game(e, 2 * batch["image"] - 1, images, e.discriminator, phase)


def _in_the_target_domain(x, change):
    if change == "inverted":
        return 1 - x
    if change == "shifted":
        sides = [side // 8 for side in x.shape[-2:]]
        x = x.roll(sides, (-2, -1)).clone()
        x[..., : sides[0], :], x[..., : sides[1]] = 0, 0
        return x
    for _ in range(2):
        for axis in (-2, -1):
            zero = torch.zeros_like(x.narrow(axis, 0, 1))
            before, after = torch.cat([zero, x], axis), torch.cat([x, zero], axis)
            x = ((before + after) / 2).unfold(axis, 2, 1).mean(-1)  # 1, 2, 1 is 1, 1 twice
    return x


def adaptation(e, batch, phase):
    """Features lower the label loss less the weighted domain loss; the domain classifier lowers the domain loss."""
    source, labels = batch["image"][::2], batch["label"][::2]
    if phase == "source_only":
        return categorical_negative_log_likelihood(labels, e.source_only(source)).mean()
    x = torch.cat([source, _in_the_target_domain(batch["image"][1::2], e.recipe.change)])
    features, domain = e.feature_network(x), (torch.arange(len(x)) < len(source)).long()
    label = categorical_negative_log_likelihood(labels, e.classifier(features)[: len(source)]).mean()
    weight = e.recipe.largest_weight * (2 / (1 + math.exp(-e.recipe.gamma * int(e.batches) / e.recipe.steps)) - 1)
    frozen = {name: parameter.detach() for name, parameter in e.domain_classifier.named_parameters()}
    of_features = domain_loss(torch.func.functional_call(e.domain_classifier, frozen, features)[:, 0], domain).mean()
    of_classifier = domain_loss(e.domain_classifier(features.detach())[:, 0], domain).mean()
    return label + of_classifier - weight * (of_features - of_features.detach())


def conditional_gan(e, batch, phase):
    """Real and fake pairs have the same classes."""
    if phase == "classifier":
        return dcgan(e, batch, phase)
    labels = batch["label"]
    condition = torch.nn.functional.one_hot(labels, e.classes).to(batch["image"].dtype)
    fakes = e.generator_network(torch.cat([normal(e, len(labels), e.recipe.latent), condition], dim=1))

    def logits(images):
        last = e.discriminator.layers[-1]
        embedding = e.discriminator.class_embedding
        return projection_logit(e.discriminator.features(images), labels, embedding, last.weight[0], last.bias[0])

    return _game(e, 2 * batch["image"] - 1, fakes, logits, phase)


def wasserstein(e, batch, phase):
    real = batch["point"] if "point" in batch else 2 * batch["image"] - 1
    fakes = e.generator_network(normal(e, len(real), e.recipe.noise))

    def scores(x):
        return e.critic(x).flatten()

    if phase == "generator":
        return -scores(fakes).mean()
    fakes = fakes.detach()
    between = interpolate(real, fakes, uniform(e, len(real)))
    penalty = gradient_penalty if e.recipe.penalty == "two_sided" else one_sided_gradient_penalty
    penalties = penalty(between.flatten(1), lambda rows: scores(rows.view(real.shape)))
    return scores(fakes).mean() - scores(real).mean() + e.recipe.penalty_weight * penalties.mean()


def bigan(e, batch, phase):
    x = 2 * batch["image"].flatten(1) - 1
    z = normal(e, len(x), e.recipe.latent)
    made, code = torch.tanh(e.generator_network(z)), e.encoder(x)
    logits = [e.discriminator(torch.cat(pair, dim=1))[:, 0] for pair in ((x, code), (made, z))]
    if phase == "discriminator":
        return bigan_discriminator_loss(*logits).mean()
    cycle = (torch.tanh(e.generator_network(code)) - x).square().mean()
    return bigan_generator_encoder_loss(*logits).mean() + e.recipe.cycle_weight * cycle


# ---------------------------------------------------------------------------------------------------- latent


def _pixels(e, batch):
    x = batch["image"].flatten(1)
    match getattr(e.recipe, "pixels", "threshold"):
        case "threshold":
            return (x > e.recipe.threshold).to(x.dtype)
        case "stochastic":
            return torch.bernoulli(x, generator=e.generator)
        case "real":
            return x


def _vae(e, batch):
    """(log p(x | z), mean, log-variance, z): binary pixels are Bernoulli, real ones Gaussian about sigma(logits)."""
    x = _pixels(e, batch)
    mean, log_var = e.network.encode(x)
    z = reparameterize(normal(e, *mean.shape), mean, log_var)
    logits = e.network.decode(z)
    if e.recipe.pixels == "real":
        return -calibrated_gaussian_negative_log_likelihood(x, logits.sigmoid()), mean, log_var, z
    return bernoulli_log_likelihood(x, logits), mean, log_var, z


def vae(e, batch, phase):
    log_likelihood, mean, log_var, _ = _vae(e, batch)
    return (kl_to_standard_normal(mean, log_var) - log_likelihood).mean()


def of_normal_examples(e, batch, phase):
    """The mean negative ELBO of all examples but those of the class that is left out."""
    if "image" in batch:
        x = (batch["image"] > e.recipe.threshold).double().flatten(1)
        normal_ones = (batch["label"] != e.recipe.anomaly).nonzero()[:, 0]
    else:
        size = min(512, batch["audio"].shape[-1])
        window = torch.hann_window(size)
        spectra = torch.stft(batch["audio"][:, 0], size, size // 2, window=window, return_complex=True)
        x, normal_ones = (spectra.abs() + 0.1).log().flatten(1), torch.arange(len(spectra))
    mean, log_var = e.network.encode(x)
    output = e.network.decode(reparameterize(normal(e, *mean.shape), mean, log_var))
    if "image" in batch:
        log_likelihood = bernoulli_log_likelihood(x, output)
    else:
        log_likelihood = gaussian_log_likelihood(x, output, torch.full_like(x, 2 * math.log(e.recipe.deviation)))
    return (kl_to_standard_normal(mean, log_var) - log_likelihood)[normal_ones].mean()
def conditional_vae(e, batch, phase):
    """Both autoencoders' bounds; the prior of a label is what the network says it is."""
    x = _pixels(e, batch)
    if phase == "unconditional":
        mean, log_var = e.without.encode(x)
        logits = e.without.decode(reparameterize(normal(e, *mean.shape), mean, log_var))
        return (kl_to_standard_normal(mean, log_var) - bernoulli_log_likelihood(x, logits)).mean()
    y = batch["label"]
    mean, log_var = e.network.encode(x, y)
    logits = e.network.decode(reparameterize(normal(e, *mean.shape), mean, log_var), y)
    prior = (e.network.prior_mean[y], e.network.prior_log_var[y]) if e.recipe.prior == "learned" else (0 * mean, 0 * mean)
    return (gaussian_kl_divergence(mean, log_var, *prior) - bernoulli_log_likelihood(x, logits)).mean()


def vae_training(e, batch, phase):
    """The KL above its floor, of every latent's mean over the batch, with the step's weight."""
    log_likelihood, mean, log_var, _ = _vae(e, batch)
    weight, recipe = 1.0, e.recipe
    if recipe.kl_schedule == "linear":
        weight = linear_kl_weight(e.step, warmup_steps=recipe.kl_warmup_steps)
    if recipe.kl_schedule == "cyclical":
        weight = cyclical_kl_weight(e.step, cycle_length=recipe.cycle_length, ramp_fraction=recipe.ramp_fraction)
    rate = free_bits_kl(kl_per_dimension(mean, log_var).mean(0)[None], minimum=recipe.free_nats)
    return (weight * rate).sum() - log_likelihood.mean()


def weighted_rate(e, batch, phase):
    """With the total correlation of the batch's codes, by weights for all of the data."""
    log_likelihood, mean, log_var, z = _vae(e, batch)
    weights = stratified_log_importance(batch_size=len(z), dataset_size=e.count)
    dependence = kl_decomposition(z, mean, log_var, weights)[1]
    return (e.recipe.beta * kl_to_standard_normal(mean, log_var) - log_likelihood + e.recipe.dependence * dependence).mean()


def factors(e, batch, phase):
    """The autoencoder pays for what the discriminator's logit says; the discriminator tells codes from shuffled ones."""
    log_likelihood, mean, log_var, z = _vae(e, batch)
    if phase == "train":
        rate = kl_to_standard_normal(mean, log_var)
        return factor_vae_loss(-log_likelihood, rate, e.discriminator(z).flatten(), gamma=e.recipe.gamma).mean()
    shuffled = permute_latents(z, uniform(e, *z.shape[::-1]).argsort(1))
    return factor_discriminator_loss(*(e.discriminator(codes.detach()).flatten() for codes in (z, shuffled))).mean()


def several_draws(e, batch, phase):
    x, draws = _pixels(e, batch), e.recipe.samples
    mean, log_var = e.encoder(x).chunk(2, dim=1)
    several = [part.repeat_interleave(draws, 0) for part in (x, mean, 10 * torch.tanh(log_var / 10))]
    z = reparameterize(normal(e, len(several[0]), e.recipe.latent_dim), *several[1:])
    prior = gaussian_log_likelihood(z, torch.zeros_like(z), torch.zeros_like(z))
    log_joint = prior + bernoulli_log_likelihood(several[0], e.decoder(z))
    log_q = gaussian_log_likelihood(z, *several[1:])
    return -renyi_bound(log_joint.view(-1, draws), log_q.view(-1, draws), order=e.recipe.order).mean()


def quantized_autoencoder(e, batch, phase):
    """The squared error of what is decoded from the nearest codes, and the commitment; or -log p of the codes, one by one.

    Of sounds the error of magnitudes is added, averaged over four windows, and lists begin with a class.
    """
    sounds, recipe = "audio" in batch, e.recipe
    x = _other_takes(e, batch["audio"]) if sounds else batch["image"]
    z = e.encoder(x).movedim(1, -1)
    codes = nearest_code(z.flatten(0, -2), e.codebook)
    if phase == "prior":
        lists = codes.view(len(x), -1)
        begin = recipe.codes + (batch["label"] if sounds else torch.zeros_like(lists[:, 0]))
        before = torch.cat([begin[:, None], lists[:, :-1]], 1)
        return categorical_negative_log_likelihood(codes, e.prior(before)[..., : recipe.codes].flatten(0, 1)).mean()
    quantized = e.codebook[codes].view_as(z)
    through = z + (quantized - z).detach()
    y = e.decoder(through.movedim(-1, 1))
    error = (y - x).square().flatten(1).sum(1)
    if sounds:
        error = error + recipe.spectral_weight * sum(_of_spectra(x[:, 0], y[:, 0], n) for n in (64, 128, 256, 512)) / 4
    kept = vector_quantization_loss(z.flatten(0, -2), quantized.flatten(0, -2), commitment=recipe.commitment)
    return (error + kept.view(len(x), -1).sum(1)).mean()


def _of_spectra(x, y, n):
    """The squared error of magnitudes at all frequencies of frames n/4 apart, by the squares of the windows at every sample."""
    window = torch.sin(math.pi * torch.arange(n) / n) ** 2
    of_x, of_y = (torch.fft.fft(torch.nn.functional.pad(sound, (n, n)).unfold(1, n, n // 4) * window).abs() for sound in (x, y))
    return (of_x - of_y).square().sum((1, 2)) / (n * window.square().sum() / (n / 4))


def categorical_code(e, batch, phase):
    """The decoder learns from the mean over codes; the encoder by the relaxation, or by weighted gradients of log q."""
    x, recipe = _pixels(e, batch), e.recipe
    logits = e.encoder(x).unflatten(1, (recipe.codes, recipe.categories))
    log_q = logits.log_softmax(-1)
    rate = (log_q.exp() * (log_q + math.log(recipe.categories))).sum((1, 2))

    def log_likelihood(codes):
        each = [bernoulli_log_likelihood(x, e.decoder(codes[:, s].flatten(1))) for s in range(recipe.samples)]
        return torch.stack(each, 1)

    if recipe.estimator == "relaxed":
        temperature = recipe.first_temperature * (recipe.last_temperature / recipe.first_temperature) ** (e.step / recipe.steps)
        repeated = logits.repeat_interleave(recipe.samples, 0)
        codes = gumbel_softmax(uniform(e, *repeated.flatten(0, 1).shape), repeated.flatten(0, 1), temperature=temperature)
        return (rate - log_likelihood(codes.view(len(x), recipe.samples, *logits.shape[1:])).mean(1)).mean()
    index = torch.multinomial(log_q.exp().flatten(0, 1), recipe.samples, replacement=True, generator=e.generator)
    codes = torch.nn.functional.one_hot(index, recipe.categories).unflatten(0, logits.shape[:2]).transpose(1, 2).to(x.dtype)
    values = log_likelihood(codes)
    weight = values if recipe.estimator == "score" else leave_one_out_advantage(values)
    surrogate = values + weight.detach() * (codes * log_q[:, None]).sum((2, 3))
    return (rate - surrogate.mean(1)).mean()


# ---------------------------------------------------------------------------------------------------- diffusion


def _rounded(e, batch):
    last = e.recipe.num_levels - 1
    return 2 * (batch["image"] * last).round() / last - 1


def _any_level(e, x0):
    return torch.randint(1, e.recipe.num_steps + 1, (len(x0),), generator=e.generator)


def bound(e, batch, phase):
    x0 = _rounded(e, batch)
    t = _any_level(e, x0)

    def denoise(x, t):
        return e.network(fourier_features(x, e.recipe.frequencies), t)

    return simple_loss(x0, t, normal(e, *x0.shape), denoise, e.alpha_bar).mean() / x0[0].numel()


def hybrid(e, batch, phase):
    """The simple loss, and a share of the bound, which moves the variance alone; its decoder, t = 1, has no step's variance."""
    x0 = _rounded(e, batch)
    t, noise = _any_level(e, x0), normal(e, *x0.shape)
    x_t = forward_sample(x0, t, noise, e.alpha_bar)
    noise_pred, v = e.network(fourier_features(x_t, e.recipe.frequencies), t).chunk(2, dim=1)
    losses = squared_error(noise_pred, noise)
    steps = learned_variance_loss(x0, x_t, t.clamp(min=2), noise_pred, v, e.alpha_bar) * (t > 1)
    return (losses + e.recipe.bound_share * e.recipe.num_steps * steps).mean() / x0[0].numel()


def weighted_prediction(e, batch, phase):
    """min(SNR, limit) times the squared error of the data that the prediction means."""
    x0 = 2 * batch["image"] - 1
    t = _any_level(e, x0)
    x_t = forward_sample(x0, t, normal(e, *x0.shape), e.alpha_bar)
    found = convert_prediction(e.network(x_t, t), x_t, t, e.alpha_bar, source=e.recipe.prediction, target="x0")
    level = e.alpha_bar[t]
    weight = (level / (1 - level)).clamp(max=e.recipe.snr_limit)
    return (weight * squared_error(found, x0)).mean() / x0[0].numel()


def preconditioned(e, batch, phase):
    """The weighted error of the denoised image, at levels whose logarithm is normal."""
    x0, d = 2 * batch["image"] - 1, e.recipe.sigma_data
    sigma = (e.recipe.level_mean + e.recipe.level_std * normal(e, len(x0))).exp()
    noise, total = normal(e, *x0.shape), sigma**2 + d**2
    wide, skip, out, into = (part[:, None, None, None] for part in (sigma, d**2 / total, sigma * d / total**0.5, total**-0.5))
    x = x0 + wide * noise
    denoised = skip * x + out * e.network(into * x, 250 * sigma.log())
    return (total / (sigma * d) ** 2 * squared_error(denoised, x0)).mean() / x0[0].numel()


def matched(e, batch, phase):
    """The squared error of x1 - x0, predicted at a place between both; per entry, but for points."""
    recipe = e.recipe
    if recipe.modality == "points":
        x1, label = batch["point"], ()
        x0, time = normal(e, *x1.shape), uniform(e, len(x1))
    else:
        label = (batch["label"] if e.classes else None,)
        if recipe.modality == "images":
            x1 = 2 * batch["image"] - 1
        else:  # half of them upside down
            x1 = recipe.gain * batch["audio"]
            x1 = torch.where(uniform(e, len(x1), 1, 1) < 0.5, -x1, x1)
        time = uniform(e, len(x1)) if recipe.times == "uniform" else 1 / (1 + (-normal(e, len(x1))).exp())
        x0 = normal(e, *x1.shape)
    x_t, velocity = linear_path(x0, x1, time)
    errors = squared_error(e.network(x_t, 1000 * time, *label), velocity)
    return errors.mean() if recipe.modality == "points" else errors.mean() / x1[0].numel()


def bridged(e, batch, phase):
    """The squared error of the slope of sin(pi t/2) x1 + cos(pi t/2) x0."""
    x1, x0 = batch["point"], normal(e, *batch["point"].shape)
    time = uniform(e, len(x1))
    angle = math.pi / 2 * time[:, None]
    slope = math.pi / 2 * (angle.cos() * x1 - angle.sin() * x0)
    return squared_error(e.network(angle.sin() * x1 + angle.cos() * x0, 1000 * time), slope).mean()


def coupled(e, batch, phase):
    """The squared error of x1 - x0, where no other order of the data has less of it."""
    x1, x0 = batch["point"], normal(e, *batch["point"].shape)
    if e.recipe.coupling == "exact":
        x1 = x1[linear_sum_assignment(-x0 @ x1.mT)[1]]  # the squares do not depend on the order
    time = uniform(e, len(x1))
    x_t, velocity = linear_path(x0, x1, time)
    return squared_error(e.network(x_t, 1000 * time), velocity).mean()


def rectified(e, batch, phase):
    """Flow matching in the first steps; then on noise and where the Euler steps of the average take it, made once."""
    x1, recipe, seen = batch["point"], e.recipe, int(e.batches.seen)
    first = math.ceil(recipe.first_share * recipe.steps)
    network = e.first if phase == "first" else e.network
    if seen >= first if phase == "first" else seen <= first:
        return 0.0 * sum(parameter.sum() for parameter in network.parameters())
    if phase == "first":
        x0 = normal(e, *x1.shape)
    else:
        x0 = normal(e, *e.starts.shape)
        x1, count = x0, recipe.reflow_steps
        for step in range(count):
            x1 = x1 + e.average(x1, torch.full((len(x1),), 1000 * step / count)).detach() / count
        rows = torch.randint(len(x0), (len(batch["point"]),), generator=e.generator)
        x0, x1 = x0[rows], x1[rows]
    time = uniform(e, len(x1))
    x_t, velocity = linear_path(x0, x1, time)
    return squared_error(network(x_t, 1000 * time), velocity).mean()


def diffusion(e, batch, phase):
    recipe = e.recipe
    image = recipe.gain * batch["audio"] if recipe.modality == "audio" else 2 * batch["image"] - 1
    of_level, of_label = uniform(e, 2, len(image))
    t = timesteps_from_uniforms(of_level, num_steps=recipe.num_steps)
    label = torch.where(of_label < recipe.drop_probability, len(e.classes), batch["label"]) if e.classes else None
    if recipe.flip:
        turned = -image if recipe.modality == "audio" else image.flip(-1)
        image = torch.where(uniform(e, len(image), *[1] * (image.ndim - 1)) < 0.5, turned, image)
    noise = normal(e, *image.shape)
    wanted = {"noise": noise, "x0": image, "velocity": velocity(image, noise, t, e.alpha_bar)}[recipe.prediction]
    losses = squared_error(e.network(forward_sample(image, t, noise, e.alpha_bar), t, label), wanted) / image[0].numel()
    if recipe.snr_limit:
        losses = losses * min_snr_weight(t, e.alpha_bar, gamma=recipe.snr_limit, prediction=recipe.prediction)
    return losses.mean()


def continuous(e, batch, phase):
    """The bound in bits per dimension: KL of the last level to the normal, half the slope times the error, log p of the grid."""
    index = (batch["image"] * (e.recipe.num_levels - 1)).round().long()
    x0, (top, bottom) = torch.linspace(-1, 1, e.recipe.num_levels)[index], e.ends()
    size = len(x0)
    time = low_discrepancy_times(uniform(e), batch_size=size)
    level = linear_log_snr(time, log_snr_max=top, log_snr_min=bottom)
    z0 = variance_preserving_sample(x0, normal(e, *x0.shape), top.expand(size))
    kept = bottom.sigmoid()
    prior = kl_to_standard_normal(kept.sqrt() * x0.flatten(1), (1 - kept).log().expand(size, x0[0].numel()))
    noise = normal(e, *x0.shape)
    found = e.predictor(variance_preserving_sample(x0, noise, level), level)
    steps = continuous_diffusion_loss(found, noise, (bottom - top).expand(size))
    decoder = reconstruction_log_prob(z0, index, torch.linspace(-1, 1, e.recipe.num_levels), top.expand(size))
    return (prior + steps - decoder).mean() / (x0[0].numel() * math.log(2))


def score(e, batch, phase):
    """The denoising loss of the score that the velocity means, in coordinates x_0 + sigma noise."""
    x0 = batch["point"]
    t = torch.randint(1, e.recipe.num_steps + 1, (len(x0),), generator=e.generator)
    level = e.alpha_bar[t]

    def score_fn(x, sigma):
        shrink = level.sqrt()[:, None]
        noise = noise_from_velocity(shrink * x, e.network((shrink * x).float(), t).to(x.dtype), t, e.alpha_bar)
        return shrink * score_from_noise(noise, t, e.alpha_bar)

    return denoising_score_matching_loss(x0, normal(e, *x0.shape), ((1 - level) / level).sqrt(), score_fn).mean()


def guidance(e, batch, phase):
    x0, label = 2 * batch["image"] - 1, batch["label"]
    t = timesteps_from_uniforms(uniform(e, len(x0)), num_steps=e.recipe.num_steps)
    noise = normal(e, *x0.shape)
    if phase == "denoiser":
        return simple_loss(x0, t, noise, e.denoiser, e.alpha_bar).mean() / x0[0].numel()
    if phase == "clean":
        return categorical_negative_log_likelihood(label, e.clean(x0, torch.zeros_like(t))).mean()
    return categorical_negative_log_likelihood(label, e.noisy(forward_sample(x0, t, noise, e.alpha_bar), t)).mean()


def latent_diffusion(e, batch, phase):
    """The first half of the steps: squared error and rate, or commitment. Then the noise's error in latents of deviation one."""
    recipe, image = e.recipe, batch["image"]
    begun = int(e.batches.seen) > (first := math.ceil(recipe.first_share * recipe.steps))
    if phase == "first_stage":
        if int(e.batches.seen) >= first:
            return 0.0 * sum(parameter.sum() for parameter in e.first_stage.parameters())
        z = e.first_stage["encoder"](image)
        if recipe.first_stage == "kl":
            mean, log_var = z.chunk(2, 1)
            kl = kl_to_standard_normal(mean.flatten(1), log_var.flatten(1))
            z, price = mean + (log_var / 2).exp() * normal(e, *mean.shape), recipe.kl_weight * kl
        else:
            places = z.movedim(1, -1)
            codes = e.codebook[nearest_code(places.flatten(0, 2), e.codebook)]
            price = vector_quantization_loss(places.flatten(0, 2), codes, commitment=recipe.commitment).view(len(z), -1).sum(1)
            z = z + (codes.view(places.shape).movedim(-1, 1) - z).detach()
        return (squared_error(e.first_stage["decoder"](z), image) + price).mean()
    if not begun:
        return 0.0 * sum(parameter.sum() for parameter in e.network.parameters())
    z = e.frozen["encoder"](image)
    if recipe.first_stage == "kl":
        mean, log_var = z.chunk(2, 1)
        z = mean + (log_var / 2).exp() * normal(e, *mean.shape)
    z = (z * (e.scale if int(e.batches.seen) > first + 1 else 1 / z.std(correction=0))).detach()
    of_level, of_label = uniform(e, 2, len(z))
    label = torch.where(of_label < recipe.drop_probability, len(e.classes), batch["label"])
    t = timesteps_from_uniforms(of_level, num_steps=recipe.num_steps)
    noise = normal(e, *z.shape)
    wanted = noise if recipe.prediction == "noise" else velocity(z, noise, t, e.alpha_bar)
    return squared_error(e.network(forward_sample(z, t, noise, e.alpha_bar), t, label), wanted).mean() / z[0].numel()


def captioned(e, batch, phase):
    """The noise's error in pictures whose stroke, place and form of the caption are drawn, some with no caption."""
    label, count = batch["label"], len(batch["label"])
    of_stroke, of_place = uniform(e, 2, count)
    stroke, place, form = (2 * of_stroke).long(), (3 * of_place).long(), (3 * uniform(e, count)).long()
    tokens = e.captions.tokens[label, stroke, place, form]
    x0 = 2 * picture(batch["image"], stroke, place) - 1
    tokens = torch.where(uniform(e, count, 1) < e.recipe.drop_probability, e.captions.nothing(), tokens)
    t = timesteps_from_uniforms(uniform(e, count), num_steps=e.recipe.num_steps)
    losses = simple_loss(x0, t, normal(e, *x0.shape), lambda x, t: e.network(x, t, tokens), e.alpha_bar)
    return losses.mean() / x0[0].numel()


def score_at_times(e, batch, phase):
    """The noise's error at times that are evenly spread between the first and 1, in values with uniform noise of their width."""
    recipe = e.recipe
    values = (batch["image"] * (recipe.num_levels - 1)).round()
    uniforms = uniform(e, len(values), values[0].numel()).view(values.shape)
    x0 = 2 * (values + uniforms) / recipe.num_levels - 1
    time = recipe.first_time + (1 - recipe.first_time) * low_discrepancy_times(uniform(e), batch_size=len(x0))
    noise = normal(e, *x0.shape)
    level = torch.exp(-recipe.beta_min * time - (recipe.beta_max - recipe.beta_min) * time**2 / 2)
    alpha, sigma = (part.sqrt()[:, None, None, None] for part in (level, 1 - level))
    x = alpha * x0 + sigma * noise
    found = sigma * x + alpha * e.network(x, 1000 * time)
    return squared_error(found, noise).mean() / x0[0].numel()


# ---------------------------------------------------------------------------------------------------- flows


def flow(e, batch, phase, base=standard_normal_log_prob):
    """-log p of points in nats; of pixels the bits of their integers, with noise."""
    if "point" in batch:
        z, log_det = e.network(batch["point"])
        return -(base(z) + log_det).mean()
    image, levels = batch["image"], e.recipe.num_levels
    y = uniform_dequantize((image * (levels - 1)).round().long(), uniform(e, *image.shape), num_levels=levels)
    seen, of_logits = logit_forward(y.flatten(1), alpha=e.recipe.alpha) if e.recipe.alpha else (y.flatten(1) - 0.5, 0.0)
    z, log_det = e.network(seen)
    return bits_per_dimension(base(z) + log_det + of_logits, dims=image[0].numel(), num_levels=levels).mean()


def galaxies(e, batch, phase):
    """The velocity of straight paths to stretched images, with the properties as planes beside their colors."""
    image = batch["image"] if "image" in batch else simulate(batch["properties"], e.shape[-1], e.generator)
    x1 = (image / e.recipe.softening).asinh()
    time, x0 = uniform(e, len(x1)), normal(e, *x1.shape)
    x_t, slope = linear_path(x0, x1, time)
    given = (batch["properties"] - e.mean) / e.deviation
    planes = given[:, :, None, None] * torch.ones(x1.shape[2:])
    return (e.network(torch.cat([x_t, planes], 1), 1000 * time) - slope).square().mean()


def additive_flow(e, batch, phase):
    return flow(e, batch, phase, logistic_log_prob)


def followed_back(e, batch, phase):
    x, times = batch["point"], torch.linspace(1, 0, e.recipe.solver_steps + 1)
    axes = x.shape[1] ** 0.5 * torch.eye(x.shape[1])[:, None].expand(-1, *x.shape)

    def velocity(x, time):
        return e.network.velocity(torch.cat([x, time.expand(len(x), 1)], 1))

    energy = kinetic_energy(x, times, velocity).mean()
    return e.recipe.kinetic_weight * energy - flow_log_prob(x, axes, times, velocity).mean()


# ---------------------------------------------------------------------------------------------------- autoregressive


def made(e, batch, phase):
    x, k = _pixels(e, batch), 0
    if e.recipe.orders > 1:
        k = int(torch.randint(e.recipe.orders, (), generator=e.generator))
    return -autoregressive_bernoulli_log_prob(x, e.network(x, k)).mean()


def _other_takes(e, sound):
    """Louder or quieter, and half of them with the opposite sign: [B, ..., T]."""
    if not e.recipe.loudness:
        return sound
    draws = uniform(e, 2, len(sound), *[1] * (sound.ndim - 1))
    gain = torch.minimum(((2 * draws[0] - 1) * e.recipe.loudness).exp(), 1 / sound.abs().amax(-1, keepdim=True))
    return (sound * torch.where(draws[1] < 0.5, -gain, gain)).clamp(-1, 1)


def _codes_of_sounds(e, batch):
    return mu_law_encode(_other_takes(e, batch["audio"][:, 0]), levels=e.recipe.levels)


def wavenet(e, batch, phase):
    codes = _codes_of_sounds(e, batch)
    return _nats_per_token(e.network(codes, batch["label"] if e.classes else None), codes)


def levels_of_pixels(e, batch, phase):
    codes = (batch["image"] * (e.recipe.num_levels - 1)).round().long()
    logits = e.network(codes, batch["label"] if e.classes else None)
    return _nats_per_token(logits.flatten(1, 3), codes.flatten(1))


def logistic_pixels(e, batch, phase):
    """Of every pixel the sum over components of the weight and the product over colors, each by its own mixture of one."""
    codes, levels = (batch["image"] * (e.recipe.num_levels - 1)).round().long(), e.recipe.num_levels
    logits, means, log_scales = e.network(codes, batch["label"] if e.classes else None)
    joint = torch.ones_like(logits)
    for color, (mean, log_scale) in enumerate(zip(means.unbind(1), log_scales.unbind(1), strict=True)):
        x = (2 * codes[:, color] / (levels - 1) - 1).to(mean.dtype).flatten(1)
        for k in range(logits.shape[-1]):
            law = [part[..., k].flatten(1)[..., None] for part in (torch.zeros_like(mean), mean, log_scale)]
            cell = discretized_logistic_mixture_log_prob(x, *law, levels=levels).exp().view(mean.shape[:-1])
            joint = joint * torch.where(torch.arange(logits.shape[-1]) == k, cell[..., None], 1.0)
    return -(logits.softmax(-1) * joint).sum(-1).log().sum() / codes.numel()


def bytes_or_sounds(e, batch, phase):
    """Sounds: silence, and then the codes, each of which is one of the levels; the tokens behind these are the classes."""
    if "tokens" in batch:
        return language(e, batch, phase)
    codes, levels = _codes_of_sounds(e, batch), e.recipe.levels
    told = [levels + batch["label"]] if e.classes else []
    before = torch.column_stack([torch.full((len(codes),), levels // 2), codes[:, :-1]])
    return _nats_per_token(e.network(before, *told)[..., :levels], codes)


def transduction(e, batch, phase):
    source = batch["symbols"]
    answer = source if e.recipe.task == "copy" else source.flip(-1)
    return _nats_per_token(e.network(source, answer[:, :-1]), answer)


def language(e, batch, phase):
    network = e.network if phase == "train" else getattr(e, phase)
    return _nats_per_token(network(batch["tokens"][:, :-1]), batch["tokens"][:, 1:])


def recall(e, batch, phase):
    """Bytes; sounds; or the symbols of a task, which are asked for at the end of a sequence."""
    if "symbols" not in batch:
        return bytes_or_sounds(e, batch, phase)
    symbols = batch["symbols"]
    task = selective_copying if e.recipe.task == "copying" else remembered_first
    tokens, _ = task(symbols, uniform(e, len(symbols), e.recipe.places), size=e.symbols)
    return _nats_per_token(getattr(e, phase)(tokens)[:, -symbols.shape[1] :, : e.symbols], symbols)


def positions(e, batch, phase):
    """Windows of the trained length; the adapted scheme ends on longer ones, at a quarter of the angles."""
    network, tokens, multiple = getattr(e, phase), batch["tokens"], 1
    if phase == "adapted":
        multiple = 4 if int(e.batches) >= round((1 - e.recipe.adapting) * e.recipe.steps) else 1
        network.positions.scale = float(multiple)
    seen, asked = (part.unflatten(1, (-1, multiple * e.recipe.context)).flatten(0, 1) for part in (tokens[:, :-1], tokens[:, 1:]))
    return _nats_per_token(network(seen), asked)


def votes_on_pairs(e, batch, phase):
    """Two texts of words 0 (praise), 1 (fact), 2 (error) and others: a cross-entropy with the share of votes, and centering."""
    counts = torch.stack([(batch["symbols"] == kind) for kind in (0, 1, 2)], 2).unflatten(1, (2, -1)).double().sum(2)
    praise, fact, error = counts.unbind(-1)
    gold = fact - error + torch.where(praise <= e.recipe.turn, 2 * praise, 5 * e.recipe.turn - 3 * praise)
    kinds = torch.cat([counts, e.words - counts.sum(2, keepdim=True)], 2) / e.words
    first, second = e.proxy(kinds.to(e.proxy[0].weight.dtype)).squeeze(2).unbind(1)
    votes = (gold[:, 0] - gold[:, 1]).sigmoid().to(first.dtype)
    center = e.recipe.center_coefficient * (first + second) ** 2
    return (soft_preference_loss(votes, first, second) + center).mean()


def votes_on_texts(e, batch, phase):
    """-log p of the vote on two completions of each prompt, and centering; the vote is drawn by their scores."""
    recipe, windows = e.recipe, batch["tokens"]
    longest = windows.shape[1]
    other = torch.cat([windows[:, : recipe.prompt], torch.cat([windows[-1:], windows[:-1]])[:, recipe.prompt :]], dim=1)
    ends = torch.randint(longest - recipe.completion // 2, longest + 1, (2, len(windows)), generator=e.generator)
    worths, rewards = [], []
    for texts, lengths in zip((windows, other), ends, strict=True):
        worths.append(torch.stack([e.values[text[recipe.prompt : end]].mean() for text, end in zip(texts, lengths, strict=True)]))
        alone = [e.reward(text[None, :end], torch.ones(1, end)) for text, end in zip(texts, lengths.tolist(), strict=True)]
        rewards.append(torch.cat(alone))  # each without padding
    wins = uniform(e, len(windows)) < (recipe.sharpness * (worths[0] - worths[1])).sigmoid()
    center = recipe.center_coefficient * (rewards[0] + rewards[1]) ** 2
    return (soft_preference_loss(wins.to(rewards[0].dtype), *rewards) + center).mean()


def _nats_per_token(logits, tokens):
    return -sequence_log_prob(tokens, logits, None).mean() / tokens.shape[1]


def _continued(e, drawn):
    """The prompts, and a completion of each by the reference."""
    for _ in range(e.recipe.completion):
        law = e.reference(drawn)[:, -1].float().softmax(-1).detach()
        chosen = torch.searchsorted(law.cumsum(1), uniform(e, len(drawn), 1).to(law.dtype), right=True)
        drawn = torch.cat([drawn, chosen], dim=1)
    return drawn


def pipeline(e, batch, phase):
    """A text; then pairs of completions that the reference draws, each labelled by the values of its bytes; PPO in the end.

    The count is of the phase `train`, which comes first in a step: the others find it one higher.
    """
    tokens, prompt, seen = batch["tokens"], e.recipe.prompt, int(e.batches.seen)
    text = int(e.recipe.supervised * e.recipe.steps)
    rewarded = text + int(e.recipe.rewarded * (e.recipe.steps - text))
    if phase == "update":
        return _of_a_round(e, e.tuned, e.rollout.tuning) if seen > rewarded else 0 * e.critic.weight.sum()
    if phase == "reward" and not text < seen <= rewarded:
        return 0 * e.reward.head.weight.sum()
    if phase == "train" and seen < text:
        return language(e, batch, "policy")
    drawn = _continued(e, torch.cat([tokens[:, :prompt]] * 2))
    ends = drawn[:, prompt:]
    worth = e.values[ends].mean(1)
    if phase == "reward":
        rewards = e.reward(drawn, torch.ones_like(drawn)).chunk(2)
        return soft_preference_loss(torch.sign(worth.chunk(2)[0] - worth.chunk(2)[1]) / 2 + 0.5, *rewards).mean()
    (one, other), (one_0, other_0) = (
        sequence_log_prob(ends, network(drawn)[:, prompt - 1 : -1], None).chunk(2) for network in (e.policy, e.reference)
    )
    first, second = worth.chunk(2)
    wins = dpo_loss(one, other, one_0, other_0, kl_coefficient=e.recipe.kl_coefficient)
    loses = dpo_loss(other, one, other_0, one_0, kl_coefficient=e.recipe.kl_coefficient)
    return torch.where(first > second, wins, torch.where(first < second, loses, (wins + loses) / 2)).mean()


def own_pairs(e, batch, phase):
    """The chosen completion, or both of a pair, each in its own length; the label is wrong with a small probability."""

    def log_prob(network, column):
        each = []
        for tokens, prompt, lengths in zip(batch["tokens"], batch["prompt"].tolist(), batch["length"].tolist(), strict=True):
            text = tokens[column, None, : lengths[column]]
            each.append(sequence_log_prob(text[:, prompt:], network(text)[:, prompt - 1 : -1], None))
        return torch.cat(each)

    if int(e.batches.seen) < int(e.recipe.supervised * e.recipe.steps) * e.recipe.accumulate:
        return (-log_prob(e.policy, 0) / (batch["length"][:, 0] - batch["prompt"])).mean()
    change = [log_prob(e.policy, column) - log_prob(e.reference, column).detach() for column in (0, 1)]
    beta, right = e.recipe.kl_coefficient, torch.full_like(change[0], 1 - e.recipe.label_smoothing)
    return soft_preference_loss(right, beta * change[0], beta * change[1]).mean()


def variants(e, batch, phase):
    """A text; then each objective of its own policy, of pairs that the reference draws: the sum, as their formulas stand."""
    recipe, tokens = e.recipe, batch["tokens"]
    if int(e.batches.seen) < int(recipe.supervised * recipe.steps):
        return language(e, batch, "text")
    drawn = _continued(e, torch.cat([tokens[:, : recipe.prompt]] * 2))

    def log_prob(network, texts):
        return sequence_log_prob(texts[:, recipe.prompt :], network(texts)[:, recipe.prompt - 1 : -1], None)

    first, second = drawn.chunk(2)
    swapped = (e.values[first[:, recipe.prompt :]].mean(1) < e.values[second[:, recipe.prompt :]].mean(1))[:, None]
    chosen, rejected = torch.where(swapped, second, first), torch.where(swapped, first, second)
    others = torch.cat([chosen, rejected]).clone()
    others[:, recipe.prompt :] = torch.cat([others[-1:], others[:-1]])[:, recipe.prompt :]
    beta, size, flipped, total = recipe.kl_coefficient, recipe.completion, recipe.flip_probability, 0.0
    for name, policy in e.policies.items():
        c, r = log_prob(policy, chosen), log_prob(policy, rejected)
        c_0, r_0 = log_prob(e.reference, chosen).detach(), log_prob(e.reference, rejected).detach()
        h = (c - c_0) - (r - r_0)
        right, wrong = -(beta * h).sigmoid().log(), -(-beta * h).sigmoid().log()
        point = (log_prob(policy, others) - log_prob(e.reference, others)).mean().clamp(min=0).detach()
        odds = [part.div(size).exp() / (1 - part.div(size).exp()) for part in (c, r)]
        total = total + {
            "dpo": right,
            "robust": ((1 - flipped) * right - flipped * wrong) / (1 - 2 * flipped),
            "ipo": (h - 1 / (2 * recipe.regularization)) ** 2,
            "hinge": (1 - beta * h).clamp(min=0),
            "kto": 1 - ((beta * (c - c_0 - point)).sigmoid() + (beta * (point - r + r_0)).sigmoid()) / 2,
            "simpo": -(recipe.scale * (c - r) / size - recipe.margin).sigmoid().log(),
            "orpo": -c / size - recipe.odds_weight * (odds[0] / odds[1]).log().sigmoid().log(),
        }[name].mean()
    return total


# ---------------------------------------------------------------------------------------------------- reinforcement


def control(e, batch, phase):
    """Of some of the collected steps; logits of the actions, or means and log-variances of normal ones."""
    recipe, runs = e.recipe, e.runs
    drawn = torch.randperm(len(runs.seen), generator=e.generator)[: recipe.batch_size]
    law, values = e.actor(runs.seen[drawn]), e.critic(runs.seen[drawn])
    if recipe.task == "pendulum":
        policy = torch.distributions.Normal(law[:, 0], (law[:, 1] / 2).exp())
        log_probs = policy.log_prob(runs.taken[drawn, 0])[:, None]
    else:
        policy = torch.distributions.Categorical(logits=law)
        log_probs = policy.log_prob(runs.taken[drawn])[:, None]
    old_log_probs, advantages, old_values, returns = (
        getattr(runs, name)[drawn, None] for name in ("old_log_probs", "advantages", "old_values", "returns")
    )
    policy_loss = clipped_policy_loss(log_probs, old_log_probs, advantages, clip=recipe.clip)
    value_loss = clipped_value_loss(values, old_values, returns, clip=recipe.value_clip)
    return (policy_loss + recipe.value_coefficient * value_loss).mean() - recipe.entropy_coefficient * policy.entropy().mean()


def value_of_steps(e, batch, phase):
    """The critic alone: the actor is moved by no gradient of a loss."""
    drawn = torch.randperm(len(e.runs.seen), generator=e.generator)[: e.recipe.batch_size]
    return (e.critic(e.runs.seen[drawn]).squeeze(1) - e.runs.returns[drawn]).pow(2).mean() / 2


def tuned_policy(e, batch, phase):
    return _of_a_round(e, e.policy, e.recipe)


def _of_a_round(e, network, recipe):
    """Some of the completions of a round, token by token; what is compared with what is in the advantages."""
    held = e.rollout
    drawn = torch.randperm(len(held.tokens), generator=e.generator)[: max(len(held.tokens) // recipe.updates, 1)]
    tokens, old_log_probs, advantages = held.tokens[drawn], held.old_log_probs[drawn], held.advantages[drawn]
    policy = torch.distributions.Categorical(logits=network(tokens[:, :-1])[:, held.prompt - 1 :].float())
    log_probs = policy.log_prob(tokens[:, held.prompt :])
    losses = clipped_policy_loss(log_probs, old_log_probs, advantages, clip=recipe.clip)
    if recipe.estimator == "ppo":
        values = e.critic(network.hidden(tokens)[:, held.prompt - 1 : -1])[..., 0]
        losses = losses + recipe.value_coefficient * (values - held.returns[drawn]) ** 2 / 2
    if recipe.estimator == "group":
        losses = losses + held.price * kl_k3(log_probs, held.reference_log_probs[drawn])
    return losses.mean()


def text_then_policy(e, batch, phase):
    """A text, while no round has begun; then what the rounds collect."""
    rounds = int(e.batches.seen) - int(e.recipe.supervised * e.recipe.steps)
    return tuned_policy(e, batch, phase) if rounds > 0 else language(e, batch, "policy")


# ---------------------------------------------------------------------------------------------------- energy


def energies(e, batch, phase):
    """E of data less E of the buffer's chains after their steps, and both squared; images of the class alone, with noise."""
    how = {"step_size": e.recipe.step_size}
    if "point" in batch:
        real, weight, advance = batch["point"], 1.0, langevin_step
    else:
        of_class = (batch["label"] == e.recipe.normal).double()
        weight = of_class.amax()
        rows = torch.multinomial(of_class if weight else of_class + 1, e.recipe.chains, True, generator=e.generator)
        images = 2 * batch["image"][rows] - 1
        real = images + e.recipe.data_noise * normal(e, *images.shape)
        advance, how = clipped_langevin_step, how | {name: getattr(e.recipe, name) for name in ("noise_scale", "gradient_limit")}
    places = torch.randperm(e.recipe.buffer_size, generator=e.generator)[: len(real)]
    fresh = normal(e, *real.shape) if "point" in batch else 2 * uniform(e, *real.shape) - 1
    chances = uniform(e, len(real))
    x = sample(e.buffer, places, fresh, chances, reinitialize_probability=e.recipe.reinitialize_probability)
    steps = e.recipe.chain_steps
    noises = normal(e, steps, *real.shape) if "point" in batch else (normal(e, *real.shape) for _ in range(steps))
    for noise in noises:
        x = advance(x, noise, e.network, **how).detach()
    return weight * energy_loss(e.network(real), e.network(x), regularization=e.recipe.regularization).mean()


def short_chains(e, batch, phase):
    """A loss with the slope of contrastive divergence; the chains begin at the particles, or at the images."""
    x = _pixels(e, batch)
    parameters = e.weight, e.visible_bias, e.hidden_bias
    weight, visible_bias, hidden_bias = (parameter.detach() for parameter in parameters)
    start = e.particles if e.recipe.particles else x
    up, down = (uniform(e, e.recipe.chain_steps, len(start), units) for units in weight.T.shape)
    ends = chain(start, up, down, weight, visible_bias, hidden_bias)
    slopes = gradient(x, ends, weight, hidden_bias)
    return -sum((slope * parameter).sum() for slope, parameter in zip(slopes, parameters, strict=True))


def matched_score(e, batch, phase):
    """The denoising loss of diffusion models over its variance; or the divergence, by probes along the axes, or of signs."""
    x, sigma = batch["point"], e.recipe.sigma
    noise = normal(e, *x.shape)
    if e.recipe.loss == "denoising":
        levels = torch.full((len(x),), sigma)
        return denoising_score_matching_loss(x, noise, levels, lambda y, level: e.network(y)).mean() / sigma**2
    y, size = x + sigma * noise, x.shape[1]
    probes = size**0.5 * torch.eye(size)[:, None].expand(-1, *x.shape)
    if e.recipe.loss == "sliced":
        probes = 1.0 - 2.0 * (uniform(e, e.recipe.probes, *x.shape) < 0.5)
    return (hutchinson_divergence(y, probes, e.network) + e.network(y).pow(2).sum(1) / 2).mean()


def told_from_noise(e, batch, phase):
    """-log of the probability of the right label, of a point and of its draws of noise."""
    x, ratio, law = batch["point"], e.recipe.noise_ratio, torch.distributions.Normal(0.0, e.recipe.noise_deviation)
    noise = e.recipe.noise_deviation * normal(e, len(x) * ratio, 2)

    def cost(points, sign):
        odds = e.network(points)[:, 0] - law.log_prob(points).sum(1) - math.log(ratio)
        return torch.logaddexp(torch.zeros_like(odds), -sign * odds)

    return cost(x, 1).mean() + ratio * cost(noise, -1).mean()


# A topic that counts (its phases move nothing) minimizes nothing, and is not here.
OBJECTIVES = {
    "foundations/f_divergence": divergences, "foundations/variational_divergence": bound_of_critic, "foundations/f_gan": f_gan,
    "adversarial/gan": gan, "adversarial/dcgan": dcgan, "adversarial/bigan": bigan, "adversarial/spectral_normalization": dcgan,
    "adversarial/conditional_gan": conditional_gan, "adversarial/domain_adversarial": adaptation,
    "adversarial/gradient_penalty": wasserstein, "adversarial/density_ratio": classified,
    "adversarial/gan_inversion": inversion,
    "latent/elbo": several_draws, "latent/vae": vae, "latent/vae_training": vae_training,
    "latent/anomaly_detection": of_normal_examples,
    "latent/beta_vae": weighted_rate, "latent/factor_vae": factors, "latent/convolutional_vae": vae,
    "latent/conditional_vae": conditional_vae,
    "latent/reparameterization": categorical_code, "latent/vector_quantization": quantized_autoencoder,
    "diffusion/elbo": bound, "diffusion/simple_loss": hybrid, "diffusion/parameterizations": weighted_prediction,
    "diffusion/training": diffusion, "diffusion/variational_diffusion": continuous, "diffusion/score_prediction": score,
    "diffusion/classifier_guidance": guidance, "diffusion/edm": preconditioned,
    "diffusion/latent_diffusion": latent_diffusion, "diffusion/text_conditioning": captioned,
    "diffusion/probability_flow": score_at_times,
    "energy/contrastive_divergence": short_chains, "energy/score_matching": matched_score,
    "energy/noise_contrastive_estimation": told_from_noise,
    "flows/additive_coupling": additive_flow, "flows/affine_coupling": flow, "flows/multiscale": flow,
    "energy/regularized_training": energies,
    "flows/continuous_flow": followed_back, "flows/flow_matching": matched, "flows/masked_autoregressive": flow,
    "flows/galaxy_images": galaxies, "flows/minibatch_coupling": coupled, "flows/diffusion_bridge": bridged,
    "flows/rectified_flow": rectified,
    "autoregressive/chain_rule": made, "autoregressive/wavenet": wavenet, "autoregressive/attention": transduction,
    "autoregressive/pixelcnn": levels_of_pixels, "autoregressive/discretized_mixture": logistic_pixels,
    "state_space/diagonal": bytes_or_sounds, "autoregressive/recurrent": language, "state_space/selective": recall,
    "autoregressive/transformer": language, "autoregressive/normalization": language, "autoregressive/position": positions,
    "autoregressive/speculative": language,
    "preference/overoptimization": votes_on_pairs, "preference/reward_model": votes_on_texts, "preference/dpo_variants": variants,
    "preference/dpo": own_pairs, "preference/pipeline": pipeline,
    "reinforcement/ppo": control, "reinforcement/trust_region": value_of_steps, "reinforcement/language_policy": tuned_policy,
    "reinforcement/group_policy": text_then_policy,
}  # fmt: skip
