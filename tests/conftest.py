"""What every test stands on: rules are read anew, so that no test depends on what an earlier run kept."""

import os

os.environ["HAZARD_CACHE"] = "off"
