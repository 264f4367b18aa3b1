"""Installs what a run's code needs besides the engine's environment, and leaves it at `site` in the run's directory.

Packages go into a layer of their own over the engine's environment, which stays as it is. A layer is named after what is
in it, is never changed once it is ready, and serves every run that asks for the same.
"""

import datetime
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import run_files
from fetch import Failure, download, is_wheel

LARGEST_WHEEL_BYTES = 512 * 1024 * 1024
LARGEST_REQUIREMENTS_BYTES = 1024 * 1024
UNUSED_SECONDS = 30 * 24 * 3600
TERMINATION_LOG = Path("/dev/termination-log")


def main():
    job = json.loads((run_files.RUN_DIRECTORY / "job.json").read_text(encoding="utf-8"))
    try:
        layer = prepare(Path(os.environ["MAINSHEET_LAYERS"]), steps_of(job))
    except Failure as failure:
        print(failure, file=sys.stderr, flush=True)
        run_files.write("packages.json", {"message": str(failure)})
        if "MAINSHEET_POD" in os.environ:
            TERMINATION_LOG.write_text(str(failure)[:2048], encoding="utf-8")
        sys.exit(1)
    # Another one may be at it for the same run, which an agent that was killed had begun.
    aside = run_files.RUN_DIRECTORY / f"site-{os.getpid()}"
    aside.unlink(missing_ok=True)
    aside.symlink_to(site_packages(layer))
    aside.replace(run_files.RUN_DIRECTORY / "site")
    run_files.write("packages.json", {"message": None})


def steps_of(job):
    """One step for each package index, the usual one first: what pip is told, and what tells the content apart."""
    usual, others = [], {}
    for library in job.get("libraries", []):
        given = [key for key in ("pypi", "requirements", "whl") if library.get(key)]
        if len(given) != 1:
            raise Failure("a library is exactly one of `pypi`, `requirements` and `whl`")
        if given == ["pypi"]:
            package, index = library["pypi"]["package"], library["pypi"].get("repo")
            if package.strip().startswith("-"):
                raise Failure(f"{package!r} is no package")
            (others.setdefault(index, []) if index else usual).append(([package], package))
        elif given == ["requirements"]:
            usual.append(requirements(library["requirements"]))
        else:
            usual.append(wheel(library["whl"]))
    python = job["source"].get("python")
    if python and is_wheel(python["source"]):
        usual.append(wheel(python["source"]))
    steps = [(None, usual)] if usual else []
    return steps + sorted(others.items())


def wheel(uri):
    path, digest = download(uri, LARGEST_WHEEL_BYTES)
    return [str(path)], f"wheel {path.name} {digest}"


def requirements(library):
    if bool(library.get("source")) == bool(library.get("uri")):
        raise Failure("`requirements` takes exactly one of `source` and `uri`")
    if library.get("uri"):
        path, _ = download(library["uri"], LARGEST_REQUIREMENTS_BYTES)
        text = path.read_text(encoding="utf-8")
    else:
        text = library["source"]
    path = run_files.RUN_DIRECTORY / "downloads" / f"requirements-{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return ["-r", str(path)], text


def prepare(layers, steps):
    """The layer with these packages, made unless it is there."""
    layers.mkdir(parents=True, exist_ok=True)
    key = key_of(steps)
    layer = layers / key
    with (layers / f"{key}.lock").open("w") as lock:
        # Held by this process alone; gone with it, whatever happens to it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = layer / "ready"
        if not ready.exists():
            remove_unused(layers)
            shutil.rmtree(layer, ignore_errors=True)
            install(layer, steps)
            ready.touch()
        os.utime(ready)
    return layer


def key_of(steps):
    contents = [[index, [content for _, content in items]] for index, items in steps]
    texts = [content for _, items in steps for _, content in items if not content.startswith("wheel ")]
    if not all(map(is_pinned, texts)):
        # What "the newest" is changes: looked for again every day.
        contents.append(datetime.datetime.now(datetime.timezone.utc).date().isoformat())
    told = json.dumps([sys.version, engine_pins(), contents])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def is_pinned(text):
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return all(re.search(r"===?[^*]+$", line) for line in lines if line)


def engine_pins():
    """The engine's environment, which packages have to get along with."""
    pins = Path(sys.prefix) / "requirements.txt"
    return pins.read_text(encoding="utf-8") if pins.exists() else ""


def install(layer, steps):
    venv.create(layer, with_pip=False, symlinks=True)
    # Behind the layer's own packages: what the engine's environment has is not installed again.
    (site_packages(layer) / "engine.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    constraints = layer / "constraints.txt"
    constraints.write_text(engine_pins(), encoding="utf-8")
    for index, items in steps:
        command = [str(layer / "bin" / "python"), "-m", "pip", "install", "--no-input", "--no-cache-dir", "--prefer-binary"]
        command += ["--disable-pip-version-check", "--progress-bar=off", "--constraint", str(constraints)]
        command += ["--index-url", index] if index else []
        run_pip(command + [argument for arguments, _ in items for argument in arguments])


def run_pip(command):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    said = []
    for line in process.stderr:
        print(line, end="", file=sys.stderr, flush=True)
        said.append(line.strip())
    if process.wait() != 0:
        errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR")]
        why = "; ".join(errors) or next(filter(None, reversed(said)), f"exit status {process.returncode}")
        raise Failure(f"the packages cannot be installed: {why}")


def site_packages(layer):
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(layer), "platbase": str(layer)}))


def remove_unused(layers):
    for ready in layers.glob("*/ready"):
        if time.time() - ready.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(ready.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
