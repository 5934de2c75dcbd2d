"""The schemas as an editor's validator reads them: `check-jsonschema` on everything that ships, and on what is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
