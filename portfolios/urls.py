"""Addresses of signing in and out, and of switching firms."""

from django.urls import path

from portfolios.views import SignIn, SignOut, tenant_switch

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", SignOut.as_view(), name="sign-out"),
    path("tenants/<int:tenant_id>/", tenant_switch, name="tenant-switch"),
]
