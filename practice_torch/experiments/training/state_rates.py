"""Learning rates of state space models: parameters of S4D and Mamba with separate rates and no weight decay."""


def s4d_rates(factor=0.25):
    """Of the steps, and of the eigenvalues by their dampings and frequencies: `factor` of the others' rate.

    S4 and S4D move them by at most 0.001, where the other parameters of most of their tasks move by 0.004.
    Source: Gu et al. 2022 and 2022b, the details of their training.
    """
    return dict.fromkeys(("log_step", "log_negative_real", "imaginary"), factor)


def mamba_rates():
    """Of the dampings: the others' rate, without decay. Source: the code of Gu & Dao 2023."""
    return {"log_negative_a": 1.0}
