"""Dashboards: the files that Grafana gets, drawn by the console from carbonapi."""

from console.dashboards.routes import ROUTES

__all__ = ["ROUTES"]
