# SPDX-License-Identifier: Apache-2.0
"""Debian's Postfix, for one test at a time and without touching the machine.

The package is fetched and unpacked below the build, not installed (bench/peers/postfix does it): nothing is configured, no
user is made, no daemon but ours runs. An instance has its own settings, queue and ports, and two of the users that every Debian has.
"""
import os
import shutil
import stat
import subprocess

import ringpost
from ringpost import Skip, wait_until

OWNER, GROUP, PRIVILEGES = "daemon", "mail", "nobody"

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
shlib_directory = {root}/usr/lib/postfix
import_environment = MAIL_CONFIG MAIL_LOGTAG POSTLOG_SERVICE LD_LIBRARY_PATH LANG=C
mail_owner = {owner}
setgid_group = {group}
default_privs = {privileges}
maillog_file = {home}/postfix.log
maillog_file_prefixes = {home}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.example.org
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
local_header_rewrite_clients =
smtp_dns_support_level = disabled
smtputf8_enable = yes
relayhost = [127.0.0.1]:{relay_port}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {access} }}, permit_mynetworks, reject
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

# Directories of the queue that it does not make by itself, and who owns them.
QUEUE = {
    "": ("root", "root", 0o755), "pid": ("root", "root", 0o755),
    "public": (OWNER, GROUP, 0o710), "maildrop": (OWNER, GROUP, 0o730),
} | {name: (OWNER, "root", 0o700) for name in (
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")}


def reachable(path):
    """By a user who is not root."""
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        path = os.path.dirname(path)
    return True


def unpacked():
    """The directory with Debian's package in it, fetched when it is not there yet; or Skip."""
    root = os.path.join(ringpost.BUILD, "tests", "peers", "postfix")
    script = os.path.join(ringpost.SOURCE, "bench", "peers", "postfix")
    done = subprocess.run([script, "install", root], capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise Skip(done.stderr.strip())
    return root


def environment(root):
    return os.environ | {"LD_LIBRARY_PATH": os.path.join(root, "usr/lib/postfix")}


def tool(rig, name, *words):
    """smtp-source or smtp-sink, started."""
    root = unpacked()
    return rig.process(name, [os.path.join(root, "usr/sbin", name), *map(str, words)], env=environment(root))


class Postfix:
    """A server that relays all it takes to relay_port.  access: recipients and the replies they get instead."""

    def __init__(self, rig, relay_port, access):
        root = unpacked()
        if os.geteuid() != 0:
            raise Skip("Postfix starts as root only")
        os.chmod(rig.directory, 0o755)
        if not reachable(rig.directory):
            raise Skip(f"the user {OWNER} cannot reach {rig.directory}")
        self.home = rig.path("postfix")
        self.port = rig.port()
        for name, (owner, group, mode) in {**{"queue/" + n: how for n, how in QUEUE.items()},
                                           "data": (OWNER, "root", 0o700), "etc": ("root", "root", 0o755)}.items():
            path = os.path.join(self.home, name)
            os.makedirs(path, exist_ok=True)
            shutil.chown(path, owner, group)
            os.chmod(path, mode)
        values = {"home": self.home, "root": root, "port": self.port, "relay_port": relay_port, "owner": OWNER, "group": GROUP,
                  "privileges": PRIVILEGES, "access": ", ".join(f"{{ {a} = {reply} }}" for a, reply in access.items())}
        for name, text in (("main.cf", MAIN_CF), ("master.cf", MASTER_CF)):
            with open(os.path.join(self.home, "etc", name), "w", encoding="ascii") as file:
                file.write(text.format(**values))
        self.process = rig.process(
            "postfix", [os.path.join(root, "usr/lib/postfix/sbin/master"), "-d", "-c", os.path.join(self.home, "etc")],
            group=True, env=environment(root) | {"MAIL_CONFIG": os.path.join(self.home, "etc")})
        wait_until(lambda: f"Postfix to answer: {self.log()[-2000:]}", self.answers)

    def answers(self):
        ringpost.expect(self.process.running(), f"Postfix has ended: {self.process.err()}{self.log()[-2000:]}")
        return ringpost.port_answers(self.port)

    def log(self):
        return ringpost.read_text(os.path.join(self.home, "postfix.log"))
