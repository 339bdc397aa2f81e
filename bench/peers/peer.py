# SPDX-License-Identifier: Apache-2.0
"""What the scripts of this folder share: the words of the command line, Debian packages without installing, processes.

README says what a peer's script has to do, and for whom.
"""
import collections
import difflib
import fcntl
import glob
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

PATIENCE_S = 20  # for a start and for a stop
STATE = "peer.json"  # in the directory of an instance: what start left for queue and stop

VERBS = {  # what each is told as key=value: those it needs, those it may have
    "install": ((), ()),
    "about": ((), ()),
    "start": (("dir", "port", "next_hop"), ("cores", "size_max")),
    "queue": (("dir",), ()),
    "flush": (("dir",), ()),
    "stop": (("dir",), ()),
}

USAGE = """usage: {name} install ROOT
       {name} about ROOT
       {name} start ROOT dir=DIR port=P next_hop=HOST:PORT|down [cores=N] [size_max=OCTETS]
       {name} queue|flush|stop ROOT dir=DIR

{text}
install  fetches what the peer consists of into ROOT; quick when it is there
about    prints name, version and what is synced before 250, as JSON
start    configures and starts it with its spool below DIR, which is empty or what a stopped one left; returns when
         127.0.0.1:P answers 220, having printed main process, settings and log as JSON.  next_hop=down: mail is
         taken and stays, and nothing tries to deliver it
queue    prints how many messages are not delivered yet
flush    makes it try all of them now
stop     ends it; returns when its last process is gone
"""


class Wrong(Exception):
    """What keeps a verb from being done; its text is for the user."""


Start = collections.namedtuple("Start", "dir port next_hop cores size_max")
"""What start is told.  next_hop: (host, port), or None when it is down."""


def meant(word, words):
    near = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(words)}"


def number(key, text, least, most):
    if not re.fullmatch("[0-9]{1,12}", text) or not least <= int(text) <= most:
        raise Wrong(f"{key}={text}: a number from {least} to {most} is wanted")
    return int(text)


def parse(words):
    """(verb, root, {key: value}) of a command line."""
    verb, *words = words
    if verb not in VERBS:
        raise Wrong(f"no verb {verb}{meant(verb, list(VERBS))}")
    if not words or re.match("[a-z_]+=", words[0]):
        raise Wrong(f"{verb}: ROOT is missing")
    root, *words = words
    needed, allowed = VERBS[verb]
    values = {}
    for word in words:
        key, equals, value = word.partition("=")
        if key not in needed + allowed:
            raise Wrong(f"{verb}: no key {key}" + (meant(key, needed + allowed) if needed + allowed else "; it has none"))
        if not equals or not value:
            raise Wrong(f"{verb}: {key} has no value")
        values[key] = value
    missing = [key for key in needed if key not in values]
    if missing:
        raise Wrong(f"{verb}: {', '.join(missing)} missing")
    if "dir" in values:
        values["dir"] = os.path.abspath(values["dir"])
    return verb, os.path.abspath(root), values


def start_of(values):
    next_hop = None
    if values["next_hop"] != "down":
        host, colon, port = values["next_hop"].rpartition(":")
        if not colon or not re.fullmatch(r"[0-9.]+", host):
            raise Wrong(f"next_hop={values['next_hop']}: an IPv4 address and a port are wanted, or the word down")
        next_hop = host, number("port of next_hop", port, 1, 65535)
    return Start(values["dir"], number("port", values["port"], 1, 65535), next_hop,
                 number("cores", values.get("cores", str(os.cpu_count())), 1, 256),
                 number("size_max", values.get("size_max", str(64 << 20)), 1 << 16, 1 << 30))


def main(text, module):
    """Does what the command line says.  text: what --help says of this peer; module: its functions, named as the verbs:

    install(root)          makes root whole
    about(root)            a dict
    start(root, Start)     {"pid": main process, "settings": text, "log": path}, and where a greeting does not say that it
                           takes mail, "ready": a function that tells
    queue(root, dir)       a number
    flush(root, dir)       optional
    stop(root, dir)        optional; SIGTERM to the main process otherwise
    """
    name = os.path.basename(sys.argv[0])
    words = sys.argv[1:]
    if not words or words[0] in ("--help", "-h", "help"):
        print(USAGE.format(name=name, text=text), end="", file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    try:
        verb, root, values = parse(words)
        if verb == "flush" and verb not in module:
            raise Wrong("no verb flush here")
    except Wrong as wrong:
        print(f"{name}: {wrong}\n{name} --help says more", file=sys.stderr)
        return 2
    try:
        run(module, verb, root, values)
        return 0
    except Wrong as wrong:
        print(f"{name}: {verb}: {wrong}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        said = ((error.stderr or b"") + (error.stdout or b"")).decode(errors="replace").strip()
        print(f"{name}: {verb}: {' '.join(error.cmd)} ended with {error.returncode}: {said[-2000:]}", file=sys.stderr)
    except OSError as error:
        print(f"{name}: {verb}: {error}", file=sys.stderr)
    return 1


def run(module, verb, root, values):
    if verb == "install":
        module["install"](root)
    elif verb == "about":
        print(json.dumps(module["about"](root)))
    elif verb == "start":
        start = start_of(values)
        if answers(start.port):
            raise Wrong(f"somebody answers on 127.0.0.1:{start.port} already")
        os.makedirs(start.dir, exist_ok=True)
        if os.path.exists(os.path.join(start.dir, STATE)) and runs(state(start.dir)):
            raise Wrong(f"one runs in {start.dir} already")
        print(json.dumps(started(module, root, start)))
    elif verb == "stop":
        stopped(module, root, values["dir"])
    else:
        state(values["dir"])
        done = module[verb](root, values["dir"])
        if verb == "queue":
            print(done)


# Instances

def answers(port, seconds=2):
    """Does 127.0.0.1:port greet with 220?"""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
            greeting = s.recv(512)
            s.sendall(b"QUIT\r\n")
            return greeting.startswith(b"220")
    except OSError:
        return False


def wait_until(what, condition, seconds=PATIENCE_S):
    end, pause = time.monotonic() + seconds, 0.001
    while not condition():
        if time.monotonic() > end:
            raise Wrong(f"{what}: not within {seconds} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def tail(path, octets=2000):
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - octets))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def started(module, root, start):
    done = module["start"](root, start)
    pid, ready = done["pid"], done.get("ready", lambda: True)
    try:
        wait_until(f"220 on 127.0.0.1:{start.port}", lambda: gone(pid) or (ready() and answers(start.port)))
        if gone(pid):
            raise Wrong("it ended instead of answering")
    except Wrong as wrong:
        end(family(pid))
        said = "\n".join(filter(None, (tail(done["log"]), tail(os.path.join(start.dir, "out")))))
        raise Wrong(f"{wrong}\n{said}".rstrip()) from None
    with open(os.path.join(start.dir, STATE), "w", encoding="utf-8") as file:
        json.dump({"pid": pid, "born": born(pid)}, file)
    return {"pids": [pid], "settings": done["settings"], "log": done["log"]}


def state(directory):
    try:
        with open(os.path.join(directory, STATE), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise Wrong(f"nothing was started in {directory}") from None


def runs(was):
    """Its number may be another's by now, but not with the same start."""
    return born(was["pid"]) == was["born"]


def stopped(module, root, directory):
    was = state(directory)
    if not runs(was):
        return  # ended by itself, or stopped before
    processes = family(was["pid"])
    if "stop" in module:
        module["stop"](root, directory)
    else:
        os.kill(was["pid"], signal.SIGTERM)
    end(processes, PATIENCE_S / 2)


def launch(words, directory, environment=None):
    """Starts words as the head of a session of its own, output to directory/out; its number."""
    with open(os.path.join(directory, "out"), "ab") as out:
        return subprocess.Popen(words, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                start_new_session=True, env=environment).pid


def processes_of_machine():
    """{pid: (parent, session, start)} of all that are no zombies."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat_fields(entry)
            if fields and fields[0] not in "ZX":
                found[int(entry)] = int(fields[1]), int(fields[3]), int(fields[19])
    return found


def stat_fields(pid):
    """What /proc/PID/stat says behind the name: state, parent, group, session, ...; None without such a process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def born(pid):
    """When it was started, in ticks; None when it is gone."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def gone(pid):
    return born(pid) is None


def family(*pids):
    """{pid: start}: these, their descendants, and whoever is in a session that one of them began: a child whose parent has
    ended is nobody's descendant any more, but it keeps the session."""
    machine = processes_of_machine()
    inside = {pid for pid in pids if pid in machine}
    sessions = set(pids)
    while True:
        more = {pid for pid, (parent, session, _) in machine.items()
                if pid not in inside and (parent in inside or session in sessions)}
        if not more:
            return {pid: machine[pid][2] for pid in inside}
        inside |= more


def end(processes, seconds=0):
    """Returns when these and their children are gone: by themselves within so many seconds, or killed."""
    limit = time.monotonic() + seconds
    hard = limit + PATIENCE_S / 2
    pause = 0.001
    while True:
        processes |= family(*processes)
        processes = {pid: start for pid, start in processes.items() if born(pid) == start}
        if not processes:
            return
        if time.monotonic() > hard:
            raise Wrong(f"processes {', '.join(map(str, processes))} do not end")
        if time.monotonic() > limit:
            for pid in processes:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def told(words, **more):
    """What a command says, run to its good end."""
    return subprocess.run(words, check=True, capture_output=True, **more).stdout.decode(errors="replace")


# Programs and packages

def program(root, name):
    """One of our own, below a build, a prefix or a tree that was built."""
    for place in ("", "bin", "sbin", "../sbin", "build/release/bin"):
        path = os.path.join(root, place, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return os.path.normpath(path)
    raise Wrong(f"no {name} in {root}: build it, or name the directory it is in")


def install(root, package, programs, libraries=()):
    """Fetches Debian's package and unpacks it into root, with packages of libraries that the machine lacks.

    programs: paths below root that must find all their libraries; libraries: paths below root where it has its own.
    """
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(root, "package")):
            return
        fetched = os.path.join(root, "fetched")
        shutil.rmtree(fetched, ignore_errors=True)
        os.mkdir(fetched)
        fetch(root, fetched, package)
        wanted, tried = depends(fetched, package), {package}
        while missing(root, programs, libraries):
            more = [name for name in wanted if name not in tried and not installed(name)]
            if not more:
                raise Wrong(f"{package} needs {', '.join(missing(root, programs, libraries))}, and no package it depends on has it")
            wanted = []
            for name in more:
                fetch(root, fetched, name)
                tried.add(name)
                wanted += depends(fetched, name)
        # Nobody else's program gains rights by a file that lies below a build.
        for directory, _, names in os.walk(root):
            for name in names:
                path = os.path.join(directory, name)
                if not os.path.islink(path) and os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID):
                    os.chmod(path, 0o755)
        with open(os.path.join(root, "package"), "w", encoding="ascii") as file:
            file.write(control(fetched, package, "Version") + "\n")


def fetch(root, fetched, package):
    try:
        subprocess.run(["apt-get", "-q", "download", package], cwd=fetched, capture_output=True, check=True, timeout=120)
        subprocess.run(["dpkg-deb", "-x", archive(fetched, package), root], capture_output=True, check=True)
    except subprocess.CalledProcessError as error:
        raise Wrong(f"Debian's package {package} cannot be fetched: {error.stderr.decode(errors='replace').strip()}") from None
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Wrong(f"Debian's package {package} cannot be fetched: {error}") from None


def archive(fetched, package):
    return glob.glob(os.path.join(fetched, glob.escape(package) + "_*.deb"))[0]


def control(fetched, package, field):
    return subprocess.run(["dpkg-deb", "-f", archive(fetched, package), field], capture_output=True, text=True,
                          check=True).stdout.strip()


def depends(fetched, package):
    """Packages of libraries that it depends on."""
    return re.findall(r"(?:^|[,|])\s*(lib[a-z0-9.+-]+)", control(fetched, package, "Depends"))


def installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True, check=False)
    return done.stdout == "installed"


def missing(root, programs, libraries):
    """Libraries that these programs do not find."""
    found = set()
    for program in programs:
        said = subprocess.run(["ldd", os.path.join(root, program)], env=environment(root, *libraries), capture_output=True,
                              text=True, check=False).stdout
        found |= {line.split()[0] for line in said.split("\n") if "not found" in line}
    return sorted(found)


def environment(root, *libraries):
    """Ours, with the libraries of root."""
    places = [os.path.join(root, place) for place in (*libraries, "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(places)}


def version(root):
    """Of the package, as it names itself upstream."""
    try:
        with open(os.path.join(root, "package"), encoding="ascii") as file:
            return re.sub(r"^[0-9]+:|-[^-]*$", "", file.read().strip())
    except FileNotFoundError:
        raise Wrong(f"nothing is installed in {root}") from None


# A machine of its own

def need_root(why):
    if os.geteuid() != 0:
        raise Wrong(f"needs root: {why}")


def reachable(path, user):
    """Refuses a directory that a user who is not root cannot enter."""
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            raise Wrong(f"the user {user} cannot enter {path}: chmod o+x is needed")
        path = os.path.dirname(path)


def owned(path, user="root", group="root", mode=0o755, ids=None):
    """A directory, made, and whose it is.  ids: of users that only a view has."""
    os.makedirs(path, exist_ok=True)
    if ids:
        os.chown(path, *ids)
    else:
        shutil.chown(path, user, group)
    os.chmod(path, mode)


def view(root, users, mounts, empty=()):
    """Words in front of a command that then sees a machine with these users and mounts, which only it and its children see.

    users:  names; a user and a group of each, which exist nowhere else.  root: keeps the files that say so
    mounts: {place: directory or file that is seen there}
    empty:  directories seen empty, so that a place which the machine lacks can be made in them; their paths come first
    """
    need_root("it makes a private mount namespace")
    users_file, groups_file = os.path.join(root, "passwd"), os.path.join(root, "group")
    ids = user_ids(users)
    for path, old, line in ((users_file, "/etc/passwd", "{name}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin\n"),
                            (groups_file, "/etc/group", "{name}:x:{id}:\n")):
        with open(old, encoding="utf-8", errors="surrogateescape") as file:
            text = "".join(whole for whole in file if whole.partition(":")[0] not in users)
        with open(path + f".{os.getpid()}", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text + "".join(line.format(name=name, id=ids[name]) for name in users))
        os.rename(path + f".{os.getpid()}", path)
    script = ["set -e"]
    script += [f"mount -t tmpfs -o mode=755 none {place}" for place in empty]
    for place, what in (mounts | {"/etc/passwd": users_file, "/etc/group": groups_file}).items():
        if any(place.startswith(directory + "/") for directory in empty):
            script.append(f"mkdir -p {place}")
        script.append(f'mount --bind "{what}" {place}')
    script.append('exec "$@"')
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script), "sh"]


def user_ids(users):
    """{name: number}: numbers that nobody on the machine has."""
    taken = {entry.pw_uid for entry in pwd.getpwall() if entry.pw_name not in users}
    free = (number for number in range(61800, 65000) if number not in taken)
    return {name: next(free) for name in users}
