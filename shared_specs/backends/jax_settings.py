"""XLA settings for the CPU when compilation dominates: checks and derivations run hundreds of small programs briefly.

Constants only: the importing module passes them to JAX.
"""

from importlib.metadata import version
from os import environ
from pathlib import Path
from platform import machine

# Flags only for versions and machines where they were measured: XLA ends the process at a flag that it does not know.

# The older loop emitter compiles small programs in half the time.
OLDER_EMITTER = "--xla_cpu_use_fusion_emitters=false" if version("jax").startswith("0.10.") else ""

# Unoptimized machine code is made in less than half of the time that is left, and a draw of normals in a tenth. It needs a
# processor model without fused multiply-add: fused at one place and not at another, a maximum is none of the values that it is
# the maximum of, and its gradient 0/0. One part a module: a process has one core.
QUICK = OLDER_EMITTER and OLDER_EMITTER + (
    " --xla_backend_optimization_level=0 --xla_cpu_max_isa=AVX --xla_cpu_parallel_codegen_split_count=1"
    if machine() in ("x86_64", "AMD64")
    else ""
)

# Every program is compiled on its first run on a machine, and then read from the user's cache folder.
CACHE = {
    "jax_compilation_cache_dir": str(Path(environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "diptych" / "jax"),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
}

# JAX's warning about a program in its cache that it could not read: another process is writing it just then. It is compiled here.
UNFINISHED = "Error reading persistent compilation cache entry"
