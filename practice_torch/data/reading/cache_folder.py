"""The folder for what is downloaded or computed once: data sets, shards of remote stores, statistics of images."""

import os
from pathlib import Path

VARIABLE = "DIPTYCH_CACHE"  # of the environment


def cache_folder():
    """$DIPTYCH_CACHE, or ~/.cache/diptych."""
    return Path(os.environ.get(VARIABLE, "~/.cache/diptych")).expanduser()
