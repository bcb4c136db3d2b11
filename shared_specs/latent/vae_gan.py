"""Contracts of VAE-GANs and adversarial autoencoders."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

FEATURES = {"features": normal(5, 3, 2, 4), "features_reconstructed": normal(5, 3, 2, 4)}
LOGITS = {"logits_real": normal(7), "logits_reconstructed": normal(7), "logits_sampled": normal(7)}
DECODER = {"feature_error": uniform(7, high=9.0), "logits_reconstructed": normal(7), "logits_sampled": normal(7)}
ENCODER = {"feature_error": uniform(5, high=9.0), "mean": normal(5, 3), "log_var": normal(5, 3)}
CODES = {"reconstruction_error": uniform(7, high=9.0), "logits_code": normal(7)}
FAR, FAR_2, FAR_3 = [0.0, 25.0, -40.0, 80.0, -400.0], [3.0, -25.0, 40.0, -80.0, 4000.0], [-3.0, 1.0, 400.0, 60.0, -9.0]
UNCOMPARED = "slopes of e^-40 are not compared digit by digit, but next to 1, in a law below"
NEAR_PRIOR = "a divergence below the rounding of the terms of order 1 that libraries subtract"
ROW = {"feature_error": [10.0], "logits_reconstructed": [LOG_2], "logits_sampled": [-7 * LOG_2]}
PAIR = {"reconstruction_error": [10.0, 10.0], "logits_code": [LOG_2, -7 * LOG_2]}
LOG_129 = np.log(129)


def softplus(x):
    return np.logaddexp(0, x)


def slope(x):
    """The slope of softplus."""
    return (1 + np.tanh(x / 2)) / 2


SPEC = (
    # The error of features.
    Agree("feature_reconstruction_error", "regular", given(**FEATURES)),
    Agree("feature_reconstruction_error", "one feature", given(features=normal(5), features_reconstructed=normal(5))),
    Agree("feature_reconstruction_error", "nearly equal", given(
        features=[[1.0, -300.0], [1e-4, 2e4]], features_reconstructed=[[1.0078125, -300.0], [2e-4, 1e4]])),
    Anchor("feature_reconstruction_error", "by hand", given(
               features=[[[1.0, 2.0], [0.0, -1.0]], [[0.0, 0.0], [3.0, 0.0]]],
               features_reconstructed=[[[0.0, 2.0], [2.0, -2.0]], [[0.0, 0.0], [0.0, 4.0]]]),
           gives=[3.0, 12.5], source="by hand: (1 + 4 + 1) / 2 and (9 + 16) / 2",
           near_misses={"not halved": [6.0, 25.0], "the mean of the features": [0.75, 3.125], "a norm": [np.sqrt(6), 5.0],
                        "absolute differences": [2.0, 3.5], "the mean over the batch": [7.75, 7.75],
                        "the constant kept": [3 + 2 * np.log(2 * np.pi), 12.5 + 2 * np.log(2 * np.pi)]}),
    Law.equal("equal features have none", given(features=normal(5, 3, 2)),
              left=lambda f, x: f.feature_reconstruction_error(x, x), right=0.0),
    Law.equal("the arrangement of the features does not count", given(**FEATURES),
              left=lambda f, x, y: f.feature_reconstruction_error(x, y),
              right=lambda f, x, y: f.feature_reconstruction_error(*(np.swapaxes(a, 1, 3).reshape(5, 24) for a in (x, y)))),
    Law.equal("its slope is the difference", given(**FEATURES),
              left=lambda f, x, y: f.gradient("feature_reconstruction_error", x, y, wrt=1), right=lambda f, x, y: y - x),
    Rejects("feature_reconstruction_error", "features left out", given(
        **FEATURES | {"features_reconstructed": zeros(5, 3, 2, 3)}), blames="features_reconstructed"),
    Rejects("feature_reconstruction_error", "features of one example for all", given(
        **FEATURES | {"features_reconstructed": zeros(1, 3, 2, 4)}), blames="features_reconstructed"),
    Rejects("feature_reconstruction_error", "no batch", given(features=zeros(), features_reconstructed=zeros()),
            blames="features"),
    # The discriminator of three kinds of images.
    Agree("vae_gan_discriminator_loss", "regular", given(**LOGITS)),
    Agree("vae_gan_discriminator_loss", "far out", given(logits_real=FAR, logits_reconstructed=FAR_2, logits_sampled=FAR_3),
          no_gradient=UNCOMPARED),
    Anchor("vae_gan_discriminator_loss", "by hand", given(
               logits_real=[-LOG_2, 0.0], logits_reconstructed=[7 * LOG_2, LOG_2], logits_sampled=[-LOG_2, 0.0]),
           gives=[LOG_129 + 2 * LOG_3 - LOG_2, LOG_3 + 2 * LOG_2],
           source="s(log 2) = log 3, s(log 128) = log 129, s(-u) = s(u) - u",
           near_misses={"reconstructions called real": [LOG_129 + 2 * LOG_3 - 8 * LOG_2, LOG_3 + LOG_2],
                        "samples called real": [LOG_129 + 2 * LOG_3, LOG_3 + 2 * LOG_2],
                        "labels exchanged": [LOG_129 - 8 * LOG_2 + 2 * LOG_3, LOG_3 + LOG_2],
                        "fakes averaged": [LOG_3 + (LOG_129 + LOG_3 - LOG_2) / 2, LOG_2 + (LOG_3 + LOG_2) / 2],
                        "no samples": [LOG_129 + LOG_3, LOG_3 + LOG_2],
                        "no reconstructions": [2 * LOG_3 - LOG_2, 2 * LOG_2]}),
    Law.equal("the two kinds of fakes may be exchanged", given(**LOGITS),
              left=lambda f, r, x, s: f.vae_gan_discriminator_loss(r, x, s),
              right=lambda f, r, x, s: f.vae_gan_discriminator_loss(r, s, x)),
    Law.equal("at rest with logit -log 2 where all three kinds are alike", given(logits=np.full(3, -LOG_2)),
              left=lambda f, logits: 1 + sum(
                  f.gradient("vae_gan_discriminator_loss", logits, logits, logits, wrt=wrt) for wrt in range(3)), right=1.0),
    Law.at_least("and no other logit costs less there", given(logits=normal(9, scale=3.0)),
                 left=lambda f, logits: f.vae_gan_discriminator_loss(logits, logits, logits), right=LOG_3 + 2 * np.log(1.5)),
    Law.equal("the discriminator's slopes far out", given(logits=np.array(FAR)),
              left=lambda f, logits: np.stack(
                  [2 + f.gradient("vae_gan_discriminator_loss", logits, logits, logits, wrt=wrt) for wrt in range(3)]),
              right=lambda f, logits: np.stack([2 - slope(-logits), 2 + slope(logits), 2 + slope(logits)])),
    # The decoder.
    Agree("vae_gan_decoder_loss", "regular", given(**DECODER, feature_weight=0.25)),
    Agree("vae_gan_decoder_loss", "far out", given(
        feature_error=[0.0, 1.0, 2.0, 3.0, 4.0], logits_reconstructed=FAR, logits_sampled=FAR_2, feature_weight=1e-3),
        no_gradient=UNCOMPARED),
    Anchor("vae_gan_decoder_loss", "by hand", given(**ROW, feature_weight=0.5),
           gives=[5 + LOG_3 - LOG_2 + LOG_129], source="s(-log 2) = log 3 - log 2, s(log 128) = log 129",
           near_misses={"saturating": [5 - LOG_3 - LOG_129 + 7 * LOG_2], "the discriminator's": [5 + LOG_3 + LOG_129 - 7 * LOG_2],
                        "the weight on the logits": [10 + (LOG_3 - LOG_2 + LOG_129) / 2],
                        "no weight": [10 + LOG_3 - LOG_2 + LOG_129],
                        "no reconstructions": [5 + LOG_129], "no samples": [5 + LOG_3 - LOG_2],
                        "fakes averaged": [5 + (LOG_3 - LOG_2 + LOG_129) / 2]}),
    Law.equal("without the features it is the discriminator's loss of fakes that are called real", given(**DECODER),
              left=lambda f, e, x, s: f.vae_gan_decoder_loss(e, x, s, feature_weight=0.0) + softplus(x),
              right=lambda f, e, x, s: f.vae_gan_discriminator_loss(x, x, -s)),
    Law.equal("the decoder's slopes far out", given(logits=np.array(FAR)),
              left=lambda f, logits: np.stack([2 + f.gradient(
                  "vae_gan_decoder_loss", np.abs(logits), logits, logits, feature_weight=0.25, wrt=wrt) for wrt in range(3)]),
              right=lambda f, logits: np.stack([np.full(5, 2.25), 2 - slope(-logits), 2 - slope(-logits)])),
    # The encoder.
    Agree("vae_gan_encoder_loss", "regular", given(**ENCODER)),
    Agree("vae_gan_encoder_loss", "nearly the prior", given(
        feature_error=[0.0, 0.0], mean=[[1e-3, -1e-4], [3.0, 0.0]], log_var=[[1e-3, -1e-3], [-8.0, 6.0]]),
        edge=NEAR_PRIOR),
    Anchor("vae_gan_encoder_loss", "by hand", given(
               feature_error=[10.0, 20.0], mean=[[1.0, 2.0], [0.0, 0.0]], log_var=[[0.0, LOG_2], [0.0, 0.0]]),
           gives=[13 - LOG_2 / 2, 20.0], source="by hand: (1 + 4 + 2 - 1 - log 2) / 2 and 0",
           near_misses={"no rate": [10.0, 20.0], "no error": [3 - LOG_2 / 2, 0.0], "not halved": [16 - LOG_2, 20.0],
                        "a mean over the latents": [10 + (3 - LOG_2 / 2) / 2, 20.0], "subtracted": [7 + LOG_2 / 2, 20.0],
                        "a log-deviation": [10 + (1 + 4 + 4 - 1 - 2 * LOG_2) / 2, 20.0]}),
    Law.equal("the weight of the error is 1", given(**ENCODER),
              left=lambda f, e, m, v: f.vae_gan_encoder_loss(e + 3, m, v),
              right=lambda f, e, m, v: f.vae_gan_encoder_loss(e, m, v) + 3),
    Law.equal("at the prior it is the error", given(feature_error=uniform(5, high=9.0)),
              left=lambda f, e: f.vae_gan_encoder_loss(e, np.zeros((5, 3)), np.zeros((5, 3))), right=lambda f, e: e),
    # The encoder of an adversarial autoencoder.
    Agree("adversarial_autoencoder_encoder_loss", "regular", given(**CODES, adversarial_weight=0.25)),
    Agree("adversarial_autoencoder_encoder_loss", "far out", given(
        reconstruction_error=[0.0, 1.0, 2.0, 3.0, 4.0], logits_code=FAR, adversarial_weight=0.25), no_gradient=UNCOMPARED),
    Anchor("adversarial_autoencoder_encoder_loss", "by hand", given(**PAIR, adversarial_weight=0.5),
           gives=[10 + (LOG_3 - LOG_2) / 2, 10 + LOG_129 / 2], source="s(-log 2) = log 3 - log 2, s(log 128) = log 129",
           near_misses={"codes called real already": [10 + LOG_3 / 2, 10 + (LOG_129 - 7 * LOG_2) / 2],
                        "saturating": [10 - LOG_3 / 2, 10 - (LOG_129 - 7 * LOG_2) / 2],
                        "the weight on the reconstruction": [5 + LOG_3 - LOG_2, 5 + LOG_129],
                        "no weight": [10 + LOG_3 - LOG_2, 10 + LOG_129]}),
    Law.equal("without an adversary it is the reconstruction", given(**CODES),
              left=lambda f, e, logits: f.adversarial_autoencoder_encoder_loss(e, logits, adversarial_weight=0.0),
              right=lambda f, e, logits: e),
    Law.equal("the codes' slopes far out", given(logits=np.array(FAR)),
              left=lambda f, logits: np.stack([2 + f.gradient("adversarial_autoencoder_encoder_loss", np.abs(logits), logits,
                                                              adversarial_weight=0.5, wrt=wrt) for wrt in range(2)]),
              right=lambda f, logits: np.stack([np.full(5, 3.0), 2 - slope(-logits) / 2])),
    # What is refused.
    *(
        Rejects(function, f"{case}: {name}", given(**arguments | {name: zeros(*shape)}, **hyper), blames=name)
        for function, arguments, hyper, first in (
            ("vae_gan_discriminator_loss", LOGITS, {}, "logits_real"),
            ("vae_gan_decoder_loss", DECODER, {"feature_weight": 1.0}, "feature_error"),
            ("adversarial_autoencoder_encoder_loss", CODES, {"adversarial_weight": 1.0}, "reconstruction_error"),
        )
        for name in arguments
        for case, shape in (("two axes", (7, 1)), *((("one for all", (1,)),) if name != first else ()))
    ),
    *(
        Rejects("vae_gan_encoder_loss", case, given(**ENCODER | changed), blames=blames)
        for case, changed, blames in (
            ("an error for all", {"feature_error": zeros(1)}, "mean"),
            ("an error for each latent", {"feature_error": zeros(5, 3)}, "feature_error"),
            ("a variance for all", {"log_var": zeros(5, 1)}, "log_var"), ("one axis", {"mean": zeros(5)}, "mean"),
        )
    ),
    Rejects("vae_gan_decoder_loss", "a negative weight", given(**DECODER, feature_weight=-0.5), blames="feature_weight"),
    Rejects("adversarial_autoencoder_encoder_loss", "a negative weight", given(**CODES, adversarial_weight=-0.5),
            blames="adversarial_weight"),
)  # fmt: skip
