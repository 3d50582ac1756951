# SPDX-License-Identifier: Apache-2.0
"""Nova driver of the lab.  A server is a set of namespaces whose root is the
first file system on its REAL root disk (a copy of a Glance image, or a Cinder
volume); its volumes are block devices in its own /dev."""
import os
import shutil
import signal

import eventlet
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import units

from nova import block_device
from nova.compute import power_state
from nova.compute import task_states
from nova.compute import utils as compute_utils
import nova.conf
from nova import exception
from nova.image import glance
from nova import objects
from nova.virt import driver
from nova.virt import fake
from nova.virt import hardware

import labfault
import labimages
from labnova import disks
from labnova import guest
from labnova import network
from labnova.common import Servers, run

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF
CONF.register_opts([cfg.StrOpt('cache'), cfg.IntOpt('vcpus', default=64),
                    cfg.IntOpt('memory_mb', default=131072),
                    cfg.IntOpt('disk_gb', default=4000)], group='lab')
CONSOLE_BYTES = 200000
#: as libvirt: retry for a while, then give up
DETACH_TRIES, DETACH_PAUSE = 20, 0.5
BUSES = ('virtio', 'scsi', 'sata', 'ide', 'xen')


def image_bus(image_meta):
    bus = image_meta.properties.get('hw_disk_bus') or 'virtio'
    return bus if bus in BUSES else 'sata'


class LabDriver(fake.FakeDriver):
    capabilities = dict(fake.FakeDriver.capabilities, supports_bfv_rescue=False,
                        supports_migrate_to_same_host=True)

    def __init__(self, virtapi, read_only=False):
        self.vcpus, self.memory_mb = CONF.lab.vcpus, CONF.lab.memory_mb
        self.local_gb = CONF.lab.disk_gb
        super().__init__(virtapi, read_only)
        self.servers = Servers(CONF.instances_path)

    def init_host(self, host):
        super().init_host(host)
        eventlet.spawn(self._refresh_nodes)

    def _refresh_nodes(self):
        """Partition nodes inside the servers (there is no udev)."""
        while True:
            eventlet.sleep(1)
            for uuid in self.servers.uuids():
                try:
                    s = self.servers.load(uuid)
                    if self.servers.alive(s):
                        for d in s['disks']:
                            if d.get('loop') and not d.get('missing'):
                                disks.make_nodes(self.servers.directory(uuid) + '/dev', d)
                except Exception as e:      # it may be on its way out
                    LOG.debug('nodes of %s: %s', uuid, e)

    # What there is

    def list_instance_uuids(self):
        return self.servers.uuids()

    def list_instances(self):
        return [self.servers.load(u)['name'] for u in self.servers.uuids()]

    def instance_exists(self, instance):
        return instance.uuid in self.servers.uuids()

    def get_info(self, instance, use_cache=True):
        s = self.servers.load(instance.uuid)
        state = power_state.SHUTDOWN
        if self.servers.alive(s):
            state = power_state.PAUSED if s.get('paused') else power_state.RUNNING
        return hardware.InstanceInfo(state=state)

    def get_host_ip_addr(self):
        return CONF.my_ip

    def get_volume_connector(self, instance):
        return {'ip': CONF.my_ip, 'host': CONF.host, 'initiator': 'lab', 'multipath': False,
                'platform': 'x86_64', 'os_type': 'linux'}

    def get_console_output(self, context, instance):
        try:
            with open(self.servers.directory(instance.uuid) + '/console.log', 'rb') as f:
                f.seek(0, os.SEEK_END)
                f.seek(max(0, f.tell() - CONSOLE_BYTES))
                return f.read()
        except FileNotFoundError:
            return b''

    # Device names: the bus of the image decides, as with libvirt

    def default_root_device_name(self, instance, image_meta, root_bdm):
        bus = (root_bdm.disk_bus if root_bdm is not None else None) or image_bus(image_meta)
        return '/dev/' + disks.prefix(bus) + 'a'

    def get_device_name_for_instance(self, instance, bdms, block_device_obj):
        # libvirt ignores the name the user asked for
        used = [b.device_name for b in bdms if b.device_name]
        root = instance.root_device_name
        if root not in used:
            used.append(root)
        return compute_utils.get_next_device_name(instance, used, root)

    # Life cycle

    def _volume_disk(self, mapping, bus, root):
        info = mapping['connection_info']
        volume = info['data']['volume_id']
        return {'path': info['data']['device_path'], 'dev': mapping['mount_device'],
                'bus': mapping.get('disk_bus') or bus, 'root': root, 'volume_id': volume,
                'serial': info.get('serial') or volume, 'loop': None,
                'offset': disks.HEADER_BYTES if info['data'].get('encrypted') else 0}

    def _device_metadata(self, instance):
        """Nova looks through it when a device that has a tag is detached."""
        if not instance.device_metadata:
            instance.device_metadata = objects.InstanceDeviceMetadata(devices=[])
            return True
        return False

    def _image_disk(self, context, instance, path):
        gib = instance.flavor.root_gb
        image = glance.API().get(context, instance.image_ref)
        source = labimages.raw(CONF.lab.cache, image)
        size = os.stat(source).st_size
        if gib and size > gib * units.Gi:
            raise exception.FlavorDiskSmallerThanImage(flavor_size=gib * units.Gi,
                                                       image_size=size)
        labimages.clone(source, path)
        if gib:
            os.truncate(path, gib * units.Gi)

    def spawn(self, context, instance, image_meta, injected_files, admin_password,
              allocations, network_info=None, block_device_info=None, power_on=True,
              accel_info=None):
        labfault.happen(CONF.state_path, 'start')
        self._device_metadata(instance)
        directory = self.servers.directory(instance.uuid)
        os.makedirs(directory, exist_ok=True)
        bus = image_bus(image_meta)
        root = instance.root_device_name or '/dev/' + disks.prefix(bus) + 'a'
        s = {'uuid': instance.uuid, 'name': instance.name, 'bus': bus,
             'hostname': instance.hostname or 'server', 'disks': [], 'vifs': {}, 'pid': None}
        mappings = driver.block_device_info_get_mapping(block_device_info)
        volumes = [self._volume_disk(m, bus, block_device.strip_dev(m['mount_device']) ==
                                     block_device.strip_dev(root)) for m in mappings]
        if instance.image_ref and not any(v['root'] for v in volumes):
            self._image_disk(context, instance, directory + '/disk')
            s['disks'].append({'path': directory + '/disk', 'dev': root, 'bus': bus,
                               'root': True, 'volume_id': None, 'loop': None})
        s['disks'] += volumes
        for e in driver.block_device_info_get_ephemerals(block_device_info) or []:
            path = directory + '/' + os.path.basename(e['device_name'])
            with open(path, 'wb') as f:
                f.truncate(e['size'] * units.Gi)
            s['disks'].append({'path': path, 'dev': e['device_name'], 'bus': bus,
                               'root': False, 'volume_id': None, 'loop': None})
        guest.write_config_drive(directory + '/seed', instance, network_info,
                                 injected_files, admin_password)
        self.servers.save(s)
        if power_on:
            guest.start(self.servers, s, network_info)

    def destroy(self, context, instance, network_info, block_device_info=None,
                destroy_disks=True, destroy_secrets=True):
        try:
            s = self.servers.load(instance.uuid)
        except exception.InstanceNotFound:
            return
        guest.stop(self.servers, s, 0)
        if destroy_disks:
            shutil.rmtree(self.servers.directory(instance.uuid), ignore_errors=True)

    def cleanup(self, context, instance, network_info, block_device_info=None,
                destroy_disks=True, migrate_data=None, destroy_vifs=True,
                destroy_secrets=True):
        if destroy_disks:
            shutil.rmtree(self.servers.directory(instance.uuid), ignore_errors=True)

    def power_off(self, instance, timeout=0, retry_interval=0):
        guest.stop(self.servers, self.servers.load(instance.uuid), timeout or 0)

    def power_on(self, context, instance, network_info, block_device_info=None,
                 accel_info=None):
        s = self.servers.load(instance.uuid)
        if not self.servers.alive(s):
            self._volumes_of(s, block_device_info)
            guest.start(self.servers, s, network_info)

    def _volumes_of(self, s, block_device_info):
        """Volumes attached or detached while the server was off."""
        mappings = {m['connection_info']['data']['volume_id']: m
                    for m in driver.block_device_info_get_mapping(block_device_info)}
        s['disks'] = [d for d in s['disks'] if not d['volume_id'] or d['volume_id'] in mappings]
        have = {d['volume_id'] for d in s['disks']}
        s['disks'] += [self._volume_disk(m, s['bus'], False)
                       for v, m in mappings.items() if v not in have]

    def reboot(self, context, instance, network_info, reboot_type, block_device_info=None,
               bad_volumes_callback=None, accel_info=None):
        s = self.servers.load(instance.uuid)
        guest.stop(self.servers, s, 5 if reboot_type == 'SOFT' else 0)
        guest.start(self.servers, s, network_info)

    def resume_state_on_host_boot(self, context, instance, network_info,
                                  block_device_info=None):
        s = self.servers.load(instance.uuid)
        if not self.servers.alive(s):
            for d in s['disks']:
                d['loop'] = None
            guest.start(self.servers, s, network_info)

    def pause(self, instance):
        self._pause(instance, signal.SIGSTOP, True)

    def unpause(self, instance):
        self._pause(instance, signal.SIGCONT, False)

    def _pause(self, instance, number, paused):
        s = self.servers.load(instance.uuid)
        guest.signal_all(s, number)
        s['paused'] = paused
        self.servers.save(s)

    # Volumes

    def attach_volume(self, context, connection_info, instance, mountpoint, disk_bus=None,
                      device_type=None, encryption=None):
        fault = labfault.happen(CONF.state_path, 'attach')
        if self._device_metadata(instance):
            instance.save()
        s = self.servers.load(instance.uuid)
        d = self._volume_disk({'connection_info': connection_info, 'disk_bus': disk_bus,
                               'mount_device': mountpoint}, s['bus'], False)
        if self.servers.alive(s):
            d['loop'] = disks.attach_loop(d['path'], d['offset'])
            disks.resize_loop(d['loop'])
            d['missing'] = fault == 'missing'
            if not d['missing']:
                disks.make_nodes(self.servers.directory(s['uuid']) + '/dev', d)
        s['disks'].append(d)
        self.servers.save(s)

    def detach_volume(self, context, connection_info, instance, mountpoint, encryption=None):
        labfault.happen(CONF.state_path, 'detach')
        s = self.servers.load(instance.uuid)
        volume = connection_info['data']['volume_id']
        for d in list(s['disks']):
            if d['volume_id'] != volume:
                continue
            if d.get('loop') and self.servers.alive(s):
                self._until_free(s, d, mountpoint)
                disks.remove_nodes(self.servers.directory(s['uuid']) + '/dev', d)
            # others may have changed the record while we waited
            s = self.servers.load(instance.uuid)
            s['disks'] = [k for k in s['disks'] if k['volume_id'] != volume]
            self.servers.save(s)
            if d.get('loop'):
                disks.detach_loop(self.servers, d['loop'], d['path'])

    def _until_free(self, s, d, mountpoint):
        for _ in range(DETACH_TRIES):
            why = disks.busy(d, guest.pid_namespace(s))
            if not why:
                return
            eventlet.sleep(DETACH_PAUSE)
        raise exception.DeviceDetachFailed(device=mountpoint, reason=why)

    def extend_volume(self, context, connection_info, instance, requested_size):
        for d in self.servers.load(instance.uuid)['disks']:
            if d['volume_id'] == connection_info['data']['volume_id'] and d.get('loop'):
                disks.resize_loop(d['loop'])

    def swap_volume(self, context, old_connection_info, new_connection_info, instance,
                    mountpoint, resize_to):
        raise NotImplementedError()

    # Ports

    def attach_interface(self, context, instance, image_meta, vif):
        s = self.servers.load(instance.uuid)
        if self.servers.alive(s):
            number = next(i for i in range(64) if i not in s['vifs'].values())
            network.plug(s['uuid'], vif, number)
            s['vifs'][vif['id']] = number
            self.servers.save(s)

    def detach_interface(self, context, instance, vif):
        s = self.servers.load(instance.uuid)
        network.unplug(vif['id'])
        s['vifs'].pop(vif['id'], None)
        self.servers.save(s)

    # Server image

    def snapshot(self, context, instance, image_id, update_task_state):
        s = self.servers.load(instance.uuid)
        root = [d for d in s['disks'] if d['root']][0]
        api = glance.API()
        name = api.get(context, image_id)['name']
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        path = self.servers.directory(s['uuid']) + '/snapshot-' + image_id
        run('sync', '-f', root['path'])
        run('qemu-img', 'convert', '-U', '-f', 'raw', '-O', 'qcow2', root['path'], path)
        update_task_state(task_state=task_states.IMAGE_UPLOADING,
                          expected_state=task_states.IMAGE_PENDING_UPLOAD)
        metadata = {'status': 'active', 'name': name, 'disk_format': 'qcow2',
                    'container_format': 'bare',
                    'properties': {'image_state': 'available',
                                   'owner_id': instance.project_id,
                                   'image_location': 'snapshot'}}
        try:
            with open(path, 'rb') as f:
                api.update(context, image_id, metadata, f, purge_props=False)
        finally:
            os.unlink(path)

    # Resize on the same host

    def migrate_disk_and_power_off(self, context, instance, dest, flavor, network_info,
                                   block_device_info=None, timeout=0, retry_interval=0):
        self.power_off(instance, timeout)
        return '[]'

    def finish_migration(self, context, migration, instance, disk_info, network_info,
                         image_meta, resize_instance, allocations, block_device_info=None,
                         power_on=True):
        s = self.servers.load(instance.uuid)
        size = instance.flavor.root_gb * units.Gi
        for d in s['disks']:
            if d['root'] and not d['volume_id'] and os.stat(d['path']).st_size < size:
                os.truncate(d['path'], size)
        if power_on:
            guest.start(self.servers, s, network_info)

    def finish_revert_migration(self, context, instance, network_info, migration,
                                block_device_info=None, power_on=True):
        if power_on:
            guest.start(self.servers, self.servers.load(instance.uuid), network_info)

    def confirm_migration(self, context, migration, instance, network_info):
        pass
