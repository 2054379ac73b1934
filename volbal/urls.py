"""Every address of the pages."""

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path


def favicon(_: HttpRequest) -> HttpResponse:
    """Send browsers that ask for an icon where no page names one to the icon."""
    return redirect(static("icon.svg"))


handler500 = "volbal.common.failures.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("favicon.ico", favicon),
    path("", include("portfolios.urls")),
    path("backtests/", include("optimization.urls")),
    path("", include("trading.urls")),
]

if apps.is_installed("debug_toolbar"):
    from debug_toolbar.toolbar import debug_toolbar_urls

    urlpatterns += debug_toolbar_urls()
