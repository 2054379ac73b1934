"""What happens: instruments' prices, ticks, orders, fills, brokers."""
