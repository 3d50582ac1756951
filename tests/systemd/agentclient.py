# SPDX-License-Identifier: Apache-2.0
"""A small client of the control channel (docs/PROTOCOL.md).

    with AgentClient (vm.ssh_argv ("osm", key)) as agent:
        print (agent.hello["version"])
        device = agent.call ("device.find", volume_id=..., size_bytes=..., timeout_ms=30000)
"""
import json
import queue
import struct
import subprocess
import threading

MAX_FRAME = 1 << 20


class AgentError(Exception):
    """An error answer of the agent."""

    def __init__(self, error):
        super().__init__(f"{error.get('class')}: {error.get('message')}")
        self.error = error


class ChannelError(Exception):
    """The channel broke, or what came is not the protocol."""


class AgentClient:
    def __init__(self, argv, timeout=60):
        self.timeout = timeout
        self.next_id = 1
        self.frames = queue.Queue()
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        threading.Thread(target=self._read_all, daemon=True).start()
        try:
            self.send({"hello": {"protocol": 1, "version": "check"}})
            first = self.receive(timeout)
            if "hello" not in first:
                raise ChannelError(f"no hello but {first}")
            self.hello = first["hello"]
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read_exactly(self, count):
        data = self.process.stdout.read(count)
        if len(data) != count:
            raise EOFError
        return data

    def _read_all(self):
        try:
            while True:
                (length,) = struct.unpack(">I", self._read_exactly(4))
                if not 0 < length <= MAX_FRAME:
                    raise ChannelError(f"a frame of {length} bytes")
                self.frames.put(json.loads(self._read_exactly(length)))
        except (EOFError, ValueError, ChannelError) as e:
            self.frames.put(ChannelError(f"channel ended {e}".strip()))

    def send(self, message):
        data = json.dumps(message).encode()
        try:
            self.process.stdin.write(struct.pack(">I", len(data)) + data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the reader has the reason

    def receive(self, timeout):
        try:
            frame = self.frames.get(timeout=timeout)
        except queue.Empty:
            raise ChannelError(f"no answer within {timeout} s") from None
        if isinstance(frame, ChannelError):
            stderr = self.process.stderr.read().decode(errors="replace").strip()
            raise ChannelError(f"{frame} {stderr}".strip())
        return frame

    def call(self, method, **params):
        """One request; its result, or AgentError."""
        number, self.next_id = self.next_id, self.next_id + 1
        self.send({"id": number, "method": method, "params": params})
        while True:
            answer = self.receive(self.timeout)
            if answer.get("id") == number:
                break
        if "error" in answer:
            raise AgentError(answer["error"])
        return answer.get("result", {})

    def wait_job(self, number, seconds):
        """The job as it is when it no longer runs."""
        for _ in range(int(seconds / 20) + 1):
            job = self.call("job.wait", ids=[number], timeout_ms=20000)["jobs"][0]
            if job["state"] != "running":
                return job
        raise ChannelError(f"job {number} still runs after {seconds} s: {job}")
