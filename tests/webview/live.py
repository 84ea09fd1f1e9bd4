"""A real server on a free loopback port, and the system's Chromium."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from playwright.async_api import Browser, ViewportSize, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 860}


@asynccontextmanager
async def serve(app: Callable[..., Awaitable[Any]]) -> AsyncIterator[str]:
    """Serve an application; its address."""
    # The socket listens before the server does, so a first request waits instead of failing.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


FLAWS = r"""() => {
  const flaws = [];
  const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".hidden");
  const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n };
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const name = (e) => `<${e.tagName.toLowerCase()} ${e.className}> ${e.textContent.trim().slice(0, 30)}`;
  for (const e of document.body.querySelectorAll("*")) {
    if (!shown(e)) continue;
    const hasText = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (hasText && !e.disabled) {
      const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      if (contrast < 4.5) flaws.push(`contrast ${contrast.toFixed(2)}: ${name(e)}`);
    }
    const box = e.getBoundingClientRect();
    if (e.matches("button, a, summary, label.choice, input:not([type=hidden], [type=checkbox], [type=radio])")) {
      if (box.height < 44 || box.width < 44) flaws.push(`${box.width}x${box.height}: ${name(e)}`);
    }
    if (box.right > document.documentElement.clientWidth + 1) flaws.push(`too wide: ${name(e)}`);
    if (e.matches("input:not([type=hidden])") && !e.labels.length) flaws.push(`no label: ${e.name}`);
  }
  const edge = (e) => {
    const [a, b] = [light(parse(getComputedStyle(e).borderTopColor)), light(ground(e.parentElement))]
      .sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  for (const e of document.querySelectorAll("input[type=text], input[type=email], input[type=password]"))
    if (edge(e) < 3) flaws.push(`faint edge ${edge(e).toFixed(2)}: ${e.name}`);
  const levels = [...document.querySelectorAll("h1, h2, h3")].map((e) => e.tagName);
  if (levels[0] !== "H1" || levels.lastIndexOf("H1") || levels.includes("H3")) flaws.push(`headings: ${levels}`);
  for (const tag of ["header", "main", "footer"])
    if (document.querySelectorAll(tag).length !== 1) flaws.push(`landmark ${tag}`);
  if (!document.documentElement.lang || !document.title) flaws.push("no language or title");
  return flaws;
}"""
"""What an accessibility checker would find: contrast, sizes, labels, landmarks, overflow."""
