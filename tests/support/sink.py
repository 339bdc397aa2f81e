# SPDX-License-Identifier: Apache-2.0
"""A next hop for tests that keeps each message as it came, octet for octet but for dot-stuffing.

Written without ringpost's code and without smtplib: what it says about a text can be held against both.
"""
import collections
import re
import socket
import threading

import ringpost

# commands: MAIL and each RCPT that was taken, as they came.
Message = collections.namedtuple("Message", "sender sender_options recipients commands text how")

OFFERS = ("PIPELINING", "SIZE", "8BITMIME", "CHUNKING", "BINARYMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN")


def unstuffed(text):
    return re.sub(rb"(\A|\r\n)\.", rb"\1", text)


class Session:
    """Commands of one connection, until it ends."""

    def __init__(self, sink, connection):
        self.sink, self.connection = sink, connection
        self.held = b""
        self.reset()

    def reset(self):
        self.sender = self.sender_options = None
        self.recipients, self.commands, self.chunks = [], [], []

    def read_more(self):
        more = self.connection.recv(65536)
        if not more:
            raise ConnectionResetError
        self.held += more

    def take(self, size):
        while len(self.held) < size:
            self.read_more()
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def take_until(self, end):
        start = 0
        while (at := self.held.find(end, start)) < 0:
            start = max(0, len(self.held) - len(end) + 1)
            self.read_more()
        return self.take(at + len(end))

    def say(self, reply):
        self.connection.sendall(reply.encode() + b"\r\n")

    def run(self):
        self.say("220 sink.example.org ESMTP")
        while True:
            line = self.take_until(b"\r\n")[:-2].decode("utf-8", "surrogateescape")
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            own = self.sink.answer(verb, rest) if self.sink.answer else None
            if verb == "BDAT":
                self.bdat(rest, own)
            elif own:
                self.say(own)
            elif verb == "DATA":
                self.data()
            elif verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say(self.plain(verb, rest, line))

    def plain(self, verb, rest, line):
        if verb == "EHLO":
            self.reset()
            return "\r\n".join(["250-sink.example.org"] + [f"250-{offer}" for offer in self.sink.offers] + ["250 HELP"])
        if verb in ("HELO", "RSET", "NOOP"):
            self.reset()
            return "250 2.0.0 ok"
        path = re.fullmatch(r"(?:FROM|TO):<(.*?)>(?: (.*))?", rest, re.IGNORECASE)
        if verb == "MAIL" and path and self.sender is None:
            self.sender, self.sender_options = path.group(1), (path.group(2) or "").split()
            self.commands.append(line)
            return "250 2.1.0 ok"
        if verb == "RCPT" and path and self.sender is not None:
            self.recipients.append(path.group(1))
            self.commands.append(line)
            return "250 2.1.5 ok"
        return "503 5.5.1 what"

    def data(self):
        if not self.recipients:
            self.say("503 5.5.1 no recipients")
            return
        self.say("354 go on")
        # The CRLF in front of the dot belongs to the text; an empty text has none.
        self.held = b"\r\n" + self.held
        self.keep(unstuffed(self.take_until(b"\r\n.\r\n")[2:-3]), "DATA")

    def bdat(self, rest, own):
        size, _, last = rest.partition(" ")
        self.chunks.append(self.take(int(size)))
        if own or not self.recipients:
            self.say(own or "503 5.5.1 no recipients")
        elif last.upper() == "LAST":
            self.keep(b"".join(self.chunks), "BDAT")
        else:
            self.say("250 2.0.0 so far")

    def keep(self, text, how):
        own = self.sink.answer(".", "") if self.sink.answer else None
        if not own:
            self.sink.add(Message(self.sender, self.sender_options, self.recipients, self.commands, text, how))
        self.reset()
        self.say(own or "250 2.0.0 taken")


class Sink:
    """Listens from the start.  answer(verb, rest), if given, may return a reply instead of the usual one; it is also asked about
    ".", the end of the text.  messages grows; wait() for what must come.  Sinks at several addresses may share a port."""

    def __init__(self, rig, offers=OFFERS, answer=None, address="127.0.0.1", port=None):
        self.offers, self.answer = offers, answer
        self.messages = []
        self.lock = threading.Lock()
        self.port = port or rig.port()
        self.listener = socket.create_server((address, self.port), backlog=128)
        rig.at_end.append(lambda: self.listener.shutdown(socket.SHUT_RDWR))  # which wakes accept()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                Session(self, connection).run()
            except OSError:
                pass  # the peer's business

    def add(self, message):
        with self.lock:
            self.messages.append(message)

    def to(self, recipient):
        """The messages that named this recipient."""
        with self.lock:
            return [m for m in self.messages if recipient in m.recipients]

    def wait(self, recipient, count=1):
        """Waits for so many messages to this recipient; returns them."""
        def enough():
            found = self.to(recipient)
            return found if len(found) >= count else None
        return ringpost.wait_until(f"{count} messages to {recipient}", enough)
