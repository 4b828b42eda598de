"""Data: reading domains, splitting identities, sampling and loading batches."""
