#!/usr/bin/env python3
"""Runs the Dockerfile without a Docker engine: every stage in a fresh Debian root made by debootstrap.

    sudo tests/deploy/dockerfile_in_chroot.py --models DIR [--arg DEBIAN=trixie] [--work DIR] [--base NAME=ROOT]...

Each RUN is executed in its stage's root, with the FROM, ARG, ENV, WORKDIR, USER and COPY before it (.dockerignore
obeyed); any other instruction stops the run. Then the last stage is tried as a container would be: DIR becomes
/models, the ENTRYPOINT with CMD is started as USER, HEALTHCHECK must fail before and pass after that, every EXPOSEd
port must accept a connection, and SIGTERM must end it with code 0. Prints the size of the image over its base.

Needs root, debootstrap, and a network to Debian's packages. --base debian:bookworm-slim=/some/root saves the
debootstrap: the root is copied, never changed. What a -slim image leaves out (documentation, man pages, locales)
is left out here too. Not Docker: no layers, no cgroups, no network of its own.
"""
import argparse
import ctypes
import fcntl
import fnmatch
import json
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SLIM = ("doc", "groff", "info", "lintian", "locale", "man")  # of /usr/share
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Stage:
    """One FROM: its root and the settings that hold for the next instruction."""

    def __init__(self, root, base):
        self.root, self.base = root, base
        self.env, self.args, self.user, self.workdir = {"PATH": PATH}, {}, "root", "/"
        self.entrypoint, self.cmd, self.health, self.ports = [], [], None, []

    def variables(self):
        return {**self.args, **self.env}

    def inside(self, path):
        return os.path.join(self.root, os.path.join(self.workdir, path).lstrip("/"))

    def start(self, command, env):
        """A process in the root, as USER, with /proc of its own mount namespace: nothing stays mounted."""
        enter = 'mount -t proc proc "$0/proc" && root="$0" user="$1" dir="$2" && shift 2 && ' \
                'exec chroot --userspec="$user" "$root" /usr/bin/env -C "$dir" "$@"'
        return subprocess.Popen(["unshare", "--mount", "sh", "-c", enter, self.root, self.user, self.workdir, *command],
                                env=env)

    def run(self, command, env):
        return self.start(command, env).wait()


def instructions(text):
    """(keyword, rest of the line) of each instruction, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            keyword, _, rest = line.strip().partition(" ")
            yield keyword.upper(), rest.strip()


def expand(text, variables):
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda m: variables.get(m[1] or m[2], ""), text)


def ignored(path, patterns):
    """Whether .dockerignore leaves `path` (relative) out: the last pattern that fits it or a parent wins."""
    parts = path.split("/")
    parents = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    out = False
    for pattern in patterns:
        glob = pattern.removeprefix("!").removeprefix("**/")
        if any(fnmatch.fnmatch(parent, glob) for parent in parents):
            out = not pattern.startswith("!")
    return out


def copy_in(source_root, sources, stage, target, patterns):
    """COPY: folders give their contents, files go into `target` if it ends in a slash, else become it."""
    for source in sources:
        start = os.path.join(source_root, source.lstrip("/"))
        if not os.path.exists(start) or (os.path.isfile(start) and ignored(source, patterns)):
            sys.exit(f"COPY {source}: no such file, or .dockerignore leaves it out")
        place = stage.inside(target) + (os.sep if target.endswith("/") else "")
        if os.path.isfile(start):
            place = os.path.join(place, os.path.basename(start)) if target.endswith("/") else place
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.copy2(start, place)
        for folder, _, names in os.walk(start):
            for name in names:
                path = os.path.join(folder, name)
                if not ignored(os.path.relpath(path, source_root), patterns):
                    to = os.path.join(place, os.path.relpath(path, start))
                    os.makedirs(os.path.dirname(to), exist_ok=True)
                    shutil.copy2(path, to, follow_symlinks=False)


def make_root(image, root, bases):
    match = re.fullmatch(r"debian:(\w+)-slim", image)
    if not match:
        sys.exit(f"FROM {image}: only debian:RELEASE-slim can be made here")
    if image in bases:
        subprocess.run(["cp", "-a", bases[image], root], check=True)
    else:
        subprocess.run(["debootstrap", "--variant=minbase", match[1], root], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["chroot", root, "apt-get", "clean"], check=True)
    for leftover in ["var/lib/apt/lists", *(f"usr/share/{name}" for name in SLIM)]:
        shutil.rmtree(os.path.join(root, leftover), ignore_errors=True)
    with open(os.path.join(root, "etc/dpkg/dpkg.cfg.d/docker"), "w") as file:
        file.write("".join(f"path-exclude /usr/share/{name}/*\n" for name in SLIM))
        file.write("path-include /usr/share/doc/*/copyright\n")
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))


def mebibytes(root):
    out = subprocess.run(["du", "-sx", "--block-size=1K", "--exclude=./proc", "."], cwd=root, check=True,
                         capture_output=True, text=True).stdout
    return int(out.split()[0]) / 1024


def options_and_words(rest):
    words = shlex.split(rest)
    options = dict(w[2:].partition("=")[::2] for w in words if w.startswith("--"))
    return options, [w for w in words if not w.startswith("--")]


def build(dockerfile, work, given, bases, patterns):
    stages, stage, arguments = {}, None, {}
    for keyword, rest in instructions(dockerfile):
        print(f"== {keyword} {' '.join(rest.split())}", flush=True)
        if keyword == "FROM":
            image, _, name = expand(rest, arguments).partition(" AS ")
            stage = Stage(os.path.join(work, name or f"stage{len(stages)}"), image)
            stages[name or str(len(stages))] = stage
            make_root(image, stage.root, bases)
            stage.base_size = mebibytes(stage.root)
        elif keyword == "ARG":
            name, _, default = rest.partition("=")
            value = given.get(name, default or arguments.get(name, ""))
            (stage.args if stage else arguments)[name] = value
        elif keyword == "ENV":
            stage.env.update((k, expand(v, stage.variables())) for k, v in
                             (word.split("=", 1) for word in shlex.split(rest)))
        elif keyword == "WORKDIR":
            stage.workdir = os.path.join(stage.workdir, expand(rest, stage.variables()))
            os.makedirs(stage.inside("."), exist_ok=True)
        elif keyword == "USER":
            stage.user = rest
        elif keyword == "COPY":
            options, words = options_and_words(expand(rest, stage.variables()))
            unknown = set(options) - {"from"}
            if unknown:
                sys.exit(f"COPY --{unknown.pop()}: not known here")
            other = stages.get(options.get("from"))
            copy_in(other.root if other else SOURCE, words[:-1], stage, words[-1], [] if other else patterns)
        elif keyword == "RUN":
            started = time.monotonic()
            code = stage.run(["/bin/sh", "-c", rest], {**stage.variables(), "HOME": "/root"})
            if code:
                sys.exit(f"RUN {rest}\nended with code {code}")
            print(f"   {time.monotonic() - started:.0f} s", flush=True)
        elif keyword == "VOLUME":
            os.makedirs(stage.inside(json.loads(rest)[0]), exist_ok=True)
        elif keyword in ("ENTRYPOINT", "CMD"):
            setattr(stage, keyword.lower(), json.loads(rest))
        elif keyword == "HEALTHCHECK":
            stage.health = json.loads(rest[rest.index("CMD ") + 4:])
        elif keyword == "EXPOSE":
            stage.ports = [int(port) for port in rest.split()]
        elif keyword != "LABEL":
            sys.exit(f"{keyword}: not known here")
    return stage


def own_network():
    """From here on this process and its children have a network of their own with nothing but 127.0.0.1."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
    with socket.socket() as any_socket:  # SIOCSIFFLAGS with IFF_UP, see netdevice(7)
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))


def try_image(stage, models):
    """What `docker run` and the health check would show."""
    own_network()
    place = os.path.join(stage.root, "models")
    shutil.copytree(models, place, dirs_exist_ok=True)
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    if stage.run(stage.health, stage.env) == 0:
        sys.exit("HEALTHCHECK passes although nothing runs yet")
    server = stage.start(stage.entrypoint + stage.cmd, stage.env)
    try:
        deadline = time.monotonic() + 30
        while stage.run(stage.health, stage.env) != 0:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"HEALTHCHECK does not pass; the server's exit code: {server.poll()}")
            time.sleep(0.2)
        for port in stage.ports:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        with open(f"/proc/{server.pid}/status") as status:
            user = re.search(r"^Uid:\s+(\d+)", status.read(), re.M)[1]
        print(f"health check passes; ports {stage.ports} answer; the server runs as uid {user}")
        if user == "0":
            sys.exit("the server runs as root: USER is missing")
    finally:
        server.terminate()
        code = server.wait(timeout=60)
    if code != 0:
        sys.exit(f"SIGTERM: the server ended with code {code}, not 0")
    print("SIGTERM: ended with code 0")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True, help="folder of models to serve (NAME/VERSION/)")
    parser.add_argument("--arg", action="append", default=[], metavar="NAME=VALUE", help="as docker's --build-arg")
    parser.add_argument("--base", action="append", default=[], metavar="IMAGE=ROOT", help="a root for FROM IMAGE")
    parser.add_argument("--work", help="where the roots are made and kept; default: a temporary folder, removed")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("needs root: chroot and debootstrap")
    with open(os.path.join(SOURCE, "Dockerfile")) as file:
        dockerfile = file.read()
    with open(os.path.join(SOURCE, ".dockerignore")) as file:
        patterns = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    work = os.path.abspath(options.work) if options.work else tempfile.mkdtemp(prefix="tidegate-image-")
    os.makedirs(work, exist_ok=True)
    try:
        image = build(dockerfile, work, dict(a.split("=", 1) for a in options.arg),
                      dict(b.split("=", 1) for b in options.base), patterns)
        size = mebibytes(image.root)
        try_image(image, options.models)
    finally:
        if not options.work:
            shutil.rmtree(work)
    print(f"image: {size - image.base_size:.0f} MiB over {image.base} ({image.base_size:.0f} MiB as made here)")


if __name__ == "__main__":
    main()
