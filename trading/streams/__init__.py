"""Following what brokers tell as it happens."""
