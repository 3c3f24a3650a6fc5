"""Where a host finds what is its own: its clients' data, and what they keep from round to round.

`data-dir` in the host's node config is the folder of its data, `state-dir` the one where clients' states are kept
(by default `states` beside the data). A host of a simulation has neither: it takes the data that the server prepared
from the machine's cache, by the key that every message brings, and keeps states there too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from flwr.app import Context, Message

from common.cache_folder import cache_folder
from common.data import Prepared
from common.messages import read_data

_KEY = re.compile("[0-9a-f]{24}")


def prepared(message: Message, context: Context) -> Prepared:
    """The data of this host. Raises FileNotFoundError where there is none."""
    config = context.node_config
    if "data-dir" in config:
        return _opened(str(config["data-dir"]))
    key = read_data(message.content)
    # A key that came with a message must never become a path elsewhere.
    if not _KEY.fullmatch(key):
        raise FileNotFoundError("this host's node config has no data-dir, and the message names no prepared data")
    folder = cache_folder() / "shards" / key
    if not folder.exists():
        raise FileNotFoundError(f"this host's node config has no data-dir, and {folder} is not there")
    return _opened(str(folder))


def states_folder(context: Context) -> Path:
    """Where this host keeps its clients' states of this run."""
    config = context.node_config
    if "state-dir" in config:
        folder = Path(str(config["state-dir"]))
    elif "data-dir" in config:
        folder = Path(str(config["data-dir"])) / "states"
    else:
        folder = cache_folder() / "states"
    return folder / str(context.run_id)


@lru_cache(maxsize=4)
def _opened(folder: str) -> Prepared:
    return Prepared(folder)
