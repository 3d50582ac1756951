# SPDX-License-Identifier: Apache-2.0
"""The image the demo servers boot from, built once by images/build-image."""
import glob
import hashlib
import os
import subprocess

from osmlab.settings import CACHE, LabError, SOURCE, say

IMAGES = os.path.dirname(os.path.dirname(SOURCE)) + '/images'
PACKAGES = IMAGES + '/packages.txt'


def guest(log):
    """Path of the image; builds it when the cache has none of this recipe."""
    h = hashlib.sha256()
    for name in ('build-image', 'base.list'):
        with open(IMAGES + '/' + name, 'rb') as f:
            h.update(f.read())
    path = '%s/guest-%s.qcow2' % (CACHE, h.hexdigest()[:12])
    if not os.path.exists(path):
        say('building', path, '(log: %s)' % log)
        os.makedirs(CACHE, exist_ok=True)
        with open(log, 'ab') as f:
            if subprocess.run([IMAGES + '/build-image', 'guest', '--output', path + '.new'],
                              stdin=subprocess.DEVNULL, stdout=f, stderr=f).returncode:
                raise LabError('build-image failed; see ' + log)
        os.rename(path + '.new', path)
        for old in sorted(glob.glob(CACHE + '/guest-*.qcow2'), key=os.path.getmtime)[:-2]:
            os.unlink(old)
    return path
