"""What a chart shows, pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Page

# Of the chart: its size, and its pixels in the colours of rising and falling candles and of gaps.
# The canvases are copied, since reading those of a page again and again slows them down.
_COUNT = """() => {
  const found = {up: 0, down: 0, gap: 0};
  const chart = document.querySelector("[data-candles]");
  const {width, height} = chart.getBoundingClientRect();
  const colours = {"18,184,134": "up", "224,49,49": "down", "255,232,204": "gap"};
  for (const canvas of chart.querySelectorAll("canvas")) {
    if (canvas.width === 0 || canvas.height === 0) continue;
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext("2d", {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    const {data} = context.getImageData(0, 0, copy.width, copy.height);
    for (let at = 0; at < data.length; at += 4) {
      const name = colours[`${data[at]},${data[at + 1]},${data[at + 2]}`];
      if (name !== undefined) found[name] += 1;
    }
  }
  return {...found, width, height};
}"""


async def painted(page: Page) -> dict[str, Any]:
    """The pixels of the chart by colour, as soon as there are candles."""
    await expect(page.locator("[data-candles] canvas").first).to_be_visible()
    await page.wait_for_function(f"() => ({_COUNT})().up > 0")
    return dict(await page.evaluate(_COUNT))
