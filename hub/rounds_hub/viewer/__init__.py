"""OHIF in the browser: its built files, its settings, and the ways into it."""
