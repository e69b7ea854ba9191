"""The kernel that is recorded: Debian's, fetched with apt, or one of the reader's own; and its modules."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEBIAN = re.compile(r"linux-image-6\.1\.0-(\d+)-amd64")  # Debian 12's packages; the last number grows
PACKAGES = "https://packages.debian.org/bookworm/linux-image-amd64"
# What the guest needs, where it is not built in: its disks, the backends, the compressors.
MODULES = (
    "virtio_pci", "virtio_blk", "zbud", "z3fold", "zsmalloc", "lzo", "lzo_rle", "lz4", "lz4hc", "zstd", "deflate",
)  # fmt: skip
UNPACK = {".ko": bytes, ".xz": lzma.decompress, ".gz": gzip.decompress}


@dataclass
class Kernel:
    """A kernel's image, what it calls itself here, and (file name, contents) of its modules in loading order."""

    image: Path
    name: str
    modules: list[tuple[str, bytes]]


def tool(name: str, package: str) -> str:
    """The path of a program, or the end of this one with the Debian package that has it."""
    found = shutil.which(name)
    if not found:
        sys.exit(f"there is no {name} here; on Debian or Ubuntu: sudo apt-get install {package}")
    return found


def run(*command: str | Path, remedy: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end; if it fails, ends the program with what it said and what may help."""
    done = subprocess.run(command, cwd=cwd, capture_output=True)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        sys.exit(f"{Path(command[0]).name} failed; {remedy}. It said:\n{said}")
    return done


def find_kernel(given: Path | None, modules: Path | None, cache: Path) -> Kernel:
    """Debian's newest 6.1 if none is given; else a package (.deb), or a kernel image and its modules' folder."""
    if given is None:
        given = fetch(cache)
    if not given.is_file():
        sys.exit(f"{given}: no such file; --kernel takes a linux-image-*.deb or a kernel image (bzImage, vmlinuz)")
    if given.suffix != ".deb":
        if modules is not None and not modules.is_dir():
            sys.exit(f"{modules}: no such folder; --modules takes what `make modules_install` made")
        return Kernel(given, given.name, in_loading_order(modules) if modules else [])
    folder = unpack(given, cache)
    return Kernel(next(folder.glob("boot/vmlinuz-*")), given.stem, in_loading_order(folder))


def fetch(cache: Path) -> Path:
    """Download Debian's newest 6.1 kernel, unless it is there; nothing is installed."""
    if not shutil.which("apt-get"):
        sys.exit(f"this is no Debian: fetch a 6.1 kernel from {PACKAGES} and name it with --kernel FILE.deb")
    listed = (
        run("apt-cache", "pkgnames", "linux-image-6.1.0-", remedy="it is part of the package apt")
        .stdout.decode()
        .split()
    )
    names = {int(match[1]): name for name in listed if (match := DEBIAN.fullmatch(name))}
    if not names:
        sys.exit(
            "apt knows no linux-image-6.1.0-*-amd64: run `sudo apt-get update` on Debian 12, or fetch one from\n"
            f"{PACKAGES} and name it with --kernel FILE.deb"
        )
    package = names[max(names)]
    if not list(cache.glob(f"{package}_*.deb")):
        print(f"fetching {package} (70 MB) ...", flush=True)
        run("apt-get", "download", package, cwd=cache, remedy="try again after `sudo apt-get update`")
    return max(cache.glob(f"{package}_*.deb"))


def unpack(package: Path, cache: Path) -> Path:
    """A package's files, in a folder that is complete or not there."""
    folder = cache / package.stem
    if not folder.is_dir():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        run(tool("dpkg-deb", "dpkg"), "-x", package, part, remedy="fetch the package again")
        part.rename(folder)
    if not list(folder.glob("boot/vmlinuz-*")):
        sys.exit(f"{package}: has no boot/vmlinuz-*; take a linux-image-*-amd64 package, not a meta package")
    return folder


def in_loading_order(root: Path) -> list[tuple[str, bytes]]:
    """The modules of MODULES that there are, each after those it depends on."""
    files = {path.name.partition(".ko")[0].replace("-", "_"): path for path in sorted(root.rglob("*.ko*"))}
    loaded: dict[str, bytes] = {}

    def load(name: str) -> None:
        if name not in loaded and name in files:
            content = contents(files[name])
            for needed in depends(content):
                load(needed)
            loaded[name] = content

    for name in MODULES:
        load(name)
    return [(f"{name}.ko", content) for name, content in loaded.items()]


def contents(module: Path) -> bytes:
    if module.suffix not in UNPACK:
        sys.exit(f"{module}: cannot unpack {module.suffix}; build the kernel with MODULE_COMPRESS_NONE=y or _XZ=y")
    return UNPACK[module.suffix](module.read_bytes())


def depends(module: bytes) -> Iterator[str]:
    """The modules that a module says it depends on."""
    said = re.search(rb"\0depends=([^\0]*)\0", module)
    yield from (name.replace("-", "_") for name in said[1].decode().split(",") if name) if said else ()
