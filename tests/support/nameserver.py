# SPDX-License-Identifier: Apache-2.0
"""A name server for tests: loopback only, UDP and TCP on one port, nothing but the standard library.

    dns = NameServer({"example.com": {"MX": ["10 mx.example.com"]},
                      "mx.example.com": {"A": ["127.0.0.1"], "AAAA": ["::1"]},
                      "old.example": {"CNAME": ["example.com"]},
                      "null.example": {"MX": ["0 ."]},
                      "*.load.example": {"MX": ["10 mx.example.com"]},
                      "broken.example": {"does": ["servfail"]}}).start()
    settings = {"dns": {"servers": [f"127.0.0.1:{dns.port}"]}}
    ...
    dns.count("example.com", "MX")                       # how often it was asked
    dns.zone["example.com"] = {"does": ["drop"]}         # while it runs
    dns.does = ["delay=0.2"]                             # to every question; [] again: to none
    dns.stop()

Types are A, AAAA, MX, CNAME and TXT.  A name that is there but lacks the type is "no data", any other is NXDOMAIN; both come
with SOA.  "*.name" stands for what is below name and not there itself.  What may be done, to a name or by `does` to all:

    drop        no answer at all              delay=S     answer S seconds late; others do not wait
    servfail    RCODE 2                       refused     RCODE 5
    nxdomain    RCODE 3, whatever is there    nodata      no records, whatever is there
    truncate    over UDP only the question, with TC; over TCP all
    wrong-id    another id                    forged      first another id and another question, then the answer
    garbage     octets that are no message    hang-up     over TCP the connection ends instead
    old         FORMERR to EDNS0

Bounds: CONNECTIONS_MAX connections by TCP, DELAYED_MAX answers held back, ASKED_MAX questions remembered; beyond, the newest
connection or answer is dropped and the oldest question forgotten.
"""
import collections
import heapq
import ipaddress
import selectors
import socket
import struct
import threading
import time

CONNECTIONS_MAX = 64
DELAYED_MAX = 10000
ASKED_MAX = 100000
TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28}
NAMES = {number: name for name, number in TYPES.items()}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, REFUSED = 0, 1, 2, 3, 5
QR_RD_RA, TC = 0x8180, 0x0200


def wire_name(name):
    """A name as labels with their lengths; a backslash keeps the dot behind it inside its label."""
    name = name.rstrip(".").replace("\\.", "\0")
    labels = [label.replace("\0", ".").encode("latin-1") for label in name.split(".")] if name else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def wire_data(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "CNAME":
        return wire_name(value)
    if kind == "MX":
        preference, host = value.split()
        return struct.pack(">H", int(preference)) + wire_name(host)
    text = value.encode()
    return b"".join(bytes([len(text[i:i + 255])]) + text[i:i + 255] for i in range(0, max(len(text), 1), 255))


def record(owner, kind, ttl, data):
    return wire_name(owner) + struct.pack(">HHIH", TYPES[kind], 1, ttl, len(data)) + data


class NameServer:
    """Serves zone from a thread of its own between start() and stop()."""

    def __init__(self, zone, ttl=60):
        self.zone = zone
        self.does = []
        self.ttl = ttl
        self.asked = collections.deque(maxlen=ASKED_MAX)  # (name, type, "udp" or "tcp")
        self._delayed = []  # (when, number, act)
        self._number = 0
        self._connections = {}  # socket: octets read so far
        self._selector = selectors.DefaultSelector()
        self._udp, self._tcp = self._bind()
        self.port = self._udp.getsockname()[1]
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._udp, selectors.EVENT_READ, self._read_udp)
        self._selector.register(self._tcp, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._thread = None

    @staticmethod
    def _bind():
        for _ in range(50):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                udp.bind(("127.0.0.1", 0))
                tcp.bind(("127.0.0.1", udp.getsockname()[1]))
                tcp.listen(CONNECTIONS_MAX)
                udp.setblocking(False)
                tcp.setblocking(False)
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
        raise OSError("no port is free for both UDP and TCP")

    def count(self, name=None, kind=None, by=None):
        """How often was it asked; None fits all."""
        return sum((name is None or n == name) and (kind is None or k == kind) and (by is None or b == by)
                   for n, k, b in list(self.asked))

    # --- answers ---------------------------------------------------------------------------------------------

    def _find(self, name):
        if name in self.zone:
            return self.zone[name]
        labels = name.split(".")
        for i in range(1, len(labels)):
            entry = self.zone.get("*." + ".".join(labels[i:]))
            if entry is not None:
                return entry
        return None

    def _records(self, name, kind, does):
        """The answer section's records and the RCODE."""
        records, owner = [], name
        if "nxdomain" in does:
            return [], NXDOMAIN
        if "nodata" in does:
            return [], NOERROR
        for _ in range(16):
            entry = self._find(owner.lower())
            if entry is None:
                return records, NXDOMAIN
            values = entry.get(kind, [])
            if values or "CNAME" not in entry:
                records += [record(owner, kind, self.ttl, wire_data(kind, v)) for v in values]
                return records, NOERROR
            target = entry["CNAME"][0]
            records.append(record(owner, "CNAME", self.ttl, wire_data("CNAME", target)))
            owner = target
        return records, NOERROR

    @staticmethod
    def _message(identity, flags, question, answers=(), authority=()):
        return struct.pack(">HHHHHH", identity, flags, 1, len(answers), len(authority), 0) + question + \
            b"".join(answers) + b"".join(authority)

    def _answer(self, query, by):
        """(messages, seconds to wait) for a query; no messages: silence; None among them: hang up."""
        if len(query) < 17 or query[2] & 0x80:
            return [], 0
        identity, _, _, _, _, additional = struct.unpack(">HHHHHH", query[:12])
        end, labels = 12, []
        while end < len(query) and 0 < query[end] < 64:
            labels.append(query[end + 1:end + 1 + query[end]].decode("latin-1"))
            end += query[end] + 1
        question = query[12:end + 5]
        if len(question) != end - 12 + 5:
            return [], 0
        name = ".".join(labels)
        kind = NAMES.get(struct.unpack(">H", question[-4:-2])[0], "?")
        self.asked.append((name.lower(), kind, by))
        does = list(self.does) + ((self._find(name.lower()) or {}).get("does", []))
        wait = sum(float(word[6:]) for word in does if word.startswith("delay="))
        answers, rcode = self._records(name, kind, does)
        if "servfail" in does or "refused" in does:
            answers, rcode = [], SERVFAIL if "servfail" in does else REFUSED
        authority = []
        if not answers or rcode == NXDOMAIN:
            soa = wire_name("ns.invalid") + wire_name("root.invalid") + struct.pack(">IIIII", 1, 60, 60, 60, self.ttl)
            authority = [record(".", "SOA", self.ttl, soa)] if rcode in (NOERROR, NXDOMAIN) else []
        message = self._message(identity, QR_RD_RA | rcode, question, answers, authority)
        if "drop" in does:
            return [], 0
        if "old" in does and additional:
            message = self._message(identity, QR_RD_RA | FORMERR, question)
        if "garbage" in does:
            message = bytes(i * 37 % 256 for i in range(40))
        if "wrong-id" in does:
            message = struct.pack(">H", identity ^ 1) + message[2:]
        if by == "tcp":
            return [None if "hang-up" in does else message], wait
        if "truncate" in does or "hang-up" in does or len(message) > (1232 if additional else 512):
            message = self._message(identity, QR_RD_RA | TC, question)
        if "forged" in does:
            other = wire_name("forged.invalid") + question[-4:]
            return [struct.pack(">H", identity ^ 1) + message[2:], self._message(identity, QR_RD_RA, other), message], wait
        return [message], wait

    # --- transport -------------------------------------------------------------------------------------------

    def _later(self, seconds, act):
        if not seconds:
            act()
        elif len(self._delayed) < DELAYED_MAX:
            self._number += 1
            heapq.heappush(self._delayed, (time.monotonic() + seconds, self._number, act))

    def _read_udp(self, _):
        for _ in range(100):
            try:
                query, peer = self._udp.recvfrom(65535)
            except OSError:
                return
            messages, wait = self._answer(query, "udp")
            self._later(wait, lambda messages=messages, peer=peer: self._send_udp(messages, peer))

    def _send_udp(self, messages, peer):
        for message in messages:
            try:
                self._udp.sendto(message, peer)
            except OSError:
                pass  # who asked may be gone

    def _accept(self, _):
        try:
            connection, _ = self._tcp.accept()
        except OSError:
            return
        if len(self._connections) >= CONNECTIONS_MAX:
            connection.close()
            return
        connection.setblocking(False)
        self._connections[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ, self._read_tcp)

    def _hang_up(self, connection):
        if self._connections.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()

    def _read_tcp(self, connection):
        try:
            octets = connection.recv(65535)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self._hang_up(connection)
            return
        held = self._connections[connection] + octets
        while len(held) >= 2 and len(held) >= 2 + struct.unpack(">H", held[:2])[0]:
            size = struct.unpack(">H", held[:2])[0]
            messages, wait = self._answer(held[2:2 + size], "tcp")
            held = held[2 + size:]
            self._later(wait, lambda messages=messages: self._send_tcp(connection, messages))
        if connection in self._connections:
            self._connections[connection] = held

    def _send_tcp(self, connection, messages):
        for message in messages:
            if connection not in self._connections:
                return
            try:
                if message is None:
                    raise ConnectionError
                if connection.send(struct.pack(">H", len(message)) + message) != 2 + len(message):
                    raise ConnectionError  # a peer that does not read is no use to a test
            except OSError:
                self._hang_up(connection)

    # --- life ------------------------------------------------------------------------------------------------

    def _run(self):
        while True:
            now = time.monotonic()
            while self._delayed and self._delayed[0][0] <= now:
                heapq.heappop(self._delayed)[2]()
            wait = self._delayed[0][0] - now if self._delayed else None
            for key, _ in self._selector.select(wait):
                if key.data is None:
                    return
                if key.fileobj.fileno() >= 0:
                    key.data(key.fileobj)

    def start(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        if self._thread:
            self._waker.send(b"x")
            self._thread.join()
        for connection in list(self._connections):
            self._hang_up(connection)
        for each in (self._udp, self._tcp, self._wake, self._waker):
            each.close()
        self._selector.close()
