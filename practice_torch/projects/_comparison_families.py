"""The models of the comparison, and how each draws."""

from functools import partial

from practice_torch.experiments.adversarial import dcgan, gan, gradient_penalty
from practice_torch.experiments.autoregressive import chain_rule, pixelcnn, transformer
from practice_torch.experiments.diffusion import score_prediction
from practice_torch.experiments.diffusion import training as diffusion
from practice_torch.experiments.energy import contrastive_divergence
from practice_torch.experiments.flows import affine_coupling, continuous_flow, flow_matching, masked_autoregressive
from practice_torch.experiments.latent import conditional_vae, gaussian_mixture, vae, vector_quantization
from practice_torch.experiments.sampling import family_draws as draws
from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from practice_torch.experiments.sampling.family_draws import Family
from practice_torch.experiments.state_space import diagonal
from practice_torch.projects.runner import Model

POINTS = "eight_gaussians"
DDIM, DDPM = "DDIM, 20 steps", "DDPM, all steps"


def on_points(name):
    """The row of a family on points; on digits its row has the plain name."""
    return f"8 Gaussians, {name}"


# on one split of the digits, then on points of the same law; each as its recipe has it
MODELS = {
    "Gaussian mixture": Model(gaussian_mixture, "digits"),
    "VQ-VAE": Model(vector_quantization, "digits"),
    "GAN": Model(dcgan, "digits"),
    "WGAN-GP": Model(gradient_penalty, "digits"),
    "Real NVP": Model(affine_coupling, "digits"),
    "MAF": Model(masked_autoregressive, "digits"),
    "flow matching": Model(flow_matching, "digits"),
    "diffusion": Model(diffusion, "digits"),
    "PixelCNN": Model(pixelcnn, "digits"),
    "transformer": Model(transformer, "digits"),
    "S4D": Model(diagonal, "digits"),
    "RBM": Model(contrastive_divergence, "digits"),
    "VAE": Model(vae, "digits"),
    "conditional VAE": Model(conditional_vae, "digits"),
    "MADE": Model(chain_rule, "digits"),
    on_points("Gaussian mixture"): Model(gaussian_mixture, POINTS),
    on_points("GAN"): Model(gan, POINTS),
    on_points("WGAN-GP"): Model(gradient_penalty, POINTS),
    on_points("Real NVP"): Model(affine_coupling, POINTS),
    on_points("MAF"): Model(masked_autoregressive, POINTS),
    on_points("continuous flow"): Model(continuous_flow, "two_moons", POINTS),
    on_points("flow matching"): Model(flow_matching, "two_moons", POINTS),
    on_points("diffusion"): Model(score_prediction, POINTS),
}

BY_PIXELS = ("PixelCNN", "transformer", "S4D")  # the probability of one pixel after the other
# row -> (model, how it draws)
NETWORK, GENERATOR, DECODER = ("network",), ("generator_network",), ("network.decoder", "network.logits")
MIXTURE = ("log_weights", "means", "factors")
OF_GRAY_DIGITS = {
    "Gaussian mixture": ("Gaussian mixture", Family(draws.sampled, (*MIXTURE, "center", "axes"))),
    "VQ-VAE": ("VQ-VAE", Family(draws.sampled, ("prior", "codebook", "decoder"))),
    "GAN": ("GAN", Family(draws.sampled, GENERATOR)),
    "WGAN-GP": ("WGAN-GP", Family(draws.sampled, GENERATOR)),
    "Real NVP": ("Real NVP", Family(draws.sampled, NETWORK)),
    "MAF": ("MAF", Family(draws.sampled, NETWORK)),
    "flow matching": ("flow matching", Family(draws.sampled, NETWORK)),
    DDIM: ("diffusion", Family(partial(draws.denoised, how=None), NETWORK)),
    DDPM: ("diffusion", Family(partial(draws.denoised, how=Drawing()), NETWORK)),
    **{name: (name, Family(draws.sampled, NETWORK)) for name in BY_PIXELS},
}
OF_BINARY_DIGITS = {
    "RBM": ("RBM", Family(draws.bits_of, ("weight", "visible_bias", "hidden_bias"))),
    "VAE": ("VAE", Family(draws.bits_of, DECODER)),
    "conditional VAE": ("conditional VAE", Family(draws.bits_of, DECODER)),
    "MADE": ("MADE", Family(draws.bits_of, NETWORK)),
}
DRAWING_POINTS = {
    "Gaussian mixture": Family(draws.drawn_of, MIXTURE),
    "GAN": Family(draws.generated, GENERATOR),
    "WGAN-GP": Family(draws.generated, GENERATOR),
    "Real NVP": Family(draws.inverted, NETWORK),
    "MAF": Family(draws.inverted, NETWORK),
    "continuous flow": Family(draws.inverted, NETWORK),
    "flow matching": Family(draws.transported, NETWORK),
    "diffusion": Family(draws.scored, NETWORK),
}
OF_POINTS = {on_points(name): (on_points(name), family) for name, family in DRAWING_POINTS.items()}
