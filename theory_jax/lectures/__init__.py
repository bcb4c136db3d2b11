"""The lectures: a file for each topic, which derives what the functions of theory_jax/<family>/<topic>.py compute."""
