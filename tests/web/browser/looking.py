"""A page that is watched: what the browser complains of, what sticks out, what axe finds; and its picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Response

PICTURES = Path(__file__).parents[3] / "tests-artefacts" / "pages"
AXE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text(encoding="utf-8")
GRAVE = ("serious", "critical")
# Tells the console of what the content policy stopped, also where the browser does not.
VIOLATIONS = """document.addEventListener("securitypolicyviolation", (e) =>
  console.error("policy: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample));"""
# Elements wider than the window that nothing around them scrolls or cuts.
STICKING_OUT = """() => {
  const wide = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth <= wide) return found;
  for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect();
    if (box.right <= wide + 1 || !box.width) continue;
    let cut = false;
    for (let up = e.parentElement; up && up !== document.body; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== "visible") { cut = true; break; }
    if (!cut) found.push(e.tagName + "." + e.className + " " + Math.round(box.right) + ">" + wide + " "
      + (e.textContent || "").trim().slice(0, 40));
  }
  return found.slice(0, 5).concat(found.length ? [] : ["something, " + document.documentElement.scrollWidth]);
}"""
# Texts in buttons, cells, headings, chips that are cut off by their own box.
CUT = """() => [...document.querySelectorAll("h1,h2,h3,p,td,th,dt,dd,button,.button,.chip,label,figcaption,li>a")]
  .filter((e) => { const s = getComputedStyle(e); return e.offsetParent && s.overflowX !== "visible"
    && s.overflowX !== "auto" && s.overflowX !== "scroll" && s.textOverflow !== "ellipsis"
    && e.scrollWidth > e.clientWidth + 1; })
  .map((e) => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 60)).slice(0, 5)"""

# By then, what is in sight has begun to load.
PAINTED = (
    "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 20))))"
)
SETTLED = "() => !document.querySelector('.htmx-request, figure.chart[data-loading]')"


@dataclass
class Watched:
    """``name``: language, colours and width, as in the name of the picture."""

    page: Page
    name: str
    scripts: bool = True
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(VIOLATIONS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.said.append(f"script: {error}"))
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(f"{message.type}: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.said.append(f"{response.status} {response.url}")

    def open(self, path: str) -> Watched:
        self.page.goto(path)
        if self.scripts:
            self.page.evaluate(PAINTED)
            self.page.wait_for_function(SETTLED)
        return self

    def settle(self) -> None:
        """After a click: until nothing loads and every chart is drawn, or has said why not."""
        self.page.wait_for_load_state("networkidle")
        if self.scripts:
            self.page.wait_for_function(SETTLED)

    def picture(self, name: str) -> Path:
        PICTURES.mkdir(parents=True, exist_ok=True)
        file = PICTURES / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name).strip('-')}-{self.name}.png"
        self.page.screenshot(path=file, full_page=True, animations="disabled")
        return file

    def faults(self) -> list[str]:
        """All that is wrong with the page as it stands."""
        found = [*self.said]
        found += [f"sticks out: {text}" for text in self.page.evaluate(STICKING_OUT)]
        found += [f"cut: {text}" for text in self.page.evaluate(CUT)]
        return found + self.inaccessible()

    def inaccessible(self) -> list[str]:
        self.page.evaluate(AXE)
        found: list[dict[str, Any]] = self.page.evaluate(
            "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
        )
        return [
            f"axe {v['id']}: {node['target'][0]} {node['failureSummary'].splitlines()[-1].strip()[:200]}"
            for v in found
            if v["impact"] in GRAVE
            for node in v["nodes"][:3]
        ]
