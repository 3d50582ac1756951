# SPDX-License-Identifier: Apache-2.0
"""What the cloud in memory has requests of their own for: rules of QoS policies, addresses of address groups, sub-ports, what
belongs to volume types. Answers and refusals are those of Neutron 21, Cinder 21 and Keystone 22; the files that say so are named."""

import re
import uuid

# neutron_lib/api/definitions/qos.py, qos_pps_rule.py, qos_pps_minimum_rule.py
QOS_RULES = {"bandwidth_limit_rules": "qos", "dscp_marking_rules": "qos", "minimum_bandwidth_rules": "qos",
             "packet_rate_limit_rules": "qos-pps", "minimum_packet_rate_rules": "qos-pps-minimum"}


def not_found(what="The resource could not be found."):
    return 404, {"message": what}


def refused(status, kind, message):
    return status, {"NeutronError": {"type": kind, "message": message, "detail": ""}}


# ---------------------------------------------------------------- tokens and roles
def scope_of(cloud, body):
    """The project that a token is asked for, and the roles that the user has there."""
    project = body["auth"].get("scope", {}).get("project", {}) if "auth" in body else {}
    found = project.get("id") or next((p["id"] for p in cloud.all("identity/projects") if p["name"] == project.get("name")),
                                      cloud.project)
    if found == cloud.project:
        return found, cloud.roles
    names = {r["id"]: r["name"] for r in cloud.all("identity/roles")}
    return found, [names[a["role"]["id"]] for a in assignments(cloud, cloud.user, found)]


def token_of(cloud, project):
    return "t" if project == cloud.project else "t:" + project


def project_of_token(cloud, token):
    return token[2:] if (token or "").startswith("t:") else cloud.project


def assignments(cloud, user, project):
    return [a for a in cloud.all("identity/role_assignments")
            if a["user"]["id"] == user and a["scope"].get("project", {}).get("id") == project]


def roles(cloud, method, parts, query):
    """keystone/assignment/core.py: what was never granted cannot be revoked."""
    if parts[0] == "role_assignments" and "user.id" in query:
        return 200, {"role_assignments": assignments(cloud, query["user.id"][0], query["scope.project.id"][0])}
    if parts[0] == "projects" and len(parts) == 6:
        found = [a for a in assignments(cloud, parts[3], parts[1]) if a["role"]["id"] == parts[5]]
        if method == "PUT" and found:
            return 204, None
        if method == "DELETE":
            for a in found:
                del cloud.objects["identity/role_assignments"][a["id"]]
            return (204, None) if found else not_found("Could not find role assignment")
    return None


def server_groups(cloud, method, parts, query, body):
    """nova/api/openstack/compute/server_groups.py: they are the token's project's, whatever is asked. common.py: no more at once than
    [api] max_limit."""
    if method == "POST":
        obj = cloud.add("compute/os-server-groups", **body["server_group"])
        obj.update(project_id=cloud.scope, user_id=cloud.user)
        return 200, {"server_group": obj}
    if method == "GET" and len(parts) == 1:
        every = "all_projects" in query and cloud.administrator
        found = [g for g in cloud.all("compute/os-server-groups")
                 if every or g.get("project_id", cloud.project) == cloud.scope]
        first = int(query.get("offset", ["0"])[0])
        return 200, {"server_groups": found[first:first + min(cloud.max_limit, int(query.get("limit", ["1000"])[0]))]}
    return None


def qos_rules(cloud, method, parts, body):
    """neutron/services/qos/qos_plugin.py, neutron/objects/qos/qos_policy_validator.py: one rule of each type and direction."""
    policy, kind = cloud.objects.get("network/policies", {}).get(parts[1]), parts[2]
    if not policy or QOS_RULES.get(kind) not in cloud.extensions:
        return not_found()
    rules = policy.setdefault("rules", [])
    old = next((r for r in rules if len(parts) > 3 and r["id"] == parts[3]), None)
    if len(parts) > 3 and not old:
        return not_found()
    if method == "DELETE":
        rules.remove(old)
        return 204, None
    rule = dict(old or {"id": str(uuid.uuid4()), "qos_policy_id": policy["id"], "type": kind[:-len("_rules")]},
                **body[kind[:-1]])
    if kind != "dscp_marking_rules":
        rule.setdefault("direction", "egress")
    if any(r is not old and (r["type"], r.get("direction")) == (rule["type"], rule.get("direction")) for r in rules):
        return refused(409, "QoSRulesConflict", "conflicts with a rule which already exists")
    if old:
        old.update(rule)
    else:
        rules.append(rule)
    return (200 if old else 201), {kind[:-1]: rule}


def addresses(group, how, wanted):
    """neutron/db/address_group_db.py: what is there already, or is not there, is refused."""
    there = set(group["addresses"])
    if how == "add_addresses":
        if there & set(wanted):
            return refused(400, "AddressesAlreadyExist", "Addresses already exist in the address group")
        group["addresses"] = sorted(there | set(wanted))
    else:
        if set(wanted) - there:
            return refused(404, "AddressesNotFound", "Addresses not found in the address group")
        group["addresses"] = sorted(there - set(wanted))
    return 200, {"address_group": group}


def sub_ports(cloud, trunk, how, wanted):
    """neutron/services/trunk/plugin.py, rules.py"""
    subs = trunk.setdefault("sub_ports", [])
    ports = cloud.objects["network/ports"]
    if how == "remove_subports":
        for sub in wanted:
            found = next((s for s in subs if s["port_id"] == sub["port_id"]), None)
            if not found:
                return refused(404, "SubPortNotFound", "SubPort could not be found")
            subs.remove(found)
            ports[sub["port_id"]].update(device_owner="", device_id="")
    else:
        for sub in wanted:
            if any((s["segmentation_type"], s["segmentation_id"]) == (sub["segmentation_type"], sub["segmentation_id"])
                   for s in subs):
                return refused(409, "DuplicateSubPort", "already in use on trunk")
            if ports[sub["port_id"]].get("device_owner") == "trunk:subport":
                return refused(409, "PortInUseAsSubPort", "is currently a subport")
            subs.append(dict(sub))
            ports[sub["port_id"]].update(device_owner="trunk:subport", device_id=trunk["id"])
    return 200, trunk


def subnet_pool(pool, values):
    """neutron/db/db_base_plugin_v2.py: prefixes are only added."""
    if "prefixes" in values and set(pool["prefixes"]) - set(values["prefixes"]):
        return refused(400, "IllegalSubnetPoolPrefixUpdate", "Illegal update to prefixes")
    if "shared" in values:
        return refused(400, "HTTPBadRequest", "Cannot update read-only attribute shared")
    pool.update(values)
    return 200, {"subnetpool": pool}


def encryption(cloud, type_id, method, rest, body):
    """cinder/api/contrib/volume_type_encryption.py"""
    known = cloud.encryption.get(type_id, {})
    if method == "GET":
        return 200, known
    if method == "DELETE":
        cloud.encryption.pop(type_id, None)
        return 202, None
    if type_id in cloud.types_in_use:
        return 400, {"badRequest": {"code": 400, "message": "Cannot %s encryption specs. Volume type in use." %
                                    ("create" if method == "POST" else "update")}}
    if method == "POST" and known:
        return 400, {"badRequest": {"code": 400, "message": "Volume type encryption for type already exists."}}
    if method == "PUT" and rest != [known.get("encryption_id")]:
        return not_found()
    cloud.encryption[type_id] = dict(known or {"encryption_id": str(uuid.uuid4()), "volume_type_id": type_id,
                                               "cipher": None, "key_size": None, "deleted": False},
                                     **body["encryption"])
    return 200, body


def volume_types(cloud, method, parts, body):
    obj = cloud.objects.get("volume/types", {}).get(parts[1])
    if not obj:
        return not_found()
    if not cloud.administrator:
        return 403, {"forbidden": {"code": 403, "message": "Policy doesn't allow it to be performed."}}
    if parts[2] == "encryption":
        return encryption(cloud, obj["id"], method, parts[3:], body)
    access = cloud.type_access.setdefault(obj["id"], [])
    if parts[2] == "os-volume-type-access":
        # cinder/api/contrib/volume_type_access.py
        if obj.get("os-volume-type-access:is_public", True):
            return not_found("Access list not available for public volume types.")
        return 200, {"volume_type_access": [{"volume_type_id": obj["id"], "project_id": p} for p in access]}
    (action, values), = body.items()
    project = values["project"]
    if action == "addProjectAccess":
        if obj.get("os-volume-type-access:is_public", True):
            return 400, {"badRequest": {"code": 400, "message": "Type access modification is not applicable to public volume type."}}
        if project in access:
            return 409, {"conflictingRequest": {"code": 409, "message": "exists"}}
        access.append(project)
    elif project not in access:
        return not_found()
    else:
        access.remove(project)
    return 202, None


def qos_specs(cloud, method, parts, query, body):
    """cinder/api/contrib/qos_specs_manage.py: a type is associated by a GET, and what is in specs is sent beside the name."""
    if not cloud.administrator:
        return 403, {"forbidden": {"code": 403, "message": "Policy doesn't allow it to be performed."}}
    if method == "POST":
        values = dict(body["qos_specs"])
        obj = cloud.add("volume/qos-specs", name=values.pop("name"), consumer=values.pop("consumer", "back-end"),
                        specs=values)
        return 200, {"qos_specs": obj}
    if len(parts) == 1:
        return 200, {"qos_specs": [o for o in cloud.all("volume/qos-specs")
                                   if query.get("name", [o["name"]])[0] == o["name"]]}
    obj = cloud.objects.get("volume/qos-specs", {}).get(parts[1])
    if not obj:
        return not_found()
    if parts[2:] == ["delete_keys"]:
        if set(body["keys"]) - set(obj["specs"]):
            return not_found()
        for key in body["keys"]:
            del obj["specs"][key]
        return 202, None
    if parts[2:] and method == "GET":
        volume_type = cloud.objects["volume/types"][query["vol_type_id"][0]]
        now = volume_type.get("qos_specs_id")
        if parts[2] == "associate" and now not in (None, obj["id"]):
            return 400, {"badRequest": {"code": 400, "message": "is already associated with another qos specs"}}
        volume_type["qos_specs_id"] = obj["id"] if parts[2] == "associate" else None
        return 202, None
    if method == "PUT":
        values = dict(body["qos_specs"])
        obj["consumer"] = values.pop("consumer", obj["consumer"])
        obj["specs"].update(values)
        return 200, body
    return 200, {"qos_specs": obj}


def handle(cloud, method, service, parts, query, body):
    """None: nothing special."""
    kind = "%s/%s" % (service, parts[0])
    obj = cloud.objects.get(kind, {}).get(parts[1]) if len(parts) > 1 else None
    if service == "identity":
        return roles(cloud, method, parts, query)
    if kind == "compute/os-server-groups":
        return server_groups(cloud, method, parts, query, body)
    if kind == "network/policies" and len(parts) > 2 and re.search("_rules$", parts[2]):
        return qos_rules(cloud, method, parts, body)
    if kind == "network/policies" and method == "POST":
        if not cloud.administrator:
            return 403, refused(403, "PolicyNotAuthorized", "rule:create_policy is disallowed by policy")[1]
        return 201, {"policy": cloud.add(kind, **dict({"rules": [], "tags": [], "is_default": False}, **body["policy"]))}
    if kind == "network/address-groups" and len(parts) > 2 and obj:
        return addresses(obj, parts[2], body["addresses"])
    if kind == "network/trunks" and len(parts) > 2 and parts[2] != "tags" and obj:
        return sub_ports(cloud, obj, parts[2], body["sub_ports"])
    if kind == "network/subnetpools" and method == "PUT" and len(parts) == 2 and obj:
        return subnet_pool(obj, body["subnetpool"])
    if kind == "volume/types" and len(parts) > 2 and parts[2] in ("encryption", "os-volume-type-access", "action"):
        return volume_types(cloud, method, parts, body)
    if kind == "volume/types" and method == "GET" and len(parts) == 1 and not cloud.administrator:
        # cinder/api/v3/views/types.py
        return 200, {"volume_types": [{k: v for k, v in o.items() if k != "qos_specs_id"}
                                      for o in cloud.all(kind)]}
    if kind == "volume/qos-specs":
        return qos_specs(cloud, method, parts, query, body)
    return None
