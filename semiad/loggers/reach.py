"""Whether there is a network, asked before a library waits for one."""

from functools import cache
from urllib.error import HTTPError
from urllib.request import urlopen


@cache
def reachable(url: str, seconds: float) -> bool:
    """Whether anything answers at an address within so many seconds, whatever it says; asked once a process."""
    try:
        urlopen(url, timeout=seconds).close()
    except HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True
