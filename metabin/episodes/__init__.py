"""Learning in episodes: the meta step of MetaBIN, MLDG, and the losses that only they use."""
