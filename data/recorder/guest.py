"""The guest: a machine under QEMU with a small root file system in memory, and what it gives back."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from kernel import Kernel, run, tool

QEMU = ("qemu-system-x86_64", "qemu-system-x86")  # a program, and the Debian packages that it needs
GCC = ("gcc", "gcc libc6-dev")
BUSYBOX = ("busybox", "busybox-static")
HERE = Path(__file__).resolve().parent
TRACE_MB, RESULT_MB = 8192, 128  # files with holes: they take only the room that is written
LIMIT = 3600  # seconds
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")  # they set a terminal
UNSEEN = re.compile(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]")


def initramfs(kernel: Kernel, scratch: Path) -> bytes:
    """The guest's root: busybox, the workload, init, the kernel's modules."""
    workload = scratch / "workload"
    command = (tool(*GCC), "-O2", "-static", "-o", workload, HERE / "workload.c")
    run(*command, remedy="a static C library is in Debian's package libc6-dev")
    files = {
        "bin/busybox": busybox().read_bytes(),
        "bin/workload": workload.read_bytes(),
        "init": (HERE / "init").read_bytes(),
        "modules/order": "".join(f"{name}\n" for name, _ in kernel.modules).encode(),
    }
    return archive(files | {f"modules/{name}": content for name, content in kernel.modules})


def busybox() -> Path:
    """A busybox that needs no libraries, of which the guest has none."""
    found = Path(tool(*BUSYBOX))
    if b"/ld-linux" in found.read_bytes():
        sys.exit(f"{found} needs shared libraries; on Debian or Ubuntu: sudo apt-get install busybox-static")
    return found


def archive(files: dict[str, bytes]) -> bytes:
    """Files as a packed cpio archive ("newc"). The kernel takes several in a row, the later over the earlier."""
    folders = dict.fromkeys(str(folder) for name in files for folder in Path(name).parents if folder.name)
    entries = [*((name, 0o040755, b"") for name in folders), *((name, 0o100755, data) for name, data in files.items())]
    out = bytearray()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        head = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in head) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return gzip.compress(out, 1)


def boot(
    kernel: Kernel, root: bytes, scratch: Path, memory: int, swap: int, estimate: float
) -> tuple[str, dict[str, bytes]]:
    """Run the guest until it powers off: (its console, the files it gave back). Sizes in MB.

    The raw trace stays in `scratch`, as trace_disk(scratch). On a terminal it shows how many of the estimated seconds
    are over.
    """
    (scratch / "root").write_bytes(root)
    command = [
        tool(*QEMU), "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(memory),
        "-nographic", "-no-reboot", "-nic", "none", "-kernel", str(kernel.image), "-initrd", str(scratch / "root"),
        "-append", "console=ttyS0 nokaslr panic=-1 quiet",
    ]  # fmt: skip
    for name, size in (("swap", swap), ("trace", TRACE_MB), ("result", RESULT_MB)):
        disk = scratch / f"{name}.img"
        with open(disk, "wb") as file:
            file.truncate(size << 20)
        command += ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
    log = scratch / "console"
    began = time.monotonic()
    with open(log, "wb") as console:
        guest = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        try:
            while not ended(guest) and time.monotonic() - began < LIMIT:
                show_progress(time.monotonic() - began, estimate)
        finally:  # interrupted, too: nothing may be left running
            late = guest.poll() is None
            guest.kill()
            guest.wait()
            show_progress(None, estimate)
    said = plain(log.read_bytes())
    if late:
        sys.exit(f"the guest did not end in {LIMIT} s; record a shorter script. Its console:\n{said[-2000:]}")
    return said, given_back(scratch / "result.img")


def ended(guest: subprocess.Popen[bytes]) -> bool:
    """Whether the guest has ended; waits a second for it."""
    try:
        guest.wait(1)
    except subprocess.TimeoutExpired:
        return False
    return True


def show_progress(seconds: float | None, estimate: float) -> None:
    """Say on a terminal, and only there, how long it takes; None: it is over."""
    if sys.stderr.isatty():
        said = "" if seconds is None else f"  {seconds:.0f} s of about {estimate:.0f}"
        print(f"\r\033[K{said}", end="", file=sys.stderr, flush=True)


def plain(console: bytes) -> str:
    """What was written to a console, without what would set the terminal of whoever reads it."""
    return UNSEEN.sub("", ESCAPES.sub("", console.decode(errors="replace")))


def trace_disk(scratch: Path) -> Path:
    return scratch / "trace.img"


def given_back(disk: Path) -> dict[str, bytes]:
    """The files on the result disk; none if the guest did not come to write it."""
    files = {}
    try:
        with tarfile.open(disk, "r:") as tar:
            for member in tar:
                if content := tar.extractfile(member):
                    files[member.name.removeprefix("./")] = content.read()
    except tarfile.TarError:
        pass
    return files


def check_tools() -> None:
    """Say all that is missing before anything is fetched."""
    missing = [(name, package) for name, package in (QEMU, GCC, BUSYBOX) if not shutil.which(name)]
    if missing:
        names, packages = ", ".join(name for name, _ in missing), " ".join(package for _, package in missing)
        sys.exit(f"there is no {names} here; on Debian or Ubuntu: sudo apt-get install {packages}")
    busybox()
