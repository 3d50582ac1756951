#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print debugfs commands that set access, change and creation times.

usage: ext4-times.py FILE_SYSTEM SECONDS

mke2fs -d takes the change time from the source file, and no tool can set that
one in the source.  Only the inodes in use are named.
"""
import struct
import sys


def inodes_in_use(f):
    f.seek(1024)
    sb = f.read(1024)
    (magic,) = struct.unpack_from("<H", sb, 0x38)
    if magic != 0xEF53:
        sys.exit("not an ext4 file system")
    total, blocks = struct.unpack_from("<II", sb, 0)
    block = 1024 << struct.unpack_from("<I", sb, 0x18)[0]
    (per_group,) = struct.unpack_from("<I", sb, 0x28)
    (first,) = struct.unpack_from("<I", sb, 0x54)
    (incompat,) = struct.unpack_from("<I", sb, 0x60)
    desc_size = struct.unpack_from("<H", sb, 0xFE)[0] if incompat & 0x80 else 32
    for group in range((total + per_group - 1) // per_group):
        f.seek((1024 // block + 1) * block + group * desc_size)
        desc = f.read(desc_size)
        if struct.unpack_from("<H", desc, 0x12)[0] & 1:  # INODE_UNINIT
            continue
        bitmap = struct.unpack_from("<I", desc, 4)[0]
        if desc_size >= 64:
            bitmap |= struct.unpack_from("<I", desc, 0x24)[0] << 32
        f.seek(bitmap * block)
        for i, byte in enumerate(f.read(per_group // 8)):
            for bit in range(8):
                inode = group * per_group + i * 8 + bit + 1
                if byte >> bit & 1 and (inode == 2 or inode >= first):
                    yield inode


def main(argv):
    if len(argv) != 3:
        sys.exit(__doc__.strip())
    seconds = int(argv[2])
    with open(argv[1], "rb") as f:
        for inode in inodes_in_use(f):
            for field in ("atime", "ctime", "crtime"):
                print(f"set_inode_field <{inode}> {field} @{seconds}")
                print(f"set_inode_field <{inode}> {field}_extra 0")


main(sys.argv)
