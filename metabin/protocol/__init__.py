"""The protocol: folds, evaluation, and the tables that results go into."""
