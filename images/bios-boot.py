#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write GRUB for BIOS onto a GPT disk image, without mounting anything.

usage: bios-boot.py DISK BOOT_IMG CORE_IMG FIRST_SECTOR SECTOR_COUNT

Does what grub-bios-setup does for a BIOS boot partition: core.img goes to
FIRST_SECTOR, its first block is told where the rest is, and boot.img goes to
the first sector of the disk with the address of core.img in it.  Offsets are
those of grub/i386/pc/boot.h.
"""
import struct
import sys

SECTOR = 512
KERNEL_SECTOR = 0x5C       # boot.img: u64, where core.img starts
DRIVE_CHECK = 0x66         # boot.img: jump that grub-bios-setup blanks out
BPB = slice(0x03, 0x5A)    # boot.img: left as they are on the disk
PARTITIONS = slice(0x1B8, 0x1FE)
BLOCKLIST = SECTOR - 12    # core.img: u64 start, u16 length, u16 segment


def main(argv):
    if len(argv) != 6:
        sys.exit(__doc__.strip())
    disk, boot_img, core_img = argv[1:4]
    first, count = int(argv[4]), int(argv[5])
    with open(boot_img, "rb") as f:
        boot = bytearray(f.read())
    with open(core_img, "rb") as f:
        core = bytearray(f.read())
    if len(boot) != SECTOR:
        sys.exit(f"{boot_img}: {len(boot)} bytes, expected {SECTOR}")
    core += bytes(-len(core) % SECTOR)
    sectors = len(core) // SECTOR
    if sectors > count:
        sys.exit(f"{core_img}: {sectors} sectors do not fit into {count}")

    _, length, segment = struct.unpack_from("<QHH", core, BLOCKLIST)
    if segment != 0x820 or length != sectors - 1:
        sys.exit(f"{core_img}: unexpected block list ({length}, {segment:#x})")
    struct.pack_into("<Q", core, BLOCKLIST, first + 1)
    struct.pack_into("<Q", boot, KERNEL_SECTOR, first)
    boot[DRIVE_CHECK:DRIVE_CHECK + 2] = b"\x90\x90"

    with open(disk, "r+b") as f:
        old = f.read(SECTOR)
        boot[BPB] = old[BPB]
        boot[PARTITIONS] = old[PARTITIONS]
        f.seek(0)
        f.write(boot)
        f.seek(first * SECTOR)
        f.write(core)


main(sys.argv)
