# SPDX-License-Identifier: Apache-2.0
"""An SMTP client for tests: smtplib's, with message text that goes out as it stands.

smtplib's own data() mends line ends on the way, which is what the tests are about.
"""
import re
import smtplib

from ringpost import PATIENCE_S


def stuffed(text):
    """For DATA: dots doubled, and the end.  Text that does not end in CRLF gets one."""
    text = re.sub(rb"(\A|\r\n)\.", rb"\1..", text)
    return text + (b".\r\n" if text.endswith(b"\r\n") or not text else b"\r\n.\r\n")


class Client(smtplib.SMTP):
    def __init__(self, port, helo="client.example.org"):
        super().__init__("127.0.0.1", port, local_hostname=helo, timeout=PATIENCE_S)
        self.ehlo()

    def transaction(self, sender, recipients, text, chunks=None, options=(), recipient_options=()):
        """One message: the reply (code, text) that decided about it.

        chunks: sizes of BDAT chunks, the rest in a last one; None: DATA.  Recipients that are refused do not end it while
        one was taken.
        """
        reply = self.mail(sender, list(options))
        if reply[0] != 250:
            return reply
        replies = [self.rcpt(r, list(recipient_options)) for r in recipients]
        if not any(code == 250 for code, _ in replies):
            self.rset()
            return replies[0]
        return self.send_data(text) if chunks is None else self.send_chunks(text, chunks)

    def send_data(self, text):
        reply = self.docmd("DATA")
        if reply[0] != 354:
            return reply
        self.send(stuffed(text))
        return self.getreply()

    def send_chunks(self, text, sizes):
        at = 0
        for size in sizes:
            if at + size >= len(text):
                break
            self.send(b"BDAT %d\r\n" % size + text[at:at + size])
            at += size
            reply = self.getreply()
            if reply[0] != 250:
                return reply
        self.send(b"BDAT %d LAST\r\n" % (len(text) - at) + text[at:])
        return self.getreply()
