"""The Chromium that tests open reports in, and what they ask it."""

from __future__ import annotations

import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
# The contrast of every text with what is behind it, as WCAG 2 computes it, and where the text is.
CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const found = channels(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const hasText = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...document.body.querySelectorAll("*")].filter((e) => hasText(e) && e.tagName !== "SCRIPT").map((e) => {
    const [one, two] = [channels(getComputedStyle(e).color), ground(e)].map(luminance);
    return [(Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05), e.outerHTML.slice(0, 80)];
  });
}"""
# The boxes of tables, code and text that are wider than the page lets them be.
OVERFLOWING = """() => [...document.querySelectorAll("main *, header *")]
  .filter((e) => e.getClientRects().length && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
    && getComputedStyle(e).display !== "inline" && getComputedStyle(e).clipPath === "none" && e.tagName !== "PRE"
    && !e.closest("thead"))
  .map((e) => [e.scrollWidth, e.clientWidth, e.outerHTML.slice(0, 120)])"""
