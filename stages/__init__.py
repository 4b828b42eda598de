"""The pipeline's stages: each reads parameters and files, calls the package, and saves."""
