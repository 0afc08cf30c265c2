# SPDX-License-Identifier: MIT
# harness.py: what the tests of the command line tool share: processes, names, TAP.
import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

TOOL = sys.argv[1]
SHM = "/dev/shm/tern."
PREFIX = f"t{os.getpid()}."

# Long enough for a machine under load; a test that waits for this has failed.
PATIENCE_S = 120

EXIT_FAILED, EXIT_USAGE, EXIT_PEER_DIED, EXIT_PEER_ENDED, EXIT_TIMEOUT, EXIT_BUSY, EXIT_DISAGREE = range(1, 8)

names = itertools.count(1)
folder = tempfile.mkdtemp(prefix="tern-test-")
started = []


def new_name():
    """A region name of this test run alone, whichever thread asks. None is the beginning of another."""
    return f"{PREFIX}{next(names):06}"


def start(*arguments, **more):
    """Start the tool; its messages are kept."""
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    more.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen([TOOL, *arguments], **more)
    started.append(process)
    return process


def run(*arguments, **more):
    """Run the tool to its end. (code, stdout, stderr) as text."""
    process = start(*arguments, **more)
    return finish(process)


def finish(process):
    out, err = process.communicate(timeout=PATIENCE_S)
    text = lambda data: (data or b"").decode(errors="replace")
    if "Sanitizer" in text(err):
        raise AssertionError(text(err))
    return process.returncode, text(out), text(err)


def until(condition, what):
    """Wait for something that has to come."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.01)


def show(name):
    code, out, _ = run("show", "--json", name)
    return json.loads(out) if code == 0 else None


def pushed(name, ring):
    """How much was pushed into a ring of a region; 0 if there is none yet."""
    region = show(name)
    if not region:
        return 0
    return next((o["ring"]["pushed"] for o in region["objects"] if o["name"] == ring and "ring" in o), 0)


def joined(name, side):
    """Wait until a sender or receiver stands in the region."""
    until(lambda: pushed(name, {"send": "end", "recv": "ack"}[side]) > 0, f"{side} of {name}")


def left_in_shm(name=PREFIX):
    return [entry for entry in os.listdir("/dev/shm") if entry.startswith("tern." + name)]


def path_of(name):
    return SHM + name


def file_of(content):
    handle, path = tempfile.mkstemp(dir=folder)
    os.write(handle, content)
    os.close(handle)
    return path


def sha256_of(content):
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def equal(actual, expected, what=""):
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, not {actual!r}")


def contains(text, part):
    if part not in text:
        raise AssertionError(f"{part!r} is not in {text!r}")


def main(tests):
    """Run the tests as TAP; whatever happens, leave no process and no region behind."""
    failures = 0
    print(f"1..{len(tests)}")
    try:
        for number, test in enumerate(tests, 1):
            try:
                test()
                equal(left_in_shm(), [], "left in /dev/shm")
                print(f"ok {number} - {test.__name__}", flush=True)
            except Exception:
                failures += 1
                print(f"not ok {number} - {test.__name__}")
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}", flush=True)
            finally:
                end_all()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failures else 0)


def end_all():
    for process in started:
        if process.poll() is None:
            try:
                process.send_signal(signal.SIGCONT)
                process.kill()
            except ProcessLookupError:
                pass
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
    started.clear()
    for entry in left_in_shm():
        path = os.path.join("/dev/shm", entry)
        os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
