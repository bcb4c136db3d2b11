"""The theory wing: pure functions in JAX, and lectures that derive what they compute, with every line executed."""

import sys

if "IPython" in sys.modules and (_shell := sys.modules["IPython"].get_ipython()):
    from theory_jax.commands.jupyter import register

    register(_shell)
