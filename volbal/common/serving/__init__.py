"""The one embedded process: the server on its loop, workers and the scheduler in threads beside it."""
