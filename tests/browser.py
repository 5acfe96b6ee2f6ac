"""Chromium without a window, and what it takes to look at a page in it."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

PROGRAMS = ("chromium", "chromedriver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)


def missing() -> str | None:
    """Install Chromium where that is possible; why it is not, where it is not."""
    if all(shutil.which(name) for name in PROGRAMS):
        return None
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return "installing Chromium needs root and apt"
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ["update", "-qq"],
        ["install", "-y", "-qq", "--no-install-recommends", "chromium", "chromium-driver"],
    ):
        done = subprocess.run(["apt-get", *words], env=env, capture_output=True, text=True)
    return None if done.returncode == 0 else f"apt-get cannot install chromium: {done.stderr.strip()[-200:]}"


def start(folder: Path) -> Chrome:
    """A browser with a profile of its own, that notes what the console says and what is asked of a network.

    Args:
        folder: for the profile.
    """
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options, Service(shutil.which("chromedriver")))


def look(browser: Chrome, page: Path, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
    """Open a page of a disk in a window of this size.

    Args:
        browser: to open it in.
        page: its file.
        width: of the window, in pixels.
        height: of the window, in pixels.
        scheme: `light` or `dark`.
    """
    size: dict[str, Any] = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.as_uri())
