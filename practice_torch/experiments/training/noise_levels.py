"""The noise levels of the diffusion models of images and of sounds: what their recipes may say, and the schedule they mean."""

from practice_torch.diffusion.noise_schedules import (
    cosine_alpha_bar,
    linear_alpha_bar,
    rescale_zero_terminal_snr,
    scaled_linear_alpha_bar,
)

_OF_BETAS = {"linear": linear_alpha_bar, "scaled_linear": scaled_linear_alpha_bar}


def conditions(recipe):
    """(field, whether its value is allowed, which ones are)."""
    for name in ("beta_start", "beta_end"):
        meant = getattr(recipe, name) == 0 or recipe.noise_schedule in _OF_BETAS
        yield name, meant, "0 unless noise_schedule is linear"
    yield "compared_samples", recipe.compared_samples == 0 or recipe.compared_samples >= 50, "0, or at least 50"
    yield "judged_steps", recipe.judged_steps <= recipe.num_steps, f"at most num_steps ({recipe.num_steps})"
    tells = not (recipe.zero_terminal_snr and recipe.prediction == "noise")
    why = "False where the noise is predicted: at the last level there is nothing but noise, which does not tell the data"
    yield "zero_terminal_snr", tells, f"{why} (--prediction velocity does)"


def schedule_of(recipe):
    """The schedule, [T+1]."""
    steps = recipe.num_steps
    if recipe.noise_schedule == "cosine":
        schedule = cosine_alpha_bar(num_steps=steps)
    else:  # Ho's betas are meant for 1000 steps, and add up to the same over any number of them
        last = recipe.beta_end or min(20 / steps, 0.999)
        betas = {"beta_start": recipe.beta_start or last / 200, "beta_end": last}
        schedule = _OF_BETAS[recipe.noise_schedule](num_steps=steps, **betas)
    return rescale_zero_terminal_snr(schedule) if recipe.zero_terminal_snr else schedule
