# SPDX-License-Identifier: Apache-2.0
"""The parent of a target: runs its script, adopts what the script leaves behind, ends it all when we are gone.

    keeper.py       reads a JSON list of words on a line of standard input, runs it, answers {"status", "out", "err"}

It is a subreaper: a daemon whose parent ended becomes its child, so that the whole target stays below one process and the
times of all that ended are inherited by it.  ["kill"] kills everything below it, and so does the end of its
input, which also comes when the laboratory dies.
"""
import ctypes
import json
import os
import select
import signal
import sys
import tempfile
import time

if __name__ == "__main__":
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab.measure import descendants, processes

PR_SET_CHILD_SUBREAPER = 36
KILL_PATIENCE_S = 30


def reap():
    """Waits for every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_all():
    """Returns when nothing is below us any more.  Who forks meanwhile is found the next time."""
    end = time.monotonic() + KILL_PATIENCE_S
    while time.monotonic() < end:
        pids = descendants(processes(), os.getpid())
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.005)
        reap()


def run(words):
    """A command, to its end.  Its output goes through files: a daemon may keep them open."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = os.posix_spawnp(words[0], words, os.environ, file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, err.fileno(), 2)],
                setsigdef=[signal.SIGPIPE, signal.SIGCHLD])
        except OSError as error:
            return {"status": 127, "out": "", "err": f"{words[0]}: {error.strerror}\n"}
        pid = 0
        while pid != child:
            pid, status = os.waitpid(-1, 0)  # and of others that end meanwhile
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return {"status": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit(f"keeper: prctl: {os.strerror(ctypes.get_errno())}")
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    try:
        serve(wake_read)
    except BrokenPipeError:
        pass  # nobody waits for the answer any more
    finally:
        kill_all()


def serve(wake_read):
    """Answers line by line, to the end of the input."""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            reap()
        if 0 not in ready:
            continue
        line = sys.stdin.readline()  # one is answered before the next comes
        if not line:
            return
        words = json.loads(line)
        if words == ["kill"]:
            kill_all()
            answer = {"status": 0, "out": "", "err": ""}
        else:
            answer = run(words)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
