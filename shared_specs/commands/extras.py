"""The extras that install a wing or the book's tools, and the message of a command if a library of one is missing."""

import re
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]  # of a wheel: site-packages, which has no pyproject.toml
# extra -> the modules that it brings, by the names under which they are imported; `all` brings those of both wings
MODULES = {
    "all": ("jinja2", "joblib", "latex2mathml", "matplotlib", "pylatexenc", "safetensors", "scipy", "sklearn", "sympy"),
    "jax": ("flax", "jax", "optax"),
    "book": ("furo", "myst_parser", "sphinx"),
    "torch": ("accelerate", "filelock", "fsspec", "PIL", "pyarrow", "soundfile", "tensorboard")
    + ("torch", "torchaudio", "torchvision"),
}


def remedy(error: BaseException) -> str:
    """One line for a module that is missing and that an extra brings; empty for any other error."""
    module = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    for extra, modules in MODULES.items():
        if module in modules:
            return f"this command needs {module}, which is not installed: run {_installation(extra)}"
    return ""


def _installation(extra):
    """Of a wheel, pip takes the extra's requirements from what is installed, and asks no index for Diptych."""
    if (CLONE / "pyproject.toml").is_file():
        return f"pip install -e '.[{extra}]' in the clone of Diptych"
    return f"pip install 'diptych[{extra}]'"


def without_framework(said: str) -> str:
    """What a file that does not load said; of a framework that is not installed, with what can be done about it."""
    missing = re.search(r"No module named '(jax|torch)\b", said)
    advice = f": NumPy code is judged without it; for {missing[1]}, run {_installation('all')}" if missing else ""
    return said + advice
