"""The hook's public path: connections and callers outside this package name it."""

from xiaoe.api.hook import Answer, XiaoeHook

__all__ = ["Answer", "XiaoeHook"]
