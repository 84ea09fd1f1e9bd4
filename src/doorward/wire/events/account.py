"""Events of connected accounts and of the webviews that connect them."""

from typing import Any

from msgspec import UNSET, UnsetType

from doorward.wire.events.base import AboutAccount, Event, event


@event("connect_webview.login_succeeded")
class ConnectWebviewLoginSucceeded(AboutAccount, kw_only=True):
    """An owner logged in through a connect webview."""

    connect_webview_id: str


@event("connect_webview.login_failed")
class ConnectWebviewLoginFailed(Event, kw_only=True):
    """A connect webview's login failed for good."""

    connect_webview_id: str


@event("connected_account.created")
class ConnectedAccountCreated(AboutAccount, kw_only=True):
    """An account was connected for the first time."""

    connect_webview_id: str


@event("connected_account.connected")
class ConnectedAccountConnected(AboutAccount, kw_only=True):
    """An account was connected, or connected again."""

    connect_webview_id: str | UnsetType = UNSET


@event("connected_account.successful_login")
class ConnectedAccountSuccessfulLogin(AboutAccount, kw_only=True):
    """Older name of `connected_account.connected`."""

    connect_webview_id: str


@event("connected_account.completed_first_sync")
class ConnectedAccountCompletedFirstSync(AboutAccount, kw_only=True):
    """All devices of a new account are known."""


@event("connected_account.completed_first_sync_after_reconnection")
class ConnectedAccountCompletedFirstSyncAfterReconnection(AboutAccount, kw_only=True):
    """All devices of an account that was connected again are known."""


@event("connected_account.deleted")
class ConnectedAccountDeleted(AboutAccount, kw_only=True):
    """An account and everything below it was removed from this server."""

    connected_account_type: str


@event("connected_account.disconnected")
class ConnectedAccountDisconnected(AboutAccount, kw_only=True):
    """An account's login no longer works."""

    connected_account_errors: list[dict[str, Any]] = []
    connected_account_warnings: list[dict[str, Any]] = []
