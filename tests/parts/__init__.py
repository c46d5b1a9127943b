"""Real parts for the tests: what a user would run, started and broken on demand."""
