"""What is needed of how Flower reads apps, beyond what Flower documents."""

from __future__ import annotations

from flwr.common.config import flatten_dict, fuse_dicts, get_project_config, parse_config_args

__all__ = ["flatten_dict", "fuse_dicts", "get_project_config", "parse_config_args"]
