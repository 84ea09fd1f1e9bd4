"""`/acs/*`: access control systems, of which this server has none."""

from doorward.api.acs import access_groups, credentials, encoders, entrances, systems, users

__all__ = ["access_groups", "credentials", "encoders", "entrances", "systems", "users"]
