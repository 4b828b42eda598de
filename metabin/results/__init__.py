"""Results: pure functions from tables of scores to the numbers that are reported."""
