# SPDX-License-Identifier: Apache-2.0
"""An SMTP server out of plain sockets that is slow where a case wants it, and notes what a client did.

It runs in a thread of the test.  Everything it notes may be read once the client has ended.
"""
import asyncio
import json
import re
import threading
import time

from ringpost import expect_equal


class Message:
    """One transaction as far as it came: mail, recipients, text (None: its end never came), seconds of the text."""

    def __init__(self, mail):
        self.mail, self.recipients, self.text, self.seconds = mail, [], None, None


class Connection:
    def __init__(self):
        self.messages = []
        self.verbs = []
        self.text_octets = 0  # of the last text, as far as it came
        self.quit = False
        self.auth = None  # the line


class FakeServer:
    """delay: called with the number of the message (from 0), says for how many seconds its 250 is kept back.

    offers: lines of the answer to EHLO.  answers: verb to reply, instead of what is usual.  silent: so many connections, the
    first, are not greeted.
    """

    def __init__(self, rig, delay=None, offers=("PIPELINING", "8BITMIME", "SIZE"), answers=None, silent=0):
        self.silent = silent
        self.delay, self.offers, self.answers = delay or (lambda number: 0), offers, answers or {}
        self.connections, self.count = [], 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self.serve, "127.0.0.1", rig.port(), limit=1 << 24, backlog=1000), self.loop).result()
        self.port = self.server.sockets[0].getsockname()[1]
        self.to = f"127.0.0.1:{self.port}"
        rig.at_end.append(self.stop)

    async def close(self):
        self.server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.loop.stop()

    def stop(self):
        if self.loop.is_running():
            asyncio.run_coroutine_threadsafe(self.close(), self.loop)
            self.thread.join()

    def stall(self, seconds):
        """Answers nobody for so long, from now on."""
        self.loop.call_soon_threadsafe(time.sleep, seconds)

    def messages(self):
        """Those whose text came whole."""
        return [m for c in self.connections for m in c.messages if m.text is not None]

    async def serve(self, reader, writer):
        connection = Connection()
        self.connections.append(connection)
        try:
            await self.talk(connection, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def talk(self, connection, reader, writer):
        if len(self.connections) <= self.silent:
            await reader.read()
            return
        writer.write(b"220 fake.example ESMTP\r\n")
        message = None
        while line := await reader.readline():
            line = line.decode("utf-8").rstrip("\r\n")
            verb = line.split(" ")[0].split(":")[0].upper()
            connection.verbs.append(verb)
            reply = self.answers.get(verb, "250 2.0.0 Ok")
            if verb == "EHLO":
                lines = ["fake.example", *self.offers]
                reply = "\r\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{what}" for i, what in enumerate(lines))
            elif verb == "MAIL":
                message = Message(re.search("<(.*?)>", line).group(1))
                connection.messages.append(message)
            elif verb == "RCPT":
                message.recipients.append(re.search("<(.*?)>", line).group(1))
            elif verb == "DATA":
                writer.write(b"354 Go ahead\r\n")
                await self.text(connection, message, reader)
                seconds = self.delay(self.count)
                self.count += 1
                if seconds:
                    await asyncio.sleep(seconds)
            elif verb == "AUTH":
                connection.auth = line
                reply = self.answers.get(verb, "235 2.7.0 Ok")
            elif verb == "QUIT":
                connection.quit = True
                writer.write(b"221 2.0.0 Bye\r\n")
                return
            writer.write((reply + "\r\n").encode())

    async def text(self, connection, message, reader):
        begun, text = time.monotonic(), bytearray()
        while (line := await reader.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                raise ConnectionError
            text += line[1:] if line.startswith(b".") else line
            connection.text_octets = len(text)
        message.text = bytes(text)
        message.seconds = time.monotonic() - begun


def start(rig, server, *words):
    """A sender that works on it."""
    return rig.bench("send", "--to", server.to, "--json", *words, name=f"send-{len(rig.processes)}")


def send(rig, server, *words, status=0):
    """A sender run to its end; what its JSON says."""
    return told_by(start(rig, server, *words), status)


def told_by(sender, status=0):
    """What the JSON of a sender says once it has ended."""
    expect_equal(sender.wait(), status, f"exit status of the sender: {sender.err()}")
    return json.loads(sender.out())
