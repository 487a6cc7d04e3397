"""Exceptions, one class per way of recovering.

XiaoeError
  × XiaoeConfigError          stop: a person must change a setting, a connection field or a right
  × XiaoeRetriableError       wait and retry (says how long, if that is known)
    · XiaoeNetworkError         HTTP 5xx, time-out, cut connection, a body that is not JSON
    · XiaoeBusyError            codes 1001, 1002, 2054 and undocumented codes
    · XiaoeQuotaError           code 2053, HTTP 429: wait for the next window
  × XiaoeTokenError           the token expired or was replaced (2007, 2008): refresh it, repeat the call
  × XiaoeIncompleteError      the API's pages do not add up: the window is not complete
  × XiaoeReconciliationError  the warehouse and the API disagree on a window
  × XiaoeMappingError         fields or keys of many rows cannot be read: the mapping does not fit the interface
  × XiaoeQualityError         a check of the data failed: a person has to look

The codes are those of section 7 of docs/xiaoe-api.md.
"""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException


class XiaoeError(AirflowException):
    """Base of everything this package raises on purpose.

    `code` is the API's, where an answer of it is the reason.
    """

    code: int | None = None


class XiaoeConfigError(XiaoeError):
    """A setting is wrong; retrying cannot help. The message names the field, the value and the fix."""


class XiaoeRetriableError(XiaoeError):
    """The same call may work later.

    Args:
        message: What happened, free of secrets.
        retry_after: Seconds that the server asked to wait, if it did.
        max_attempts: Maximum number of tries; None leaves it to the hook.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, max_attempts: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.max_attempts = max_attempts


class XiaoeNetworkError(XiaoeRetriableError):
    """No usable answer came back."""


class XiaoeBusyError(XiaoeRetriableError):
    """The API answered that it cannot serve the call now."""


class XiaoeQuotaError(XiaoeRetriableError):
    """The call quota is used up until its window ends."""


class XiaoeTokenError(XiaoeError):
    """The access token is missing, expired or was replaced."""


class XiaoeIncompleteError(XiaoeError):
    """Distinct rows staged and the API's total differ even after the window was read again."""


class XiaoeReconciliationError(XiaoeError):
    """The warehouse holds rows for a window that the API no longer lists, or counts do not add up."""


class XiaoeMappingError(XiaoeError):
    """Too many rows of a run cannot be read; names the fields, their form and the fix. What can be written was."""


class XiaoeQualityError(XiaoeError):
    """Checks of the data failed; the message names each one, its findings and the advice."""
