"""How a user's server is started."""
