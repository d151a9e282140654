"""Run in the runtime environment: starts the server's program with one configuration after the other, in one process.

Arguments: files. Each must be refused before anything is served; printed is a JSON line with the exit code and what the
program said last. vLLM is imported once (10 s) instead of once for each.
"""

import contextlib
import io
import json
import sys

from runtime.serve.server import main

for file in sys.argv[1:]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(["--config", file])
    print(json.dumps({"code": code, "last": said.getvalue().strip().splitlines()[-1]}), flush=True)
