"""Costs at sizes that no run here has: measured at smaller sizes, and computed from those."""
