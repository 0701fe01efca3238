"""Where an operator sits: one page of the console, and what the browser says of it."""

import re
from dataclasses import dataclass, field

from playwright.async_api import (
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
)
from playwright.async_api import (
    TimeoutError as PlaywrightTimeoutError,
)

WITHIN_MS = 20_000
NOTHING = "$^"
# The machine's own network changed while a page was loading: not the console's doing.
ELSEWHERE = "net::ERR_NETWORK_CHANGED"
TELLS_VIOLATIONS = (
    "addEventListener('securitypolicyviolation', (event) =>"
    " console.error('refused by the policy: ' + event.violatedDirective))"
)


@dataclass
class Desk:
    page: Page
    url: str
    token: str | None
    expected: str = NOTHING  # what the browser may complain of, as a pattern
    complaints: list[str] = field(default_factory=list)
    posted: list[Request] = field(default_factory=list)

    async def sit_down(self) -> None:
        self.page.set_default_timeout(WITHIN_MS)
        await self.page.add_init_script(TELLS_VIOLATIONS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)
        if self.token:
            await self.open(f"/#token={self.token}")

    def _hear(self, message: ConsoleMessage) -> None:
        harmless = message.type not in ("error", "warning") or ELSEWHERE in message.text
        if not harmless and not re.search(self.expected, message.text):
            self.complaints.append(message.text)

    def _note(self, request: Request) -> None:
        if request.method == "POST":
            self.posted.append(request)

    async def open(self, path: str) -> Response | None:
        """Go there, again where the machine's network was in the way."""
        for _ in range(5):
            answer = await self.page.goto(self.url + path)
            try:
                await self.page.locator("#content").wait_for(timeout=WITHIN_MS / 2)
            except PlaywrightTimeoutError:
                await self.page.goto("about:blank")  # else only the hash would change
                continue
            return answer
        raise AssertionError(f"{path} shows nothing")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def table(self, caption: str) -> Locator:
        return self.page.get_by_role("table", name=caption)

    def panel(self, title: str) -> Locator:
        return self.page.get_by_role("region", name=title, exact=True)

    def tile(self, name: str) -> Locator:
        return self.page.locator(".tile").filter(has_text=name)

    @property
    def heading(self) -> Locator:
        return self.page.get_by_role("heading", level=1)

    async def sees(
        self, text: str | re.Pattern[str], within: Locator | None = None
    ) -> None:
        place = within or self.page.locator("body")
        await expect(place).to_contain_text(text, timeout=WITHIN_MS)

    async def does(self, button: str, verb: str, **fields: str) -> None:
        """Press a button, fill the dialog in, and send it."""
        await self.button(button).first.click()
        dialog = self.page.get_by_role("dialog")
        for label, value in fields.items():
            name = label.replace("_", " ")
            await dialog.get_by_label(name, exact=True).fill(value)
        await dialog.get_by_role("button", name=verb, exact=True).click()
