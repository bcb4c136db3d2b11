"""The goals of the comparisons on a CPU: the only place where they are written. Those of a GPU are in benchmarks/gpu.

A script measures, and its results are judged by these numbers, also results that were kept before a number was changed.
"""

# result -> other side -> least ratio of its time to ours. A pair is (ours, theirs), where ours is not the side
# that the result's ratios are about.
GOALS = {
    "advantages": {"CleanRL's loop": 30.0},
    "advantages_256_x_128": {"CleanRL's loop": 20.0},  # the loop makes 19.5 calls of torch to one of ours: 1,794 and 92
    "affine_coupling_density": {"zuko": 1.8, "normflows": 1.1},
    "affine_coupling_samples": {"zuko": 1.8, "normflows": 1.1},
    "affine_coupling_training": {"zuko": 1.8, "normflows": 1.1},
    "byte_pairs": {
        "train tokenizers": 0.4,
        "encode_warm tokenizers": 1.5,
        ("encode_cold ours, through tiktoken", "encode_cold tiktoken"): 0.9,
    },
    "cart_pole": {"CleanRL's form": 1.0},
    **{f"completing_{name}{case}": {"transformers": 2.0} for name in ("gpt2", "llama") for case in ("", "_16_rows", "_long")},
    "continuous_flow": {"zuko": 1.5, ("ours in JAX", "zuko"): 8.0},
    "cross_entropy": {"all logits": 1.2},
    "diagonal": {"the published form": 3.0},
    "dpo": {"trl": 1.15},
    "engine": {"by hand": 0.98},
    "gaussian_mixture": {"scikit-learn": 3.0},
    "generation": {"without cache": 5.0, "transformers": 2.0},
    "language_model": {"bare loop": 0.97, "transformers": 1.15},
    "language_model_batch_2": {"bare loop": 0.97, "transformers": 1.15},
    "language_model_nanogpt": {"nanoGPT's form": 1.0},
    "masked_autoregressive_density": {"zuko": 1.0},
    "masked_autoregressive_samples": {"zuko": 2.0},
    "minibatch_coupling": {"torchcfm": 1.25, ("ours, random pairs", "torchcfm, random pairs"): 1.1},
    **{name: {"trl": 1.15} for name in ("offline_dpo", "offline_supervised", "online")},
    "sampler": {"diffusers DDPM": 8.0, "theory wing, one JAX loop": 0.5},
    "sampler_ddim": {"diffusers DDIM (50 steps)": 8.0},
    "samples_frechet_distance": {"torch-fidelity": 2.0},
    "samples_kernel_distance": {"torch-fidelity": 1.2},
    "samples_precision_and_recall": {"torch-fidelity": 3.0},
    "scan": {"mambapy": 2.0},
    "unet": {"diffusers": 1.15, "diffusers, heads of 64": 1.10},
    "vector_quantization": {"pythae's form": 2.0},
    "wavenet": {"whole past": 5.0},
    "wavenet_skips": {"a product a block": 1.0},
}

# result -> largest share of the other side's memory
MEMORY_GOALS = {
    "offline_dpo": 1.0,
    "offline_supervised": 1.0,
    "online": 1.0,
    "samples_frechet_distance": 0.5,
    "samples_kernel_distance": 1.0,
    "samples_precision_and_recall": 0.4,
}

EXTRA_BYTES = {"cross_entropy": 200e6}  # result -> most bytes beyond those held before
