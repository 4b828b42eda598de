"""Losses of every step: functions of features, labels and logits.

`features` are the pooled features before the neck, neither normalised nor detached, (B, D). No loss
indexes with a boolean mask or branches on a value, so that none makes the host wait for the device.
A loss that only the meta step uses lies in `metabin.episodes.losses`.
"""
