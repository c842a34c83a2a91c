"""Chromium with First Light's page in it, played by puppeteer as a hand would."""

from typing import Any

from fakes.programs import Node


class Page:
    """A page of the one browser that a node has; `screen` is a viewport as puppeteer has it."""

    def __init__(self, node: Node, chromium: str, address: str, **screen: Any) -> None:
        self._node = node
        self._number = node(
            """
            kept.browser ??= await require("puppeteer-core").launch({
              executablePath: given.chromium, args: ["--no-sandbox", "--disable-gpu"]});
            const page = await kept.browser.newPage(), wrong = [];
            page.on("pageerror", problem => wrong.push(problem.message));
            await page.setViewport({width: 1280, height: 800, ...given.screen});
            await page.goto(given.address);
            await page.waitForFunction(() => !document.body.classList.contains("gone"));
            kept.pages ??= [];
            return kept.pages.push({page, wrong}) - 1;
            """,
            chromium=chromium,
            address=address,
            screen=screen,
        )

    def __call__(self, code: str, **given: Any) -> Any:
        """Run JavaScript beside the page: `page`, what went `wrong` in it, and `given`."""
        before = f"const {{page, wrong}} = kept.pages[{self._number}];"
        return self._node(before + code, **given)

    def stands(self, address: str) -> float:
        """Where a fader stands on the page, 0 to 1."""
        travel = "one => Number(one.style.getPropertyValue('--at'))"
        return float(self(f"return page.$eval(given.of, {travel})", of=fader(address)))

    def words(self, selector: str) -> str:
        return str(self("return page.$eval(given.of, one => one.textContent)", of=selector))

    def drag(self, address: str, way: float) -> None:
        """Take a fader in its middle and drag it by a part of its length."""
        self(
            """
            const fader = await page.$(given.of);
            await fader.scrollIntoView();
            const {x, y, width, height} = await fader.boundingBox();
            const middle = x + width / 2;
            await page.mouse.move(middle, y + height / 2);
            await page.mouse.down();
            await page.mouse.move(middle + given.way * width, y + height / 2, {steps: 8});
            await page.mouse.up();
            """,
            of=fader(address),
            way=way,
        )

    def click(self, selector: str, count: int = 1) -> None:
        self("await page.locator(given.of).click({count: given.count})", of=selector, count=count)

    def later(self) -> None:
        """Let the page do what it has put off, but for what it gives a hand seconds for."""
        self("await page.evaluate(() => new Promise(after => setTimeout(after, 300)))")

    def close(self) -> None:
        self("await page.close()")


def fader(address: str) -> str:
    return f'.knob[data-address="{address}"] .fader'


def value(address: str) -> str:
    return f'.knob[data-address="{address}"] .value'


def button(address: str) -> str:
    return f'.knob[data-address="{address}"] button'
