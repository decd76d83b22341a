# SPDX-License-Identifier: MIT OR Apache-2.0
"""The module name `axengine` over the package `ax650`, for programs that were written for it."""
from ax650 import (
    InferenceSession,
    SessionOptions,
    __version__,
    axclrt_provider_name,
    axengine_provider_name,
    get_all_providers,
    get_available_providers,
)

__all__ = [
    "InferenceSession",
    "SessionOptions",
    "__version__",
    "axclrt_provider_name",
    "axengine_provider_name",
    "get_all_providers",
    "get_available_providers",
]
