"""The command line, for tests of what is said there."""

from tests.cli.conftest import treadle

__all__ = ["treadle"]
