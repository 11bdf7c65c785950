"""How JupyterHub is configured, started and watched to be one house."""
