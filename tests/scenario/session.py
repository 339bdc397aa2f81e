# SPDX-License-Identifier: Apache-2.0
"""The client's end of one session."""
import re
import socket
import struct

from ringpost import PATIENCE_S, expect, wait_until


def matches(pattern, line):
    """* stands for any text, everything else for itself."""
    if "*" not in pattern:
        return pattern == line
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), line, re.DOTALL) is not None


def waiting_octets(local, peer):
    """Octets that have reached the socket of `local`, connected to `peer`, and were not read.  None: not known."""
    def form(address):
        return "%08X:%04X" % (struct.unpack("=I", socket.inet_aton(address[0]))[0], address[1])

    wanted = f" {form(local)} {form(peer)} "
    try:
        with open("/proc/net/tcp", encoding="ascii") as f:
            for line in f:
                if wanted in line:
                    return int(line.split()[4].partition(":")[2], 16)
    except OSError:
        pass
    return None


class Session:
    """What is said and heard also goes to the transcript."""

    def __init__(self, port, name, source, transcript):
        self.name = name
        self.transcript = transcript
        self.unread = b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(PATIENCE_S)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))

    def note(self, sign, octets):
        shown = octets if len(octets) <= 400 else octets[:400] + b" ... %d octets" % len(octets)
        self.transcript.append(f"{self.name} {sign} {ascii(shown.decode('utf-8', 'backslashreplace'))[1:-1]}")

    def send(self, octets, cut=None):
        """cut: None, "octets", or the place where the server shall see the packet end."""
        pieces = [octets]
        if cut == "octets":
            pieces = [octets[i:i + 1] for i in range(len(octets))]
        elif cut:
            pieces = [octets[:cut], octets[cut:]]
        for piece in pieces:
            self.note(">", piece)
            try:
                self.socket.sendall(piece)
            except OSError:
                return  # it hung up on us; what it said before is still to be read
            if piece is not pieces[-1]:
                self.let_it_read()

    def let_it_read(self):
        server, client = self.socket.getpeername(), self.socket.getsockname()
        wait_until("the server to read", lambda: not waiting_octets(server, client))

    def receive(self):
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""
        except socket.timeout:
            raise AssertionError("waited in vain") from None

    def hear_line(self):
        while b"\n" not in self.unread:
            more = self.receive()
            expect(more, "the connection ended" + (", after " + repr(self.unread) if self.unread else ""))
            self.unread += more
        line, _, self.unread = self.unread.partition(b"\n")
        self.note("<", line + b"\n")
        expect(line.endswith(b"\r") and len(line) <= 511, f"heard a line that RFC 5321 does not allow: {line}")
        return line[:-1].decode("ascii")

    def hear_reply(self, code):
        lines = [self.hear_line()]
        while lines[-1][3:4] == "-":
            lines.append(self.hear_line())
        expect(all(line[:3] == code for line in lines), f"heard   {' / '.join(lines)}\n  instead of a reply with {code}")
        return " / ".join(lines)

    def hear_end(self):
        while True:
            expect(not self.unread, f"heard {self.unread} instead of the end of the connection")
            self.unread = self.receive()
            if not self.unread:
                self.transcript.append(f"{self.name} < (closed)")
                return

    def half_close(self):
        self.transcript.append(f"{self.name} > (half-closes)")
        self.socket.shutdown(socket.SHUT_WR)

    def hang_up(self):
        self.socket.close()

    def end(self):
        """Nothing but the end of the connection is left to hear."""
        if self.socket.fileno() < 0:
            return
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # done before, or the other side was faster
        self.hear_end()
        self.socket.close()

    def reset(self):
        self.transcript.append(f"{self.name} > (resets)")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
