"""``python -m rounds_hub.cli`` is the program ``rounds``."""

from rounds_hub.cli.program import main

if __name__ == "__main__":
    main()
