#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""controller/cloud against a service that misbehaves: each request ends in success after a retry or in a clear error."""

import http.server
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
DRIVER = os.path.join(BUILD, "tests/functional/cloud-driver")
PASSWORD = "correct horse"
LIMIT = 60  # seconds, for anything that should take a few


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.nr_connections += 1
            self.connection_number = self.server.nr_connections

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def answer(self, status, body=b"", headers=()):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-openstack-request-id", "req-%d" % len(self.server.seen))
        self.end_headers()
        self.wfile.write(body)

    def cut(self):
        """As a crashed service ends a connection: reset, not closed."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def do(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        server = self.server
        with server.lock:
            server.seen.append((self.command, self.path, self.headers, body, self.connection_number))
        for prefix, handle in server.routes:
            if self.path.startswith(prefix):
                handle(self, body)
                return
        self.answer(404, {"message": "no route"})

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do


class Server(http.server.ThreadingHTTPServer):
    """Keystone at /identity, Nova at /compute; what /compute/v2.1/... answers is told by the test in `script`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = "%s://127.0.0.1:%d" % ("https" if context else "http", self.server_address[1])
        self.lock = threading.Lock()
        self.nr_connections = 0
        self.seen = []
        self.script = []  # callables, one for each next request to the API; then `usual`
        self.usual = lambda h, body: h.answer(200, {"thing": {"id": "1"}})
        self.tokens = {}
        self.password = PASSWORD
        self.microversions = {"min_version": "2.1", "version": "2.95"}
        self.extra_catalog = []
        self.lifetime_s = 3600
        self.routes = [("/identity/v3/auth/tokens", self.give_token), ("/identity/v2.0/tokens", self.give_v2_token),
                       ("/compute/v2.1/", self.compute)]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def new_token(self):
        with self.lock:
            token = "secret-token-%d" % (len(self.tokens) + 1)
            self.tokens[token] = True
        return token

    def give_token(self, h, body):
        user = json.loads(body)["auth"]["identity"]["password"]["user"]
        if user["password"] != self.password:
            h.answer(401, {"error": {"code": 401, "message": "The request you have made requires authentication.",
                                     "title": "Unauthorized"}})
            return
        now = time.time() - 7200  # a cloud whose clock is wrong

        def stamp(t):
            return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(t))
        catalog = [{"type": "compute", "endpoints": [
            {"interface": "public", "region_id": "R", "url": self.url + "/compute/v2.1"}]}] + self.extra_catalog
        h.answer(201, {"token": {"issued_at": stamp(now), "expires_at": stamp(now + self.lifetime_s),
                                 "project": {"id": "p" * 32}, "user": {"id": "u"}, "catalog": catalog}},
                 [("X-Subject-Token", self.new_token())])

    def give_v2_token(self, h, body):
        auth = json.loads(body)["auth"]
        assert auth["passwordCredentials"] == {"username": "demo", "password": PASSWORD}, auth
        assert auth["tenantName"] == "demo", auth
        h.answer(200, {"access": {
            "token": {"id": self.new_token(), "expires": "2030-01-01T00:00:00Z", "tenant": {"id": "t"}},
            "user": {"id": "u"},
            "serviceCatalog": [{"type": "compute", "endpoints": [
                {"region": "R", "publicURL": self.url + "/compute/v2/t", "internalURL": "http://no.invalid"}]}]}})

    def compute(self, h, body):
        if not self.tokens.get(h.headers.get("X-Auth-Token")):
            h.answer(401, {"error": {"code": 401, "message": "Unauthorized"}})
            return
        if h.path == "/compute/v2.1/":
            h.answer(200, {"version": dict(self.microversions, id="v2.1")})
            return
        with self.lock:
            step = self.script.pop(0) if self.script else self.usual
        step(h, body)

    def api(self):
        """The requests that were for the API itself."""
        return [r for r in self.seen if r[1].startswith("/compute/v2") and r[1] != "/compute/v2.1/"]

    def logins(self):
        return [r for r in self.seen if "/tokens" in r[1]]


class Driver:
    """One cloud-driver process."""

    def __init__(self, folder, cloud, **environment):
        path = os.path.join(folder, "clouds.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"clouds": {"c": cloud}}, f)
        self.stderr = tempfile.TemporaryFile()
        env = {k: v for k, v in os.environ.items() if not k.startswith("OS_") and not k.lower().endswith("_proxy")}
        self.process = subprocess.Popen([DRIVER, "c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr,
                                        env=dict(env, OS_CLIENT_CONFIG_FILE=path, **environment), text=True)
        self.opened = self.read()

    def read(self):
        watchdog = threading.Timer(LIMIT, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise AssertionError("cloud-driver ended: " + self.log())
        return json.loads(line)

    def send(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def __call__(self, *command):
        self.send(*command)
        return self.read()

    def log(self):
        self.stderr.seek(0)
        return self.stderr.read().decode()

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(LIMIT)
        self.process.stdout.close()
        log = self.log()
        self.stderr.close()
        return status, log


class FaultTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.server = self.make_server()
        self.drivers = []

    def make_server(self, **arguments):
        server = Server(**arguments)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def tearDown(self):
        for driver in self.drivers:
            status, log = driver.close()
            self.assertIn(status, (0, 1), log)  # a sanitizer's report would be another
            for secret in [PASSWORD, "secret-token"]:
                self.assertNotIn(secret, log)

    def cloud(self, **more):
        cloud = {"auth": {"auth_url": self.server.url + "/identity", "username": "demo", "password": PASSWORD,
                          "project_name": "demo", "domain_name": "Default"}, "region_name": "R"}
        cloud.update(more)
        return cloud

    def driver(self, cloud=None, **environment):
        driver = Driver(self.folder.name, cloud or self.cloud(), **environment)
        self.drivers.append(driver)
        return driver

    def open(self, *arguments, **environment):
        driver = self.driver(*arguments, **environment)
        self.assertIn("ok", driver.opened)
        return driver

    def get(self, driver):
        return driver("get", "compute", "/things/1", "thing")

    def post(self, driver):
        return driver("post", "compute", "/things", "thing", {"thing": {"name": "x"}})

    def assert_ok(self, answer, nr_requests):
        self.assertEqual(answer.get("ok"), {"id": "1"}, answer)
        self.assertEqual(len(self.server.api()), nr_requests)

    def assert_error(self, answer, error_class, *texts, nr_requests=None, unknown=False):
        self.assertIn("error", answer)
        self.assertEqual(answer["error"]["class"], error_class, answer)
        for text in texts:
            self.assertIn(text, answer["error"]["message"] + "\n" + (answer["error"].get("hint") or ""))
        self.assertEqual(answer["unknown"], unknown, answer)
        if nr_requests is not None:
            self.assertEqual(len(self.server.api()), nr_requests)


def status(code, body=b"", headers=()):
    return lambda h, _body: h.answer(code, body, headers)


def cut(h, _body):
    h.cut()


def truncated(h, _body):
    h.send_response(200)
    h.send_header("Content-Length", "1000")
    h.end_headers()
    h.wfile.write(b'{"thing": {"id"')
    h.cut()


def volume(state):
    return status(200, {"volume": {"id": "1", "status": state}})


def server(state, task):
    return status(200, {"server": {"id": "1", "status": state, "OS-EXT-STS:task_state": task}})


class Killed(FaultTest):
    """What a process that was killed had asked for takes its time; the next one waits for it before it acts."""

    def setUp(self):
        super().setUp()
        self.server.extra_catalog = [{"type": "volumev3", "endpoints": [
            {"interface": "public", "region_id": "R", "url": self.server.url + "/volume/v3"}]}]
        self.server.routes[:0] = [("/volume/v3/" + "p" * 32 + "/volumes/1", lambda h, body: self.server.script.pop(0)(h, body)),
                                  ("/volume/v3/", status(200, {"versions": [
                                      {"id": "v3.0", "min_version": "3.0", "version": "3.50"}]}))]

    def test_a_volume_on_its_way_is_waited_for(self):
        self.server.script = [volume("reserved"), volume("attaching"), volume("in-use")]
        self.assertEqual(self.open()("volume-settle", "1")["ok"]["status"], "in-use")

    def test_a_volume_that_is_gone_has_settled(self):
        self.server.script = [volume("detaching"), status(404, {"itemNotFound": {"message": "gone"}})]
        answer = self.open()("volume-settle", "1")
        self.assertIn("ok", answer)
        self.assertIsNone(answer["ok"])

    def test_a_volume_in_the_making_is_deleted_when_it_is_made(self):
        self.server.script = [volume("creating"), volume("available"), status(202), volume("deleting"),
                              status(404, {"itemNotFound": {"message": "gone"}})]
        self.assertIn("ok", self.open()("volume-delete", "1"))
        self.assertEqual([r[0] for r in self.server.seen if r[1].endswith("/volumes/1")],
                         ["GET", "GET", "DELETE", "GET", "GET"])

    def test_a_server_that_is_being_stopped_does_not_count_as_running(self):
        self.server.script = [server("ACTIVE", "powering-off"), server("SHUTOFF", None)]
        self.assertEqual(self.open()("server-settle", "1")["ok"]["status"], "SHUTOFF")


class Retries(FaultTest):
    def test_503_is_retried_after_the_time_it_names(self):
        self.server.script = [status(503, b"", [("Retry-After", "1")])]
        answer = self.get(self.open())
        self.assert_ok(answer, 2)
        self.assertGreaterEqual(answer["ms"], 740)

    def test_retry_after_may_be_a_date(self):
        self.server.script = [status(503, b"", [("Retry-After", time.strftime("%a, %d %b %Y %H:%M:%S GMT",
                                                                            time.gmtime(time.time() - 100)))])]
        self.assert_ok(self.get(self.open()), 2)

    def test_a_post_that_was_turned_away_is_sent_again(self):
        self.server.script = [status(429, {"overLimit": {"message": "slow down"}}, [("Retry-After", "0")]), status(503)]
        self.assert_ok(self.post(self.open()), 3)

    def test_a_get_survives_cut_connections(self):
        self.server.script = [cut, cut]
        self.assert_ok(self.get(self.open()), 3)

    def test_a_get_survives_a_truncated_answer(self):
        self.server.script = [truncated]
        self.assert_ok(self.get(self.open()), 2)

    def test_a_get_survives_a_garbled_answer_and_a_page_of_maintenance(self):
        self.server.script = [status(200, b'\x00\xff{"gniht'), status(302, b"", [("Location", "http://m.invalid/")])]
        self.assert_ok(self.get(self.open()), 3)

    def test_a_conflict_that_goes_away(self):
        self.server.script = [status(409, {"conflictingRequest": {"code": 409, "message": "busy"}})] * 2
        self.assert_ok(self.post(self.open()), 3)

    def test_a_conflict_that_stays_is_reported(self):
        self.server.usual = status(409, {"conflictingRequest": {"code": 409, "message": "busy"}})
        self.assert_error(self.post(self.open()), "remote", "HTTP 409: busy", nr_requests=3)

    def test_a_silent_service_is_given_up_after_api_timeout(self):
        over = threading.Event()
        self.addCleanup(over.set)
        self.server.script = [lambda _h, _body: over.wait(LIMIT)]
        answer = self.get(self.open(self.cloud(api_timeout=1)))
        self.assert_ok(answer, 2)
        self.assertLess(answer["ms"], 10000)

    def test_a_post_whose_connection_is_cut_is_sent_once(self):
        self.server.script = [cut]
        self.assert_error(self.post(self.open()), "retry", "cloud 'c': compute: POST /things", nr_requests=1, unknown=True)

    def test_a_post_on_a_kept_connection_is_sent_once(self):
        driver = self.open()
        self.get(driver)
        self.server.script = [cut]
        self.assert_error(self.post(driver), "retry", nr_requests=2, unknown=True)

    def test_the_fate_of_a_post_with_a_truncated_or_broken_answer_is_unknown(self):
        driver = self.open()
        self.server.script = [truncated, status(202, '{"thing": '), status(504, "<html><title>Gateway Time-out</title>")]
        self.assert_error(self.post(driver), "retry", nr_requests=1, unknown=True)
        self.assert_error(self.post(driver), "retry", nr_requests=2, unknown=True)
        self.assert_error(self.post(driver), "retry", "HTTP 504: Gateway Time-out", nr_requests=3, unknown=True)

    def test_an_action_is_sent_again(self):
        self.server.script = [cut, status(502)]
        self.assert_ok(self.open()("action", "compute", "/things/1/action", "thing", {"os-stop": None}), 3)

    def test_a_delete_whose_answer_was_lost_is_done(self):
        self.server.script = [cut, status(404)]
        answer = self.open()("delete", "compute", "/things/1")
        self.assertIn("ok", answer)

    def test_an_internal_error_that_stays_is_reported(self):
        message = "Unexpected API Error.\n<class 'oslo_messaging.exceptions.MessagingTimeout'>"
        self.server.usual = status(500, {"computeFault": {"code": 500, "message": message}})
        self.assert_error(self.get(self.open()), "retry", "HTTP 500: Unexpected API Error.", "(req-", nr_requests=4)

    def test_a_post_waits_for_a_service_that_is_not_there_yet(self):
        with socket.socket() as late:
            late.bind(("127.0.0.1", 0))
            url = "http://127.0.0.1:%d/network" % late.getsockname()[1]
            driver = self.open(self.cloud(network_endpoint_override=url))
            driver.send("post", "network", "/ports", "port", {"port": {}})
            end = time.monotonic() + LIMIT
            while "POST /ports: 0" not in driver.log():
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
            late.listen()
            connection, _ = late.accept()
            with connection:
                self.assertIn(b"POST /network/v2.0/ports", connection.recv(65536))
                body = b'{"port": {"id": "1"}}'
                connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                answer = driver.read()
        self.assertEqual(answer.get("ok", answer), {"id": "1"})


class Answers(FaultTest):
    def test_what_is_not_json_is_reported(self):
        page = status(200, "<html>It works!</html>")
        self.server.script = [page, page, page, page, status(200, ""), status(200, "[]")]
        driver = self.open()
        self.assert_error(self.get(driver), "remote", "cloud 'c': compute: GET /things/1", "(req-", nr_requests=4)
        self.assert_error(self.get(driver), "remote", "'thing'", nr_requests=5)
        self.assert_error(self.get(driver), "remote", "'thing'", nr_requests=6)

    def test_what_is_not_http_is_reported(self):
        def chatter(h, _body):
            h.wfile.write(b"220 mail.example.com ESMTP\r\n")
            h.cut()
        self.server.usual = chatter
        self.assert_error(self.get(self.open()), "user", "GET /things/1")

    def test_a_huge_answer_is_refused(self):
        def huge(h, _body):
            h.send_response(200)
            h.send_header("Content-Length", str(1 << 40))
            h.end_headers()
            while True:
                h.wfile.write(b" " * (1 << 20))
        self.server.usual = huge
        self.assert_error(self.get(self.open()), "remote", "larger than 64 MiB", nr_requests=1)

    def test_a_slow_answer_is_waited_for(self):
        def slow(h, _body):
            h.send_response(200)
            h.send_header("Content-Length", "20")
            h.end_headers()
            for c in b'{"thing":{"id":"1"}}':
                time.sleep(0.05)
                h.wfile.write(bytes([c]))
        self.server.usual = slow
        self.assert_ok(self.get(self.open()), 1)

    def test_an_interrupt_ends_the_wait_for_a_silent_service(self):
        arrived, over = threading.Event(), threading.Event()
        self.addCleanup(over.set)

        def silent(_h, _body):
            arrived.set()
            over.wait(LIMIT)
        self.server.usual = silent
        driver = self.open()
        driver.send("get", "compute", "/things/1", "thing")
        self.assertTrue(arrived.wait(LIMIT))
        driver.process.send_signal(signal.SIGTERM)
        answer = driver.read()
        self.assertEqual(answer["error"]["class"], "interrupted")
        self.assertLess(answer["ms"], 5000)

    def test_a_used_up_quota_is_not_retried(self):
        text = "VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota."
        self.server.usual = status(413, {"overLimit": {"code": 413, "message": text, "retryAfter": "0"}},
                                   [("Retry-After", "0")])
        self.assert_error(self.post(self.open()), "user", text, "a quota of cloud 'c' is used up", nr_requests=1)

    def test_neutrons_quota_is_a_conflict(self):
        self.server.usual = status(409, {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for ['port'].",
                                                         "detail": ""}})
        self.assert_error(self.post(self.open()), "user", "Quota exceeded", "a quota of cloud 'c' is used up",
                          nr_requests=1)

    def test_a_redirect_is_not_followed(self):
        self.server.usual = status(302, b"", [("Location", "http://elsewhere.invalid/things")])
        self.assert_error(self.get(self.open()), "remote", "HTTP 302 to http://elsewhere.invalid/things",
                          "the cloud's catalogue", nr_requests=4)

    def test_the_fate_of_a_post_that_is_redirected_is_unknown(self):
        self.server.usual = status(302, b"", [("Location", "http://elsewhere.invalid/things")])
        self.assert_error(self.post(self.open()), "retry", "HTTP 302 to", nr_requests=1, unknown=True)

    def test_all_pages_are_read(self):
        def page(n, href):
            return status(200, {"things": [{"id": n}], "things_links": [{"rel": "next", "href": href}] if href else []})
        self.server.script = [page(1, "https://public.example.com/compute/v2.1/things?marker=1"),
                              page(2, "/v2.1/things?marker=2"), page(3, None)]
        self.assertEqual(self.open()("list", "compute", "/things", "things").get("ok"), [{"id": 1}, {"id": 2}, {"id": 3}])
        self.assertEqual([r[1] for r in self.server.api()],
                         ["/compute/v2.1/things", "/compute/v2.1/things?marker=1", "/compute/v2.1/things?marker=2"])

    def test_a_list_without_end_is_noticed(self):
        self.server.usual = status(200, {"things": [{"id": 1}], "things_links": [
            {"rel": "next", "href": "/compute/v2.1/things?marker=1"}]})
        self.assert_error(self.open()("list", "compute", "/things", "things"), "remote", "has no end")


class Volumes(FaultTest):
    """Attach, detach and delete at a cloud where they do not always work: what the volume is after each request."""

    def setUp(self):
        super().setUp()
        self.now = ["available"]  # what it is at the next looks; the last one stays
        self.after = []           # for each request that changes something: (status of its answer, what it is then)
        self.asked = []
        self.server.extra_catalog = [{"type": "volumev3", "endpoints": [
            {"interface": "public", "region_id": "R", "url": self.server.url + "/volume/v3"}]}]
        self.server.routes.insert(0, ("/volume/v3/volumes/v", self.volume))
        self.server.routes.insert(1, ("/volume/v3/", status(200, {"versions": [
            {"id": "v3.0", "min_version": "3.0", "version": "3.70"}]})))
        self.server.routes.insert(2, ("/compute/v2.1/servers/s/os-volume_attachments", self.attachments))

    def change(self, h):
        self.asked.append(h.command)
        code, self.now = self.after.pop(0) if len(self.after) > 1 else self.after[0]
        h.cut() if code == 0 else h.answer(code, {"volumeAttachment": {}} if code == 200 else b"")

    def volume(self, h, _body):
        if h.command == "DELETE":
            self.change(h)
            return
        what = self.now.pop(0) if len(self.now) > 1 else self.now[0]
        holder = {"in-use": "s", "detaching": "s", "in-use elsewhere": "other"}.get(what)
        if what == "gone":
            h.answer(404, {"itemNotFound": {"message": "gone", "code": 404}})
        else:
            h.answer(200, {"volume": {"id": "v", "status": what.split()[0],
                                      "attachments": [{"server_id": holder}] if holder else []}})

    def attachments(self, h, _body):
        if h.command != "GET":
            self.change(h)
        elif h.path.endswith("/v"):
            h.answer(404, {"itemNotFound": {"message": "gone", "code": 404}})
        else:
            h.answer(200, {"volumeAttachments": []})

    def test_an_attach_that_fails_once_is_tried_again(self):
        self.after = [(200, ["attaching", "available"]), (200, ["attaching", "in-use"])]
        self.assertEqual(self.open()("attach", "s", "v").get("ok"), [])
        self.assertEqual(self.asked, ["POST", "POST"])

    def test_an_attach_that_always_fails(self):
        self.after = [(200, ["attaching", "available"])]
        self.assert_error(self.open()("attach", "s", "v"), "retry", "volume v could not be attached to server s",
                          "it is available", "compute host")
        self.assertEqual(self.asked, ["POST"] * 3)

    def test_an_attach_that_was_taken_although_its_answer_was_lost(self):
        self.after = [(0, ["available", "attaching", "in-use"]), (400, ["attaching", "in-use"])]
        self.assertEqual(self.open()("attach", "s", "v").get("ok"), [])
        self.assertEqual(self.asked, ["POST", "POST"])

    def test_a_stale_state_is_looked_at_twice(self):
        self.after = [(200, ["attaching", "error", "attaching", "in-use"])]
        self.assertEqual(self.open()("attach", "s", "v").get("ok"), [])
        self.assertEqual(self.asked, ["POST"])

    def test_a_state_of_error_that_stays(self):
        self.after = [(200, ["attaching", "error_attaching"])]
        self.assert_error(self.open()("attach", "s", "v"), "retry", "it is error_attaching")
        self.assertEqual(self.asked, ["POST"])

    def test_a_volume_that_another_server_got(self):
        self.after = [(200, ["attaching", "in-use elsewhere"])]
        self.assert_error(self.open()("attach", "s", "v"), "retry", "could not be attached to server s", "it is in-use")

    def test_a_detach_that_comes_back_once(self):
        self.now = ["in-use"]
        self.after = [(202, ["detaching", "in-use"]), (202, ["detaching", "available"])]
        self.assertEqual(self.open()("detach", "s", "v").get("ok"), [])
        self.assertEqual(self.asked, ["DELETE", "DELETE"])

    def test_a_server_that_does_not_let_go(self):
        self.now = ["in-use"]
        self.after = [(202, ["detaching", "in-use"])]
        self.assert_error(self.open()("detach", "s", "v"), "retry", "server s does not let go of volume v")
        self.assertEqual(self.asked, ["DELETE", "DELETE"])

    def test_a_deletion_that_the_backend_was_not_ready_for(self):
        self.after = [(202, ["deleting", "available"]), (202, ["deleting", "gone"])]
        self.assertIn("ok", self.open()("volume-delete", "v"))
        self.assertEqual(self.asked, ["DELETE", "DELETE"])

    def test_a_deletion_refused_while_somebody_elses_is_under_way_and_fails(self):
        self.after = [(400, ["available"]), (202, ["deleting", "gone"])]
        self.assertIn("ok", self.open()("volume-delete", "v"))
        self.assertEqual(self.asked, ["DELETE", "DELETE"])

    def test_a_deletion_that_is_refused_for_good(self):
        self.after = [(400, ["available"])]
        self.assert_error(self.open()("volume-delete", "v"), "remote", "HTTP 400")
        self.assertEqual(self.asked, ["DELETE"] * 3)

    def test_a_volume_in_error_deleting(self):
        self.after = [(202, ["deleting", "error_deleting"])]
        self.assert_error(self.open()("volume-delete", "v"), "remote", "volume v could not be deleted", "error_deleting")
        self.assertEqual(self.asked, ["DELETE"])


class Tokens(FaultTest):
    def revoke(self):
        with self.server.lock:
            self.server.tokens = dict.fromkeys(self.server.tokens, False)

    def test_a_revoked_token_is_replaced(self):
        driver = self.open()
        self.get(driver)
        self.revoke()
        self.assertEqual(self.get(driver).get("ok"), {"id": "1"})
        self.assertEqual(len(self.server.logins()), 2)

    def test_a_token_revoked_before_the_first_request_of_a_service_is_replaced(self):
        driver = self.open()
        self.revoke()
        self.assertEqual(driver("microversion", "compute").get("ok"), "2.93")
        self.assert_ok(self.get(driver), 1)
        self.assertEqual(len(self.server.logins()), 2)

    def test_many_threads_need_one_new_token(self):
        driver = self.open()
        self.get(driver)
        self.revoke()
        self.assertIn("ok", driver("together", "compute", "/things/1", "thing"))
        self.assertEqual(len(self.server.logins()), 2)

    def test_many_threads_do_not_try_a_wrong_password_many_times(self):
        driver = self.open()
        self.get(driver)
        self.revoke()
        self.server.password = "changed"
        self.assert_error(driver("together", "compute", "/things/1", "thing"), "user", "refuses the credentials of demo")
        self.assertEqual(len(self.server.logins()), 2)

    def test_a_service_that_refuses_good_tokens_is_reported(self):
        self.server.usual = status(401, "Authentication required")
        self.assert_error(self.get(self.open()), "user", "HTTP 401: Authentication required", nr_requests=2)
        self.assertEqual(len(self.server.logins()), 2)

    def test_a_token_is_renewed_before_its_end_by_the_clouds_own_clock(self):
        self.server.lifetime_s = 1
        driver = self.open()
        first = driver("token")["ok"]["generation"]
        end = time.monotonic() + LIMIT
        while driver("token")["ok"]["generation"] == first:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.server.lifetime_s = 3600
        self.get(driver)
        nr = len(self.server.logins())
        self.get(driver)
        self.assertLessEqual(len(self.server.logins()), nr + 1)

    def test_a_wrong_password(self):
        self.server.password = "another"
        driver = self.driver()
        self.assert_error(driver.opened, "user", "cloud 'c': identity at", "refuses the credentials of demo: HTTP 401",
                          "check user, password, project and domains of cloud 'c'")
        self.assertEqual(len(self.server.logins()), 1)

    def test_a_keystone_that_is_busy_is_waited_for(self):
        give, turns = self.server.give_token, [503, 429]

        def busy(h, body):
            if turns:
                h.answer(turns.pop())
            else:
                give(h, body)
        self.server.routes.insert(0, ("/identity/v3/auth", busy))
        self.open()

    def test_a_garbled_token_is_asked_for_again(self):
        give, turns = self.server.give_token, [b'{"token": ', b"\xff"]

        def garbled(h, body):
            if turns:
                h.answer(201, turns.pop(), [("X-Subject-Token", "secret-token-x")])
            else:
                give(h, body)
        self.server.routes.insert(0, ("/identity/v3/auth", garbled))
        self.assert_ok(self.get(self.open()), 1)

    def test_nobody_listens(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            cloud = self.cloud()
            cloud["auth"]["auth_url"] = "http://127.0.0.1:%d/v3" % s.getsockname()[1]
            driver = self.driver(cloud)
        self.assert_error(driver.opened, "retry", "cloud 'c': identity at http://127.0.0.1:", "connect")

    def test_an_auth_url_that_is_not_keystone(self):
        cloud = self.cloud()
        cloud["auth"]["auth_url"] = self.server.url + "/dashboard"
        self.assert_error(self.driver(cloud).opened, "user", "there is no identity service at", "auth_url must be")
        self.server.routes.insert(0, ("/dashboard", status(200, "<html>Log in</html>")))
        self.assert_error(self.driver(cloud).opened, "user", "is not Keystone", "auth_url must be")
        self.server.routes.insert(0, ("/dashboard", status(301, "", [("Location", "https://other.invalid/v3")])))
        self.assert_error(self.driver(cloud).opened, "user", "has moved to https://other.invalid/v3")

    def test_an_unscoped_token(self):
        self.server.routes.insert(0, ("/identity", status(201, {"token": {}}, [("X-Subject-Token", "secret-token-x")])))
        self.assert_error(self.driver().opened, "user", "the token has no catalogue", "name a project")

    def test_version_2_of_keystone(self):
        cloud = self.cloud(auth_type="v2password")
        cloud["auth"]["auth_url"] = self.server.url + "/identity/v2.0"
        driver = self.open(cloud)
        # The catalogue has the old ".../v2/PROJECT" of Nova.
        self.server.routes.insert(0, ("/compute/v2.1/t/", status(200, {"thing": {"id": "1"}})))
        self.assert_ok(self.get(driver), 1)


class Headers(FaultTest):
    def test_glance_wants_its_own_type_of_patches(self):
        self.server.extra_catalog = [{"type": "image", "endpoints": [
            {"interface": "public", "region": "R", "url": self.server.url + "/image"}]}]
        self.server.routes.append(("/image/v2/images/1", status(200, {"id": "1"})))
        patch = [{"op": "add", "path": "/x", "value": "y"}]
        self.assertEqual(self.open()("patch", "image", "/images/1", None, patch).get("ok"), {"id": "1"})
        sent = self.server.seen[-1]
        self.assertEqual(sent[2].get_all("Content-Type"), ["application/openstack-images-v2.1-json-patch"])
        self.assertEqual(json.loads(sent[3]), patch)

    def test_bodies_are_json(self):
        self.post(self.open())
        self.assertEqual(self.server.api()[0][2].get_all("Content-Type"), ["application/json"])
        self.assertIsNone(self.server.api()[0][2].get("Expect"))


class Versions(FaultTest):
    def test_the_microversion_is_sent_in_both_headers(self):
        driver = self.open()
        self.get(driver)
        headers = self.server.api()[0][2]
        self.assertEqual(headers["OpenStack-API-Version"], "compute 2.93")
        self.assertEqual(headers["X-OpenStack-Nova-API-Version"], "2.93")

    def test_an_older_cloud_sets_the_microversion(self):
        self.server.microversions["version"] = "2.42"
        self.assertEqual(self.open()("microversion", "compute").get("ok"), "2.42")

    def test_a_cloud_that_is_too_new(self):
        self.server.microversions = {"min_version": "2.94", "version": "2.100"}
        self.assert_error(self.get(self.open()), "user", "compute speaks microversions 2.94 to 2.100, this program up to 2.93")

    def test_a_redirect_of_the_versions_is_followed_without_the_token(self):
        other = self.make_server()
        other.routes.insert(0, ("/versions", status(200, {"version": {"min_version": "2.1", "version": "2.50"}})))
        self.server.routes.insert(0, ("/compute/v2.1/", lambda h, body: h.answer(
            302, b"", [("Location", other.url + "/versions")])))
        self.assertEqual(self.open()("microversion", "compute").get("ok"), "2.50")
        self.assertIsNone(other.seen[0][2].get("X-Auth-Token"))

    def test_versions_that_are_garbled_or_away_for_a_moment(self):
        turns = [status(200, b"{"), status(302, b"", [("Location", "http://127.0.0.1:1/")])]
        self.server.routes.insert(0, ("/compute/v2.1/", lambda h, body: (turns.pop() if turns else self.server.compute)(
            h, body)))
        self.assertEqual(self.open()("microversion", "compute").get("ok"), "2.93")
        self.assertEqual(turns, [])

    def test_a_proxy_that_hides_the_versions(self):
        self.server.routes.insert(0, ("/compute/v2.1/things", self.server.compute))
        self.server.routes.insert(1, ("/compute/v2.1/", status(403, "Forbidden")))
        driver = self.open()
        self.assert_ok(self.get(driver), 1)
        self.assertIsNone(self.server.api()[0][2].get("OpenStack-API-Version"))

    def test_a_service_that_is_not_in_the_catalogue(self):
        self.assert_error(self.open()("get", "image", "/images", "images"), "user",
                          "has no image endpoint of interface 'public' in region R", "check region_name")

    def test_a_volume_service_of_old_wants_the_project_in_its_path(self):
        self.server.extra_catalog = [{"type": "volumev3", "endpoints": [
            {"interface": "public", "region_id": "R", "url": self.server.url + "/volume"}]}]
        self.server.routes.insert(0, ("/volume/v3/" + "p" * 32 + "/things/1", status(200, {"thing": {"id": "1"}})))
        self.server.routes.append(("/volume/v3/", status(200, {"versions": [
            {"id": "v3.0", "min_version": "3.0", "version": "3.50"}]})))
        self.assertEqual(self.open()("get", "volume", "/things/1", "thing").get("ok"), {"id": "1"})


class Tls(FaultTest):
    def make_server(self, **arguments):
        key, self.certificate = (os.path.join(self.folder.name, n) for n in ("key.pem", "cert.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=osm test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", key,
                        "-out", self.certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        return super().make_server(context=context)

    def test_an_unknown_certificate_is_refused(self):
        self.assert_error(self.driver().opened, "user", "certificate", "'cacert'")
        self.assertEqual(self.server.seen, [])

    def test_a_certificate_of_the_ca_in_clouds_yaml_is_accepted(self):
        self.assert_ok(self.get(self.open(self.cloud(cacert=self.certificate))), 1)

    def test_verification_is_left_out_only_when_the_file_says_so(self):
        self.assert_ok(self.get(self.open(self.cloud(verify=False))), 1)


if __name__ == "__main__":
    unittest.main()
