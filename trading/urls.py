"""Addresses of the trader's pages."""

from django.urls import path

from trading.views import actions, cell, charts, controls, dashboard, halts, parameters, styleguide

urlpatterns = [
    path("", dashboard.home, name="dashboard"),
    path("palette/", dashboard.palette, name="palette"),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path("portfolios/<int:portfolio_id>/", dashboard.portfolio, name="portfolio"),
    path("portfolios/<int:portfolio_id>/live/", dashboard.live, name="portfolio-live"),
    path("portfolios/<int:portfolio_id>/export.csv", charts.portfolio_export, name="portfolio-export"),
    path("portfolios/<int:portfolio_id>/cells/start/", controls.cells_start, name="cells-start"),
    path("portfolios/<int:portfolio_id>/cells/pause/", controls.cells_pause, name="cells-pause"),
    path("halts/", halts.overview, name="halts"),
    path("firm/halt/", halts.halt_firm, name="firm-halt"),
    path("firm/resume/", halts.resume_firm, name="firm-resume"),
    path("accounts/<int:account_id>/halt/", halts.halt_account, name="account-halt"),
    path("accounts/<int:account_id>/resume/", halts.resume_account, name="account-resume"),
    path("portfolios/<int:portfolio_id>/halt/", halts.halt_portfolio, name="portfolio-halt"),
    path("portfolios/<int:portfolio_id>/resume/", halts.resume_portfolio, name="portfolio-resume"),
    path("portfolios/<int:portfolio_id>/tick/", controls.tick, name="portfolio-tick"),
    path("portfolios/<int:portfolio_id>/replay/start/", controls.start, name="replay-start"),
    path("portfolios/<int:portfolio_id>/replay/pause/", controls.pause, name="replay-pause"),
    path("portfolios/<int:portfolio_id>/replay/step/", controls.step, name="replay-step"),
    path("portfolios/<int:portfolio_id>/replay/speed/", controls.speed, name="replay-speed"),
    path("portfolios/<int:portfolio_id>/replay/again/", controls.again, name="replay-again"),
    path("cells/<int:cell_id>/", cell.cell, name="cell"),
    path("cells/<int:cell_id>/chart/", charts.chart, name="cell-chart"),
    path("cells/<int:cell_id>/growth/", charts.growth, name="cell-growth"),
    path("cells/<int:cell_id>/prices/", charts.prices, name="cell-prices"),
    path("cells/<int:cell_id>/performance/", charts.performance, name="cell-performance"),
    path("cells/<int:cell_id>/<slug:what>.csv", charts.export, name="cell-export"),
    path("cells/<int:cell_id>/start/", actions.start, name="cell-start"),
    path("cells/<int:cell_id>/pause/", actions.pause, name="cell-pause"),
    path("cells/<int:cell_id>/halt/", halts.halt_cell, name="cell-halt"),
    path("cells/<int:cell_id>/resume/", halts.resume_cell, name="cell-resume"),
    path("cells/<int:cell_id>/deposit/", actions.deposit, name="cell-deposit"),
    path("cells/<int:cell_id>/withdraw/", actions.withdraw, name="cell-withdraw"),
    path("cells/<int:cell_id>/anchor/", actions.anchor, name="cell-anchor"),
    path("cells/<int:cell_id>/parameters/", parameters.change, name="cell-parameters"),
    path("cells/<int:cell_id>/parameters/<int:number>/", parameters.roll_back, name="cell-parameters-roll-back"),
]
