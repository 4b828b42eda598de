"""Model cards: `training` is written with every model, `results` adds what was measured later."""
