"""The commands that start simulated exchanges, from the feeds that they are for."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from ticker.config import FeedConfig, SimulatorConfig
from ticker.config.pitch import PitchConfig
from ticker.feeds.workers.sources import Kind, plan_of


def simulator_command(feed: FeedConfig) -> list[str]:
    """The command that starts a feed's simulated exchange; it speaks to the feed's lines."""
    simulator = feed.simulator or SimulatorConfig()
    plan = plan_of(feed)
    if plan.kind is Kind.STREAM:
        return _vendor_command(feed.url or "", simulator)
    name = "pitch" if feed.protocol == "pitch" else "itch"
    command = [sys.executable, "-m", "ticker", "simulate", name, "--die-with-parent"]
    command += ["--lines", str(len(feed.lines))]
    if name == "pitch":
        command += _cboe_servers(feed)
    else:
        command += ["--rerequest", feed.rerequest or "none"]
    if plan.kind is Kind.SOUP:
        command += ["--session", "soupbintcp"]
    for option, line in zip(("--line-a", "--line-b"), feed.lines, strict=False):
        command += [option, line]
    for option in ("symbols", "rate", "loss", "seed"):
        command += [f"--{option}", str(getattr(simulator, option))]
    return [*command, "--interface", feed.interface]


def _cboe_servers(feed: FeedConfig) -> list[str]:
    """The options for the servers of a simulated Cboe exchange. It has one gap line."""
    pitch = feed.pitch or PitchConfig()
    options = ["--gap-proxy", pitch.gap_proxy or "none"]
    options += ["--gap-line", pitch.gap_lines[0] if pitch.gap_lines else "none"]
    if pitch.units:
        options += ["--units", str(len(pitch.units))]
    for server in pitch.spin:
        options += ["--spin", server]
    return options


def _vendor_command(url: str, simulator: SimulatorConfig) -> list[str]:
    parts = urlsplit(url)
    command = [sys.executable, "-m", "ticker", "simulate", "vendor", "--die-with-parent"]
    command += ["--listen", f"{parts.hostname}:{parts.port}"]
    for option in ("symbols", "rate", "seed"):
        command += [f"--{option}", str(getattr(simulator, option))]
    return command
