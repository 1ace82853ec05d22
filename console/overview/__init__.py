"""The first page: is the machine well?"""

from console.overview.routes import LISTINGS, ROUTES

__all__ = ["LISTINGS", "ROUTES"]
