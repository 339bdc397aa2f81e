# SPDX-License-Identifier: Apache-2.0
"""Small disks that a test can fill, in a mount namespace of its own: nobody else sees them, and they go with the test."""
import errno
import os
import subprocess
import sys

import ringpost

MARK = "RINGPOST_TEST_OWN_MOUNTS"


def own_mounts():
    """To be called first: begins the program anew in a mount namespace of its own, where the machine allows it."""
    words = ["unshare", "--mount"] + (["--user", "--map-root-user"] if os.geteuid() else [])
    if MARK not in os.environ and subprocess.run(words + ["true"], capture_output=True, check=False).returncode == 0:
        os.environ[MARK] = "1"
        os.execvp(words[0], words + [sys.executable, *sys.argv])


class SmallDisk:
    """A file system of so many octets in the rig's directory."""

    def __init__(self, rig, name, octets, *options):
        if MARK not in os.environ:
            raise ringpost.Skip("no mount namespace of our own: neither root nor user namespaces")
        self.path = rig.path(name)
        self.ballast = os.path.join(self.path, "ballast")
        os.mkdir(self.path)
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([f"size={octets}", "mode=755", *options]), "tmpfs",
                               self.path], capture_output=True, text=True, check=False)
        if made.returncode:
            raise ringpost.Skip(f"cannot mount: {made.stderr.strip()}")
        rig.at_end.append(lambda: subprocess.run(["umount", self.path], check=False))

    def free(self):
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize

    def fill(self, leave=0):
        """Takes space until so many octets are left, or less."""
        with open(self.ballast, "ab") as file:
            while (room := self.free()) > leave:
                try:
                    at = file.tell()
                    os.posix_fallocate(file.fileno(), at, room - leave)
                    file.seek(at + room - leave)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def empty(self):
        os.remove(self.ballast)
