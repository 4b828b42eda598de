"""Search for parameters of one method: see `stages.tools.sweep`."""
