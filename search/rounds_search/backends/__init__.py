"""The indexes: one module each, all doing what ``base.Backend`` says."""
