"""Series become complete and are routed: rules, dry runs and their actions."""
