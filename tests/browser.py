"""A real browser for pages: headless Chromium, driven by Selenium."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any


class Browser:
    """One window."""

    def __init__(self, folder: Path) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        for flag in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            f"--user-data-dir={folder}",
        ):
            options.add_argument(flag)
        options.binary_location = str(shutil.which("chromium"))
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(executable_path=str(shutil.which("chromedriver")))
        self.driver: Any = webdriver.Chrome(options=options, service=service)
        self.resize(1200, 900)

    def open(self, page: Path | str) -> None:
        """Open a file or an address and wait until its figures are drawn."""
        self.driver.get(page.as_uri() if isinstance(page, Path) else page)
        self.wait("document.querySelectorAll('.plot:not(:has(.main-svg))').length === 0")

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Wait until a JavaScript condition holds."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds).until(lambda driver: driver.execute_script(f"return {condition}"))

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return self.driver.execute_script(f"return {expression}")

    def count(self, selector: str) -> int:
        """How many elements fit a selector."""
        return int(self.ask(f"document.querySelectorAll({selector!r}).length"))

    def text(self) -> str:
        """What the page says."""
        return str(self.ask("document.body.innerText"))

    def complaints(self) -> list[str]:
        """What the console complained of."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """What was asked for since the last time, pages among them: the addresses."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def breaches(self) -> list[str]:
        """What axe-core finds wrong with the page: WCAG's rules and good practice; figures are pictures to it."""
        from axe_core_python.selenium import Axe

        found = Axe().run(self.driver, {"exclude": [[".plot svg"]]}, {"resultTypes": ["violations"]})
        return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]

    def tab(self) -> None:
        """Press Tab."""
        for kind in ("keyDown", "keyUp"):
            self.driver.execute_cdp_cmd(
                "Input.dispatchKeyEvent", {"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
            )

    def resize(self, width: int, height: int) -> None:
        """Make the window so large."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def dark(self, on: bool) -> None:
        """Prefer dark pages, or light ones."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def screenshot(self, path: Path) -> None:
        """A picture of the whole page."""
        height = int(self.ask("document.documentElement.scrollHeight"))
        self.resize(int(self.ask("window.innerWidth")), height)
        self.driver.save_screenshot(str(path))

    def close(self) -> None:
        """Close the window."""
        self.driver.quit()


def available() -> bool:
    """Whether there is a browser here."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))
