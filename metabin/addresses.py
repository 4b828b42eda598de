"""Addresses in messages: without the credentials that they may contain."""

from __future__ import annotations

import re

# "user:password@" or "token@" after "://". A password may contain "/" and "@": databases accept it
# so. Without a colon, or behind the number of a port, an "@" after a "/" belongs to the path.
USER = re.compile(r"(?<=://)(?:[^\s/?#@:\"<>]*:(?!\d{1,5}/)[^\s\"<>]*|[^\s/?#@\"<>]*)@")
# The value in a query whose name tells that it is secret; "sig" is that of Azure.
SECRET = re.compile(
    r"([?&;][\w.%-]*(?:token|secret|passw|pwd|signature|credential|key|auth)[\w.%-]*=|[?&;]sig=)"
    r"[^\s&;#\"'<>]+",
    re.IGNORECASE,
)


def hide_credentials(text: str) -> str:
    """Replace users, passwords and tokens in the addresses of a text by ***.

    `https://mira:password@host/x?token=123` becomes `https://***@host/x?token=***`.
    """
    return SECRET.sub(r"\1***", USER.sub("***@", text))
