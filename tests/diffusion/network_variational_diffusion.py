"""Networks of diffusion/variational_diffusion without a flax counterpart: their formulas and the rest of a Model row."""

import math

from torch.nn import functional

from practice_torch.diffusion.variational_diffusion import Ends, NoisePredictor
from practice_torch.experiments.diffusion.variational_diffusion import RECIPES as VARIATIONAL
from practice_torch.networks.fourier_features import fourier_features
from shared_specs.rows import Model, begins_at, given, normal
from tests.diffusion.network_unet import PREDICTOR
from tests.support import tiny
from tests.support.networks import Held


def _noise(network, z, log_snr):
    return z + network.network(fourier_features(z, (3, 4)), 10 * log_snr)


HELD = (
    Held(
        NoisePredictor,
        Model(
            "NoisePredictor",
            "small",
            given(z=normal(3, 1, 8, 8), log_snr=normal(3)),
            initial=PREDICTOR,
            sizes=dict(recipe=tiny.small(VARIATIONAL["digits"]), shape=(1, 8, 8)),
        ),
        _noise,
    ),
    Held(
        Ends,
        Model(
            "Ends",
            "from -5 to 8",
            given(),
            sizes=dict(log_snr_max=8.0, log_snr_min=-5.0),
            apart=False,
            initial={"bottom": begins_at(-5.0), "rise": begins_at(math.log(math.expm1(13.0)))},
        ),
        lambda network: (network.bottom + functional.softplus(network.rise), network.bottom),
    ),
)
