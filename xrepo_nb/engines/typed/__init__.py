"""What engines over typed columns share: their kinds, what nulls stand for, why they decline."""
