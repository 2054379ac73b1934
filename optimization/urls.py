"""Addresses of research pages, below /backtests/."""

from django.urls import path

from optimization.views import backtests, comparisons, data, rehearsals

urlpatterns = [
    path("", backtests.backtests, name="backtest-list"),
    path("new/", backtests.new, name="backtest-new"),
    path("compare/", comparisons.compare, name="backtest-compare"),
    path("compare/growth/", comparisons.growth, name="backtest-compare-growth"),
    path("<int:backtest_id>/", backtests.backtest, name="backtest"),
    path("<int:backtest_id>/cancel/", backtests.cancel, name="backtest-cancel"),
    path("<int:backtest_id>/charts/<slug:what>/", data.chart, name="backtest-chart"),
    path("<int:backtest_id>/rehearsal/", rehearsals.rehearsal, name="backtest-rehearsal"),
    path("<int:backtest_id>/days/", data.days, name="backtest-days"),
    path("<int:backtest_id>/<slug:what>.csv", data.export, name="backtest-export"),
]
