#!/usr/bin/env python3
"""Real video nodes without a camera: boots Debian's kernel in qemu, makes fake cameras there and asks what they are.

Everything fetched or built stays in target/camera-lab; no kernel and no module is installed on this machine. The
virtual machine sees this machine's root read-only and can write one folder, where its answers go. See
docs/camera-lab.md.
"""

import argparse
import gzip
import json
import lzma
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LAB = REPOSITORY / "target" / "camera-lab"
ROOT = LAB / "root"
OUT = LAB / "out"

# A command that must be there | the Debian package that has it.
NEEDS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "modprobe": "kmod",
    "depmod": "kmod",
    "cpio": "cpio",
    "make": "make",
    "gst-launch-1.0": "gstreamer1.0-tools",
}
# What the virtual machine needs to reach this machine's root; the rest is loaded from there.
EARLY = ["virtio_pci", "9pnet_virtio", "9p", "configfs"]


class Skip(Exception):
    """The lab cannot be had here."""


def run(*command, **options):
    options.setdefault("check", True)
    options.setdefault("text", True)
    return subprocess.run([str(c) for c in command], **options)


def output(*command, **options):
    return run(*command, stdout=subprocess.PIPE, **options).stdout


def which(command):
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def tools(compiler):
    wanted = dict(NEEDS) | ({compiler: compiler} if compiler else {})
    missing = sorted({package for command, package in wanted.items() if not which(command)})
    if not missing:
        return
    if os.geteuid() != 0 or not which("apt-get"):
        raise Skip(
            f"missing: {' '.join(missing)}; install them (Debian: apt-get install {' '.join(missing)})"
        )
    print(f"camera-lab: installing {' '.join(missing)}", flush=True)
    try:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        run(*install, *missing, env=environment, stdout=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        raise Skip(
            f"{' '.join(missing)} cannot be installed: run apt-get update, or install them by hand"
        ) from error


def depends(package, pattern):
    """The first package that this one depends on and whose name looks so."""
    text = output("apt-cache", "depends", package)
    found = re.search(rf"Depends: ({pattern})$", text, re.MULTILINE)
    if not found:
        raise Skip(f"apt knows no {pattern} of {package}: this lab needs Debian's packages")
    return found[1]


def packages():
    """Fetches and unpacks kernel, headers and v4l2loopback; returns the kernel's release and the compiler."""
    mark = LAB / "kernel.json"
    if mark.is_file():
        known = json.loads(mark.read_text())
        return known["release"], known["compiler"]
    if not which("apt-cache"):
        raise Skip("no apt here: this lab takes its kernel from Debian's packages")
    image = depends("linux-image-amd64", r"linux-image-\S+-amd64")
    release = image.removeprefix("linux-image-")
    headers = f"linux-headers-{release}"
    common = depends(headers, r"linux-headers-\S+-common")
    kbuild = depends(headers, r"linux-kbuild-\S+")
    compiler = re.sub(
        r"linux-compiler-(gcc-\d+)-x86", r"\1", depends(headers, r"linux-compiler-gcc-\d+-x86")
    )
    debs = LAB / "debs"
    shutil.rmtree(ROOT, ignore_errors=True)
    debs.mkdir(parents=True, exist_ok=True)
    wanted = [image, headers, common, kbuild, "v4l2loopback-dkms"]
    print(f"camera-lab: fetching {' '.join(wanted)}", flush=True)
    have = {deb.name.split("_")[0] for deb in debs.glob("*.deb")}
    try:
        missing = [p for p in wanted if p not in have]
        if missing:
            run("apt-get", "download", "-qq", *missing, cwd=debs, stderr=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        raise Skip("the packages cannot be fetched: run apt-get update, or go online") from error
    for package in wanted:
        for deb in debs.glob(f"{package}_*.deb"):
            run("dpkg", "-x", deb, ROOT)
    mark.write_text(json.dumps({"release": release, "compiler": compiler}))
    return release, compiler


# What an attacker changes in v4l2loopback who can build it: every answer becomes that of a webcam on USB.
DISGUISE = [
    ('"v4l2 loopback"', '"uvcvideo"'),
    ('"platform:v4l2loopback-%03d"', '"usb-0000:00:14.0-%d"'),
    ('"loopback", sizeof(inp->name)', '"Camera 1", sizeof(inp->name)'),
    ("CID_TIMEOUT (V4L2LOOPBACK_CID_BASE + 2)", "CID_TIMEOUT V4L2_CID_EXPOSURE"),
    ('"keep_format"', '"Backlight Compensation"'),
    ('"sustain_framerate"', '"Power Line Frequency"'),
    ('"timeout"', '"Exposure"'),
    ('"timeout_image_io"', '"White Balance, Automatic"'),
    ("V4L2_SYSFS_CREATE(buffers);", ""),
    ("V4L2_SYSFS_CREATE(max_openers);", ""),
]


def modules(release, compiler):
    """Builds v4l2loopback beside the kernel's own modules, as it is and in disguise."""
    extra = ROOT / "lib/modules" / release / "extra"
    names = ["v4l2loopback", "disguised"]
    if all((extra / f"{name}.ko").is_file() for name in names):
        return
    headers = ROOT / "usr/src" / f"linux-headers-{release}"
    makefile = headers / "Makefile"
    # Headers find each other by absolute paths.
    makefile.write_text(
        re.sub(r"include \S*/usr/src/", f"include {ROOT}/usr/src/", makefile.read_text())
    )
    source = next((ROOT / "usr/src").glob("v4l2loopback-*"))
    work = LAB / "v4l2loopback"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work)
    text = (work / "v4l2loopback.c").read_text()
    for old, new in DISGUISE:
        if old not in text:
            raise SystemExit(
                f"camera-lab: {source.name} has no {old}: adapt DISGUISE in {__file__}"
            )
        text = text.replace(old, new)
    (work / "disguised.c").write_text(text)
    (work / "Kbuild").write_text("obj-m := " + " ".join(f"{name}.o" for name in names) + "\n")
    print(f"camera-lab: building {source.name} for {release}", flush=True)
    log = LAB / "v4l2loopback.log"
    with log.open("w") as to:
        command = ["make", "-C", headers, f"M={work}", f"CC={compiler}", "modules"]
        built_well = run(*command, stdout=to, stderr=to, check=False).returncode == 0
    if not built_well:
        raise SystemExit(f"camera-lab: v4l2loopback does not build, see {log}")
    extra.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(work / f"{name}.ko", extra)
    run(which("depmod"), "-b", ROOT, release)


def initramfs(release, program):
    tree = LAB / "initramfs"
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ["bin", "modules", "dev"]:
        (tree / folder).mkdir(parents=True)
    shutil.copy(which("busybox"), tree / "bin/busybox")
    shutil.copy(HERE / "init", tree / "init")
    (tree / "init").chmod(0o755)
    order = []
    for module in EARLY:
        for line in output(
            which("modprobe"), "-d", ROOT, "-S", release, "--show-depends", module
        ).splitlines():
            if not line.startswith("insmod "):
                continue  # built in
            path = Path(line.split()[1])
            name = path.name.removesuffix(".xz")
            if name not in order:
                order.append(name)
                # busybox loads plain modules only.
                raw = (
                    lzma.decompress(path.read_bytes())
                    if path.suffix == ".xz"
                    else path.read_bytes()
                )
                (tree / "modules" / name).write_bytes(raw)
    (tree / "modules/order").write_text("".join(f"{name}\n" for name in order))
    settings = {"GUEST": HERE / "guest.py", "PROGRAM": program, "MODULES": ROOT}
    settings["REGISTRY"] = LAB / "registry.bin"
    lines = [f"{name}={shlex.quote(str(value))}\n" for name, value in settings.items()]
    (tree / "lab.conf").write_text("".join(lines))
    names = "\n".join(str(p.relative_to(tree)) for p in sorted(tree.rglob("*")))
    pack = ["cpio", "-o", "-H", "newc", "--quiet"]
    packed = run(*pack, cwd=tree, input=names.encode(), stdout=subprocess.PIPE, text=False)
    (LAB / "initramfs.gz").write_bytes(gzip.compress(packed.stdout, 1))


def registry():
    """GStreamer's list of plugins, made here, since that takes minutes in the virtual machine."""
    environment = os.environ | {"GST_REGISTRY": str(LAB / "registry.bin")}
    if subprocess.run(
        ["gst-inspect-1.0", "--exists", "v4l2sink"], env=environment, check=False
    ).returncode:
        raise Skip("GStreamer has no v4l2sink: install gstreamer1.0-plugins-good")


def accelerators():
    """KVM where the processor has it (the node alone proves nothing), and emulation."""
    flags = set(Path("/proc/cpuinfo").read_text().split())
    if {"vmx", "svm"} & flags and os.access("/dev/kvm", os.R_OK | os.W_OK):
        return ["kvm", "tcg"]
    return ["tcg"]


def boot(release, limit):
    """Boots; returns the accelerator and the seconds from start to end."""
    for accelerator in accelerators():
        shutil.rmtree(OUT, ignore_errors=True)
        OUT.mkdir(parents=True)
        machine = f"-accel {accelerator} -cpu max -smp 2 -m 1024"
        quiet = "-nodefaults -no-user-config -display none -no-reboot"
        command = ["qemu-system-x86_64", *quiet.split(), *machine.split()]
        command += ["-kernel", ROOT / f"boot/vmlinuz-{release}", "-initrd", LAB / "initramfs.gz"]
        command += ["-append", "console=ttyS0 panic=-1 quiet"]
        command += ["-serial", f"file:{LAB / 'console.log'}"]
        # This machine's root to read, and a folder to write to.
        shares = {"host": "path=/,readonly=on,multidevs=remap", "out": f"path={OUT}"}
        for tag, options in shares.items():
            command += ["-fsdev", f"local,id={tag},security_model=none,{options}"]
            command += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        begun = time.monotonic()
        try:
            ended = run(*command, check=False, timeout=limit).returncode  # killed at the limit
        except subprocess.TimeoutExpired:
            print(f"camera-lab: stopped after {limit} s ({accelerator})", flush=True)
            ended = 1
        took = time.monotonic() - begun
        if ended == 0 and (OUT / "done").is_file():
            return accelerator, took
    raise SystemExit(
        f"camera-lab: the virtual machine did not come to its end; see {LAB / 'console.log'} and {OUT}"
    )


def judgement(report):
    """Class, confidence and strongest evidence of a report of the program."""
    speaks = [f for f in report["findings"] if f["outcome"] == "found"]
    found = [f for f in speaks if f["class"] == report["class"]]
    strongest = max(found, key=lambda f: f["weight"], default=None)
    evidence = f"{strongest['check']}: {strongest['reason']}" if strongest else "-"
    return report["class"], report["confidence"], report["injection"], evidence


def table():
    """Prints the cases; returns whether all came out as expected."""
    cases = [json.loads(line) for line in (OUT / "cases.jsonl").read_text().splitlines()]
    rows, good = [], bool(cases)
    for case in cases:
        found, confidence, injection, evidence = "failed", "", "", case.get("error", "")
        if not evidence:
            found, confidence, injection, evidence = judgement(case["report"])
            confidence, injection = f"{confidence:.3f}", f"{injection:+.1f}"
        passed = found == case["expected"]
        good &= passed
        numbers = [confidence, injection, case.get("frames", "-")]
        verdict = "yes" if passed else "NO"
        rows.append([case["name"], case["expected"], found, *numbers, evidence[:90], verdict])
    head = ["case", "expected", "detected", "conf.", "inj.", "frames", "strongest evidence", "pass"]
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * w for w in widths], *rows]:
        print("  ".join(str(cell).ljust(w) for cell, w in zip(row, widths)).rstrip())
    return good


def newest(*names):
    found = [p for name in names for p in (REPOSITORY / "target").glob(f"*/{name}") if p.is_file()]
    return max(found, key=lambda p: p.stat().st_mtime, default=None)


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "--program", type=Path, help="what judges a node; default: the newest built deepfake"
    )
    arguments.add_argument(
        "--limit", type=int, default=500, help="seconds after which the virtual machine is stopped"
    )
    options = arguments.parse_args()
    try:
        if platform.system() != "Linux" or platform.machine() != "x86_64":
            raise Skip("it is for Linux on x86-64")
        program = options.program or newest("deepfake")
        if not program or not program.is_file():
            raise SystemExit(
                "camera-lab: no program deepfake: build it (cargo build --features tools)"
            )
        LAB.mkdir(parents=True, exist_ok=True)
        tools(None)
        release, compiler = packages()
        tools(compiler)
        registry()
        modules(release, compiler)
        initramfs(release, program.resolve())
    except Skip as reason:
        print(f"camera-lab: skipped: {reason}")
        return 1 if os.environ.get("STRICT") == "1" else 0
    accelerator, took = boot(release, options.limit)
    up = float((OUT / "up").read_text())
    print(
        f"camera-lab: Linux {release}, {accelerator}: up after {up:.1f} s, done after {took:.1f} s\n"
    )
    return 0 if table() else 1


if __name__ == "__main__":
    sys.exit(main())
