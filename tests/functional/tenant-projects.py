#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several projects at once, with the rights of an administrator: each object is made in the project that it belongs to, and roles that
osm gives itself for it are taken back, whatever happens in between."""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import memoryextras  # noqa: E402
from memorycloud import new_id  # noqa: E402
from tenantcase import CONTROLLER, Files  # noqa: E402

PROJECTS = ("a", "b")


class Case(Files):
    administrator = True

    def setUp(self):
        super().setUp()
        self.projects = {}
        for cloud in (self.source, self.destination):
            for name in PROJECTS:
                self.project(cloud, name)
            cloud.add("identity/roles", id="r-reader", name="reader", domain_id=None)
            cloud.add("identity/roles", id="r-member", name="member", domain_id=None)
        for name in PROJECTS:
            self.fill(self.projects["src", name], name)
        d = self.destination
        d.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        d.add("network/security-groups", name="default", description="Default security group", stateful=True, tags=[])

    def project(self, cloud, name, domain="default"):
        p = cloud.add("identity/projects", id=new_id().replace("-", ""), name=name, domain_id=domain, parent_id=domain,
                      description="", enabled=True, is_domain=False, tags=[])["id"]
        # Neutron makes it when a project is seen first.
        cloud.add("network/security-groups", name="default", description="Default security group", stateful=True, tags=[],
                  project_id=p)
        self.projects[cloud.name, name] = p
        return p

    def fill(self, p, name):
        """The same names in every project."""
        s = self.source
        net = s.add("network/networks", name="net", project_id=p, admin_state_up=True, shared=False, tags=[], mtu=1500,
                    description="of " + name, **{"provider:network_type": "vxlan", "provider:segmentation_id": 77})["id"]
        subnet = s.add("network/subnets", name="sub", project_id=p, network_id=net, cidr="10.9.0.0/24", ip_version=4,
                       gateway_ip="10.9.0.1", tags=[])["id"]
        router = s.add("network/routers", name="router", project_id=p, admin_state_up=True, tags=[], routes=[],
                       external_gateway_info=None)["id"]
        s.add("network/ports", network_id=net, device_id=router, device_owner="network:router_interface", project_id=p,
              fixed_ips=[{"subnet_id": subnet, "ip_address": "10.9.0.1"}])
        web = s.add("network/security-groups", name="web", description="", stateful=True, tags=[], project_id=p)["id"]
        s.add("network/security-group-rules", security_group_id=web, direction="ingress", ethertype="IPv4", protocol="tcp",
              port_range_min=80, port_range_max=80, remote_ip_prefix=None, remote_group_id=web, description="", project_id=p)
        s.add("compute/os-server-groups", name="apart", policy="anti-affinity", rules={}, members=[], project_id=p)
        image = s.add("image/images", name="image", owner=p, disk_format="raw", container_format="bare", min_disk=1,
                      min_ram=0, visibility="private", protected=False, os_hidden=False, tags=[])
        s.set_data(image, b"data of " + name.encode())

    def results(self, status, *words):
        report = self.run_osm(status, *words)
        self.report = report
        return {(o.get("project"), o["type"], o.get("name", "(all)")): o for o in report["objects"]}

    def there(self, kind, name, **wanted):
        """Of the destination, by project."""
        owner = "owner" if kind.startswith("image") else "project_id"
        names = {i: n for (c, n), i in self.projects.items() if c == "dst"}
        return {names.get(o[owner], o[owner]): o for o in self.destination.all(kind) if o["name"] == name}

    def roles(self):
        return sorted((a["scope"]["project"]["id"], a["user"]["id"], a["role"]["id"])
                      for a in self.destination.all("identity/role_assignments"))

    def grants(self):
        return self.run_osm(0, "list", "--grants")

    def config(self, text):
        os.makedirs(self.folder + "/osm", exist_ok=True)
        with open(self.folder + "/osm/osm.yaml", "w", encoding="utf-8") as f:
            f.write(text)


class Everything(Case):
    def test_each_object_lands_in_its_project(self):
        found = self.results(0, "export", "all", "--projects", "a", "--projects", "Default/b")
        self.assertEqual({k[0] for k in found if k[1] == "networks"}, {"Default/a", "Default/b"})
        self.assertEqual(sorted(os.listdir(self.data + "/projects/Default")), ["a", "b"])
        self.assertIn("description: 'of a'", self.text("projects/Default/a/networks.yml"))
        self.assertNotIn("of b", self.text("projects/Default/a/networks.yml"))
        self.assertIn("projects/Default/a/osm/server_groups.yml", self.run_osm(0, "validate")["files"])
        before = self.roles()
        dry = self.results(0, "import", "all", "--projects", "all", "--dry-run")
        self.assertEqual(self.roles(), before)
        found = self.results(0, "import", "all", "--projects", "all")
        self.assertEqual({k: o["result"] for k, o in dry.items()}, {k: o["result"] for k, o in found.items()})
        self.assertEqual([p["destination"] for p in self.report["projects"]], ["Default/a", "Default/b"])
        self.assertEqual(self.report["roles_taken_back"], 2)
        for kind, name in (("network/networks", "net"), ("network/subnets", "sub"), ("network/routers", "router"),
                           ("network/security-groups", "web"), ("compute/os-server-groups", "apart"), ("image/images", "image")):
            self.assertEqual(set(self.there(kind, name)), {"a", "b"}, kind)
        nets, subnets = self.there("network/networks", "net"), self.there("network/subnets", "sub")
        groups = self.there("network/security-groups", "web")
        rules = [r for r in self.destination.all("network/security-group-rules") if r.get("port_range_min") == 80]
        ports = [p for p in self.destination.all("network/ports") if p.get("device_owner") == "network:router_interface"]
        for p in PROJECTS:
            there = self.projects["dst", p]
            self.assertEqual(nets[p]["description"], "of " + p)
            # How the source's cloud does it, which its tenants are not shown.
            self.assertNotIn("provider:segmentation_id", nets[p])
            self.assertEqual(subnets[p]["network_id"], nets[p]["id"])
            self.assertEqual([(r["remote_group_id"], r["project_id"]) for r in rules if r["security_group_id"] == groups[p]["id"]],
                             [(groups[p]["id"], there)])
            self.assertEqual([x["project_id"] for x in ports if x["network_id"] == nets[p]["id"]], [there])
            self.assertEqual(self.destination.data[self.there("image/images", "image")[p]["id"]], b"data of " + p.encode())
        self.assertEqual((self.roles(), self.grants()), (before, []))
        # Once more: nothing is made, and nothing is granted.
        now = json.dumps(self.destination.objects, sort_keys=True)
        self.destination.seen.clear()
        found = self.results(0, "import", "all", "--projects", "*", "--update")
        self.assertEqual({o["result"] for o in found.values()}, {"equal"})
        self.assertEqual([c for c in self.destination.seen if c[0] in ("PUT", "DELETE", "PATCH")], [])
        self.assertEqual(json.dumps(self.destination.objects, sort_keys=True), now)
        self.results(0, "diff", "all", "--projects", "*")
        nets["b"]["mtu"] = 1400
        found = self.results(5, "diff", "all", "--projects", "*")
        self.assertEqual([k for k, o in found.items() if o["result"] == "differs"], [("Default/b", "networks", "net")])

    def test_projects_are_made_first(self):
        for name in PROJECTS:
            p = self.projects["dst", name]
            del self.destination.objects["identity/projects"][p]
            for g in self.destination.all("network/security-groups"):
                if g["project_id"] == p:
                    del self.destination.objects["network/security-groups"][g["id"]]
        self.results(0, "export", "projects", "networks", "--projects", "a")
        self.assertIn("name: a", self.text("projects.yml"))
        row = self.results(1, "import", "networks", "--projects", "a")["Default/a", "projects", "Default/a"]
        self.assertIn("there is no project 'Default/a'", row["reason"])
        found = self.results(0, "import", "projects", "networks", "--projects", "a", "--filter", "a", "--filter", "net")
        self.assertEqual((found[None, "projects", "a"]["result"], found["Default/a", "networks", "net"]["result"]),
                         ("created", "created"))
        made = next(p["id"] for p in self.destination.all("identity/projects") if p["name"] == "a")
        self.assertEqual([n["project_id"] for n in self.destination.all("network/networks") if n["name"] == "net"], [made])

    def test_a_dry_run_takes_what_would_be_made_for_made(self):
        for name in PROJECTS:
            p = self.projects["dst", name]
            for kind, key in (("identity/projects", "id"), ("network/security-groups", "project_id")):
                for o in [o for o in self.destination.all(kind) if o[key] == p]:
                    del self.destination.objects[kind][o["id"]]
        s = self.source
        net = next(n for n in s.all("network/networks") if n["project_id"] == self.projects["src", "a"])
        s.add("network/rbac-policies", object_type="network", object_id=net["id"], action="access_as_shared",
              target_tenant=self.projects["src", "b"], project_id=self.projects["src", "a"])
        self.config('map: { projects: { b: new-b } }\n')
        words = ("projects", "networks", "subnets", "security_groups", "server_groups", "rbac_policies", "images", "--projects", "/^[ab]$/")
        self.results(0, "export", *words)
        before = json.dumps(self.destination.objects, sort_keys=True)
        dry = self.results(0, "import", *words, "--dry-run")
        self.assertEqual(json.dumps(self.destination.objects, sort_keys=True), before)
        self.assertEqual([p["destination"] for p in self.report["projects"]], ["Default/a", "Default/new-b"])
        found = self.results(0, "import", *words)
        self.assertEqual({k: o["result"] for k, o in dry.items()}, {k: o["result"] for k, o in found.items()})
        self.assertEqual(found["Default/a", "networks", "net"]["result"], "created")

    def test_projects_with_other_names(self):
        new = self.project(self.destination, "new-a")
        s = self.source
        shared = s.add("network/networks", name="common", project_id=self.projects["src", "a"], shared=True, admin_state_up=True)
        s.add("network/subnets", name="mine", project_id=self.projects["src", "b"], network_id=shared["id"], cidr="10.8.0.0/24",
              ip_version=4)
        s.add("network/rbac-policies", object_type="network", object_id=shared["id"], action="access_as_shared",
              target_tenant=self.projects["src", "b"], project_id=self.projects["src", "a"])
        self.config('map: { projects: { "Default/a": new-a, b: "Default/b" } }\n')
        types = ("networks", "subnets", "rbac_policies")
        self.results(0, "export", *types, "--projects", "/^[ab]$/")
        self.assertIn("project_name: a", self.text("projects/Default/b/subnets.yml"))
        self.results(0, "import", *types, "--projects", "*")
        self.assertEqual(set(self.there("network/networks", "common")), {"new-a"})
        self.assertEqual(self.there("network/networks", "common")["new-a"]["project_id"], new)
        self.assertEqual(self.there("network/subnets", "mine")["b"]["network_id"],
                         self.there("network/networks", "common")["new-a"]["id"])
        policy, = self.destination.all("network/rbac-policies")
        self.assertEqual((policy["project_id"], policy["target_tenant"]), (new, self.projects["dst", "b"]))
        found = self.results(0, "import", *types, "--projects", "*", "--update")
        self.assertEqual({o["result"] for o in found.values()}, {"equal"})
        # Two of one name would become one.
        self.config('map: { projects: { a: b } }\n')
        row = self.results(5, "import", "networks", "--projects", "*")["Default/b", "projects", "Default/b"]
        self.assertIn("Default/b is the destination of Default/a, too", row["reason"])

    def test_projects_that_were_registered(self):
        self.project(self.destination, "elsewhere")
        self.run_osm(0, "register-external", "projects", "a", "elsewhere")
        self.results(0, "export", "networks", "--projects", "a")
        self.results(0, "import", "networks", "--projects", "a")
        self.assertEqual(set(self.there("network/networks", "net")), {"elsewhere"})

    def test_what_was_registered_stays_so_when_projects_are_imported(self):
        self.project(self.destination, "elsewhere")
        self.run_osm(0, "register-external", "projects", "a", "elsewhere")
        self.results(0, "export", "projects", "networks", "--projects", "a")
        for _ in range(2):
            self.results(0, "import", "projects", "networks", "--projects", "a")
            self.assertEqual(set(self.there("network/networks", "net")), {"elsewhere"})
            self.assertEqual([o["name"] for o in self.run_osm(0, "list", "--objects") if o.get("origin") == "registered"],
                             ["a"])
        self.results(0, "diff", "networks", "--projects", "a")

    def test_the_same_name_in_two_domains(self):
        for cloud in (self.source, self.destination):
            cloud.add("identity/domains", id="other", name="Other")
        words = ("projects", "networks", "--projects", "a", "--filter", "a", "--filter", "net")
        self.results(0, "export", *words)
        self.results(0, "import", *words)
        first, = self.destination.all("network/networks")[1:]
        later = self.project(self.source, "a", "other")
        self.fill(later, "other")
        self.results(0, "export", *words)
        found = self.results(0, "import", *words)
        self.assertEqual({k: o["result"] for k, o in found.items() if k[0]},
                         {("Default/a", "networks", "net"): "equal", ("Other/a", "networks", "net"): "created"})
        made = next(p["id"] for p in self.destination.all("identity/projects") if (p["name"], p["domain_id"]) == ("a", "other"))
        self.assertEqual({n["project_id"]: n["description"] for n in self.destination.all("network/networks") if n["name"] == "net"},
                         {first["project_id"]: "of a", made: "of other"})
        self.assertEqual({o["result"] for o in self.results(0, "import", *words).values()}, {"equal"})

    def test_quotas_of_each_project(self):
        for cloud, cores in ((self.source, 40), (self.destination, 10)):
            for kind, values in (("compute/os-quota-sets", {"cores": cores}), ("network/quotas", {"network": 5}),
                                 ("volume/os-quota-sets", {"volumes": 7})):
                cloud.objects[kind] = {self.projects[cloud.name, p]: dict(values, id=self.projects[cloud.name, p])
                                       for p in PROJECTS}
        self.results(0, "export", "quotas", "--projects", "a")
        found = self.results(0, "import", "quotas", "--projects", "a", "--update")
        self.assertEqual(found["Default/a", "quotas", "compute"]["result"], "updated")
        quotas = self.destination.objects["compute/os-quota-sets"]
        self.assertEqual([quotas[self.projects["dst", p]]["cores"] for p in PROJECTS], [40, 10])
        self.assertEqual(self.report["counts"]["updated"], 1)
        self.assertEqual(self.report["counts"]["failed"], 0)

    def test_more_server_groups_than_nova_gives_at_once(self):
        for i in range(5):
            self.source.add("compute/os-server-groups", name="g%d" % i, policy="affinity", rules={}, members=[],
                            project_id=self.projects["src", "a"])
        self.source.max_limit = 2
        found = self.results(0, "export", "server_groups", "--projects", "a")
        self.assertEqual({k[2] for k in found}, {"apart", "g0", "g1", "g2", "g3", "g4"})

    def test_folders_that_are_none(self):
        self.results(0, "export", "networks", "--projects", "a")
        for name in ("README", "Default/notes.txt"):
            self.write("projects/" + name, "what is what")
        self.results(0, "import", "networks", "--projects", "all")
        self.run_osm(0, "validate")
        os.mkdir(self.data + "/projects/Default/%FF")
        for words in (("import", "networks", "--projects", "all"), ("diff", "networks", "--projects", "all"), ("validate",)):
            self.run_osm(1, *words)
            self.assertIn("projects/Default/%FF is no folder of a project", self.err)

    def test_a_project_without_a_name(self):
        p = self.project(self.source, "")
        self.fill(p, "nobody")
        found = self.results(5, "export", "networks", "--projects", "*")
        self.assertEqual((found["Default/", "projects", "Default/"]["result"], found["Default/a", "networks", "net"]["result"]),
                         ("failed", "created"))
        self.assertFalse(os.path.exists(self.data + "/projects/Default/networks.yml"))

    def test_strange_names(self):
        for name in ("..", "x/y %"):
            self.project(self.source, name)
            self.project(self.destination, name)
        self.fill(self.projects["src", ".."], "dots")
        self.fill(self.projects["src", "x/y %"], "slash")
        self.results(0, "export", "networks", "--projects", "..", "--projects", "x/*")
        self.assertEqual(sorted(os.listdir(self.data + "/projects/Default")), ["%2E.", "x%2Fy%20%25"])
        self.results(0, "import", "networks", "--projects", "all")
        self.assertEqual(set(self.there("network/networks", "net")), {"..", "x/y %"})

    def test_what_belongs_to_no_project_alone(self):
        self.results(0, "export", "projects", "users", "--projects", "all")
        found = self.results(0, "import", "projects", "users", "--projects", "all")
        self.assertEqual(found[None, "projects", "src"]["result"], "created")

    def test_a_name_that_is_misspelt_changes_nothing(self):
        self.results(0, "export", "projects", "networks", "--projects", "a")
        before = json.dumps(self.destination.objects, sort_keys=True)
        self.run_osm(1, "import", "projects", "networks", "--projects", "aa")
        self.assertIn("none of the 1 projects has such a name", self.err)
        self.assertEqual(json.dumps(self.destination.objects, sort_keys=True), before)
        self.run_osm(1, "export", "projects", "networks", "--projects", "aa", "--data-dir", self.folder + "/new")
        self.assertFalse(os.path.exists(self.folder + "/new"))

    def test_what_there_is_not(self):
        self.run_osm(1, "export", "all", "--projects", "nobody")
        self.assertIn("none of the 4 projects has such a name", self.err)
        self.run_osm(1, "import", "all", "--projects", "a")
        self.assertIn("none of the 0 projects", self.err)
        self.run_osm(2, "export", "all", "--projects", "/(/")
        self.source.roles = ["member"]
        self.run_osm(1, "export", "all", "--projects", "a")
        self.assertIn("only administrators see other projects", self.err)


class Grants(Case):
    """Nova makes server groups in the token's project only."""

    def setUp(self):
        super().setUp()
        self.results(0, "export", "server_groups", "networks", "--projects", "a")
        self.words = ("import", "server_groups", "networks", "--projects", "a")
        self.mine = (self.projects["dst", "a"], self.destination.user)

    def journal(self):
        with sqlite3.connect("file:%s/state/osm.db?mode=ro" % self.folder, uri=True) as db:
            return db.execute("SELECT cloud, project_id, user_id, role_id FROM role_grant").fetchall()

    def during(self, method, kind, act):
        """act is done when that request comes; then it is answered as usual."""
        d = self.destination

        def answer():
            act()
            method_, path = d.seen[-1]
            parts = path.split("?")[0].split("/v3/" if kind.startswith("identity") else "/v2.1/")[1].split("/")
            self.assertEqual(method_, method)
            return (self.special(method, kind, parts) or
                    getattr(d, method.lower())(kind.split("/")[0], kind, parts, {}, self.body))
        d.answers[method, kind] = [answer]

    def special(self, method, kind, parts):
        self.body = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
        return memoryextras.handle(self.destination, method, kind.split("/")[0], parts, {}, self.body)

    def start(self, *words):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        env.update(OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml", XDG_CONFIG_HOME=self.folder)
        self.process = subprocess.Popen(
            [CONTROLLER, words[0], "--source-cloud", "src", "--destination-cloud", "dst", "--state-dir", self.folder + "/state",
             "--output", "json", "--data-dir", self.data, *words[1:]], env=env, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.addCleanup(self.process.kill)
        return self.process

    def end(self):
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def test_the_journal_knows_first(self):
        seen = []
        self.during("PUT", "identity/projects", lambda: seen.append((self.journal(), self.roles())))
        self.results(0, *self.words)
        self.assertEqual(seen, [([("dst", *self.mine, "r-member")], [])])
        self.assertEqual((self.roles(), self.grants()), ([], []))

    def test_who_has_a_role_gets_none_and_loses_none(self):
        self.destination.add("identity/role_assignments", role={"id": "r-reader"}, user={"id": self.mine[1]},
                             scope={"project": {"id": self.mine[0]}})
        before = self.roles()
        self.results(0, *self.words)
        self.assertEqual(self.roles(), before)
        self.assertEqual([p for m, p in self.destination.seen if m in ("PUT", "DELETE") and "/roles/" in p], [])

    def test_after_a_failure(self):
        self.destination.answers["POST", "compute/os-server-groups"] = [(403, {"forbidden": {"code": 403, "message": "no"}})]
        found = self.results(5, *self.words)
        self.assertEqual((found["Default/a", "server_groups", "apart"]["result"], found["Default/a", "networks", "net"]["result"]),
                         ("failed", "created"))
        self.assertEqual((self.roles(), self.grants()), ([], []))

    def test_a_role_that_is_refused(self):
        self.destination.answers["PUT", "identity/projects"] = [(403, {"error": {"code": 403, "message": "no grants"}})]
        found = self.results(5, *self.words)
        self.assertIn("a token of the project Default/a", found["Default/a", "server_groups", "apart"]["reason"])
        self.assertEqual(self.grants(), [])

    def test_a_role_that_cannot_be_taken_back(self):
        self.destination.answers["DELETE", "identity/projects"] = [(403, {"error": {"code": 403, "message": "not now"}})]
        self.run_osm(1, *self.words)
        self.assertIn("the role 'member' that osm has in the project Default/a stays", self.err)
        self.assertIn("revoke-grants", self.err)
        self.assertEqual([(g["cloud"], g["project"], g["role"]) for g in self.grants()], [("dst", "Default/a", "member")])
        self.assertEqual(self.roles(), [(*self.mine, "r-member")])
        self.assertEqual(self.run_osm(0, "revoke-grants")["roles_taken_back"], 1)
        self.assertEqual((self.roles(), self.grants()), ([], []))
        self.run_osm(3, "revoke-grants")

    def test_after_an_interrupt(self):
        self.during("POST", "compute/os-server-groups", lambda: self.process.send_signal(signal.SIGINT))
        self.start(*self.words)
        status, _, err = self.end()
        self.assertEqual(status, 130, err)
        self.assertEqual((self.roles(), self.grants()), ([], []))

    def crash(self, method, kind):
        self.during(method, kind, lambda: self.process.kill())
        self.start(*self.words)
        self.assertEqual(self.end()[0], -signal.SIGKILL)

    def test_after_a_crash(self):
        self.crash("POST", "compute/os-server-groups")
        self.assertEqual((self.roles(), len(self.grants())), ([(*self.mine, "r-member")], 1))
        # Any import of that cloud takes it back.
        self.results(0, "import", "networks", "--projects", "a")
        self.assertEqual((self.roles(), self.grants()), ([], []))
        found = self.results(0, *self.words)
        self.assertEqual({o["result"] for o in found.values()}, {"equal"})

    def test_a_crash_before_the_role_was_there(self):
        self.destination.answers["PUT", "identity/projects"] = [lambda: (self.process.kill(), (503, None))[1]]
        self.start(*self.words)
        self.assertEqual(self.end()[0], -signal.SIGKILL)
        self.assertEqual((self.roles(), len(self.grants())), ([], 1))
        self.assertEqual(self.run_osm(0, "revoke-grants")["roles_taken_back"], 1)
        self.assertEqual(self.grants(), [])

    def given(self, project, url=None):
        """As another process has it in the journal."""
        self.run_osm(0, "list", "--grants")
        self.destination.add("identity/role_assignments", role={"id": "r-member"}, user={"id": self.mine[1]},
                             scope={"project": {"id": self.projects["dst", project]}})
        with sqlite3.connect(self.folder + "/state/osm.db") as db:
            db.execute("INSERT INTO role_grant (cloud, project_id, user_id, role_id, project, role, intended_ms, url)"
                       " VALUES ('dst', ?, ?, 'r-member', 'Default/' || ?, 'member', 1, ?)",
                       (self.projects["dst", project], self.mine[1], project, url or self.destination.url))

    def test_what_another_process_uses_is_left_alone(self):
        # Also a role in the very project: it goes when that process ends.
        for project in ("b", "a"):
            self.given(project)
            with open(self.folder + "/state/grants-dst.lock", "w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                found = self.results(5, *self.words)
                self.assertIn("in use by another osm-controller", found["Default/a", "server_groups", "apart"]["reason"])
                self.run_osm(1, "revoke-grants")
                self.assertIn("in use by another osm-controller", self.err)
                self.assertEqual((len(self.roles()), len(self.grants())), (1, 1))
            self.run_osm(0, "revoke-grants")
            self.assertEqual((self.roles(), self.grants()), ([], []))
        self.results(0, *self.words)
        self.assertEqual((self.roles(), self.grants()), ([], []))

    def test_other_clouds_are_not_in_the_way(self):
        os.makedirs(self.folder + "/state", exist_ok=True)
        with open(self.folder + "/state/grants-src.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.results(0, *self.words)

    def test_another_cloud_of_the_same_name(self):
        self.given("b", "https://keystone.example:5000")
        self.run_osm(1, "revoke-grants")
        self.assertIn("it was given at https://keystone.example:5000, and clouds.yaml has %s for cloud 'dst' now" %
                      self.destination.url, self.err)
        self.assertEqual((len(self.roles()), len(self.grants())), (1, 1))

    def test_a_refusal_after_an_attempt_that_was_not(self):
        d = self.destination

        def lost():
            d.add("identity/role_assignments", role={"id": "r-member"}, user={"id": self.mine[1]},
                  scope={"project": {"id": self.mine[0]}})
            return 503, None
        no = (403, {"error": {"code": 403, "message": "no grants"}})
        d.answers["PUT", "identity/projects"] = [lost, no]
        self.results(5, *self.words)
        self.assertEqual((self.roles(), self.grants()), ([], []))
        # Nor may it be taken back: but there is none.
        d.answers["PUT", "identity/projects"], d.answers["DELETE", "identity/projects"] = [no], [no]
        self.results(5, *self.words)
        self.assertEqual((self.roles(), self.grants()), ([], []))


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
