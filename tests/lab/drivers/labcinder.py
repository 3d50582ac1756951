# SPDX-License-Identifier: Apache-2.0
"""Cinder driver of the lab: a volume is a sparse raw file on an XFS, clones
and snapshots share extents.  initialize_connection () gives the file's path,
over which the lab's Nova driver puts a loop device."""
import os

from oslo_concurrency import processutils
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import units

from cinder import exception
from cinder.image import image_utils
from cinder import interface
from cinder.volume import configuration
from cinder.volume import driver
from cinder.volume import volume_utils

import labfault
import labimages

LOG = logging.getLogger(__name__)
OPTIONS = [cfg.StrOpt('lab_volumes_dir'), cfg.StrOpt('lab_image_cache'),
           cfg.IntOpt('lab_capacity_gb', default=10000)]
cfg.CONF.register_opts(OPTIONS, group=configuration.SHARED_CONF_GROUP)


@interface.volumedriver
class LabDriver(driver.VolumeDriver, driver.CloneableImageVD):
    VERSION = '1.0'
    CI_WIKI_NAME = 'none'

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.configuration.append_config_values(OPTIONS)
        self.directory = self.configuration.lab_volumes_dir

    def check_for_setup_error(self):
        os.makedirs(self.directory, exist_ok=True)

    def local_path(self, volume):
        return os.path.join(self.directory, volume['name'])

    def _update_volume_stats(self):
        total = self.configuration.lab_capacity_gb
        self._stats = {
            'volume_backend_name': self.configuration.volume_backend_name or 'lab',
            'vendor_name': 'lab', 'driver_version': self.VERSION, 'storage_protocol': 'local',
            'pools': [{'pool_name': 'lab', 'total_capacity_gb': total,
                       'free_capacity_gb': total - 1, 'reserved_percentage': 0,
                       'thin_provisioning_support': True,
                       'thick_provisioning_support': False,
                       'max_over_subscription_ratio': 20.0, 'provisioned_capacity_gb': 0,
                       'multiattach': True, 'QoS_support': False,
                       'allocated_capacity_gb': 0}]}

    def _grow(self, path, gib):
        with open(path, 'ab'):
            pass
        if os.stat(path).st_size < gib * units.Gi:
            os.truncate(path, gib * units.Gi)

    def _clone(self, source, target, gib):
        labimages.clone(source, target)
        self._grow(target, gib)

    def create_volume(self, volume):
        labfault.happen(cfg.CONF.state_path, 'create')
        self._grow(self.local_path(volume), volume['size'])

    def delete_volume(self, volume):
        labfault.happen(cfg.CONF.state_path, 'delete')
        try:
            os.unlink(self.local_path(volume))
        except FileNotFoundError:
            pass

    def create_snapshot(self, snapshot):
        labfault.happen(cfg.CONF.state_path, 'snapshot')
        processutils.execute('sync', self.local_path(snapshot.volume))
        labimages.clone(self.local_path(snapshot.volume), self.local_path(snapshot))

    def delete_snapshot(self, snapshot):
        self.delete_volume(snapshot)

    def create_volume_from_snapshot(self, volume, snapshot):
        labfault.happen(cfg.CONF.state_path, 'clone')
        self._clone(self.local_path(snapshot), self.local_path(volume), volume['size'])

    def create_cloned_volume(self, volume, src_vref):
        labfault.happen(cfg.CONF.state_path, 'clone')
        self._clone(self.local_path(src_vref), self.local_path(volume), volume['size'])

    def revert_to_snapshot(self, context, volume, snapshot):
        self._clone(self.local_path(snapshot), self.local_path(volume), volume['size'])

    def extend_volume(self, volume, new_size):
        self._grow(self.local_path(volume), int(new_size))

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        source = labimages.raw(self.configuration.lab_image_cache, image_meta)
        if os.stat(source).st_size > volume['size'] * units.Gi:
            raise exception.ImageUnacceptable(
                image_id=image_meta['id'],
                reason='its virtual size is larger than the volume')
        self._clone(source, self.local_path(volume), volume['size'])
        return None, True

    def copy_image_to_volume(self, context, volume, image_service, image_id,
                             disable_sparse=False):
        path = self.local_path(volume)
        image_utils.fetch_to_raw(context, image_service, image_id, path, '1M',
                                 size=volume['size'], run_as_root=False)
        processutils.execute('fallocate', '--dig-holes', path)
        self._grow(path, volume['size'])

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        volume_utils.upload_volume(context, image_service, image_meta,
                                   self.local_path(volume), volume, run_as_root=False)

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector, **kw):
        return {'driver_volume_type': 'local',
                'data': {'device_path': self.local_path(volume), 'volume_id': volume['id'],
                         'target_discovered': False, 'discard': True}}

    def terminate_connection(self, volume, connector, **kw):
        pass

    def _existing(self, reference):
        path = os.path.join(self.directory, os.path.basename(reference['source-name']))
        if not os.path.exists(path):
            raise exception.ManageExistingInvalidReference(existing_ref=reference,
                                                           reason='no such file')
        return path

    def manage_existing(self, volume, existing_ref):
        os.rename(self._existing(existing_ref), self.local_path(volume))

    def manage_existing_get_size(self, volume, existing_ref):
        return -(-os.stat(self._existing(existing_ref)).st_size // units.Gi)

    def unmanage(self, volume):
        pass
