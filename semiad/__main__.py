"""`python -m semiad` is the command `semiad`."""

from semiad.cli.app import main

if __name__ == "__main__":
    main()
