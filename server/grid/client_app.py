"""Running a ClientApp on a message, wherever that happens."""

from __future__ import annotations

import importlib
import traceback

from flwr.app import Context, Error, Message
from flwr.clientapp import ClientApp

from common.compat.flower import ErrorCode


def load_client_app(name: str) -> ClientApp:
    """The ClientApp named as `module:attribute`."""
    module, _, attribute = name.partition(":")
    client_app = getattr(importlib.import_module(module), attribute)
    if not isinstance(client_app, ClientApp):
        raise TypeError(f"{name} is no Flower ClientApp but {type(client_app).__name__}")
    return client_app


def answer(client_app: ClientApp, message: Message, context: Context) -> Message:
    """The app's reply; where it raises, an error reply whose reason ends in the traceback."""
    try:
        return client_app(message, context)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
        return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason), reply_to=message)
