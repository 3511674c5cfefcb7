"""A stand-in for the official Python image: Debian's own Python, laid out as the image has it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from tests.image.tools import run

SUITE = "trixie"  # of the base that the Dockerfile names
NAME = "localhost/dateline-base:stand-in"


def cache_folder() -> Path:
    """Say where the tree is kept from one run to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dateline"


def base_tree() -> Path:
    """Answer the tree of the stand-in, made by debootstrap where it is not there yet."""
    tree = cache_folder() / f"base-{SUITE}"
    if tree.exists():
        return tree
    unfinished = tree.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    run(
        "debootstrap",
        "--variant=minbase",
        "--include=ca-certificates,python3,python3-venv",
        SUITE,
        unfinished,
        mirror(),
    )
    # The official image has its Python, and pip, in /usr/local.
    run("chroot", unfinished, "python3", "-m", "venv", "--clear", "/usr/local")
    for cached in (unfinished / "var/cache/apt/archives").glob("*.deb"):
        cached.unlink()
    shutil.rmtree(unfinished / "var/lib/apt/lists", ignore_errors=True)
    unfinished.rename(tree)
    return tree


def mirror() -> str:
    """Find the mirror of Debian's packages that this machine itself uses."""
    for line in run("apt-get", "indextargets", "--format", "$(ORIGIN)|$(SITE)", "Created-By: Packages").splitlines():
        origin, _, site = line.partition("|")
        if origin in ("Debian", "") and urlsplit(site).path.rstrip("/").endswith("/debian"):
            return site
    raise SystemExit("This machine's apt names no mirror of Debian; 'apt-get update' may be needed.")
