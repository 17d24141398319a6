"""What more data would bring: fits on parts of a run's data, and a request for more."""
