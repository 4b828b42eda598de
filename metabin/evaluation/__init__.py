"""Evaluation: embeddings of test images, retrieval metrics, and the tables of one fold."""
