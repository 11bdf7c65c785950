"""What computes inside a Jupyter kernel: volumes, masks, results."""
