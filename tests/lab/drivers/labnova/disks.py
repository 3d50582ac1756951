# SPDX-License-Identifier: Apache-2.0
"""Disks of a server: a loop device over the real bytes, and in the server's
own /dev the names and links that QEMU and udev would give."""
import errno
import os
import re
import stat

from oslo_concurrency import lockutils

from labnova.common import read, run

DISK_GROUP = 6


def prefix(bus):
    return {'virtio': 'vd', 'ide': 'hd', 'xen': 'xvd'}.get(bus, 'sd')


def links(bus, serial):
    """Names in /dev/disk/by-id of a disk.

    virtio-blk has 20 bytes for the serial, and so has ATA in QEMU; SCSI passes
    all of it (udev makes the 0 form from VPD page 0x83, the S form from 0x80)."""
    if not serial:
        return []
    if bus == 'virtio':
        return ['virtio-' + serial[:20]]
    if bus == 'scsi':
        return ['scsi-0QEMU_QEMU_HARDDISK_' + serial, 'scsi-SQEMU_QEMU_HARDDISK_' + serial]
    return ['ata-QEMU_HARDDISK_' + serial[:20]]


# Where a volume of a type that encrypts begins for its server.  Nothing is encrypted; what matters is that the header takes
# its room from the volume's own, as LUKS1 does.
HEADER_BYTES = 2 << 20


def attach_loop(path, offset=0):
    """Loop device over path; an existing one when another server has it too."""
    @lockutils.synchronized('lab-loop')
    def attach():
        there = run('losetup', '-j', path).strip()
        if there:
            return there.split(':')[0]
        loop = run('losetup', '-f', '--show', '-P', '-o', str(offset), path).strip()
        # not every kernel has partition table parsers: partx does the same
        run('partx', '-u', loop, check_exit_code=False)
        return loop
    return attach()


def detach_loop(servers, loop, path):
    """Unless another server (multiattach) still has it."""
    @lockutils.synchronized('lab-loop')
    def detach():
        for uuid in servers.uuids():
            for d in servers.load(uuid)['disks']:
                if d['path'] == path and d.get('loop') == loop:
                    return
        run('blockdev', '--flushbufs', loop, check_exit_code=False)
        run('losetup', '-d', loop, check_exit_code=False)
    detach()


def resize_loop(loop):
    run('losetup', '-c', loop, check_exit_code=False)


def partitions(loop):
    """[(number, 'major:minor')]"""
    name = os.path.basename(loop)
    found = []
    for p in sorted(os.listdir('/sys/block/' + name)):
        m = re.match(name + r'p(\d+)$', p)
        if m:
            found.append((m.group(1), read('/sys/block/%s/%s/dev' % (name, p))))
    return found


def make_nodes(dev, disk):
    """Device nodes and links of a disk in the server's /dev."""
    base = os.path.basename(disk['dev'])
    loop = disk['loop']
    wanted = [('', read('/sys/block/%s/dev' % os.path.basename(loop)))] + partitions(loop)
    by_id = dev + '/disk/by-id'
    os.makedirs(by_id, exist_ok=True)
    for number, major_minor in wanted:
        node = dev + '/' + base + number
        if not os.path.lexists(node):
            os.mknod(node + '.new', stat.S_IFBLK | 0o600,
                     os.makedev(*(int(n) for n in major_minor.split(':'))))
            os.chown(node + '.new', 0, DISK_GROUP)
            os.chmod(node + '.new', 0o660)
            os.rename(node + '.new', node)
        for name in links(disk['bus'], disk.get('serial')):
            link = by_id + '/' + name + ('-part' + number if number else '')
            if not os.path.lexists(link):
                os.symlink('../../' + base + number, link)
    have = {base + number for number, _ in wanted}
    for name in os.listdir(dev):
        if re.match(re.escape(base) + r'\d+$', name) and name not in have:
            os.unlink(dev + '/' + name)


def remove_nodes(dev, disk):
    base = os.path.basename(disk['dev'])
    by_id = dev + '/disk/by-id'
    for name in os.listdir(by_id) if os.path.isdir(by_id) else []:
        if re.match(r'\.\./\.\./' + re.escape(base) + r'\d*$', os.readlink(by_id + '/' + name)):
            os.unlink(by_id + '/' + name)
    for name in os.listdir(dev):
        if re.match(re.escape(base) + r'\d*$', name):
            os.unlink(dev + '/' + name)


def root_device(disk):
    """Where the root file system is: the first partition that has one."""
    loop = disk['loop']
    for device in ['%sp%s' % (loop, n) for n, _ in partitions(loop)] or [loop]:
        kind = run('blkid', '-p', '-s', 'TYPE', '-o', 'value', device,
                   check_exit_code=False).strip()
        if kind in ('ext4', 'ext3', 'ext2', 'xfs', 'btrfs'):
            return device
    return '-'


def busy(disk, namespace):
    """Why a disk cannot be taken away, or None: mounted, claimed, or held open
    by a process of the server (whose pid namespace is given)."""
    loop = disk['loop']
    nodes = [loop] + ['%sp%s' % (loop, n) for n, _ in partitions(loop)]
    numbers = set()
    for node in nodes:
        try:
            numbers.add(os.stat(node).st_rdev)
            os.close(os.open(node, os.O_RDONLY | os.O_EXCL))
        except OSError as e:
            if e.errno == errno.EBUSY:
                return 'mounted or claimed'
    for p in os.listdir('/proc'):
        if not p.isdigit():
            continue
        try:
            if namespace and os.readlink('/proc/%s/ns/pid' % p) != namespace:
                continue
            for fd in os.listdir('/proc/%s/fd' % p):
                try:
                    st = os.stat('/proc/%s/fd/%s' % (p, fd))
                except OSError:
                    continue
                if stat.S_ISBLK(st.st_mode) and st.st_rdev in numbers:
                    return 'open in process ' + p
        except OSError:
            continue
    return None
