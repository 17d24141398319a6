"""What parts of a run's data earned: forks of the run, judged in turns."""
