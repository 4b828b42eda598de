"""The page rho.html: rho of every layer and channel over the steps of a training."""
