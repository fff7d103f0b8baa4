"""What a request tells about where it comes from, as far as anything here needs it."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

_BROWSERS = (
    ("Firefox/", "Firefox"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def network(request: Request) -> str:
    """The network a request comes from, for counting tries: an IPv4 address, or an IPv6 /64.

    Behind a proxy that is the address the server was told to believe (TIMEBANK_TRUSTED_PROXIES).
    """
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:100]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def device(request: Request) -> str:
    """A browser and a system in two words, such as `Firefox, Android`; "" for unknown ones."""
    agent = request.headers.get("user-agent", "")[:500]
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in agent), "")
    return ", ".join(part for part in (browser, system) if part)
