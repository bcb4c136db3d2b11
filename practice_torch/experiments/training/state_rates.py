"""Learning rates of state space models: parameters of S4D and Mamba with separate rates and no weight decay."""


def s4d_rates(factor=0.25):
    """Rates of the steps and of the eigenvalues' dampings and frequencies: `factor` times the others' rate.

    S4 and S4D train them at a rate of at most 0.001, and the other parameters at 0.004 in most of their tasks.
    Source: Gu et al. 2022 and 2022b, the details of their training.
    """
    return dict.fromkeys(("log_step", "log_negative_real", "imaginary"), factor)


def mamba_rates():
    """Rates of the dampings: the others' rate, without decay. Source: the code of Gu & Dao 2023."""
    return {"log_negative_a": 1.0}
