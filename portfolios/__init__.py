"""What is owned and by whom: tenants, people, accounts, portfolios, cells, parameters, ledger."""
