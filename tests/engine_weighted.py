"""What each of several processes does in tests/test_engine_processes.py: a toy whose batches have different weights.

    torchrun --nproc-per-node 2 -m tests.engine_weighted FOLDER
"""

import sys
from pathlib import Path

from tests.engine_toys import begin
from tests.test_engine_updates import Weighted, changed

if __name__ == "__main__":
    begin(Path(sys.argv[1]), make=Weighted, recipe=changed(batch_size=6, accumulate=2)).train()
