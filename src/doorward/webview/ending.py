"""Where the owner goes when the login has ended."""

import re
from urllib.parse import urlencode, urlsplit

from doorward.store.connect_webviews import WebviewRow

CANCELED = ("login_canceled", "The login was canceled before it was complete.")
"""`error_code` and `error_message` of the only way a login fails for good."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_HOST = re.compile(r"[a-z0-9.-]+(:[0-9]+)?")


def redirect_url(row: WebviewRow) -> str | None:
    """The caller's own page for this ending; None: there is none, or it has not ended."""
    values = {"connect_webview_id": row.connect_webview_id}
    if row.status == "authorized":
        target = row.custom_redirect_url
    elif row.status == "failed":
        target = row.custom_redirect_failure_url or row.custom_redirect_url
        values |= {"error_code": CANCELED[0], "error_message": CANCELED[1]}
    else:
        return None
    return with_query(target, values) if target else None


def with_query(url: str, values: dict[str, str]) -> str:
    """Add to an address's query; the rest of it stays as it was written."""
    address, mark, fragment = url.partition("#")
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(values)}{mark}{fragment}"


def form_targets(row: WebviewRow) -> list[str]:
    """Sources for CSP's `form-action`: Chromium applies it to the redirects that follow a form."""
    urls = (row.custom_redirect_url, row.custom_redirect_failure_url)
    return sorted({source for url in urls if url and (source := _source(url))})


def _source(url: str) -> str | None:
    """The narrowest CSP source that holds an address; None: CSP cannot name it."""
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.netloc.rpartition("@")[2].encode("idna").decode().lower()
    except (ValueError, UnicodeError):
        return None
    if not _SCHEME.fullmatch(scheme):
        return None
    if scheme in ("http", "https") and _HOST.fullmatch(host):
        return f"{scheme}://{host}"
    return f"{scheme}:"  # an app's own scheme, or an IPv6 address, which CSP has no words for
