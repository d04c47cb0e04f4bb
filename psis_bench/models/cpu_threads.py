"""Let torch's idle CPU threads sleep. Importing this module does it, and it has to come before torch is imported.

By default the threads of GNU OpenMP spin while they wait for each other. As soon as anything else runs on the cores,
a loader of images for instance, the thread that is waited for is the one that spinning keeps from running: two threads on
two busy cores took 2.1 s for a training step that one took 0.6 s for, and 0.7 s when they sleep.
"""

from __future__ import annotations

import os

os.environ.setdefault("GOMP_SPINCOUNT", "0")
