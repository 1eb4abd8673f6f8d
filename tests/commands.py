"""Running the project's commands as a user does, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start(module: str, *arguments: str, **environment: str) -> subprocess.Popen:
    """Starts `python -m MODULE ARGUMENTS`; stdout and stderr are one text stream."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(module: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of a command."""
    process = start(module, *arguments, **environment)
    try:
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    return process.returncode, output


def wait_for(process: subprocess.Popen, text: str) -> str:
    """Reads the output up to the first line with `text`."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"ended without {text!r}:\n{''.join(lines)}")


def worker_environment(ports: list[int], index: int) -> dict[str, str]:
    """The environment variable that makes a process one of several workers on this machine."""
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    return {
        "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    }
