"""`/access_codes/*`: a file for each kind of code. Importing this package fills the table of routes."""

from doorward.api.access_codes import linked, managed, simulate, timeline, unmanaged

__all__ = ["linked", "managed", "simulate", "timeline", "unmanaged"]
