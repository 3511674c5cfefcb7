"""Build the image, run it, hold it to its promises, and clean up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.image import base
from tests.image.containers import IMAGE, check
from tests.image.database import external_database
from tests.image.tools import NEEDED, Storage, temporary_storage

ROOT = Path(__file__).parents[2]
# Where a machine's own certificates are named, pip inside must trust them, too.
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE")
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL")


def main() -> int:
    """Do it; the exit code is 1 where something is missing under CI, and 0 where the test is skipped."""
    lacking = [program for program in NEEDED if shutil.which(program) is None]
    if os.geteuid() != 0:
        lacking.append("root")
    if lacking:
        say(f"skipped: this needs {', '.join(lacking)}")
        return 1 if os.environ.get("CI") else 0
    began = time.monotonic()
    subprocess.run([Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"], check=True)
    say("hadolint finds nothing in the Dockerfile")
    tree = base.base_tree()
    with temporary_storage() as storage, external_database() as database:
        storage.add_tree(tree, base.NAME)
        say(f"a stand-in for the base image is made of Debian {base.SUITE}")
        build(storage)
        size, below = (megabytes(storage, name) for name in (IMAGE, base.NAME))
        say(f"the image is built: {size} MB, {size - below} MB of it on top of the base")
        check(say, storage, database)
    say(f"passed in {time.monotonic() - began:.0f} s")
    return 0


def build(storage: Storage) -> None:
    """Build the image as the Dockerfile says; only the name of the base is another."""
    options: list[str] = []
    certificates = next((os.environ[name] for name in CERTIFICATES if os.environ.get(name)), None)
    if certificates is not None and Path(certificates).is_file():
        options += ["--volume", f"{Path(certificates).resolve()}:{TRUSTED}:ro", "--env", f"PIP_CERT={TRUSTED}"]
    for name in PASSED_ON:
        if name in os.environ:
            options += ["--build-arg", name]
    # The default format, OCI, has no place for a health check.
    storage.buildah(
        "bud", "--quiet", "--format", "docker", "--isolation", "chroot", "--pull-never", *options,
        "--build-arg", f"BASE={base.NAME}", "--tag", IMAGE, ROOT,
    )  # fmt: skip


def megabytes(storage: Storage, image: str) -> int:
    """Measure an image."""
    return int(storage.podman("image", "inspect", "--format", "{{.Size}}", image)) // 1_000_000


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stdout.write(f"image-test: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
