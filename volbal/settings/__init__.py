"""Settings: base holds what all share; development, test, staging and production differ only where they must."""
