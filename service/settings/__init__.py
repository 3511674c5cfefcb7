"""What an operator may set, from the environment (`DATELINE_…`)."""

from service.settings.database_url import normalized_url, shown_url, without_password
from service.settings.listing import SettingLine, complaints, list_settings, unknown_variables, variable
from service.settings.model import PREFIX, Settings
from service.settings.values import is_loopback

__all__ = [
    "PREFIX",
    "SettingLine",
    "Settings",
    "complaints",
    "is_loopback",
    "list_settings",
    "normalized_url",
    "shown_url",
    "unknown_variables",
    "variable",
    "without_password",
]
