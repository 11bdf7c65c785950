"""The durable queue and the worker process that empties it."""
