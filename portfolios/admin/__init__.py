"""The console's tables of what is owned. Importing a module registers its tables."""

from portfolios.admin import accounts, cells, commissions, people, records

__all__ = ["accounts", "cells", "commissions", "people", "records"]
