"""MetaBIN: meta batch-instance normalisation for person re-identification in unseen domains."""
