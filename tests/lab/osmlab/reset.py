# SPDX-License-Identifier: Apache-2.0
"""Deletes every object of the tenants and restores their quotas.
Runs inside the lab: lab _reset CLOUD.  Prints what it could not delete."""
import time
from concurrent.futures import ThreadPoolExecutor

from osmlab.bootstrap import connect
from osmlab.settings import LabError, say

FINAL = ('available', 'error', 'in-use', 'error_deleting', 'error_extending',
         'error_restoring')


class Reset:
    def __init__(self, cloud):
        self.cloud = cloud
        self.conn = connect(cloud)
        self.project = self.conn.identity.find_project(cloud.project).id
        self.user = self.conn.identity.find_user(cloud.user).id
        self.count = 0
        self.last_error = None

    def _delete(self, function, thing, **kw):
        try:
            function(thing, **kw)
            self.count += 1
        except Exception as e:      # try the rest; the last look tells what is left
            self.last_error = e

    def servers(self):
        return list(self.conn.compute.servers(details=False, all_projects=True,
                                              project_id=self.project))

    def volumes(self):
        return list(self.conn.block_storage.volumes(all_projects=True,
                                                    project_id=self.project))

    def snapshots(self):
        return [s for s in self.conn.block_storage.snapshots(all_projects=True)
                if s.to_dict().get('project_id') in (None, self.project)]

    def keypairs(self):
        rows = self.conn.compute.get('/os-keypairs?user_id=' + self.user,
                                     microversion='2.10').json()['keypairs']
        return [k['keypair']['name'] for k in rows]

    def compute(self):
        c = self.conn.compute
        for s in self.servers():
            self._delete(c.delete_server, s)
        self._until_none(self.servers, 60)
        for name in self.keypairs():
            self._delete(lambda n: c.delete('/os-keypairs/%s?user_id=%s' % (n, self.user),
                                            microversion='2.10'), name)
        groups = c.get('/os-server-groups?all_projects=True').json()['server_groups']
        for g in groups:
            self._delete(c.delete_server_group, g['id'])

    def routers(self):
        n = self.conn.network
        for f in n.ips(project_id=self.project):
            self._delete(n.delete_ip, f)
        for r in n.routers(project_id=self.project):
            for p in n.ports(device_id=r.id):
                if p.device_owner.startswith('network:router_interface'):
                    self._delete(lambda q: n.remove_interface_from_router(r, port_id=q.id), p)
            self._delete(n.delete_router, r)

    def network(self):
        n = self.conn.network
        for p in n.ports(project_id=self.project):
            self._delete(n.delete_port, p)
        for net in n.networks(project_id=self.project):
            self._delete(n.delete_network, net)
        for g in n.security_groups(project_id=self.project):
            if g.name != 'default':
                self._delete(n.delete_security_group, g)
            else:
                self._default_rules(g)

    def _default_rules(self, group):
        """The default group as Neutron makes it."""
        n = self.conn.network
        for rule in n.security_group_rules(security_group_id=group.id):
            plain = (rule.protocol is None and rule.port_range_min is None and
                     rule.remote_ip_prefix in (None, '0.0.0.0/0', '::/0') and
                     (rule.direction == 'egress' or rule.remote_group_id == group.id))
            if not plain:
                self._delete(n.delete_security_group_rule, rule)

    def storage(self):
        b = self.conn.block_storage
        for t in b.get('/volume-transfers/detail?all_tenants=1').json()['transfers']:
            self._delete(lambda i: b.delete('/volume-transfers/' + i), t['id'])
        for s in self.snapshots():
            self._reset_state(s, '/snapshots/%s/action', FINAL)
            self._delete(b.delete_snapshot, s, force=False)
        self._until_none(self.snapshots, 30)
        for v in self.volumes():
            if v.attachments or v.status not in ('available', 'error'):
                for a in b.get('/attachments?volume_id=%s&all_tenants=1' % v.id,
                               microversion='3.27').json()['attachments']:
                    self._delete(lambda i: b.delete('/attachments/' + i,
                                                    microversion='3.27'), a['id'])
                b.post('/volumes/%s/action' % v.id, json={'os-reset_status': {
                    'status': 'available', 'attach_status': 'detached',
                    'migration_status': 'none'}})
            self._delete(b.delete_volume, v, force=True)
        self._until_none(self.volumes, 30)

    def _reset_state(self, thing, path, good):
        if thing.status not in good:
            self.conn.block_storage.post(path % thing.id, json={
                'os-reset_status': {'status': 'available'}})

    def images(self):
        for i in self.conn.image.images(owner=self.project):
            if i.is_protected:
                self.conn.image.update_image(i, is_protected=False)
            self._delete(self.conn.image.delete_image, i)

    def quotas(self):
        p = self.project
        self.conn.compute.delete('/os-quota-sets/' + p)
        self.conn.block_storage.delete('/os-quota-sets/' + p)
        self.conn.network.delete('/quotas/' + p)

    def _until_none(self, list_them, limit):
        deadline = time.time() + limit
        while list_them() and time.time() < deadline:
            time.sleep(0.2)

    def leftovers(self):
        c, n, p = self.conn, self.conn.network, self.project
        left = ['server ' + s.id for s in self.servers()]
        left += ['volume %s (%s)' % (v.id, v.status) for v in self.volumes()]
        left += ['snapshot %s (%s)' % (s.id, s.status) for s in self.snapshots()]
        left += ['key pair ' + k for k in self.keypairs()]
        left += ['image ' + i.id for i in c.image.images(owner=p)]
        left += ['floating IP ' + f.floating_ip_address for f in n.ips(project_id=p)]
        left += ['router ' + r.id for r in n.routers(project_id=p)]
        left += ['port ' + q.id for q in n.ports(project_id=p)]
        left += ['network ' + q.id for q in n.networks(project_id=p)]
        left += ['security group ' + g.name for g in n.security_groups(project_id=p)
                 if g.name != 'default']
        return left

    def all(self):
        with ThreadPoolExecutor(3) as pool:
            for parts in ((self.compute, self.routers, self.images),
                          (self.network, self.storage, self.quotas)):
                for job in [pool.submit(p) for p in parts]:
                    job.result()
        left = self.leftovers()
        if left:
            raise LabError('%s: not deleted: %s%s' % (
                self.cloud.name, ', '.join(left),
                '; last error: %s' % self.last_error if self.last_error else ''))
        say('%s: %d objects deleted, nothing left' % (self.cloud.name, self.count))
