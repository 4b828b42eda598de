"""Training: the learner (the method), its schedules, the loop around it and its checkpoints."""
