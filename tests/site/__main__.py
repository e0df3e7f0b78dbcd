"""A site to try the product on by hand: python -m tests.site --pages 300 --port 8100"""

import argparse
import signal
import sys
from pathlib import Path

from tests.site import LocalSite, docs_site


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.site", description=__doc__)
    parser.add_argument("--pages", type=int, default=30, help="pages of the example documentation")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--directory", type=Path, help="serve the files of this directory instead")
    options = parser.parse_args()
    routes = {} if options.directory else docs_site(options.pages)
    with LocalSite(routes, directory=options.directory, port=options.port) as site:
        sys.stdout.write(f"{site.url}{'/' if options.directory else '/docs/'}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
