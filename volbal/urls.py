"""Every address of the pages."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("portfolios.urls")),
    path("backtests/", include("optimization.urls")),
    path("", include("trading.urls")),
]
