"""Trained models in use: load one, embed images, compare embeddings."""
