# SPDX-License-Identifier: Apache-2.0
"""The image the demo servers boot from, built once."""
import os
import subprocess

from osmlab.settings import CACHE, LabError, SOURCE

GUEST = CACHE + '/guest.qcow2'


def guest(log):
    """Path of the image; builds it when it is not there."""
    if not os.path.exists(GUEST):
        os.makedirs(CACHE, exist_ok=True)
        with open(log, 'ab') as f:
            if subprocess.run([SOURCE + '/mkimage', GUEST], stdin=subprocess.DEVNULL,
                              stdout=f, stderr=f).returncode:
                raise LabError('mkimage failed; see ' + log)
    return GUEST
