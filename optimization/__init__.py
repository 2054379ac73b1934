"""What was tried: backtests and sweeps."""
