"""The services page: programs, the doctor's findings, disks and collectors."""

from console.services.listings import LISTINGS
from console.services.routes import ROUTES

__all__ = ["LISTINGS", "ROUTES"]
