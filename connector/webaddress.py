"""Addresses in project.yaml: https unless they are this machine, and without credentials.

Nothing of an address is in a message: it may hold a password where it should not, and that of a
webhook is a secret as a whole: whoever knows it may post.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from connector.mapping.validation import complaint


def check_base_url(url: str) -> str:
    """An address that paths are appended to."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise complaint("this is no web address") from None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in url):
        raise complaint("this is no web address", "write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise complaint("credentials do not belong into an address", "use `api_key:`")
    if "?" in url or "#" in url:
        raise complaint("an address to append to has neither query nor fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise complaint("the address must be https", "plain http is for this machine only")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_webhook(value: SecretStr) -> SecretStr:
    """An address to post to."""
    try:
        parts = urlsplit(value.get_secret_value())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise complaint("this is no web address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise complaint("this is no web address", "write https://host/path")
    if parts.scheme == "http" and not _is_loopback(host):
        raise complaint("the address must be https", "plain http is for this machine only")
    return value


def check_proxy(value: SecretStr) -> SecretStr:
    """The address of a proxy."""
    try:
        parts = urlsplit(value.get_secret_value())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise complaint("this is no proxy address", "write http://host:port")
    return value
