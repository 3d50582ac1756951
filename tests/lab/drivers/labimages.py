# SPDX-License-Identifier: Apache-2.0
"""Raw forms of a cloud's Glance images, shared by its nova-compute and its
cinder-volume.  All lie on one XFS, so what is made of them is a clone."""
import fcntl
import os

from oslo_concurrency import processutils

KEEP = 6
FORMATS = {'qcow2': 'qcow2', 'vmdk': 'vmdk', 'vdi': 'vdi', 'vhd': 'vpc', 'vhdx': 'vhdx'}


def raw(cache, image):
    """Path of the raw form of an active image (its Glance record)."""
    store = os.path.join(os.path.dirname(cache), 'images', image['id'])
    key = '%s-%s-%s' % (image.get('checksum'), image.get('disk_format'), os.stat(store).st_size)
    path = os.path.join(cache, key)
    # a file lock: the two services are processes of their own
    with open(os.path.join(cache, '.lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            os.utime(path)
            return path
        fmt = FORMATS.get(image.get('disk_format'))
        if fmt:
            processutils.execute('qemu-img', 'convert', '-f', fmt, '-O', 'raw', store,
                                 path + '.new')
        else:
            processutils.execute('cp', '--reflink=auto', '--sparse=always', store,
                                 path + '.new')
        os.rename(path + '.new', path)
        prune(cache)
    return path


def prune(cache):
    """Keep the last few; clones do not need their origin."""
    paths = sorted((os.path.join(cache, n) for n in os.listdir(cache) if n[0] != '.'),
                   key=os.path.getmtime)
    for p in paths[:-KEEP]:
        os.unlink(p)


def clone(source, target):
    processutils.execute('cp', '--reflink=auto', '--sparse=always', source, target)
