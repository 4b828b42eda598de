"""Evaluation: embeddings of test images, their retrieval metrics, and what is scored beside the trained model."""
