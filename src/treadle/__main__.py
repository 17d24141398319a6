"""`python -m treadle`: the same as the command `treadle`."""

from treadle.cli.main import main

if __name__ == "__main__":
    main()
