"""Django plumbing without models."""
