"""Language models in experiments: token data, generation, decoding options, completions and policy tuning."""
