"""The Rounds deployment: JupyterHub, its services and what they know."""

__version__ = "0.1.0"
__all__ = ["__version__"]
