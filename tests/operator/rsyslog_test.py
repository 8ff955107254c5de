#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's rsyslog follows the file that our own writer rotates, by the example that is shipped: no line is lost or doubled.

rsyslogd runs as a process of this test, with its state in a folder of its own; nothing of the system's is touched.
"""
import collections
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "packaging/examples/rsyslog.conf"
LONGEST_WAIT = 60  # against hanging; a busy machine takes its time
ROTATE_BYTES = 64 << 10
LINES_OF_A_FILE = 320  # about


class Receiver:
    """A server that keeps the lines it gets."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.lines = []
        self.readers = []
        self.changed = threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.readers.append(threading.Thread(target=self.receive, args=(connection,), daemon=True))
            self.readers[-1].start()

    def receive(self, connection):
        with connection, connection.makefile("rb") as stream:
            for line in stream:
                with self.changed:
                    self.lines.append(line)
                    self.changed.notify_all()

    def drain(self):
        """For when the other side has ended."""
        for reader in list(self.readers):
            reader.join(LONGEST_WAIT)

    def wait_for(self, count):
        with self.changed:
            self.changed.wait_for(lambda: len(self.lines) >= count, LONGEST_WAIT)
            return list(self.lines)


class Rsyslog(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="isoscope_rsyslog_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "state").mkdir()
        self.records = self.folder / "isoscope.ndjson"
        self.receiver = Receiver()
        self.addCleanup(self.receiver.server.close)
        self.written = 0
        self.writer = subprocess.Popen(
            [os.environ["ROTATING_WRITER"], self.records, str(ROTATE_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end_writer)
        self.configuration = self.folder / "rsyslog.conf"
        self.configuration.write_text(self.example())
        self.daemon = None
        self.addCleanup(self.stop)

    def example(self):
        text = EXAMPLE.read_text()
        for shipped, ours in (
            ("/var/log/isoscope/isoscope.ndjson", str(self.records)),
            ('target="logs.example.com" port="5170"', f'target="127.0.0.1" port="{self.receiver.port}"'),
        ):
            self.assertEqual(text.count(shipped), 1)
            text = text.replace(shipped, ours)
        return f'global(workDirectory="{self.folder}/state")\n' + text

    def start(self):
        command = ["/usr/sbin/rsyslogd", "-n", "-f", self.configuration, "-i", self.folder / "pid"]
        check = subprocess.run([*command[:1], "-N1", *command[2:4]], capture_output=True, text=True)
        self.assertEqual(check.returncode, 0, check.stderr)
        log = open(self.folder / "log", "ab")
        self.addCleanup(log.close)
        self.daemon = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self):
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGCONT)
            self.daemon.terminate()
            self.daemon.wait(LONGEST_WAIT)
            self.daemon = None

    def end_writer(self):
        self.writer.stdin.close()
        self.writer.wait(LONGEST_WAIT)
        self.writer.stdout.close()

    def write(self, lines):
        self.writer.stdin.write(f"{lines}\n")
        self.writer.stdin.flush()
        self.assertEqual(self.writer.stdout.readline(), "ok\n")
        self.written += lines

    def rotations(self):
        return len([path for path in self.folder.iterdir() if path.name.startswith(self.records.name + ".")])

    def expect_each_once(self):
        lines = self.receiver.wait_for(self.written)
        numbers = collections.Counter(json.loads(line)["seq"] for line in lines)
        missing = [number for number in range(self.written) if number not in numbers]
        doubled = [number for number, count in numbers.items() if count > 1]
        log = (self.folder / "log").read_text()
        self.assertEqual((missing[:10], doubled[:10], len(numbers)), ([], [], self.written), log)

    def expect_nothing_more(self):
        self.stop()
        self.receiver.drain()
        self.expect_each_once()

    def test_across_rotations(self):
        self.write(10)
        self.start()
        self.expect_each_once()
        for burst in range(6):
            self.write(LINES_OF_A_FILE)
            self.assertGreaterEqual(self.rotations(), burst, "files are smaller than expected")
            self.expect_each_once()
        self.assertGreaterEqual(self.rotations(), 5)
        self.expect_nothing_more()

    # It wakes up when the file that it was reading is compressed and gone, and has a file before it that it has not seen.
    def test_while_rsyslog_does_not_run(self):
        self.write(10)
        self.start()
        self.expect_each_once()
        for _ in range(3):
            self.daemon.send_signal(signal.SIGSTOP)
            self.write(LINES_OF_A_FILE)
            self.daemon.send_signal(signal.SIGCONT)
            self.expect_each_once()
        self.assertGreaterEqual(self.rotations(), 2)
        self.expect_nothing_more()

    def test_across_a_stop_of_rsyslog(self):
        self.write(10)
        self.start()
        self.expect_each_once()
        self.stop()
        self.write(10)
        self.start()
        self.expect_each_once()
        self.write(LINES_OF_A_FILE)
        self.expect_each_once()
        self.expect_nothing_more()

    def test_long_records_are_whole(self):
        self.start()
        self.write(1)
        self.expect_each_once()
        long = json.dumps({"seq": 1, "filling": "y" * 100_000})
        with open(self.records, "a", encoding="utf-8") as file:
            file.write(long + "\n")
        self.assertEqual(self.receiver.wait_for(2)[1].decode(), long + "\n")


if __name__ == "__main__":
    unittest.main()
