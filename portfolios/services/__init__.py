"""Writes: one verb each, keyword arguments, one transaction, one event. Refusals raise Refused with the numbers."""

from portfolios.services.accounts import (
    account_create,
    account_deposit,
    account_remove_credentials,
    account_rotate_credentials,
    account_set_credentials,
    account_withdraw,
)
from portfolios.services.anchors import cell_set_anchor
from portfolios.services.cell_limits import cell_set_max_spread
from portfolios.services.cells import cell_archive, cell_halt, cell_open, cell_pause, cell_resume, cell_start
from portfolios.services.changes import changing
from portfolios.services.commissions import commission_set, commission_withdraw
from portfolios.services.events import event_record
from portfolios.services.executions import cell_set_execution
from portfolios.services.instruments import instrument_create
from portfolios.services.ledger import Movement, ledger_post
from portfolios.services.money import cell_adjust, cell_deposit, cell_withdraw
from portfolios.services.opening import OpeningPreview, opening_preview, opening_preview_by_shares
from portfolios.services.origin import Origin
from portfolios.services.parameters import (
    PARAMETER_NAMES,
    ParameterDifference,
    parameters_change,
    parameters_difference,
    parameters_roll_back,
)
from portfolios.services.portfolios import portfolio_archive, portfolio_create, portfolio_set_ticks
from portfolios.services.presets import PRESETS, Preset
from portfolios.services.restrictions import place_resume, restriction_lift, restriction_place
from portfolios.services.reversals import entry_reverse
from portfolios.services.tenants import (
    member_add,
    member_change_role,
    member_remove,
    tenant_create,
    user_create,
    user_set_password,
)
from portfolios.services.transfers import cash_transfer

__all__ = [
    "PARAMETER_NAMES",
    "PRESETS",
    "Movement",
    "OpeningPreview",
    "Origin",
    "ParameterDifference",
    "Preset",
    "account_create",
    "account_deposit",
    "account_remove_credentials",
    "account_rotate_credentials",
    "account_set_credentials",
    "account_withdraw",
    "cash_transfer",
    "cell_adjust",
    "cell_archive",
    "cell_deposit",
    "cell_halt",
    "cell_open",
    "cell_pause",
    "cell_resume",
    "cell_set_anchor",
    "cell_set_execution",
    "cell_set_max_spread",
    "cell_start",
    "cell_withdraw",
    "changing",
    "commission_set",
    "commission_withdraw",
    "entry_reverse",
    "event_record",
    "instrument_create",
    "ledger_post",
    "member_add",
    "member_change_role",
    "member_remove",
    "opening_preview",
    "opening_preview_by_shares",
    "parameters_change",
    "parameters_difference",
    "parameters_roll_back",
    "place_resume",
    "portfolio_archive",
    "portfolio_create",
    "portfolio_set_ticks",
    "restriction_lift",
    "restriction_place",
    "tenant_create",
    "user_create",
    "user_set_password",
]
